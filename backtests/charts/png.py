"""Pictures as PNG, by matplotlib, without a screen."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from backtests.charts.colours import (
    DRAWDOWN,
    EQUITY,
    FAINT,
    FALLING,
    GRID,
    HOLD,
    INK,
    OTHER,
    RISING,
    SHAPES,
)
from backtests.charts.fan import Fan
from backtests.charts.surface import Surface, limits
from backtests.charts.view import View

DPI = 100
WIDTH, RUN_HEIGHT, SURFACE_HEIGHT, FAN_HEIGHT = 1600, 1000, 760, 800  # pixels
MOST_CANDLES = 400  # more are not to be told apart at this width
MOST_MARKED = 400
MOST_TICKS = 24
LONG_LABELS = 160  # characters side by side

Float = NDArray[np.float64]


def scene_png(view: View, surface: Surface | None, fan: Fan | None = None) -> bytes:
    """Return a picture of a run: above it the surface of its search, below it its fan, if any."""
    panels: list[tuple[int, Callable[[Figure | SubFigure], None]]] = []
    if surface is not None:
        panels.append((SURFACE_HEIGHT, lambda part: _draw_surface(part, surface)))
    panels.append((RUN_HEIGHT, lambda part: _draw_run(part, view)))
    if fan is not None:
        panels.append((FAN_HEIGHT, lambda part: _draw_fan(part, fan)))
    heights = [height for height, _ in panels]
    figure = _figure(sum(heights))
    grid = figure.add_gridspec(len(panels), 1, height_ratios=heights) if len(panels) > 1 else None
    for place, (_, draw) in enumerate(panels):
        draw(figure if grid is None else figure.add_subfigure(grid[place]))
    return _encoded(figure)


def fan_png(fan: Fan) -> bytes:
    """Return a fan of quantiles over time as a picture; see `picture.fan_picture`."""
    figure = _figure(FAN_HEIGHT)
    _draw_fan(figure, fan)
    return _encoded(figure)


def _draw_fan(figure: Figure | SubFigure, fan: Fan) -> None:
    axes: Axes = figure.add_axes((0.075, 0.09, 0.9, 0.8))
    times = _times(fan.times_ms)
    order = sorted(fan.quantiles)
    for low, high in zip(order[: len(order) // 2], reversed(order), strict=False):
        axes.fill_between(
            times,
            fan.quantiles[low],
            fan.quantiles[high],
            color=EQUITY,
            alpha=0.16,
            linewidth=0,
            label=f"{low:.0%} to {high:.0%} of the paths",
        )
    if len(order) % 2:
        middle = order[len(order) // 2]
        axes.plot(
            times,
            fan.quantiles[middle],
            color=EQUITY,
            linewidth=1.6,
            label="median" if middle == 0.5 else f"{middle:.0%}",
        )
    if fan.equity is not None:
        axes.plot(times, fan.equity, color=INK, linewidth=1.6, label="what happened")
    _style(axes, "equity")
    axes.set_xlabel("UTC", color=FAINT)
    axes.yaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.margins(x=0)
    _legend(axes)
    figure.text(0.075, 0.94, fan.title, fontsize=17, color=INK, weight="bold")


def _figure(height: int) -> Figure:
    return Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")


def _encoded(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    written = BytesIO()
    # No software version in it: the same picture is the same bytes.
    figure.savefig(
        written,
        format="png",
        dpi=DPI,
        metadata={"Software": None},
        pil_kwargs={"compress_level": 9},
    )
    return written.getvalue()


def _draw_run(figure: Figure | SubFigure, view: View) -> None:
    grid = figure.add_gridspec(
        3, 1, height_ratios=[5, 3, 1.5], hspace=0.09, left=0.075, right=0.98, top=0.885, bottom=0.07
    )
    prices: Axes = figure.add_subplot(grid[0])
    equity: Axes = figure.add_subplot(grid[1], sharex=prices)
    under: Axes = figure.add_subplot(grid[2], sharex=prices)
    _draw_candles(prices, view)
    times = _times(view.curve_ms)
    equity.plot(times, view.hold, color=HOLD, linewidth=1.2, label="buy & hold")
    equity.plot(times, view.equity, color=EQUITY, linewidth=1.6, label="equity")
    under.fill_between(times, view.drawdown, 0.0, color=DRAWDOWN, alpha=0.3, linewidth=0)
    under.plot(times, view.drawdown, color=DRAWDOWN, linewidth=0.9)
    _style(prices, f"price ({view.quote})" + (", log" if view.is_log else ""))
    _style(equity, f"equity ({view.quote})")
    _style(under, "drawdown")
    equity.yaxis.set_major_formatter(FuncFormatter(_thousands))
    deepest = min(float(view.drawdown.min()), -0.001)
    under.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
    under.set_ylim(1.08 * deepest, 0.0)
    under.set_xlabel("UTC", color=FAINT)
    for axes in (prices, equity):
        axes.tick_params(labelbottom=False)
        _legend(axes)
    figure.align_ylabels([prices, equity, under])
    figure.text(0.075, 0.955, view.title, fontsize=17, color=INK, weight="bold")
    figure.text(0.075, 0.925, view.subtitle, fontsize=12, color=INK)
    _say(figure, view.notes, 0.9)


def _draw_candles(axes: Axes, view: View) -> None:
    columns = view.candles
    times = _times(columns["opened_ms"])
    opens, highs, lows, closes = (columns[name] for name in ("open", "high", "low", "close"))
    colours = np.where(closes >= opens, RISING, FALLING).tolist()
    body = 1_100 / max(len(times), 1) * 0.62  # points: the axes are about so wide
    axes.add_collection(_bars(times, lows, highs, colours, 0.8))
    axes.add_collection(_bars(times, opens, closes, colours, max(0.8, min(body, 9.0))))
    if view.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0), numticks=99))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.update_datalim([(times[0], lows.min()), (times[-1], highs.max())])
    axes.autoscale_view()
    around = 0.012 * max(times[-1] - times[0], 1.0)
    axes.set_xlim(times[0] - around, times[-1] + around)
    for marks in (*view.entries, *view.exits):
        shape = SHAPES.get(marks.kind, OTHER)
        axes.scatter(
            _times(marks.opened_ms),
            marks.prices,
            s=shape.area * view.mark_scale,
            marker=shape.matplotlib,
            color=shape.colour,
            edgecolors="white",
            linewidths=0.5,
            zorder=5 if marks in view.entries else 4,
            label=f"{marks.name} ({len(marks.prices):,})",
        )


def _bars(
    times: Float, lows: Float, highs: Float, colours: list[str], width: float
) -> LineCollection:
    ends = np.stack([np.column_stack([times, lows]), np.column_stack([times, highs])], axis=1)
    return LineCollection(list(ends), colors=colours, linewidths=width, capstyle="butt")


def _draw_surface(figure: Figure | SubFigure, surface: Surface) -> None:
    axes: Axes = figure.add_axes((0.075, 0.13, 0.86 if surface.y else 0.905, 0.69))
    if surface.y is None:
        _draw_line(axes, surface)
    else:
        _draw_map(figure, axes, surface)
    names = surface.x.name + (f" and {surface.y.name}" if surface.y else "")
    title = f"{surface.metric} by {names}"
    figure.text(0.075, 0.93, title, fontsize=17, color=INK, weight="bold")
    figure.text(0.075, 0.89, f"{surface.runs:,} runs", fontsize=12, color=INK)
    _say(figure, surface.notes, 0.855)


def _draw_line(axes: Axes, surface: Surface) -> None:
    places = np.arange(len(surface.x.labels))
    axes.plot(places, surface.values[0], color=EQUITY, marker="o", linewidth=1.6)
    if surface.best:
        place = surface.best[1]
        axes.plot(
            [place],
            [surface.values[0, place]],
            marker="*",
            markersize=18,
            color=HOLD,
            linestyle="none",
            label=f"best: {surface.x.labels[place]}",
        )
        _legend(axes)
    _ticks(axes.set_xticks, surface.x.labels)
    _style(axes, surface.metric, dates=False)
    axes.set_xlabel(surface.x.name, color=FAINT)


def _draw_map(figure: Figure | SubFigure, axes: Axes, surface: Surface) -> None:
    if surface.y is None:
        raise ValueError("a map needs two axes")
    low, high = limits(surface.values)
    image = axes.imshow(
        np.ma.masked_invalid(surface.values),
        aspect="auto",
        origin="lower",
        cmap="RdYlBu",
        vmin=low,
        vmax=high,
    )
    axes.set_facecolor("#d5dadf")
    if surface.values.size <= 400:
        _write_values(axes, surface.values)
    if surface.best:
        row, column = surface.best
        axes.add_patch(_frame(column, row))
    _ticks(axes.set_xticks, surface.x.labels)
    _ticks(axes.set_yticks, surface.y.labels)
    axes.set_xlabel(surface.x.name, color=FAINT)
    axes.set_ylabel(surface.y.name, color=FAINT)
    axes.tick_params(colors=FAINT, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    bar_axes: Axes = figure.add_axes((0.95, 0.13, 0.012, 0.69))
    bar = figure.colorbar(image, cax=bar_axes)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar_axes.tick_params(colors=FAINT, length=0)


def _frame(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=2.5)


def _write_values(axes: Axes, values: Float) -> None:
    size = 11 if values.shape[1] <= 14 else 9
    low, high = limits(values)
    for (row, column), value in np.ndenumerate(values):
        known = bool(np.isfinite(value))
        is_dark = known and not 0.12 < (value - low) / (high - low) < 0.88
        axes.text(
            column, row, f"{value:z.2f}" if known else "–",
            ha="center", va="center", fontsize=size, color="white" if is_dark else INK,
        )  # fmt: skip


def _ticks(setter: Any, labels: tuple[str, ...]) -> None:
    every = -(-len(labels) // MOST_TICKS)
    shown = labels[::every]
    are_long = len(" ".join(shown)) > LONG_LABELS
    setter(range(0, len(labels), every), shown, rotation=30 if are_long else 0)


def _style(axes: Axes, label: str, *, dates: bool = True) -> None:
    axes.set_ylabel(label, color=FAINT)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, length=0)
    for side in axes.spines.values():
        side.set_color(GRID)
    if dates:
        locator = mdates.AutoDateLocator(minticks=6, maxticks=12)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="upper left", ncols=8, fontsize=10, frameon=True, framealpha=0.85,
        edgecolor="none", labelcolor=INK, borderaxespad=0.3, handletextpad=0.3, columnspacing=1.2,
    )  # fmt: skip


def _say(figure: Figure | SubFigure, notes: tuple[str, ...], height: float) -> None:
    if notes:
        figure.text(0.075, height, "; ".join(notes), fontsize=10, color=FAINT, style="italic")


def _times(opened_ms: NDArray[np.int64]) -> Float:
    return opened_ms.astype(np.float64) / 86_400_000  # matplotlib counts days since 1970


def _thousands(value: float, _place: Any = None) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.6g}"
