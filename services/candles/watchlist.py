"""The watch list: the series that the daily ingestion keeps up to date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mela.errors import InputInvalid, NotFound
from mela.interval import Interval
from mela.name_suggestions import did_you_mean, ended
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.load_plan import DEFAULT_SERIES, parse_series


class Watched(NamedTuple):
    """A series on the watch list."""

    instrument: str
    interval: str


def watch_series(instrument: str, interval: Interval, settings: Settings) -> list[Watched]:
    """Put a series on the watch list.

    returns: the default series that the daily ingestion no longer loads, because the list is no
        longer empty; they are not on it
    Raises InputInvalid for an instrument that was never loaded, or whose candles are a file's.
    """
    try:
        with transaction(settings) as connection:
            before = instruments.watched(connection)
            instruments.watch(connection, instrument, interval)
    except ValueError as error:
        raise InputInvalid("instrument", f"{error}.") from error
    return [] if before else [one for one in defaults() if one != (instrument, interval)]


def defaults() -> list[Watched]:
    """Return the series that the daily ingestion loads while the watch list is empty."""
    return [Watched(one.instrument, one.interval.value) for one in parse_series(DEFAULT_SERIES)]


def unwatch_series(instrument: str, interval: Interval, settings: Settings) -> None:
    """Take a series from the watch list; its candles stay. Raises NotFound."""
    with transaction(settings) as connection:
        was_there = instruments.unwatch(connection, instrument, interval)
        names = [] if was_there else [" ".join(one) for one in instruments.watched(connection)]
    if not was_there:
        series = f"{instrument} {interval}"
        sentence = ended(f"{series} is not watched{did_you_mean(series, names)}")
        raise NotFound(f"{sentence} `mela watch list` says what is.")


def list_watched(settings: Settings) -> list[Watched]:
    """Return the watch list."""
    with transaction(settings) as connection:
        return [Watched(*one) for one in instruments.watched(connection)]


def replace_watched(series: Iterable[tuple[str, Interval]], settings: Settings) -> list[Watched]:
    """Put these series on the watch list, take all others from it, and return it.

    Raises InputInvalid, and changes nothing, for an instrument that was never loaded or whose
    candles are a file's.
    """
    wanted = dict.fromkeys((name, interval.value) for name, interval in series)
    try:
        with transaction(settings) as connection:
            before = set(instruments.watched(connection))
            for name, interval in before - wanted.keys():
                instruments.unwatch(connection, name, interval)
            for name, interval in wanted:
                if (name, interval) not in before:
                    instruments.watch(connection, name, interval)
            return [Watched(*one) for one in instruments.watched(connection)]
    except ValueError as error:
        raise InputInvalid("items", f"{error}.") from error
