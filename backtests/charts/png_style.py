"""The style that all parts of a PNG share: axes, legends, notes, numbers."""

from __future__ import annotations

from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from backtests.charts import colours

LEFT, RIGHT = 0.075, 0.98  # of the figure

Float = NDArray[np.float64]


def style(axes: Axes, label: str, *, dates: bool = True) -> None:
    """Give axes their label, their grid and, for times, dates."""
    axes.set_ylabel(label, color=colours.FAINT)
    axes.grid(visible=True, color=colours.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=colours.FAINT, length=0)
    for side in axes.spines.values():
        side.set_color(colours.GRID)
    if dates:
        locator = mdates.AutoDateLocator(minticks=6, maxticks=12)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))


def legend(axes: Axes, mark_scale: float = 1.0) -> None:
    """Add a legend, its marks as large as if there were few, so that they can be told apart.

    mark_scale: how much smaller, by area, the marks are drawn
    """
    drawn = axes.legend(
        loc="upper left", ncols=7, fontsize=10, frameon=True, framealpha=0.85, edgecolor="none",
        labelcolor=colours.INK, borderaxespad=0.3, handletextpad=0.3, columnspacing=1.2,
    )  # fmt: skip
    for handle in drawn.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([size / mark_scale for size in handle.get_sizes()])


def title(figure: Figure | SubFigure, text: str, at: float, size: float = 17) -> None:
    """Write the title of a part."""
    figure.text(LEFT, at, text, fontsize=size, color=colours.INK, weight="bold")


def say(figure: Figure | SubFigure, notes: tuple[str, ...], at: float) -> None:
    """Write notes under a title, if there are any."""
    if notes:
        line = "; ".join(notes)
        figure.text(LEFT, at, line, fontsize=10, color=colours.FAINT, style="italic")


def days(opened_ms: NDArray[np.int64]) -> Float:
    """Return instants as matplotlib counts them, in days since 1970."""
    return opened_ms.astype(np.float64) / 86_400_000


def thousands(value: float, _place: Any = None) -> str:
    """Return a number on an axis, with commas."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.6g}"


def percent(value: float, _place: Any = None) -> str:
    """Return a share on an axis, with as many digits as it takes to tell ticks apart."""
    return f"{100 * value:.4g}%"
