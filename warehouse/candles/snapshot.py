"""Write candles as Parquet files, for clusters that would overload a single Postgres."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from sqlalchemy import text

import mela
from mela.errors import CandlesMissing
from mela.instrument import parse_name
from mela.interval import Interval
from mela.series import SeriesKey
from mela.settings import Settings
from warehouse.candles.manifest import (
    FILE,
    Action,
    Folder,
    Manifest,
    SeriesEntry,
    file_of,
    files_of_series,
)
from warehouse.candles.postgres_candles import PostgresCandles, PostgresSeries
from warehouse.candles.series import FIELDS, Columns, length
from warehouse.database import transaction

LOG = structlog.get_logger(__name__)
ROW_GROUP = 131_072  # candles: the smallest unit of a partial read
EVER = datetime(9999, 1, 1, tzinfo=UTC)
_SERIES = text("""
    SELECT i.venue || ':' || i.symbol, length.interval
    FROM ops.instrument i CROSS JOIN unnest(CAST(:intervals AS text[])) AS length (interval)
    WHERE (CAST(:names AS text[]) IS NULL OR i.venue || ':' || i.symbol = ANY(:names))
      AND EXISTS (SELECT FROM ops.candle_revision r WHERE r.instrument_id = i.id
                  AND r.interval = length.interval AND r.reason = 'candles')
    ORDER BY 1, 2
""")


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """The outcome of a write. series, candles: the requested ones; unchanged: already written.

    address: the value for MELA_CANDLES; kept: series of earlier writes that were not requested now
    """

    address: str
    series: int
    candles: int
    unchanged: int
    bytes: int
    kept: int


def write_snapshot(
    settings: Settings,
    to: str,
    *,
    instruments: Sequence[str] | None = None,
    intervals: Sequence[str] | None = None,
) -> SnapshotReport:
    """Write series to a folder or an `s3://bucket/path`. Without names, write all series.

    Repeatable: an unchanged series is not written again, and series that were not requested stay.
    Readers see the old state until the new manifest replaces the old one atomically. Each series is
    consistent in itself, but different series may be of different moments. Files that the new
    manifest no longer names are removed, so that tools that ignore the manifest find each candle
    once. Raises CandlesMissing if the warehouse has none of the requested series.
    """
    folder = Folder(to)
    names = _named(settings, instruments, intervals)
    before = folder.manifest()
    entries = [_write(settings, folder, name, before) for name in names]
    fresh = {(entry.instrument, entry.interval) for entry, _ in entries}
    kept = [
        entry
        for entry in (before.series if before else ())
        if (entry.instrument, entry.interval) not in fresh
    ]
    series = sorted([*kept, *(entry for entry, _ in entries)], key=lambda one: one.file)
    manifest = Manifest(
        written_at=datetime.now(UTC), code_version=mela.__version__, series=tuple(series)
    )
    folder.put(FILE, manifest.model_dump_json(indent=1).encode())
    _remove_older(folder, [entry for entry, is_new in entries if is_new], before)
    report = SnapshotReport(
        address=to,
        series=len(entries),
        candles=sum(entry.candles for entry, _ in entries),
        unchanged=sum(not is_new for _, is_new in entries),
        bytes=sum(entry.bytes for entry, is_new in entries if is_new),
        kept=len(kept),
    )
    LOG.info("snapshot_written", address=to, series=report.series, candles=report.candles)
    return report


def _named(
    settings: Settings, instruments: Sequence[str] | None, intervals: Sequence[str] | None
) -> list[SeriesKey]:
    for name in instruments or ():
        parse_name(name)
    lengths = [Interval(one).value for one in intervals or Interval]
    values = {"names": None if instruments is None else list(instruments), "intervals": lengths}
    with transaction(settings) as connection:
        rows = connection.execute(_SERIES, values)
        found = [SeriesKey(name, Interval(one)) for name, one in rows]
    missing = sorted(set(instruments or ()) - {name.instrument for name in found})
    if missing or not found:
        which = ", ".join(missing) or "anything"
        at = f" at {', '.join(lengths)}" if intervals else ""
        raise CandlesMissing(
            f"the warehouse has no candles of {which}{at}. Load them first, as: mela ingest "
            f"{missing[0] if missing else 'binance:BTCUSDT'} --interval {lengths[0]} "
            "--from 2022-01-01 --to 2024-01-01"
        )
    return found


def _write(
    settings: Settings, folder: Folder, name: SeriesKey, before: Manifest | None
) -> tuple[SeriesEntry, bool]:
    """Write a series' file unless it exists; return its entry, and whether it was written."""
    with PostgresCandles(settings).open(name, (EVER, EVER)) as opened:
        key = str(opened.series.candles_key)
        file = file_of(name.instrument, name.interval, key)
        old = before.entry(*name) if before else None
        if old and old.candles_key == key and folder.size(file) == old.bytes:
            return _described(opened, old.model_dump()), False
        columns = opened.whole()
        content = parquet(name, columns)
        found = {
            "instrument": name.instrument,
            "interval": name.interval,
            "candles_key": key,
            "candles": length(columns),
            "first_ms": int(columns["opened_ms"][0]),
            "last_ms": int(columns["opened_ms"][-1]),
            "file": file,
            "bytes": len(content),
        }
        entry = _described(opened, found)
    folder.put(file, content)
    return entry, True


def _described(opened: PostgresSeries, found: Mapping[str, object]) -> SeriesEntry:
    series = opened.series
    about = series.about
    actions = [
        Action(kind=event.kind, effective_ms=event.effective_ms, value=event.value)
        for event in opened.events(["split", "dividend"], EVER)
    ]
    state = {
        "revision": series.revision,
        "calendar": about.calendar,
        "tick": about.tick,
        "lot": about.lot,
        "facts": {
            **{name: getattr(about, name) for name in ("kind", "quote", "base", "exchange")},
            "timezone": about.timezone,
            "multiplier": about.multiplier,
            "inferred": about.inferred,
        },
        "actions": tuple(actions),
    }
    return SeriesEntry.model_validate({**found, **state})


def parquet(name: SeriesKey, columns: Columns) -> bytes:
    """Return a series as a Parquet file with page checksums."""
    count = length(columns)
    opened = pa.array(columns["opened_ms"]).cast(pa.timestamp("ms", tz="UTC"))
    zeros = pa.array(np.zeros(count, dtype=np.int32))
    table = pa.table(
        {
            "instrument": pa.DictionaryArray.from_arrays(zeros, pa.array([name.instrument])),
            "interval": pa.DictionaryArray.from_arrays(zeros, pa.array([name.interval.value])),
            "opened_at": opened,
            **{field: pa.array(columns[field]) for field in FIELDS},
            "unadjusted": pa.array(np.ones(count, dtype=np.bool_)),
        }
    )
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=ROW_GROUP,
        compression="zstd",
        use_dictionary=["instrument", "interval"],  # pyright: ignore[reportArgumentType]
        write_page_checksum=True,
        store_schema=False,  # readers get plain strings, not Arrow's dictionaries
    )
    return sink.getvalue()


def _remove_older(folder: Folder, written: list[SeriesEntry], before: Manifest | None) -> None:
    """Remove the previous files of the written series, including those of a killed write."""
    if not written:
        return
    older = files_of_series(folder.names(), written)
    for entry in written:
        old = before.entry(entry.instrument, entry.interval) if before else None
        older |= {old.file} if old else set()
    for file in sorted(older - {entry.file for entry in written}):
        folder.remove(file)
