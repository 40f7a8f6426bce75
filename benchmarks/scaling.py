"""What a run costs in bytes and seconds on the way of a scene: the figures of docs/scaling.md.

Messages are those that the job has sent, rows are those that it has stored, so that the figures
change with their form. `benchmarks.scaling_page` computes with them what machines can do.
"""

from __future__ import annotations

import statistics
import time
from random import Random
from typing import Any

from confluent_kafka import Consumer
from rich.console import Console
from sqlalchemy import Connection, create_engine, text

import stack
from benchmarks.path import END, GIANT, LARGE, SMALL, START, scene_of
from benchmarks.rows import Row, row
from mela.messages import CHUNK_RESULTS, RESULTS, RUNS, SCENES, MessagePosition
from mela.scene import Scene
from mela.settings import Settings
from messaging.columns import from_arrow
from messaging.consumer import tail
from messaging.publisher import Publisher
from services.scenes.follow import Follower
from warehouse.database import engine_for, transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.ingest import ingest
from warehouse.results import finder
from warehouse.scenes import records
from warehouse.schema.migrate import upgrade

BESIDE, GIANTS = 11, (0, 1, 3)
GRIDS, TOGETHER = 3, 16
TABLES = ("run", "result", "result_seal", "scene_run")
SCRATCH = "scaling"
_SIZE = text("""
    SELECT sum(pg_total_relation_size(to_regclass('ops.' || name)))
    FROM unnest(CAST(:names AS text[])) AS name
""")
_WAL = text("SELECT pg_current_wal_lsn() - CAST('0/0' AS pg_lsn)")


def measure(console: Console) -> list[Row]:
    """Start a stack of its own, measure what 20,000 runs cost and what giants do, and stop it."""
    home = Settings().home
    settings = Settings(home=home.with_name(home.name + "-scaling"))
    console.print("bench scaling: starting a stack of its own, everything up …")
    settings = stack.up(settings, offline=True)
    try:
        ingest("binance:BTCUSDT", "1h", START, END, settings)
        with Publisher(settings.kafka) as publisher:
            for size in (1, SMALL):  # warm
                _recorded_s(scene_of(size), settings, publisher)
            return [*_costs(settings, publisher), *_beside(settings, publisher, console)]
    finally:
        stack.down(settings)


def _costs(settings: Settings, publisher: Publisher) -> list[Row]:
    """Measure what each run of a grid leaves in Kafka and in Postgres."""
    heard = {topic: tail(settings, topic) for topic in (RUNS, CHUNK_RESULTS, RESULTS)}
    size, wal = _stored(settings)
    rates = [LARGE / _recorded_s(scene_of(LARGE), settings, publisher) for _ in range(GRIDS)]
    runs = LARGE * GRIDS
    size_after, wal_after = _stored(settings)
    messages = {topic: _heard(consumer, topic, runs) for topic, consumer in heard.items()}
    kept = {topic: sum(map(len, values)) / runs for topic, values in messages.items()}
    return [
        row("scaling.grid", rates, "runs/s, publish → recorded", "higher"),
        *(
            row(
                f"scaling.{topic.removeprefix('mela.')}_bytes",
                [value],
                "bytes a run",
                "lower",
                note=f"values of {len(messages[topic]):,} messages of {topic}, not compressed",
            )
            for topic, value in kept.items()
        ),
        row(
            "scaling.postgres_bytes",
            [(size_after - size) / runs],
            "bytes a run",
            "lower",
            note=f"growth of {', '.join(f'ops.{name}' for name in TABLES)} with their indexes",
        ),
        row(
            "scaling.wal_bytes",
            [(wal_after - wal) / runs],
            "bytes a run",
            "lower",
            note="of the write-ahead log, which a standby would get",
        ),
        _stored_alone(messages[CHUNK_RESULTS], settings),
    ]


