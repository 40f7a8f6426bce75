"""The colours and shapes that both kinds of picture share."""

from __future__ import annotations

import math
from typing import NamedTuple


class Theme(NamedTuple):
    """The colours of text, of lesser text, of a grid's lines and of what all of it stands on."""

    ink: str
    faint: str
    grid: str
    paper: str


LIGHT = Theme("#22303c", "#64727f", "#e6eaee", "#ffffff")
DARK = Theme("#e3e9ee", "#9aa7b3", "#2a343d", "#12181e")
INK, FAINT, GRID = LIGHT.ink, LIGHT.faint, LIGHT.grid
RISING, FALLING = "#7fb5a4", "#d99a9a"  # candles stay pale, so that marks stand out
EQUITY, HOLD, DRAWDOWN = "#1f5fbf", "#b07d2b", "#c0392b"
BAND = "31, 95, 191"  # EQUITY as red, green, blue
SHARPE = "#16786d"
MISSING = "#d5dadf"
LINES = ("#8e44ad", "#d35400", "#0e7490", "#9d174d", "#4d7c0f", "#5d4037", "#3b3fb6", "#7a6a00")


def band_alpha(depth: int) -> float:
    """Return how opaque a band of a fan is; bands lie on each other, the narrower one deeper."""
    return 0.12 + 0.16 * depth


def shade(value: float, largest: float) -> str:
    """Return the colour of a gain or a loss: white at 0, full at the largest either way.

    >>> shade(0.0, 0.1), shade(0.1, 0.1) == RISING.lower(), shade(-0.1, 0.1) == FALLING.lower()
    ('#ffffff', True, True)
    """
    if not math.isfinite(value):
        return "#ffffff"
    full = RISING if value > 0 else FALLING
    part = min(abs(value) / largest, 1.0) if largest > 0 else 0.0
    mixed = (round(255 + part * (int(full[at : at + 2], 16) - 255)) for at in (1, 3, 5))
    return "#" + "".join(f"{each:02x}" for each in mixed)


class Shape(NamedTuple):
    """The markers of one kind of fills, in the words of matplotlib and of Plotly.

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
