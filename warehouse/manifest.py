"""The manifest of a snapshot: which series it holds, and what a read needs beside their candles."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from uuid import uuid4

import fsspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mela.errors import MelaError
from mela.interval import Interval

FILE = "_manifest.json"  # readers of Parquet folders pass over names that begin so
CURRENT = 1


class SnapshotInvalid(MelaError):
    """A snapshot that cannot be read; writing it anew helps."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Action(_Part):
    """A corporate action. effective_ms: 00:00 UTC of its date."""

    kind: Literal["split", "dividend"]
    effective_ms: int
    value: float


class SeriesEntry(_Part):
    """A series: everything is of one moment of the warehouse, the file under `file` too."""

    instrument: str
    interval: Interval
    revision: int
    candles_key: str
    calendar: str
    tick: float | None
    lot: float | None
    actions: tuple[Action, ...]
    candles: int
    first_ms: int
    last_ms: int
    file: str = Field(description="below the manifest's folder")
    bytes: int


class Manifest(_Part):
    """All series of a snapshot. It is written last, so what it names is there."""

    version: Literal[1] = CURRENT
    written_at: datetime
    code_version: str
    series: tuple[SeriesEntry, ...]

    def entry(self, instrument: str, interval: Interval) -> SeriesEntry | None:
        """Return a series, if it is here."""
        for one in self.series:
            if (one.instrument, one.interval) == (instrument, interval):
                return one
        return None


class Folder:
    """A folder that fsspec reaches: on this machine, or `s3://bucket/path` through s3fs.

    An S3's address and keys are those of the AWS clients: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_PROFILE and so on.
    """

    def __init__(self, address: str) -> None:
        # listings and files change under us: another machine writes the snapshot
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        self.address = address
        self.files, root = fsspec.core.url_to_fs(address, **options)
        self.root = root.rstrip("/")
        self.is_local = "file" in self.files.protocol

    def path(self, name: str) -> str:
        """Return the full path of a file in it."""
        return f"{self.root}/{name}"

    def put(self, name: str, content: bytes) -> None:
        """Write a file that is complete or absent, and replaces what was there in one step."""
        path = self.path(name)
        if not self.is_local:  # an object appears when all of it has come
            self.files.pipe_file(path, content)
            return
        folder, _, last = path.rpartition("/")
        unfinished = Path(folder) / f".{last}-{uuid4().hex}"
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.rename(path)

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has; None where there is none."""
        try:
            return int(self.files.info(self.path(name))["size"])
        except FileNotFoundError:
            return None

    def manifest(self) -> Manifest | None:
        """Return the manifest; None where nothing was written yet. Raises SnapshotInvalid."""
        try:
            content = self.files.cat_file(self.path(FILE))
        except FileNotFoundError:
            return None
        try:
            return Manifest.model_validate_json(content)
        except ValidationError as error:
            raise SnapshotInvalid(
                f"expected a manifest of version {CURRENT} at {self.path(FILE)}, but found "
                f"{error.error_count()} faults, the first at {error.errors()[0]['loc']}. "
                f"Write it anew: mela snapshot --to {self.address}"
            ) from error


def file_of(instrument: str, interval: Interval, candles_key: str) -> str:
    """Return where a series' candles lie, partitioned as Hive does it.

    >>> file_of("binance:BTCUSDT", Interval.H1, "3-1700000000000000")
    'interval=1h/instrument=binance%3ABTCUSDT/3-1700000000000000.parquet'
    """
    return f"interval={interval}/instrument={quote(instrument, safe='')}/{candles_key}.parquet"
