"""The manifest of a snapshot: its series, and what a read needs besides their candles."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import fsspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mela.errors import MelaError
from mela.inference import INFERRED, infer
from mela.instrument import FactOrigin, Instrument, Kind, file_stem
from mela.interval import Interval

FILE = "_manifest.json"  # readers of Parquet folders skip names that begin with _
CURRENT = 1
_STATE = re.compile(r"(.+)_\d+-\d+\.parquet")


class SnapshotInvalid(MelaError):
    """A snapshot that cannot be read; writing it again helps."""


class SnapshotMoved(SnapshotInvalid):
    """A file that a manifest names is gone; a newer manifest may name another."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Action(_Part):
    """A corporate action. effective_ms: 00:00 UTC of its date."""

    kind: Literal["split", "dividend"]
    effective_ms: int
    value: float


class Facts(_Part):
    """The facts of the instrument when its candles were written, beside its trading rules.

    inferred: the facts that nobody told
    """

    kind: Kind
    quote: str
    base: str | None = None
    exchange: str | None = None
    timezone: str | None = None
    multiplier: float | None = None
    inferred: tuple[str, ...] = ()


class SeriesEntry(_Part):
    """A series as of one moment of the warehouse, its candles under `file` included."""

    instrument: str
    interval: Interval
    revision: int
    candles_key: str
    calendar: str
    tick: float | None
    lot: float | None
    facts: Facts | None = Field(default=None, description="null in older snapshots")
    actions: tuple[Action, ...]
    candles: int
    first_ms: int
    last_ms: int
    file: str = Field(description="below the manifest's folder")
    bytes: int

    @property
    def about(self) -> Instrument:
        """Return what the snapshot tells of the instrument; older ones leave some to its name."""
        bare = infer(self.instrument)
        origin = FactOrigin("asked", bare.venue)
        rules = {"calendar": self.calendar, "tick": self.tick, "lot": self.lot}
        if self.facts is None:
            return bare.with_facts(rules, origin)
        facts = rules | self.facts.model_dump(exclude={"inferred"})
        return bare.with_facts(facts, origin).with_facts(
            {fact: facts[fact] for fact in self.facts.inferred}, INFERRED
        )


class Manifest(_Part):
    """All series of a snapshot. It is written last, so the files that it names exist."""

    version: Literal[1] = CURRENT
    written_at: datetime
    code_version: str
    series: tuple[SeriesEntry, ...]

    def entry(self, instrument: str, interval: Interval) -> SeriesEntry | None:
        """Return a series; None if it is not in the snapshot."""
        for one in self.series:
            if (one.instrument, one.interval) == (instrument, interval):
                return one
        return None


class Folder:
    """A folder accessed through fsspec: on this machine, or `s3://bucket/path` through s3fs.

    The address and the keys of S3 are those of the AWS clients: AWS_ENDPOINT_URL,
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE and so on.
    """

    def __init__(self, address: str) -> None:
        # no caches, because another machine writes the snapshot
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        self.address = address
        self.files, root = fsspec.core.url_to_fs(address, **options)
        self.root = root.rstrip("/")
        self.is_local = "file" in self.files.protocol

    def path(self, name: str) -> str:
        """Return the full path of a file in the folder."""
        return f"{self.root}/{name}"

    def put(self, name: str, content: bytes) -> None:
        """Write a file atomically: readers see the old one or the new one."""
        path = self.path(name)
        if not self.is_local:  # an object appears only once it is complete
            self.files.pipe_file(path, content)
            return
        folder, _, last = path.rpartition("/")
        unfinished = Path(folder) / f".{last}-{uuid4().hex}"
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_bytes(content)
            unfinished.rename(path)
        finally:  # leave nothing behind on a full disk
            unfinished.unlink(missing_ok=True)

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None if it does not exist."""
        try:
            return int(self.files.info(self.path(name))["size"])
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Return the names directly inside the folder."""
        paths = self.files.ls(self.root, detail=False)
        return [str(path).rstrip("/").rpartition("/")[2] for path in paths]

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        try:
            self.files.rm_file(self.path(name))
        except FileNotFoundError:
            return

    def manifest(self) -> Manifest | None:
        """Return the manifest; None if nothing was written yet. Raises SnapshotInvalid."""
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
    """Return the name of a series' file. It lies beside the manifest, where every tool looks.

    Folders such as `interval=1h` would name columns that the files also have, and pyarrow and
    pandas refuse to join the two.

    >>> file_of("binance:BTCUSDT", Interval.H1, "3-1700000000000000")
    'binance_BTCUSDT_1h_3-1700000000000000.parquet'
    """
    return f"{_stem(instrument, interval)}_{candles_key}.parquet"


def files_of_series(names: Iterable[str], entries: Iterable[SeriesEntry]) -> set[str]:
    """Return the file names that hold candles of the entries' series, in any state."""
    stems = {_stem(entry.instrument, entry.interval) for entry in entries}
    found = (_STATE.fullmatch(name) for name in names)
    return {match[0] for match in found if match and match[1] in stems}


def _stem(instrument: str, interval: Interval) -> str:
    return f"{file_stem(instrument)}_{interval}"
