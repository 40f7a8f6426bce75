"""Stored candles as runs read them, in parts that can travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from numpy.typing import NDArray

from mela.errors import InputInvalid, NotFound
from mela.execution_terms import Prices
from mela.instants import from_ms, instant_text
from mela.instrument import parse_name
from mela.interval import Interval
from mela.settings import Settings
from services.runs.run_series import borrowed_reader, merged


@dataclass(frozen=True, slots=True, eq=False)
class CandlesPart:
    """Candles of a span. columns: t (of the opening, ms), o, h, l, c, v.

    next_start: where the next part begins; None where this is the last
    """

    instrument: str
    interval: str
    prices: Prices
    columns: Mapping[str, NDArray[Any]]
    next_start: datetime | None


def part_of(
    settings: Settings,
    instrument: str,
    interval: Interval,
    start: datetime,
    end: datetime,
    *,
    prices: Prices,
    most: int,
) -> CandlesPart:
    """Return the first candles of [start, end), at most so many.

    prices: what they are adjusted for, by the events before `end`
    Raises CandlesMissing for an unknown instrument, NotFound for a series that was never loaded,
    and InputInvalid for a malformed name, or a span that does not end after its start.
    """
    if end <= start:
        raise InputInvalid(
            "end", f"a span ends after its start {instant_text(start)}, not {instant_text(end)}."
        )
    try:
        parse_name(instrument)
    except ValueError as error:
        raise InputInvalid("instrument", f"{error}.") from error
    with borrowed_reader(settings) as reader:
        read = reader.read(instrument, interval, start, end, 0, prices)
    if read.revision == 0:
        raise NotFound(f"no {interval} candles of {instrument} were ever loaded.")
    candles = read.candles
    shown = min(len(candles), most)
    following = from_ms(int(candles.opened_ms[shown])) if shown < len(candles) else None
    return CandlesPart(instrument, interval.value, prices, merged(candles, 0, shown, 1), following)
