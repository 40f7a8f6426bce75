"""Read candles from a snapshot: its manifest lists the series, Parquet files hold their candles."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mela.counts import counted
from mela.errors import CandlesMissing
from mela.run import to_ms
from mela.series import SeriesKey
from warehouse.candles.adjust import Event
from warehouse.candles.manifest import (
    FILE,
    Folder,
    Manifest,
    SeriesEntry,
    SnapshotInvalid,
    SnapshotMoved,
)
from warehouse.candles.series import FIELDS, ChangedRange, Columns, SeriesState, slice_span

FRESH_S = 5.0  # how long a manifest is reused


@dataclass
class SnapshotCandles:
    """The candle store that `mela snapshot --to` wrote."""

    address: str
    fresh_s: float = FRESH_S
    _read: tuple[Folder, Manifest, float] | None = field(default=None, init=False)

    @contextmanager
    def open(
        self,
        name: SeriesKey,
        hint: tuple[datetime, datetime],  # noqa: ARG002
    ) -> Generator[SnapshotSeries]:
        """Open a series as the manifest lists it. See warehouse.candles.series.CandleStore.

        Raises CandlesMissing for a series that the snapshot lacks, SnapshotInvalid if there is no
        snapshot, and SnapshotMoved if the series' file is gone: opening it again reads the newest
        manifest.
        """
        folder, manifest = self._current()
        entry = manifest.entry(*name)
        if entry is None:
            raise CandlesMissing(
                f"the snapshot at {self.address} has no {name.interval} candles of "
                f"{name.instrument}. Add them: mela snapshot --instrument {name.instrument} "
                f"--interval {name.interval} --to {self.address}"
            )
        series = SeriesState(name, entry.revision, entry.candles_key, entry.about)
        try:
            yield SnapshotSeries(series, entry, folder)
        except SnapshotMoved:
            self._read = None
            raise

    def _current(self) -> tuple[Folder, Manifest]:
        if self._read is not None and time.monotonic() - self._read[2] <= self.fresh_s:
            return self._read[0], self._read[1]
        folder = self._read[0] if self._read else Folder(self.address)
        manifest = folder.manifest()
        if manifest is None:
            raise SnapshotInvalid(
                f"expected a snapshot at {self.address}, but found no {FILE} there. "
                f"Write one: mela snapshot --to {self.address}"
            )
        self._read = folder, manifest, time.monotonic()
        return folder, manifest


@dataclass(frozen=True, slots=True)
class SnapshotSeries:
    """An OpenSeries in a snapshot."""

    series: SeriesState
    entry: SeriesEntry
    folder: Folder

    def rows(self, start: datetime, end: datetime, warmup: int) -> Columns:
        """Return the candles of [start, end), and up to `warmup` candles before them."""
        start_ms, end_ms = to_ms(start), to_ms(end)
        with self._file() as file:
            chosen = _groups(file, start_ms, end_ms, warmup)
            return slice_span(_columns(file, chosen), start_ms, end_ms, warmup)

    def whole(self) -> Columns:
        """Return all candles."""
        with self._file() as file:
            return _columns(file, list(range(file.num_row_groups)))

    def between(self, first_ms: int, last_ms: int) -> Columns:
        """Return the candles that opened in [first_ms, last_ms]."""
        with self._file() as file:
            columns = _columns(file, _groups(file, first_ms, last_ms + 1, 0))
        return slice_span(columns, first_ms, last_ms + 1, 0)

    def extent(self) -> tuple[int, int]:
        """Return when the first and the last candle opened, in UTC milliseconds."""
        return self.entry.first_ms, self.entry.last_ms

    def changed_since(self, candles_key: str) -> ChangedRange | None:  # noqa: ARG002
        """Return None: a snapshot holds no earlier revisions."""
        return None

    def events(self, kinds: list[str], end: datetime) -> list[Event]:
        """Return the corporate actions effective before the end, oldest first."""
        return [
            Event(action.kind, action.effective_ms, action.value)
            for action in self.entry.actions
            if action.kind in kinds and action.effective_ms < to_ms(end)
        ]

    @contextmanager
    def _file(self) -> Generator[pq.ParquetFile]:
        path = self.folder.path(self.entry.file)
        try:
            source: Any = path if self.folder.is_local else self.folder.files.open(path, "rb")
            with pq.ParquetFile(
                source,
                memory_map=self.folder.is_local,
                pre_buffer=True,
                page_checksum_verification=True,
            ) as file:
                if file.metadata.num_rows != self.entry.candles:
                    raise self._unreadable(f"it has {file.metadata.num_rows}")
                yield file
        except FileNotFoundError as error:  # removed, usually by a newer snapshot
            raise SnapshotMoved(self._mismatch(error)) from error
        except (ConnectionError, TimeoutError, PermissionError):  # says nothing about the file
            raise
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: object) -> SnapshotInvalid:
        return SnapshotInvalid(self._mismatch(error))

    def _mismatch(self, error: object) -> str:
        return (
            f"expected {counted(self.entry.candles, 'candle')} in "
            f"{self.folder.path(self.entry.file)}, as the "
            f"manifest says, but: {error}. Write it anew: mela snapshot --to {self.folder.address}"
        )


def _groups(file: pq.ParquetFile, start_ms: int, end_ms: int, warmup: int) -> list[int]:
    """Return the row groups that hold a span and its warm-up."""
    chosen: list[int] = []
    for group in range(file.num_row_groups - 1, -1, -1):
        first, last, count = _held(file, group)
        if first >= end_ms:
            continue
        if last < start_ms:
            if warmup <= 0:
                break
            warmup -= count
        chosen.append(group)
    return chosen[::-1]


def _held(file: pq.ParquetFile, group: int) -> tuple[int, int, int]:
    about = file.metadata.row_group(group)
    seen = about.column(file.schema_arrow.get_field_index("opened_at")).statistics
    return to_ms(seen.min), to_ms(seen.max), about.num_rows


def _columns(file: pq.ParquetFile, groups: list[int]) -> Columns:
    table = file.read_row_groups(groups, columns=["opened_at", *FIELDS])
    opened = table["opened_at"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    return {"opened_ms": opened} | {name: table[name].to_numpy() for name in FIELDS}
