"""The parts of a PNG that show one run: candles, indicators, curves, and a table of months."""

from __future__ import annotations

import calendar
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from backtests.charts import colours
from backtests.charts.drawn_lines import DrawnLine, Panel
from backtests.charts.over_time import Months, RollingSharpe
from backtests.charts.png_style import (
    LEFT,
    RIGHT,
    days,
    legend,
    percent,
    say,
    style,
    thousands,
    title,
)
from backtests.charts.view import View

HEAD, FOOT = 115, 70  # pixels
PRICES, CURVE, SMALL, GAP = 405, 243, 122, 25
MONTHS_HEAD, YEAR, MONTHS_FOOT = 66, 34, 24
COLUMNS = (*calendar.month_abbr[1:], "year")

Float = NDArray[np.float64]


def run_height(view: View) -> int:
    """Return how many pixels a run takes."""
    heights = _heights(view)
    return HEAD + sum(heights) + GAP * (len(heights) - 1) + FOOT


def months_height(months: Months) -> int:
    """Return how many pixels a table of months takes."""
    return MONTHS_HEAD + YEAR * (len(months.years) + 1) + MONTHS_FOOT


def _heights(view: View) -> list[int]:
    below = [SMALL] * (1 + (view.rolling is not None))
    return [PRICES, *[SMALL] * len(view.indicators.panels), CURVE, *below]


def draw_run(figure: Figure | SubFigure, view: View) -> None:
    """Draw candles with fills and indicators, equity against buy and hold, drawdown, Sharpe."""
    whole, heights = run_height(view), _heights(view)
    grid = figure.add_gridspec(
        len(heights),
        1,
        height_ratios=heights,
        hspace=GAP * len(heights) / sum(heights),
        left=LEFT,
        right=RIGHT,
        top=1 - HEAD / whole,
        bottom=FOOT / whole,
    )
    prices: Axes = figure.add_subplot(grid[0])
    places = range(1, len(heights))
    others: list[Axes] = [figure.add_subplot(grid[place], sharex=prices) for place in places]
    rest = iter(others)
    _draw_candles(prices, view)
    at = days(view.candles["opened_ms"])
    _draw_lines(prices, at, view.indicators.over)
    _mark_fills(prices, view)
    for panel in view.indicators.panels:
        _draw_panel(next(rest), at, panel)
    equity = next(rest)
    _draw_curves(equity, next(rest), view)
    if view.rolling is not None:
        _draw_sharpe(next(rest), view.rolling)
    style(prices, f"price ({view.quote})" + (", log" if view.is_log else ""))
    legend(prices, view.mark_scale)
    for axes in (prices, *others[:-1]):
        axes.tick_params(labelbottom=False)
    others[-1].set_xlabel("UTC", color=colours.FAINT)
    figure.align_ylabels([prices, *others])
    title(figure, view.title, 1 - 45 / whole)
    figure.text(LEFT, 1 - 75 / whole, view.subtitle, fontsize=12, color=colours.INK)
    say(figure, view.notes, 1 - 100 / whole)


def _draw_curves(equity: Axes, under: Axes, view: View) -> None:
    at = days(view.curve_ms)
    equity.plot(at, view.hold, color=colours.HOLD, linewidth=1.2, label="buy & hold")
    equity.plot(at, view.equity, color=colours.EQUITY, linewidth=1.6, label="equity")
    under.fill_between(at, view.drawdown, 0.0, color=colours.DRAWDOWN, alpha=0.3, linewidth=0)
    under.plot(at, view.drawdown, color=colours.DRAWDOWN, linewidth=0.9)
    style(equity, f"equity ({view.quote})")
    style(under, "drawdown")
    legend(equity)
    equity.yaxis.set_major_formatter(FuncFormatter(thousands))
    deepest = min(float(view.drawdown.min()), -0.001)
    under.yaxis.set_major_formatter(FuncFormatter(percent))
    under.set_ylim(1.08 * deepest, 0.0)


