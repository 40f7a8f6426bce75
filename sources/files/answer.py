"""A user's candle file as the answer of a source, so that it is loaded like any other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

import numpy as np

from mela.calendars import NO_SESSION, closes_ms, session_dates
from mela.candles import Candles
from mela.interval import Interval
from sources.files.market import inferred_words
from sources.files.options import NO_OPTIONS, FileOptions
from sources.files.read import read_file
from sources.protocol import FetchedCandles, Int

_BLOCK = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class FileAnswer:
    """The answer of a file: its candles, and what was done and inferred to read them.

    unfinished: candles at the end that had not closed yet, and are left out
    """

    fetched: FetchedCandles
    notes: tuple[str, ...]
    unfinished: int


def answer_of_file(
    path: Path, instrument: str, interval: Interval | None, options: FileOptions = NO_OPTIONS
) -> FileAnswer:
    """Return the closed candles of a file as those of an instrument, with the file as lineage.

    interval: None for the one that the file states or shows
    A candle outside of all sessions closes when it is over; checks of quality name it. Raises
    CandlesInvalid for a file that cannot hold the requested candles.
    """
    read = read_file(path, instrument, interval, options)
    candles, about = read.candles, read.candles.about
    assert about is not None  # noqa: S101  an instrument is named
    closed_ms = _closes_ms(candles)
    now_ms = int(time() * 1000)
    count = int(np.count_nonzero(closed_ms <= now_ms))  # the last ones may not have closed
    opened_ms = candles.opened_ms[:count]
    inferred = inferred_words(about)
    notes = (*read.notes, *filter(None, [inferred]))
    fetched = FetchedCandles(
        instrument=about,
        interval=candles.interval,
        opened_ms=opened_ms,
        closed_ms=closed_ms[:count],
        open=candles.open[:count],
        high=candles.high[:count],
        low=candles.low[:count],
        close=candles.close[:count],
        volume=candles.volume[:count],
        session_on=session_dates(about.calendar, candles.interval, opened_ms),
        actions=(),
        rejected=(),
        request=_request(path, options, notes),
        origin="file",
        source=about.venue,
        as_of_ms=now_ms,
    )
    return FileAnswer(fetched, notes, len(closed_ms) - count)


def _closes_ms(candles: Candles) -> Int:
    ends = candles.interval.ends_ms(candles.opened_ms)
    closes = closes_ms(candles.calendar, candles.interval, candles.opened_ms)
    return np.where(closes == NO_SESSION, ends, closes)


def _request(path: Path, options: FileOptions, notes: tuple[str, ...]) -> dict[str, Any]:
    """Return what identifies a file wherever it lies, and what was told and done, as JSON."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": digest.hexdigest(),
        "timezone": options.timezone,
        "columns": dict(options.columns),
        "notes": list(notes),
    }
