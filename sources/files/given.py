"""Candles that a user gives: which file or table holds those of which instrument."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mela.candles import Candles
from mela.errors import CandlesInvalid, CandlesMissing
from mela.inference import NOTHING
from mela.instrument import Instrument, parse_name
from mela.interval import Interval
from mela.name_suggestions import did_you_mean, ended
from mela.scene import Scene
from sources.files.options import NO_OPTIONS, FileOptions
from sources.files.read import FileCandles, read_file, read_table
from sources.files.table import Table
from sources.instruments import describe

Place = Path | Table
Read = Callable[[str, Interval], Candles]
Noted = Callable[[FileCandles, str], None]  # what was read, and of which instrument
UNNAMED = ""


class Given(Protocol):
    """The place of candles: files or the warehouse. The names of places are for sentences."""

    @property
    def names(self) -> Sequence[str]:
        """Return what there is."""
        ...

    def of(self, instrument: str, interval: Interval | None) -> Place | None:
        """Return the place of a series, or with None that of whatever interval there is."""
        ...

    @property
    def unnamed(self) -> Place | None:
        """Return the place of which nothing is said but what it says itself."""
        ...


class NamedPlaces:
    """Places by `NAME`, by `NAME@INTERVAL` for candles of one interval, or by "" for an unnamed."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places

    @property
    def names(self) -> Sequence[str]:
        """Return the names that were given."""
        return sorted(self._places)

    def of(self, instrument: str, interval: Interval | None) -> Place | None:
        """Return the place that was given for a series."""
        name = instrument if interval is None else f"{instrument}@{interval}"
        return self._places.get(name)

    @property
    def unnamed(self) -> Place | None:
        """Return the place that was given without a name."""
        return self._places.get(UNNAMED)


class Folder:
    """The files of a folder, whose names say what they hold: `binance_BTCUSDT_1h.parquet`.

    The venue and the interval may be left out. Raises CandlesInvalid for two files of one series.
    """

    unnamed = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, list[Path]] = {}
        for file in sorted(one for one in folder.iterdir() if one.is_file()):
            self._files.setdefault(_spelled(file.name.partition(".")[0]), []).append(file)

    @property
    def names(self) -> Sequence[str]:
        """Return the names of its files."""
        return [file.name for files in self._files.values() for file in files]

    def of(self, instrument: str, interval: Interval | None) -> Place | None:
        """Return the file whose name says a series."""
        venue, symbol = parse_name(instrument)
        length = [] if interval is None else [interval.value]
        for words in ([venue, symbol, *length], [symbol, *length]):
            files = self._files.get(_spelled("_".join(words)), [])
            if len(files) > 1:
                found = ", ".join(file.name for file in files)
                raise CandlesInvalid(
                    f"expected one file of {instrument} in {self._folder}, but found {found}"
                )
            if files:
                return files[0]
        return None


def reader_of(
    given: Given,
    traded: Sequence[str],
    options: FileOptions = NO_OPTIONS,
    *,
    way_out: str,
    noted: Noted | None = None,
) -> Read:
    """Return what reads an instrument's candles from what was given.

    A place of one interval serves runs of that interval and inputs of strategies. An input of a
    longer interval without such a place is made of the candles that the run trades on. A place
    without a name holds those of the one instrument that is traded and not named, unless it says
    itself whose candles it holds.
    traded: the instruments of the scene; options: what the user says about files and instruments
    way_out: a sentence with `{}` for the instrument that lacks a place
    noted: is told of each place that is read
    The reader raises CandlesMissing for an instrument without a place, CandlesInvalid for a place
    that cannot be read.
    """
    shorter: dict[str, Candles] = {}  # of each instrument the first that were read
    without = [name for name in dict.fromkeys(traded) if given.of(name, None) is None]

    def read(instrument: str, interval: Interval) -> Candles:
        place = given.of(instrument, interval)
        if place is None and instrument in shorter:
            from sources.longer_intervals import longer_candles  # loads exchange_calendars

            return longer_candles(shorter[instrument], interval)
        place = place or given.of(instrument, None)
        is_named = place is not None
        place = place or given.unnamed
        if place is None:
            there = ", ".join(given.names) + did_you_mean(instrument, given.names)
            raise CandlesMissing(
                f"no candles of {instrument} were given; there are those of "
                f"{ended(there)} {way_out.format(instrument)}"
            )
        found = _read(place, instrument, interval, options)
        if noted is not None:
            noted(found, instrument)
        if not (is_named or found.says_whose or without == [instrument]):
            file = place.name
            raise CandlesInvalid(_whose(file, instrument, without, way_out))
        shorter.setdefault(instrument, found.candles)
        return found.candles

    return read


def instruments_of(scene: Scene, read: Read, options: FileOptions) -> Mapping[str, Instrument]:
    """Return what is known of a scene's instruments whose candles are given."""
    known = {name: options.about(describe(name)) for name in scene.instruments}
    for name, about in known.items():
        if about.origin("kind") == NOTHING:  # the times of its candles tell
            known[name] = read(name, scene.interval).about or about
    return known


def _read(place: Place, instrument: str, interval: Interval, options: FileOptions) -> FileCandles:
    if isinstance(place, Path):
        return read_file(place, instrument, interval, options)
    return read_table(place, instrument, interval, options)


def _spelled(name: str) -> str:
    """Return a name as names are compared: lower case, other signs than letters and digits as _."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def _whose(file: str, instrument: str, without: Sequence[str], way_out: str) -> str:
    """Return why a place without a name does not stand for an instrument."""
    if len(without) > 1:
        why = f"and {', '.join(without)} have no file of their own: one file cannot be all of them"
    elif without:
        why = f"so that it stands for {without[0]}, the instrument that the scene trades, alone"
    else:
        why = "and each instrument that the scene trades has a file of its own"
    return f"{file} does not say whose candles it holds, {why}. {way_out.format(instrument)}"
