"""Candles: load them, say what is stored, write them as files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mela.errors import InputInvalid
from mela.instrument import parse_name
from mela.interval import Interval
from mela.settings import Settings
from warehouse.candles.coverage import Coverage, coverage
from warehouse.candles.snapshot import SnapshotReport, write_snapshot
from warehouse.database import transaction
from warehouse.ingestion.ingest import LoadReport, ingest


def load_candles(
    instrument: str, interval: Interval, start: datetime, end: datetime, settings: Settings
) -> LoadReport:
    """Load the closed candles of [start, end). Loading them again changes nothing.

    Raises InputInvalid for a wrong argument, SourceRefused and SourceUnavailable as the source
    does.
    """
    try:
        parse_name(instrument)
    except ValueError as error:
        raise InputInvalid("instrument", f"{error}.") from error
    if end <= start:
        raise InputInvalid("end", f"expected an end after {start}, but found {end}.")
    return ingest(instrument, interval, start, end, settings)


def stored_candles(settings: Settings, instruments: Sequence[str] = ()) -> list[Coverage]:
    """Return which candles are stored: of some instruments, or of all."""
    with transaction(settings) as connection:
        return coverage(connection, instruments)


def snapshot_candles(
    to: str,
    settings: Settings,
    *,
    instruments: Sequence[str] | None = None,
    intervals: Sequence[str] | None = None,
) -> SnapshotReport:
    """Write candles as Parquet files into a folder or below an s3:// address.

    instruments, intervals: None means all. Raises InputInvalid.
    """
    try:
        return write_snapshot(settings, to, instruments=instruments, intervals=intervals)
    except ValueError as error:
        raise InputInvalid(None, f"{error}.") from error
