"""Loads and reads of candles, on a temporary Postgres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.candles import minute_candles
from benchmarks.loads import (
    by_adbc,
    by_fetchall,
    by_mela,
    empty,
    held_together,
    inserted,
    merged,
    stored,
)
from benchmarks.pairs import Pair, duration, faster, pairs
from benchmarks.rows import Row
from benchmarks.scratch_postgres import scratch_postgres
from mela.candles import Candles
from mela.errors import MelaError
from mela.settings import Settings
from warehouse.candles.snapshot import write_snapshot

CANDLES, REPEATS = 1_000_000, 5
READ_MINIMUM, WARM_MINIMUM, UPSERT_MINIMUM = 7.0, 100.0, 4.0
READ = "binance:READ"


def measure(console: Console) -> list[Row]:
    """Measure reads and loads of a million one-minute candles."""
    console.print("bench warehouse: starting a Postgres of its own …")
    with scratch_postgres() as settings:
        return [
            *reads(settings, settings.home / "snapshot", CANDLES, REPEATS),
            *upserts(settings, CANDLES, console),
        ]


def reads(settings: Settings, folder: Path, candles: int, repeats: int) -> list[Row]:
    """Measure reads of one series: from Postgres, from the mapped file, from a snapshot."""
    empty(settings)
    merged(settings, minute_candles(candles), READ)
    write_snapshot(settings, str(folder))
    bare = settings.model_copy(update={"cache_bytes": 0})
    copy, fetchall, adbc, warm, parquet = held_together(
        by_mela(bare, READ),
        by_fetchall(bare, READ),
        by_adbc(bare, READ),
        by_mela(settings, READ),
        by_mela(bare.model_copy(update={"candles": str(folder)}), READ),
    )
    what = f"{candles:,} candles into arrays"
    return [
        faster(
            "warehouse.read",
            pairs(copy, fetchall, repeats),
            "psycopg2 fetchall",
            minimum=READ_MINIMUM,
            note=what,
        ),
        faster(
            "warehouse.warm_read",
            pairs(warm, adbc, repeats),
            "ADBC",
            minimum=WARM_MINIMUM,
            note=f"{what}, a reader that read nothing before, from the mapped file; the series' "
            "revision is asked of Postgres, the file's numbers were added up before",
        ),
        faster(
            "warehouse.snapshot_read",
            pairs(parquet, copy, repeats),
            "the read from Postgres",
            note=f"{what}, Parquet on local disk, without the mapped file",
        ),
    ]


def upserts(settings: Settings, candles: int, console: Console) -> list[Row]:
    """Compare loads into one table with its partitions, triggers and versions."""
    first = minute_candles(candles)
    later = _raised(first)
    return [
        _upsert(settings, "new", None, first, console),
        _upsert(settings, "unchanged", first, first, console),
        _upsert(settings, "restated", first, later, console),
    ]


def _upsert(
    settings: Settings, kind: str, before: Candles | None, now: Candles, console: Console
) -> Row:
    """Return the row of one kind: three loads by Mela around one by execute_values."""
    numbers = iter(range(100))

    def prepared() -> str:
        name = f"binance:{kind.upper()}{next(numbers)}"
        if before is not None:
            merged(settings, before, name)
        return name

    def ours() -> float:
        name = prepared()
        seconds, found = merged(settings, now, name)
        expected = {"new": found.inserted, "unchanged": found.unchanged, "restated": found.updated}
        if expected[kind] != len(now):
            raise MelaError(f"expected {len(now)} candles {kind}, but found {found}")
        return seconds

    def theirs() -> float:
        name = prepared()
        seconds = inserted(settings, now, name, revision=2)
        _check(settings, name, now)
        return seconds

    empty(settings)
    measured = _measured_once(ours, theirs)
    console.print(f"  {kind}: {duration(measured.ours)}, {duration(measured.theirs)}")
    return faster(
        f"warehouse.upsert_{kind}",
        [measured],
        "execute_values",
        minimum=UPSERT_MINIMUM,
        note=f"{len(now):,} candles, of which all are {kind}; each side into the same table, with "
        "its partitions, lineage and versions",
    )


def _measured_once(ours: Callable[[], float], theirs: Callable[[], float]) -> Pair:
    [pair] = pairs(ours, theirs, repeats=1)
    return pair


def _check(settings: Settings, name: str, candles: Candles) -> None:
    count, closes = stored(settings, name)
    total = float(candles.close.sum())
    if count != len(candles) or abs(closes - total) > 1e-9 * total:
        raise MelaError(
            f"expected {len(candles)} candles of {name} whose closes sum to {total}, "
            f"but found {count} and {closes}"
        )


def _raised(candles: Candles) -> Candles:
    """Return candles as if a vendor had restated all of them."""
    prices = {one: getattr(candles, one) + 1.0 for one in ("open", "high", "low", "close")}
    return replace(candles, **prices)
