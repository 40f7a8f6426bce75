"""What events of a session's log have in them: facts, histories, differences, positions."""

from __future__ import annotations

from dataclasses import dataclass

from mela.interval import Interval


@dataclass(frozen=True, slots=True)
class Facts:
    """What was known of an instrument at the start. None: not known."""

    instrument: str
    kind: str
    quote: str
    calendar: str
    tick: float | None = None
    lot: float | None = None
    multiplier: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The candles of a series that had closed before the start, oldest first, one number each."""

    instrument: str
    interval: Interval
    opened_ms: tuple[int, ...]
    open: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    volume: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a broker has other than we have, and what the rule for it says.

    kind: position | cash | order | fill; ours, theirs: units, money, or how many
    rule: adopt | stop | ignore
    """

    kind: str
    instrument: str
    name: str
    ours: float
    theirs: float
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Held:
    """A position on a close. units: signed; average_price: NaN while nothing is held."""

    instrument: str
    units: float
    average_price: float
    price: float
    value: float