def _stored_alone(messages: list[bytes], settings: Settings) -> Row:
    """Store the same results once more, in a database of its own and with one connection."""
    parts = [from_arrow(one) for one in messages]
    admin = create_engine(settings.postgres.url(), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {SCRATCH} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {SCRATCH}"))
    admin.dispose()
    where = settings.postgres.model_copy(update={"database": SCRATCH})
    apart = settings.model_copy(update={"postgres": where})
    upgrade(apart)
    rates: list[float] = []
    with transaction(settings) as connection:
        known = instruments.known(connection, ["binance:BTCUSDT"])
    with transaction(apart) as connection:
        for one in known.values():
            instruments.upsert(connection, one)
        for scene_id in {part.scene_id for part in parts}:
            _receive(connection, scene_id)
    for first in range(0, len(parts), TOGETHER):
        some = parts[first : first + TOGETHER]
        began = time.perf_counter()
        with transaction(apart) as connection:
            assert finder.save_columns(connection, some) == []
        rates.append(sum(map(len, some)) / (time.perf_counter() - began))
    engine_for(apart).dispose()
    return row(
        "scaling.postgres_rate",
        rates,
        "results/s, one connection",
        "higher",
        note="the same messages stored again in an empty database, 16 at once",
    )


def _receive(connection: Connection, scene_id: str) -> None:
    content = {"strategy": {"name": "sma_cross"}}
    origin = MessagePosition(SCENES, 0, 0)
    records.receive(
        connection, scene_id, content, scene_id, runs=1, skipped=0, name=None, origin=origin
    )


def _beside(settings: Settings, publisher: Publisher, console: Console) -> list[Row]:
    """Ask small scenes while none, one or several giants go on."""
    rows: list[Row] = []
    for count in GIANTS:
        giants = [scene_of(GIANT) for _ in range(count)]
        waited, rate = _waited(giants, settings, publisher)
        median = statistics.median(waited)
        console.print(f"  beside {count} giants: {median:.2f} s, {rate:,.0f} runs/s")
        rows.append(
            row(
                f"scaling.beside_{count}",
                waited,
                "s, publish → result in Kafka",
                "lower",
            )
        )
        if count:
            note = f"of {count} with {GIANT:,} runs together, while small scenes came"
            rows.append(row(f"scaling.giants_{count}", [rate], "runs/s", "higher", note=note))
    return rows


def _waited(
    giants: list[Scene], settings: Settings, publisher: Publisher
) -> tuple[list[float], float]:
    """Return what small scenes waited for their answers, and the runs a second of all giants."""
    ids = [str(one.scene_id) for one in giants]
    with Follower(settings, [one.scene_id for one in giants]) as follower:
        for one in giants:
            publisher.scene(one)
        publisher.flush()
        begun: set[Any] = set()
        steps = follower.messages()
        while len(begun) < len(giants):
            said = next(steps)
            if said.recorded:
                begun.add(said.scene_id)
    before, began, waited = _done(ids, settings), time.monotonic(), list[float]()
    rng = Random(0)  # noqa: S311
    for _ in range(BESIDE):
        time.sleep(rng.random())  # so that scenes come at any moment of a batch
        waited.append(_answered_s(scene_of(1), settings, publisher))
    rate = (_done(ids, settings) - before) / (time.monotonic() - began)
    with transaction(settings) as connection:
        for one in ids:
            records.cancel(connection, one)
    _recorded_s(scene_of(1), settings, publisher)  # what lay before it is done
    return waited, rate


def _done(ids: list[str], settings: Settings) -> int:
    with transaction(settings) as connection:
        return sum(one.recorded for one in finder.progress(connection, ids))


def _recorded_s(scene: Scene, settings: Settings, publisher: Publisher) -> float:
    """Return the seconds from publishing a scene until all its runs were recorded."""
    with Follower(settings, [scene.scene_id]) as follower:
        began = time.monotonic()
        publisher.scene(scene)
        publisher.flush()
        follower.to_the_end()
        return (follower.recorded_at or time.monotonic()) - began


def _answered_s(scene: Scene, settings: Settings, publisher: Publisher) -> float:
    """Return the seconds from publishing a scene until its first result was in Kafka."""
    consumer, prefix = tail(settings, RESULTS), f"{scene.scene_id}:".encode()
    try:
        began = time.monotonic()
        publisher.scene(scene)
        publisher.flush()
        while time.monotonic() < began + 60:
            for message in consumer.consume(5_000, timeout=0.02):
                if (message.key() or b"").startswith(prefix):
                    return time.monotonic() - began
    finally:
        consumer.close()
    raise TimeoutError(f"expected an answer to the scene {scene.scene_id} within 60 s")


def _heard(consumer: Consumer, topic: str, runs: int) -> list[bytes]:
    """Return the messages that a consumer was not asked for yet; a chunk has many runs."""
    found: list[bytes] = []
    while some := consumer.consume(5_000, timeout=2.0):
        found += [message.value() or b"" for message in some if message.error() is None]
    consumer.close()
    if topic == RESULTS and len(found) != runs:
        raise ValueError(f"expected {runs:,} results in {topic}, but found {len(found):,}")
    return found


def _stored(settings: Settings) -> tuple[int, int]:
    with transaction(settings) as connection:
        size = connection.scalar(_SIZE, {"names": list(TABLES)})
        return int(size or 0), int(connection.scalar(_WAL) or 0)
