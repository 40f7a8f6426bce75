"""Plot the equity curves of both commits in one small picture."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from PIL import Image

from backtests.charts.colours import DRAWDOWN, EQUITY, FAINT, GRID, HOLD, INK
from backtests.charts.view import telling_points
from mela.interval import DAY_MS
from regression.evidence import DetailedRun

WIDTH, HEIGHT, DPI = 960, 400, 100  # pixels
MOST_POINTS = 700
COLOURS = 48


def both_curves(title: str, base: DetailedRun, head: DetailedRun) -> bytes | None:
    """Return a PNG of both equity curves and, below, of HEAD's lead over BASE.

    None if one side has no curve, or if the curves are of different candles.
    """
    if base.equity is None or head.equity is None or base.opened_ms is None:
        return None
    if len(base.equity) != len(head.equity):
        return None
    points = telling_points([base.equity, head.equity], MOST_POINTS)
    times = base.opened_ms[points] / DAY_MS  # matplotlib counts days since 1970
    was, now = base.equity[points], head.equity[points]
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
    grid = figure.add_gridspec(
        2, 1, height_ratios=[3, 1], hspace=0.12, left=0.085, right=0.98, top=0.9, bottom=0.08
    )
    above = figure.add_subplot(grid[0])
    below = figure.add_subplot(grid[1], sharex=above)
    above.plot(times, was, color=HOLD, linewidth=1.3, label="BASE")
    above.plot(times, now, color=EQUITY, linewidth=1.3, label="HEAD")
    apart = now / np.where(was == 0.0, np.nan, was) - 1.0
    below.fill_between(times, apart, 0.0, color=DRAWDOWN, alpha=0.3, linewidth=0)
    below.plot(times, apart, color=DRAWDOWN, linewidth=0.8)
    above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.3g}%"))
    above.set_ylabel("equity", color=FAINT)
    below.set_ylabel("HEAD − BASE", color=FAINT, fontsize=8)
    for axes in (above, below):
        axes.grid(visible=True, color=GRID, linewidth=0.8)
        axes.tick_params(colors=FAINT, length=0, labelsize=8)
        axes.margins(x=0)
        for side in axes.spines.values():
            side.set_color(GRID)
    above.tick_params(labelbottom=False)
    locator = AutoDateLocator(minticks=5, maxticks=10)
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    above.legend(loc="upper left", ncols=2, fontsize=8, frameon=False, labelcolor=INK)
    figure.text(0.085, 0.935, title, fontsize=11, color=INK, weight="bold")
    return _encoded(figure)


def _encoded(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    drawn, written = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png")
    # few colours cut the size to a third; without metadata equal pictures have equal bytes
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(written, format="png", optimize=True)
    return written.getvalue()
