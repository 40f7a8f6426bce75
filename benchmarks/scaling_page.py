"""Write what docs/scaling.md computes: `python -m benchmarks.scaling_page`.

The page has blocks between `<!-- computed: NAME -->` and `<!-- end -->`. Their text is what the
functions here return for the figures of `benchmarks/results/latest.json`; a test compares.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.queue_law import Law, simulate
from benchmarks.queue_picture import Line, picture
from benchmarks.scaling_figures import CHUNK_RUNS, MACHINE_CORES, Figures, figures

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "scaling.md", DOCS / "pictures" / "queue.svg"
_BLOCK = re.compile(r"(<!-- computed: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

# What is assumed of machines, as nobody has measured them.
CORES = 8
NETWORK_BYTES_S = 1.25e9  # 10 Gbit/s
DISK_BYTES_S = 500e6  # written one after the other, as a log is
BROKERS, REPLICATION = 3, 3
RUNS_OF_A_GRID = 1_000_000

# The simulated law: a machine of MACHINE_CORES, with `run` as it is.
TAKEN, AHEAD = 256, 32
RATES = (0.5, 2.0, 8.0, 32.0)
GIANTS = (0, 1, 4)
RARE = 0.25  # as `benchmarks.scaling` asks
ONE_GIANT_RUNS = 90_000  # sent at once, as if there were no bound; as in tests/integration
SCENES, SEED = 1_500, 7
SMALL_S = 0.005  # a chunk of one run with what a chunk costs by itself


@dataclass(frozen=True, slots=True)
class Limit:
    """What a part of the platform can do at most, and why."""

    part: str
    runs_s: float
    because: str


def limits(found: Figures, machines: int) -> list[Limit]:
    """Return the limits of some machines, the first to break first.

    One machine does everything. Of several, five have a part of their own: the driver with MLflow
    and Airflow, Postgres, three brokers; all others execute.
    """
    disk = Limit(
        "Postgres' log on its disk",
        DISK_BYTES_S / found.wal_bytes,
        f"{found.wal_bytes:,.0f} bytes of log a run, {_bytes(DISK_BYTES_S)}/s",
    )
    planning = Limit(
        "planning in the driver",
        1.0 / found.plan_s,
        f"one process, {found.plan_s * 1e6:.0f} µs a run",
    )
    if machines == 1:
        all_of_it = Limit(
            "its processors",
            CORES / found.run_s,
            f"{CORES} cores, {found.run_s * 1e6:.0f} µs a run for all services",
        )
        return sorted([all_of_it, disk, planning], key=lambda one: one.runs_s)
    workers = (machines - 2 - BROKERS) * CORES
    executing_s = found.worker_s + found.jvm_s - found.plan_s
    sent = found.sent_bytes * REPLICATION / BROKERS
    return sorted(
        [
            Limit(
                "executing",
                workers / executing_s,
                f"{workers:,} cores, {executing_s * 1e6:.0f} µs a run",
            ),
            planning,
            Limit(
                "Postgres' processors",
                CORES / found.postgres_s,
                f"{CORES} cores, {found.postgres_s * 1e6:.0f} µs a run",
            ),
            disk,
            Limit(
                "a broker's network",
                NETWORK_BYTES_S / sent,
                f"{sent:,.0f} bytes a run into each of {BROKERS} brokers, replicas too",
            ),
            Limit(
                "a broker's processors",
                BROKERS * CORES / (found.broker_s * REPLICATION),
                f"{BROKERS * CORES} cores, {found.broker_s * REPLICATION * 1e6:.0f} µs a run",
            ),
        ],
        key=lambda one: one.runs_s,
    )


def partitions(machines: int) -> int:
    """Return how many partitions `mela.runs` needs, so that each core has a task."""
    return CORES if machines == 1 else (machines - 2 - BROKERS) * CORES


def law_of(run_rate: float, idle_s: float, rate: float, giants: int) -> Law:
    """Return the queue's law for the measured machine; a batch costs half of an idle answer.

    run_rate: runs a second of a grid; idle_s: seconds until a scene alone is answered
    """
    return Law(
        cores=MACHINE_CORES,
        rate=rate,
        small_s=SMALL_S,
        giants=giants,
        chunk_s=CHUNK_RUNS * MACHINE_CORES / run_rate,
        ahead=AHEAD,
        batch=TAKEN,
        batch_s=idle_s / 2,
    )


def _figures(found: Figures) -> Iterator[str]:
    yield "| a run costs | measured | from |"
    yield "| --- | --- | --- |"
    grid = "`path.grid_20000`"
    for name, seconds in (
        ("Spark's Python: planning, executing, recording", found.worker_s),
        ("Spark's JVM", found.jvm_s),
        ("Postgres", found.postgres_s),
        ("the broker", found.broker_s),
    ):
        yield f"| {name} | {seconds * 1e6:.0f} µs of a core | the processor seconds of {grid} |"
    yield f"| all of them | {found.run_s * 1e6:.0f} µs of a core | their sum |"
    yield f"| planning alone, in one process | {found.plan_s * 1e6:.0f} µs | {grid} |"
    for topic, value in found.kafka_bytes.items():
        yield f"| `mela.{topic}` | {value:,.0f} bytes | `scaling.{topic}_bytes` |"
    yield (
        f"| tables and indexes of Postgres | {found.postgres_bytes:,.0f} bytes "
        "| `scaling.postgres_bytes` |"
    )
    yield f"| Postgres' log | {found.wal_bytes:,.0f} bytes | `scaling.wal_bytes` |"
    yield (
        f"| storing results, one connection | {1e6 / found.postgres_rate:.0f} µs, "
        f"{found.postgres_rate:,.0f} results/s | `scaling.postgres_rate` |"
    )
    yield (f"| the whole way on {MACHINE_CORES} cores | {found.path_rate:,.0f} runs/s | {grid} |")


def _sizes(found: Figures) -> Iterator[str]:
    yield (
        "| machines | partitions of `mela.runs` | breaks first | at runs/s | "
        f"{RUNS_OF_A_GRID:,} runs in | Kafka a day | Postgres a day |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for machines in (1, 10, 1_000):
        first = limits(found, machines)[0]
        a_day = first.runs_s * 86_400
        yield (
            f"| {machines:,} | {partitions(machines):,} | {first.part} | {first.runs_s:,.0f} "
            f"| {_seconds(RUNS_OF_A_GRID / first.runs_s)} "
            f"| {_bytes(a_day * found.sent_bytes * (REPLICATION if machines > 1 else 1))} "
            f"| {_bytes(a_day * found.postgres_bytes)} |"
        )


def _limits(found: Figures) -> Iterator[str]:
    yield "| machines | part | runs/s at most | as |"
    yield "| --- | --- | --- | --- |"
    for machines in (1, 10, 1_000):
        for one in limits(found, machines):
            yield f"| {machines:,} | {one.part} | {one.runs_s:,.0f} | {one.because} |"


def _changes(found: Figures) -> Iterator[str]:
    executing = next(one for one in limits(found, 1_000) if one.part == "executing").runs_s
    cores = executing * found.postgres_s
    warehouses = math.ceil(cores / CORES)
    chunks = executing / CHUNK_RUNS
    stored = found.kafka_bytes["chunk_results"] * executing
    yield "| to keep 1,000 machines busy | takes |"
    yield "| --- | --- |"
    yield f"| all results as rows | {cores:,.0f} cores of Postgres: {warehouses:,} warehouses |"
    yield (
        f"| results as objects, a row a chunk | {chunks:,.0f} objects and rows a second; "
        f"{_bytes(stored)}/s into the store, {_bytes(stored * 86_400)} a day |"
    )
    yield (
        f"| planning | {executing * found.plan_s:,.0f} processes that plan, or chunks that name a "
        "part of a grid and not its runs |"
    )
    network = executing * found.sent_bytes * REPLICATION / NETWORK_BYTES_S
    lean = executing * found.kafka_bytes["chunk_results"] * REPLICATION / NETWORK_BYTES_S
    yield (
        f"| Kafka | {math.ceil(network):,} brokers by their network; {math.ceil(lean):,} where "
        "only columns of results are sent, and no run and no document |"
    )


def _queue(found: Figures) -> Iterator[str]:
    yield (
        "| small scenes a second | "
        + " | ".join(f"beside {_giants(count)}: median, p99" for count in GIANTS)
        + f" | one giant of {ONE_GIANT_RUNS:,} runs, sent at once: the first |"
    )
    yield "| --- " * (len(GIANTS) + 2) + "|"
    for rate in RATES:
        cells = [_waits(found, rate, count) for count in GIANTS]
        bounded = law_of(found.path_rate, found.idle_s, rate, 1)
        chunks = ONE_GIANT_RUNS // CHUNK_RUNS
        whole = replace(bounded, ahead=math.inf, unbounded=chunks)
        first = float(simulate(whole, 1, SEED).small[0])
        said = [f"{median:.2f} s, {p99:.2f} s" for median, p99 in cells]
        yield f"| {rate:g} | {' | '.join(said)} | {first:.1f} s |"


def _agreement(found: Figures) -> Iterator[str]:
    yield "| beside | the giants got | simulated median | measured median | from |"
    yield "| --- | --- | --- | --- | --- |"
    idle_s = found.beside[0]
    for count, measured in sorted(found.beside.items()):
        row = f"{measured:.2f} s | `scaling.beside_{count}` |"
        if not count:
            yield f"| {_giants(count)} | – | – | {row}"
            continue
        rate = found.giants[count]
        alone, beside = (
            simulate(law_of(rate, idle_s, RARE, giants), SCENES, SEED).quantile(0.5)
            for giants in (0, count)
        )
        said = f"{idle_s + beside - alone:.2f} s"
        yield f"| {_giants(count)} | {rate:,.0f} runs/s | {said} | {row}"


def _waits(found: Figures, rate: float, giants: int) -> tuple[float, float]:
    waited = simulate(law_of(found.path_rate, found.idle_s, rate, giants), SCENES, SEED)
    return waited.quantile(0.5), waited.quantile(0.99)


def _giants(count: int) -> str:
    return {0: "no giant", 1: "one giant"}.get(count, f"{count} giants")


def _seconds(value: float) -> str:
    return f"{value / 60:.1f} min" if value >= 120 else f"{value:.0f} s" if value >= 1 else "< 1 s"


def _bytes(value: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if value < 1_000 or unit == "PB":
            return f"{value:,.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
        value /= 1_000
    raise AssertionError


BLOCKS: dict[str, Callable[[Figures], Iterator[str]]] = {
    "figures": _figures,
    "sizes": _sizes,
    "limits": _limits,
    "changes": _changes,
    "queue": _queue,
    "agreement": _agreement,
}


def page(text: str, found: Figures) -> str:
    """Return the page with its blocks as they are computed now."""

    def computed(block: re.Match[str]) -> str:
        lines = "\n".join(BLOCKS[block[2]](found))
        return f"{block[1]}\n{lines}\n\n{block[3]}"

    return _BLOCK.sub(computed, text)


def drawing(found: Figures) -> str:
    """Return the picture of the queue's law."""
    rates: Sequence[float] = [0.25 * 2**step for step in range(9)]
    lines = [
        Line(f"beside {_giants(count)}", [_waits(found, rate, count)[0] for rate in rates])
        for count in GIANTS
    ]
    return picture(rates, lines)


def main() -> None:
    """Write the page's blocks and the picture."""
    found = figures()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    PICTURE.write_text(drawing(found), encoding="utf-8")


if __name__ == "__main__":
    main()
