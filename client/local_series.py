"""The candles of a client that works in this process, and those that a scene lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from api.models.data import SeriesRow
from api.models.scenes import MissingCandles
from mela.calendars import expected_opens_ms
from mela.candles import Candles
from mela.instants import from_ms, to_ms
from mela.instrument import NAME
from mela.interval import Interval
from mela.scene import Scene
from sources.files.given import UNNAMED, Given
from sources.files.options import FileOptions
from sources.files.read import read_file, read_table


def series_rows(given: Given, options: FileOptions) -> Iterator[SeriesRow]:
    """Yield what was given by name. Without it nobody could tell whose candles a file holds.

    Raises CandlesInvalid for a file that cannot be read.
    """
    for word in given.names:
        name, interval = _series_of(word)
        place = given.of(name, interval) if name else None
        if place is None:
            continue
        read = read_file if isinstance(place, Path) else read_table
        candles = read(place, name, interval, options).candles  # type: ignore[arg-type]
        if len(candles):
            yield SeriesRow(
                instrument=name,
                interval=candles.interval.value,
                first_opened_at=from_ms(int(candles.opened_ms[0])),
                last_opened_at=from_ms(int(candles.opened_ms[-1])),
                is_watched=False,
                findings=0,
                gaps=0,
            )


def missing_candles(scene: Scene, name: str, candles: Candles) -> Iterator[MissingCandles]:
    """Yield what a series lacks at the beginning and at the end of a scene's span."""
    spans = [(to_ms(scene.start), to_ms(scene.end))]
    if len(candles):
        behind = scene.interval.end_ms(int(candles.opened_ms[-1]))
        spans = [(spans[0][0], min(int(candles.opened_ms[0]), spans[0][1]))]
        spans += [(max(behind, to_ms(scene.start)), to_ms(scene.end))]
    for start, end in spans:
        if len(expected_opens_ms(candles.calendar, scene.interval, start, max(start, end))):
            yield MissingCandles(
                instrument=name,
                interval=scene.interval.value,
                start=from_ms(start),
                end=from_ms(end),
            )


def _series_of(word: str) -> tuple[str, Interval | None]:
    """Return instrument and interval of `NAME`, `NAME@INTERVAL` or `venue_SYMBOL_interval.csv`."""
    if word == UNNAMED:
        return "", None
    front, _, behind = word.rpartition("@")
    if behind in list(Interval):
        return front, Interval(behind)
    if NAME.fullmatch(word):
        return word, None
    parts = word.partition(".")[0].split("_")
    interval = Interval(parts.pop()) if parts[-1] in list(Interval) else None
    name = f"{parts[0]}:{'_'.join(parts[1:])}"
    return (name, interval) if NAME.fullmatch(name) else ("", None)
