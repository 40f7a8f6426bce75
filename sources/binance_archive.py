"""Binance's archive of past candles (data.binance.vision): one zip for each day and each month.

Spot files have no header row and use microseconds since 2025-01-01; both formats are read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from zipfile import BadZipFile, ZipFile

import numpy as np
import pyarrow as pa
import requests
import structlog
from pyarrow import csv

from mela.errors import SourceUnavailable
from mela.interval import Interval
from sources.limits import Limit
from sources.retry import RetryPolicy, ServiceBusy, retry_after_s
from sources.row_validation import FIELDS, Rows
from sources.service import service_of

HOST = "https://data.binance.vision"
_TIMES_LONGER = 4  # the timeout relative to the API's: a month of minutes is two megabytes
MICROSECONDS_FROM = 10**14  # read as milliseconds, this would be the year 5138
_LIMIT = Limit(burst=20, per_s=10)  # a file store, without a published limit
_COLUMNS = [
    "opened", *FIELDS, "closed", "quote_volume", "trades", "taker_base", "taker_quote", "unused"
]  # fmt: skip
_READ = ["opened", *FIELDS]
log = structlog.get_logger()


class ChecksumMismatch(ServiceBusy):
    """A file arrived that does not match its checksum."""


@dataclass(frozen=True, slots=True, eq=False)
class ArchiveFile:
    """The candles of one file, and the sha256 that verified it."""

    name: str
    sha256: str
    rows: Rows
    derivation: str | None  # how a replay made it, if it did


class Archive:
    """Ask the archive, or the replay at `replay_url`."""

    def __init__(self, replay_url: str | None, patience: RetryPolicy) -> None:
        self._url = (replay_url or HOST).rstrip("/")
        self._patience = patience
        self._service = service_of("Binance's archive", self._url, _LIMIT)
        self._session = requests.Session()

    def month(self, symbol: str, interval: Interval, first: date) -> ArchiveFile | None:
        """Return the candles of a month; None if it is not published. Raises as `day` does."""
        return self._file("monthly", symbol, interval, f"{first:%Y-%m}")

    def day(self, symbol: str, interval: Interval, day: date) -> ArchiveFile | None:
        """Return the candles of a day; None if it is not published or not available now.

        Raises SourceUnavailable if a file repeatedly fails its checksum: the archive may be
        correcting it, so nothing of it is stored.
        """
        return self._file("daily", symbol, interval, f"{day:%Y-%m-%d}")

    def _file(self, part: str, symbol: str, interval: Interval, when: str) -> ArchiveFile | None:
        word = interval.value
        path = f"/data/spot/{part}/klines/{symbol}/{word}/{symbol}-{word}-{when}.zip"
        try:
            return self._service.ask(lambda: self._verified(path, interval), self._patience)
        except SourceUnavailable as error:
            if isinstance(error.__cause__, ChecksumMismatch):
                raise
            log.warning("archive_unavailable", file=path, reason=str(error))
            return None

    def _verified(self, path: str, interval: Interval) -> ArchiveFile | None:
        checksum = self._get(f"{path}.CHECKSUM")
        packed = checksum and self._get(path)
        if checksum is None or packed is None:
            return None
        wanted, found = checksum.text.split()[:1], hashlib.sha256(packed.content).hexdigest()
        if wanted != [found]:
            message = f"{self._url}{path} has the sha256 {found}, but its checksum says {wanted}."
            raise ChecksumMismatch(message)
        name = path.rsplit("/", 1)[1]
        try:
            rows = _unpacked(packed.content, interval)
        except (BadZipFile, pa.ArrowInvalid, IndexError) as error:
            raise ChecksumMismatch(f"{name} could not be read: {error}.") from error
        return ArchiveFile(name, found, rows, packed.headers.get("X-Mela-Replay"))

    def _get(self, path: str) -> requests.Response | None:
        try:
            wait_s = self._patience.timeout_s * _TIMES_LONGER
            response = self._session.get(f"{self._url}{path}", timeout=wait_s)
        except requests.RequestException as error:
            raise ServiceBusy(f"Binance's archive could not be reached: {error}.") from error
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            wait_s = retry_after_s(response.headers.get("Retry-After"))
            raise ServiceBusy(
                f"Binance's archive answered {response.status_code} for {path}.", wait_s
            )
        return response


def _unpacked(packed: bytes, interval: Interval) -> Rows:
    with ZipFile(BytesIO(packed)) as file:
        text = file.read(file.namelist()[0])
    table = csv.read_csv(
        BytesIO(text),
        read_options=csv.ReadOptions(
            column_names=_COLUMNS, skip_rows=0 if text[:1].isdigit() else 1, use_threads=False
        ),
        convert_options=csv.ConvertOptions(
            include_columns=_READ,
            column_types={"opened": pa.int64()} | dict.fromkeys(FIELDS, pa.float64()),
        ),
    )
    opened = np.array(table["opened"].to_numpy(), dtype=np.int64)
    opened = np.where(opened >= MICROSECONDS_FROM, opened // 1000, opened)
    prices = (np.array(table[name].to_numpy(), dtype=np.float64) for name in FIELDS)
    return Rows(opened, interval.ends_ms(opened), *prices)