def _draw_sharpe(axes: Axes, rolling: RollingSharpe) -> None:
    at = days(rolling.times_ms)
    axes.axhline(0.0, color=colours.FAINT, linewidth=0.8)
    label = f"Sharpe of the last {rolling.window} periods"
    axes.plot(at, rolling.values, color=colours.SHARPE, linewidth=1.2, label=label)
    style(axes, "rolling Sharpe")
    legend(axes)


def _draw_panel(axes: Axes, at: Float, panel: Panel) -> None:
    _draw_lines(axes, at, panel.lines)
    style(axes, panel.unit)
    axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    legend(axes)


def _draw_lines(axes: Axes, at: Float, lines: Sequence[DrawnLine]) -> None:
    for place, line in enumerate(lines):
        colour = colours.LINES[place % len(colours.LINES)]
        axes.plot(at, line.values, color=colour, linewidth=1.0, label=line.name)


def _draw_candles(axes: Axes, view: View) -> None:
    columns = view.candles
    at = days(columns["opened_ms"])
    opens, highs, lows, closes = (columns[name] for name in ("open", "high", "low", "close"))
    sides = np.where(closes >= opens, colours.RISING, colours.FALLING).tolist()
    body = 1_100 / max(len(at), 1) * 0.62  # points: the axes are about so wide
    axes.add_collection(_bars(at, lows, highs, sides, 0.8))
    axes.add_collection(_bars(at, opens, closes, sides, max(0.8, min(body, 9.0))))
    if view.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0), numticks=99))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    axes.update_datalim([(at[0], lows.min()), (at[-1], highs.max())])
    axes.autoscale_view()
    around = 0.012 * max(at[-1] - at[0], 1.0)
    axes.set_xlim(at[0] - around, at[-1] + around)


def _mark_fills(axes: Axes, view: View) -> None:
    for marks in (*view.entries, *view.exits):
        shape = colours.SHAPES.get(marks.kind, colours.OTHER)
        axes.scatter(
            days(marks.opened_ms),
            marks.prices,
            s=shape.area * view.mark_scale,
            marker=shape.matplotlib,
            color=shape.colour,
            edgecolors="white",
            linewidths=0.5,
            zorder=5 if marks in view.entries else 4,
            label=f"{marks.name} ({len(marks.prices):,})",
        )


def _bars(at: Float, lows: Float, highs: Float, sides: list[str], width: float) -> LineCollection:
    ends = np.stack([np.column_stack([at, lows]), np.column_stack([at, highs])], axis=1)
    return LineCollection(list(ends), colors=sides, linewidths=width, capstyle="butt")


def draw_months(figure: Figure | SubFigure, months: Months) -> None:
    """Draw the returns of each month as a table, a year in a row."""
    whole, rows = months_height(months), len(months.years) + 1
    axes: Axes = figure.add_axes(
        (LEFT, MONTHS_FOOT / whole, RIGHT - LEFT, YEAR * rows / whole), frameon=False
    )
    axes.set_xlim(0, len(COLUMNS))
    axes.set_ylim(rows, 0)
    axes.set_xticks([])
    axes.set_yticks(np.arange(1, rows) + 0.5, [str(year) for year in months.years])
    axes.tick_params(colors=colours.INK, length=0, labelsize=11)
    for column, name in enumerate(COLUMNS):
        _write(axes, 0, column, name, colours.FAINT)
    for row, total in enumerate(months.totals, 1):
        for column, value in enumerate((*months.values[row - 1], total)):
            if np.isfinite(value):
                is_month = column < len(COLUMNS) - 1
                colour = colours.shade(value, months.largest) if is_month else "white"
                cell = (column + 0.02, row + 0.05)
                axes.add_patch(Rectangle(cell, 0.96, 0.9, facecolor=colour, edgecolor="none"))
                _write(axes, row, column, f"{value:+z.1%}", colours.INK, bold=not is_month)
    title(figure, "Monthly returns", 1 - 40 / whole, size=14)


def _write(
    axes: Axes, row: int, column: int, text: str, colour: str, *, bold: bool = False
) -> None:
    weight = "bold" if bold else "normal"
    axes.text(
        column + 0.5, row + 0.5, text,
        ha="center", va="center", fontsize=11, color=colour, weight=weight,
    )  # fmt: skip
