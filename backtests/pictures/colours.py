"""The colours and shapes that both kinds of picture share."""

from __future__ import annotations

from typing import NamedTuple

INK, FAINT, GRID = "#22303c", "#64727f", "#e6eaee"
RISING, FALLING = "#7fb5a4", "#d99a9a"  # candles stay pale, so that marks stand out
EQUITY, HOLD, DRAWDOWN = "#1f5fbf", "#b07d2b", "#c0392b"
BAND = "31, 95, 191"  # EQUITY as red, green, blue


class Shape(NamedTuple):
    """How fills of a kind are marked, in the words of matplotlib and of Plotly."""

    colour: str
    matplotlib: str
    plotly: str


SHAPES = {
    "long": Shape("#0b6e4f", "^", "triangle-up"),
    "short": Shape("#6c3baa", "v", "triangle-down"),
    "signal": Shape("#22303c", "o", "circle"),
    "stop_loss": Shape("#c0392b", "X", "x"),
    "take_profit": Shape("#1f5fbf", "*", "star"),
    "trailing_stop": Shape("#d35400", "P", "cross"),
    "time_stop": Shape("#7f8c8d", "s", "square"),
    "daily_loss": Shape("#8e1b5a", "D", "diamond"),
}
OTHER = Shape("#8d6e63", "h", "hexagon")  # a reason that has no shape of its own yet
