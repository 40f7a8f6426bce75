"""The colours and shapes that both kinds of picture share."""

from __future__ import annotations

from typing import NamedTuple

INK, FAINT, GRID = "#22303c", "#64727f", "#e6eaee"
RISING, FALLING = "#7fb5a4", "#d99a9a"  # candles stay pale, so that marks stand out
EQUITY, HOLD, DRAWDOWN = "#1f5fbf", "#b07d2b", "#c0392b"
BAND = "31, 95, 191"  # EQUITY as red, green, blue


class Shape(NamedTuple):
    """How fills of a kind are marked, in the words of matplotlib and of Plotly.

    area: in square points, so that shapes look equally large; those of exits are smaller
    """

    colour: str
    matplotlib: str
    plotly: str
    area: float


SHAPES = {
    "long": Shape("#0b6e4f", "^", "triangle-up", 62),
    "short": Shape("#6c3baa", "v", "triangle-down", 62),
    "signal": Shape("#3d4a57", "o", "circle", 26),
    "stop_loss": Shape("#c0392b", "X", "x", 46),
    "take_profit": Shape("#1f5fbf", "*", "star", 88),
    "trailing_stop": Shape("#d35400", "P", "cross", 46),
    "time_stop": Shape("#5d6d7e", "s", "square", 28),
    "daily_loss": Shape("#8e1b5a", "D", "diamond", 30),
    "delisted": Shape("#4d4d4d", "X", "x", 46),
}
OTHER = Shape("#8d6e63", "h", "hexagon", 34)  # a reason that has no shape of its own yet
