"""A local cache of whole series: memory-mapped Arrow files that all processes share.

A file is named after its instrument, its interval and the key of its candles
(warehouse.candles.series), and never changes. It is written beside its final place and renamed, so
it is complete or absent. It carries a checksum; the first process to map a file verifies it, and a
torn or altered file is removed and read again. When the cache is full, the least recently used
files are removed.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import structlog

from mela.instrument import file_stem
from mela.series import SeriesKey
from mela.settings import Settings
from warehouse.candles.series import FIELDS, NAMES, Columns, length

LOG = structlog.get_logger(__name__)
CHECKSUM_BLOCK = 4_096  # numbers per sum; the CRC over the sums detects swapped blocks
ABANDONED_S = 3_600  # age of a half-written file whose process must have been killed
DIGEST = b"mela_digest"
OPENED = pa.timestamp("ms", tz="UTC")
SCHEMA = pa.schema([("opened_ms", OPENED), *((name, pa.float64()) for name in FIELDS)])
_verified: dict[Path, tuple[int, int, int]] = {}  # verified files and their state


@dataclass(frozen=True, slots=True)
class CandleCache:
    """A folder of cached series, of `max_bytes` at most. With 0, nothing is cached."""

    folder: Path
    max_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> CandleCache:
        """Return this machine's cache."""
        return cls(settings.cache_folder / "candles", settings.cache_bytes)

    def get(self, name: SeriesKey, key: str) -> Columns | None:
        """Return a series as read-only views of its file; None if there is no file."""
        path = self._place(name) / f"{key}.arrow"
        try:
            seen = path.stat()
            columns, digest = _map(path)
            state = (seen.st_ino, seen.st_size, seen.st_mtime_ns)
            if _verified.get(path) != state:
                if _digest(columns) != digest:
                    raise pa.ArrowInvalid("its checksum does not match")
                _verified[path] = state
        except FileNotFoundError:
            return None
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            LOG.warning("cache_file_unreadable", file=str(path), error=str(error))
            _remove(path)
            return None
        with suppress(OSError):  # a read-only disk or another user's file can still be read
            os.utime(path, ns=(time.time_ns(), seen.st_mtime_ns))
        return columns

    def older(self, name: SeriesKey) -> list[str]:
        """Return the keys under which a series is cached, newest first."""
        files = self._place(name).glob("*.arrow")
        return sorted((path.stem for path in files), key=_revision, reverse=True)

    def put(self, name: SeriesKey, key: str, columns: Columns) -> None:
        """Cache a series and remove its older files. A full or read-only disk is no error."""
        size = length(columns) * 8 * len(NAMES)
        if size > self.max_bytes:
            return
        place = self._place(name)
        unfinished = place / f".{uuid4().hex}"
        try:
            place.mkdir(parents=True, exist_ok=True)
            _write(unfinished, columns)
            unfinished.rename(place / f"{key}.arrow")
            for old in self.older(name):
                if _revision(old) < _revision(key):
                    _remove(place / f"{old}.arrow")
            self._shrink()
        except OSError as error:
            LOG.warning("cache_not_written", folder=str(place), error=str(error))
            _remove(unfinished)

    def _place(self, name: SeriesKey) -> Path:
        return self.folder / file_stem(name.instrument) / name.interval.value

    def _shrink(self) -> None:
        files = sorted(self._files(), key=lambda file: file[1].st_atime_ns)
        total = sum(seen.st_size for _, seen in files)
        for path, seen in files:
            if path.suffix == "" and time.time() - seen.st_mtime > ABANDONED_S:
                _remove(path)
            elif total > self.max_bytes and path.suffix:
                _remove(path)
                total -= seen.st_size

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob("*/*/*"):
            try:
                yield path, path.stat()
            except FileNotFoundError:  # another process was faster
                continue


def _write(path: Path, columns: Columns) -> None:
    arrays = [pa.array(columns["opened_ms"]).cast(OPENED)]
    arrays += [pa.array(columns[name]) for name in FIELDS]
    schema = SCHEMA.with_metadata({DIGEST: str(_digest(columns)).encode()})
    batch = pa.record_batch(arrays, schema=schema)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(batch)


def _map(path: Path) -> tuple[Columns, int]:
    with pa.memory_map(str(path)) as file:
        reader = pa.ipc.open_file(file)
        digest = int((reader.schema.metadata or {})[DIGEST])
        batch = reader.get_batch(0)
    opened = batch.column(0).view(pa.int64())
    columns = {name: batch.column(name).to_numpy(zero_copy_only=True) for name in FIELDS}
    return {"opened_ms": opened.to_numpy(zero_copy_only=True), **columns}, digest


def _digest(columns: Columns) -> int:
    crc = 0
    for name in NAMES:
        words = np.ascontiguousarray(columns[name]).view(np.uint64)
        whole = len(words) // CHECKSUM_BLOCK * CHECKSUM_BLOCK
        crc = zlib.crc32(words[:whole].reshape(-1, CHECKSUM_BLOCK).sum(axis=1).tobytes(), crc)
        crc = zlib.crc32(words[whole:].tobytes(), crc)
    return crc


def _remove(path: Path) -> None:
    with suppress(OSError):  # another process was faster, or the disk is read-only
        path.unlink()


def _revision(key: str) -> int:
    return int(key.partition("-")[0])
