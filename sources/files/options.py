"""Options by which a user states what a file does not say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mela.calendars import read_calendar
from mela.instrument import NAME, FactOrigin, Instrument, read_kind

EVERY = ""  # stands for all instruments that are not named
MINOR_UNITS = ("GBp", "GBX", "ZAc", "ILA", "KWF")
FIELDS = ("open_time", "open", "high", "low", "close", "volume", "symbol", "interval")


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The options of a user about candle files.

    timezone: the zone (an IANA name) of times that state none; daily candles are dated in it
    columns: a field of FIELDS → the file's own name of it; an empty name passes the field over
    facts: instrument, or EVERY → fact → its value
    """

    timezone: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])

    def about(self, known: Instrument) -> Instrument:
        """Return an instrument with the facts that the options state of it, or of all."""
        origin = FactOrigin("told", "an option")
        facts = {**self.facts.get(EVERY, {}), **self.facts.get(known.name, {})}
        return known.with_facts(facts, origin)


NO_OPTIONS = FileOptions()


def file_options(
    timezone: str | None,
    columns: Sequence[str],
    facts: Mapping[str, Sequence[str]] | None = None,
) -> FileOptions:
    """Return what options say: a zone's name, and columns as `FIELD=NAME,FIELD=NAME`.

    facts: name of a fact → its values: `VALUE` for all instruments, or `INSTRUMENT=VALUE`
    Raises ValueError for a zone, a field or a fact's value that is unknown, and for a field or a
    fact that is stated twice.

    >>> file_options("Europe/Paris", ["open_time=Date,close=Adj Close"]).columns["close"]
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
    return FileOptions(timezone, named, _facts_by_instrument(facts or {}))


def _facts_by_instrument(words_by_fact: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for fact, words in words_by_fact.items():
        for word in words:
            front, equals, value = word.rpartition("=")
            name = front if equals and NAME.fullmatch(front) else EVERY
            facts = found.setdefault(name, {})
            if fact in facts:
                whose = f" of {name}" if name else ""
                raise ValueError(f"expected one {fact}{whose}, but found several: {words}")
            facts[fact] = read_fact(fact, value if name else word)
    return found


def read_fact(fact: str, word: str) -> Any:
    """Return the value of a fact that a user writes. Raises ValueError.

    >>> read_fact("kind", "crypto"), read_fact("tick", "0.05"), read_fact("quote", "usd")
    ('spot', 0.05, 'USD')
    """
    match fact:
        case "kind":
            return read_kind(word)
        case "calendar":
            return read_calendar(word)
        case "quote" | "base":
            return read_currency(fact, word)
        case _:
            return _step(fact, word)


def read_currency(fact: str, word: str) -> str:
    """Return a currency's or a coin's code. Pence (`GBp`) and cents (`ZAc`) keep their letters."""
    if not re.fullmatch(r"[^\W_]{1,20}", word):
        raise ValueError(f"expected --{fact} as a code, as USD, EUR or USDT, but found {word!r}")
    return word if word in MINOR_UNITS else word.upper()


def _step(fact: str, word: str) -> float:
    try:
        step = float(word)
    except ValueError:
        step = math.nan
    if not 0.0 < step < math.inf:
        raise ValueError(f"expected --{fact} as a number above 0, but found {word!r}")
    return step


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):  # an OSError where it names a folder
        return False
    return True
