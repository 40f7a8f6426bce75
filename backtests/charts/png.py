"""Pictures as PNG, by matplotlib, without a screen."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from backtests.charts import colours
from backtests.charts.fan import Fan
from backtests.charts.png_run import draw_months, draw_run, months_height, run_height
from backtests.charts.png_style import days, legend, say, style, thousands, title
from backtests.charts.surface import Surface, limits
from backtests.charts.view import View

DPI = 100
WIDTH, SURFACE_HEIGHT, FAN_HEIGHT = 1600, 760, 800  # pixels
MOST_CANDLES = 400  # more are not to be told apart at this width
MOST_MARKED = 400
MOST_TICKS = 24
LONG_LABELS = 160  # characters side by side

Float = NDArray[np.float64]


def scene_png(view: View, surface: Surface | None, fan: Fan | None = None) -> bytes:
    """Return a picture of a run, with the surface of its search above and its fan below, if any."""
    panels: list[tuple[int, Callable[[Figure | SubFigure], None]]] = []
    if surface is not None:
        panels.append((SURFACE_HEIGHT, lambda part: _draw_surface(part, surface)))
    panels.append((run_height(view), lambda part: draw_run(part, view)))
    if (months := view.months) is not None:
        panels.append((months_height(months), lambda part: draw_months(part, months)))
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
    at = days(fan.times_ms)
    order = sorted(fan.quantiles)
    pairs = zip(order[: len(order) // 2], reversed(order), strict=False)
    for depth, (low, high) in enumerate(pairs):
        axes.fill_between(
            at,
            fan.quantiles[low],
            fan.quantiles[high],
            color=colours.EQUITY,
            alpha=colours.band_alpha(depth),
            linewidth=0,
            label=f"{low:.0%} to {high:.0%} of the paths",
        )
    if len(order) % 2:
        middle = order[len(order) // 2]
        axes.plot(
            at,
            fan.quantiles[middle],
            color=colours.EQUITY,
            linewidth=1.6,
            label="median" if middle == 0.5 else f"{middle:.0%}",
        )
    if fan.equity is not None:
        axes.plot(at, fan.equity, color=colours.INK, linewidth=1.6, label="what happened")
    style(axes, "equity")
    axes.set_xlabel("UTC", color=colours.FAINT)
    axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    axes.margins(x=0)
    legend(axes)
    title(figure, fan.title, 0.94)


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


def _draw_surface(figure: Figure | SubFigure, surface: Surface) -> None:
    axes: Axes = figure.add_axes((0.075, 0.13, 0.86 if surface.y else 0.905, 0.69))
    if surface.y is None:
        _draw_line(axes, surface)
    else:
        _draw_map(figure, axes, surface)
    names = surface.x.name + (f" and {surface.y.name}" if surface.y else "")
    title(figure, f"{surface.metric} by {names}", 0.93)
    figure.text(0.075, 0.89, f"{surface.runs:,} runs", fontsize=12, color=colours.INK)
    say(figure, surface.notes, 0.855)


def _draw_line(axes: Axes, surface: Surface) -> None:
    places = np.arange(len(surface.x.labels))
    axes.plot(places, surface.values[0], color=colours.EQUITY, marker="o", linewidth=1.6)
    if surface.best:
        place = surface.best[1]
        axes.plot(
            [place],
            [surface.values[0, place]],
            marker="o",
            markersize=15,
            markerfacecolor="none",
            markeredgecolor=colours.INK,
            markeredgewidth=2,
            linestyle="none",
            label=f"best: {surface.x.labels[place]}",
        )
    if surface.drawn and np.isfinite(surface.values[surface.drawn]):
        place = surface.drawn[1]
        _add_star(axes, place, surface.values[0, place], 12, f"drawn: {surface.x.labels[place]}")
    if surface.best or surface.drawn:
        legend(axes)
    _ticks(axes.set_xticks, surface.x.labels)
    style(axes, surface.metric, dates=False)
    axes.set_xlabel(surface.x.name, color=colours.FAINT)


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
    axes.set_facecolor(colours.MISSING)
    axes.autoscale(enable=False)
    if surface.values.size <= 400:
        _write_values(axes, surface.values)
    if surface.best:
        row, column = surface.best
        axes.add_patch(_frame(column, row))
    if surface.drawn:
        row, column = surface.drawn  # in a corner, as the value is in the middle
        _add_star(axes, column + 0.36, row + 0.3, 15)
    _ticks(axes.set_xticks, surface.x.labels)
    _ticks(axes.set_yticks, surface.y.labels)
    axes.set_xlabel(surface.x.name, color=colours.FAINT)
    axes.set_ylabel(surface.y.name, color=colours.FAINT)
    axes.tick_params(colors=colours.FAINT, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    bar_axes: Axes = figure.add_axes((0.95, 0.13, 0.012, 0.69))
    bar = figure.colorbar(image, cax=bar_axes)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar_axes.tick_params(colors=colours.FAINT, length=0)


def _add_star(axes: Axes, x: float, y: float, size: float, label: str | None = None) -> None:
    axes.plot(
        [x], [y], marker="*", markersize=size, color=colours.HOLD, markeredgecolor="white",
        linestyle="none", label=label,
    )  # fmt: skip


def _frame(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=colours.INK, linewidth=2.5
    )


def _write_values(axes: Axes, values: Float) -> None:
    size = 11 if values.shape[1] <= 14 else 9
    low, high = limits(values)
    for (row, column), value in np.ndenumerate(values):
        known = bool(np.isfinite(value))
        is_dark = known and not 0.12 < (value - low) / (high - low) < 0.88
        axes.text(
            column, row, f"{value:z.2f}" if known else "–",
            ha="center", va="center", fontsize=size, color="white" if is_dark else colours.INK,
        )  # fmt: skip


def _ticks(setter: Any, labels: tuple[str, ...]) -> None:
    every = -(-len(labels) // MOST_TICKS)
    shown = labels[::every]
    are_long = len(" ".join(shown)) > LONG_LABELS
    setter(range(0, len(labels), every), shown, rotation=30 if are_long else 0)
