"""The indicators that a run's strategy asked for, to be drawn with its candles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtests.candles.prepared import PreparedCandles
from backtests.indicators import INDICATORS, Computed, computed
from backtests.simulate import signals_of
from backtests.strategy import Strategy
from mela.run import Run

Float = NDArray[np.float64]
PRICE = "price"
MOST_LINES, MOST_PANELS = 8, 3  # over the candles, below them


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLine:
    """A line and its name in the legend. values: (n,) float64, one for each candle drawn."""

    name: str
    values: Float


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Lines of one indicator that are no prices, on an axis of their own."""

    name: str
    unit: str
    lines: tuple[DrawnLine, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnIndicators:
    """The lines drawn over the candles and below them, and sentences that name the omitted ones."""

    over: tuple[DrawnLine, ...] = ()
    panels: tuple[Panel, ...] = ()
    notes: tuple[str, ...] = ()

    def at(self, bars: NDArray[np.int64]) -> DrawnIndicators:
        """Return the same at some of the candles."""
        panels = (Panel(each.name, each.unit, _at(each.lines, bars)) for each in self.panels)
        return DrawnIndicators(_at(self.over, bars), tuple(panels), self.notes)


def indicators_of(
    run: Run, span: PreparedCandles, catalogue: Mapping[str, Strategy]
) -> DrawnIndicators:
    """Ask the strategy for its signals once more, and return the indicators that it computed.

    span: prepared for this run alone, so that nobody else's lines are among them
    A strategy that raises is drawn without lines, and the note says why.
    """
    try:
        signals_of(span, run, catalogue, alone=False)
    except Exception as error:  # noqa: BLE001  the code is its author's
        reason = f"{type(error).__name__}: {error}"
        return DrawnIndicators(
            notes=(f"indicators are not drawn, as {run.strategy} raised {reason}",)
        )
    start = span.candles.start_bar
    over: list[DrawnLine] = []
    panels: list[Panel] = []
    for each in computed(span.indicators):
        units = [line.unit for line in INDICATORS[each.name].lines]
        prices = [place for place, unit in enumerate(units) if unit == PRICE]
        if prices:  # a side or an age beside them says nothing that the line does not show
            over += [_drawn(each, place, start) for place in prices]
        else:
            places = range(len(units))
            lines = tuple(_drawn(each, place, start) for place in places)
            panels.append(Panel(_spelled(each), units[0], lines))
    left = len(over[MOST_LINES:]) + sum(len(panel.lines) for panel in panels[MOST_PANELS:])
    notes = (f"{left} more lines of indicators are not drawn",) if left else ()
    return DrawnIndicators(tuple(over[:MOST_LINES]), tuple(panels[:MOST_PANELS]), notes)


def _drawn(of: Computed, place: int, start: int) -> DrawnLine:
    name = INDICATORS[of.name].lines[place].name
    label = _spelled(of) + ("" if name == "value" else f" {name}")
    return DrawnLine(label, of.lines[place][start:])


def _spelled(of: Computed) -> str:
    """Return an indicator as a strategy calls it.

    >>> _spelled(Computed("bollinger", (20.0, 2.5), ()))
    'bollinger(20, 2.5)'
    """
    return f"{of.name}({', '.join(f'{value:g}' for value in of.parameters)})"


def _at(lines: tuple[DrawnLine, ...], bars: NDArray[np.int64]) -> tuple[DrawnLine, ...]:
    return tuple(DrawnLine(line.name, line.values[bars]) for line in lines)
