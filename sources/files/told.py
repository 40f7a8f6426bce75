"""What a user says about a file that the file itself does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FIELDS = ("open_time", "open", "high", "low", "close", "volume", "symbol", "interval")


@dataclass(frozen=True, slots=True)
class Told:
    """The options of a user about candle files.

    timezone: the zone (an IANA name) of times that state none; daily candles are dated in it
    columns: a field of FIELDS → the file's own name of it; an empty name passes the field over
    """

    timezone: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict[str, str])


NOTHING = Told()


def told_by(timezone: str | None, columns: Sequence[str]) -> Told:
    """Return what options say: a zone's name, and columns as `FIELD=NAME,FIELD=NAME`.

    Raises ValueError for a zone or a field that is unknown, and for a field named twice.

    >>> told_by("Europe/Paris", ["open_time=Date,close=Adj Close"]).columns["close"]
    'Adj Close'
    """
    if timezone is not None and not _is_zone(timezone):
        raise ValueError(
            f"expected a time zone by its IANA name, as UTC or Europe/Paris, but found {timezone!r}"
        )
    named: dict[str, str] = {}
    for pair in (pair for text in columns for pair in text.split(",")):
        name, equals, column = (part.strip() for part in pair.partition("="))
        if not equals or name not in FIELDS:
            raise ValueError(
                f"expected columns as FIELD=NAME with a field of {', '.join(FIELDS)}, "
                f"but found {pair!r}"
            )
        if name in named:
            raise ValueError(f"expected one column for {name}, but found two in {columns}")
        named[name] = column
    return Told(timezone, named)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):  # an OSError where it names a folder
        return False
    return True
