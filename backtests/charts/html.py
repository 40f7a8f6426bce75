"""Pictures as HTML pages that need nothing else: Plotly, its script embedded."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from backtests.charts import colours
from backtests.charts.drawn_lines import DrawnLine
from backtests.charts.fan import Fan
from backtests.charts.over_time import Months, RollingSharpe
from backtests.charts.page import Section, page
from backtests.charts.surface import Surface, limits
from backtests.charts.view import View

MOST_CANDLES = 2_000
RUN_HEIGHT, PANEL_HEIGHT, SURFACE_HEIGHT, FAN_HEIGHT = 860, 130, 560, 640  # pixels
PERCENT = ".4~%"  # as many digits as it takes to tell ticks apart
STAR = {"symbol": "star", "color": colours.HOLD, "line": {"color": "white", "width": 1}}
FAMILY = "Segoe UI, Helvetica Neue, DejaVu Sans, Arial, sans-serif"
# Marks of one size in the legend, so that they can be told apart
LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0, "itemsizing": "constant"}
CONFIG = {"displaylogo": False, "responsive": True, "scrollZoom": True}
Float = NDArray[np.float64]


def scene_html(view: View, surface: Surface | None, fan: Fan | None = None) -> str:
    """Return a page with a run, with the surface of its search above and its fan below, if any."""
    sections: list[Section] = []
    if surface is not None:
        names = surface.x.name + (f" and {surface.y.name}" if surface.y else "")
        heading = f"{surface.metric} by {names}"
        about = f"{surface.runs:,} runs"
        sections.append((heading, about, surface.notes, _shown(surface_figure(surface))))
    sections.append((view.title, view.subtitle, view.notes, _shown(run_figure(view))))
    if view.months is not None:
        sections.append(("Monthly returns", "", (), months_table(view.months)))
    if fan is not None:
        sections.append(_fan_section(fan))
    return page(sections, view.title)


def fan_html(fan: Fan) -> str:
    """Return a page with a fan of quantiles over time; see `picture.fan_picture`."""
    return page([_fan_section(fan)], fan.title)


def _fan_section(fan: Fan) -> Section:
    figure = fan_figure(fan.times_ms, fan.quantiles, fan.equity)
    return fan.title, "", (), _shown(figure)


def months_table(months: Months) -> str:
    """Return the returns of each month as an HTML table, a year in a row."""
    head = "".join(f"<th>{name}</th>" for name in ("", *calendar.month_abbr[1:], "year"))
    rows = [
        f"<tr><th>{year}</th>{''.join(_cells(values, months.largest))}<td>{_share(total)}</td></tr>"
        for year, values, total in zip(months.years, months.values, months.totals, strict=True)
    ]
    return f"<table>\n<tr>{head}</tr>\n" + "\n".join(rows) + "\n</table>"


def _cells(values: Iterable[float], largest: float) -> Iterable[str]:
    for value in values:
        is_month = np.isfinite(value)
        style = f' style="background: {colours.shade(value, largest)}"' if is_month else ""
        yield f"<td{style}>{_share(value)}</td>"


def _share(value: float) -> str:
    return f"{value:+z.1%}" if np.isfinite(value) else ""


def run_figure(view: View) -> go.Figure:
    """Return candles with fills and indicators, equity against buy and hold, drawdown, Sharpe.

    One stands below the other; axes of indicators that are no prices follow the candles.
    """
    panels, has_sharpe = view.indicators.panels, view.rolling is not None
    small = PANEL_HEIGHT * (len(panels) + has_sharpe)
    heights = [473, *[PANEL_HEIGHT] * len(panels), 258, PANEL_HEIGHT]
    heights += [PANEL_HEIGHT] * has_sharpe
    figure = make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.025 * RUN_HEIGHT / (RUN_HEIGHT + small),
        row_heights=heights,
    )
    _add_candles(figure, view)
    times = _times(view.candles["opened_ms"])
    _add_lines(figure, times, view.indicators.over, 1)
    _add_fills(figure, view)
    for row, panel in enumerate(panels, 2):
        _add_lines(figure, times, panel.lines, row)
    equity, under = len(panels) + 2, len(panels) + 3
    _add_curves(figure, view, equity, under)
    if view.rolling is not None:
        _add_sharpe(figure, view.rolling, under + 1)
    _lay_out(figure, RUN_HEIGHT + small)
    first, last = (int(view.candles["opened_ms"][bar]) for bar in (0, -1))
    around = max((last - first) // 80, 1)
    ends = _times(np.array([first - around, last + around]))
    figure.update_xaxes(rangeslider_visible=False, range=ends)
    figure.update_xaxes(title_text="UTC", row=len(heights), col=1)
    for row, panel in enumerate(panels, 2):
        figure.update_yaxes(title_text=panel.unit, row=row, col=1)
    figure.update_yaxes(title_text=f"price ({view.quote})", tickformat=",", row=1, col=1)
    figure.update_yaxes(title_text=f"equity ({view.quote})", tickformat=",", row=equity, col=1)
    figure.update_yaxes(title_text="drawdown", tickformat=PERCENT, row=under, col=1)
    if view.is_log:
        figure.update_yaxes(type="log", title_text=f"price ({view.quote}), log", row=1, col=1)
    return figure


def _add_candles(figure: go.Figure, view: View) -> None:
    columns = view.candles
    rising, falling = colours.RISING, colours.FALLING
    figure.add_trace(
        go.Candlestick(
            x=_times(columns["opened_ms"]),
            **{name: columns[name].tolist() for name in ("open", "high", "low", "close")},
            name="candles",
            showlegend=False,
            increasing={"line": {"color": rising, "width": 1}, "fillcolor": rising},
            decreasing={"line": {"color": falling, "width": 1}, "fillcolor": falling},
        ),
        row=1,
        col=1,
    )


def _add_lines(
    figure: go.Figure, times: Sequence[Any], lines: Sequence[DrawnLine], row: int
) -> None:
    for place, line in enumerate(lines):
        colour = colours.LINES[place % len(colours.LINES)]
        _add_line(figure, row, x=times, y=_known(line.values), name=line.name, colour=colour)


def _add_line(figure: go.Figure, row: int, *, name: str, colour: str, **data: Any) -> None:
    line = {"color": colour, "width": 1.2}
    figure.add_trace(go.Scatter(mode="lines", name=name, line=line, **data), row=row, col=1)


def _add_fills(figure: go.Figure, view: View) -> None:
    for marks in (*view.entries, *view.exits):
        shape = colours.SHAPES.get(marks.kind, colours.OTHER)
        figure.add_trace(
            go.Scatter(
                x=_times(marks.opened_ms),
                y=marks.prices.tolist(),
                mode="markers",
                name=f"{marks.name} ({len(marks.prices):,})",
                text=marks.texts,
                hovertemplate="%{text}<br>%{x|%Y-%m-%d %H:%M}<extra></extra>",
                marker={
                    "symbol": shape.plotly,
                    "color": shape.colour,
                    "size": 1.35 * (shape.area * view.mark_scale) ** 0.5,
                    "line": {"color": "white", "width": 0.8},
                },
            ),
            row=1,
            col=1,
        )


def _add_curves(figure: go.Figure, view: View, equity: int, under: int) -> None:
    times = _times(view.curve_ms)
    curves = (
        ("buy & hold", view.hold, colours.HOLD, equity, None, ",.2f"),
        ("equity", view.equity, colours.EQUITY, equity, None, ",.2f"),
        ("drawdown", view.drawdown, colours.DRAWDOWN, under, "tozeroy", ".2%"),
    )
    for name, values, colour, row, fill, form in curves:
        figure.add_trace(
            go.Scatter(
                x=times,
                y=values.tolist(),
                name=name,
                mode="lines",
                fill=fill,
                line={"color": colour, "width": 1.5},
                hovertemplate=f"{name} %{{y:{form}}}<extra></extra>",
            ),
            row=row,
            col=1,
        )


def _add_sharpe(figure: go.Figure, rolling: RollingSharpe, row: int) -> None:
    name = f"Sharpe of the last {rolling.window} periods"
    values = _known(rolling.values)
    times = _times(rolling.times_ms)
    _add_line(figure, row, x=times, y=values, name=name, colour=colours.SHARPE)
    figure.update_yaxes(title_text="rolling Sharpe", row=row, col=1)


def surface_figure(surface: Surface) -> go.Figure:
    """Return a heat map over two axes, or a line over one."""
    low, high = limits(surface.values)
    if surface.y is None:
        figure = go.Figure(
            go.Scatter(
                x=surface.x.labels,
                y=_known(surface.values[0]),
                mode="lines+markers",
                name=surface.metric,
                line={"color": colours.EQUITY},
            )
        )
        figure.update_yaxes(title_text=surface.metric)
    else:
        figure = go.Figure(
            go.Heatmap(
                x=surface.x.labels,
                y=surface.y.labels,
                z=[_known(row) for row in surface.values],
                colorscale="RdYlBu",
                zmin=low,
                zmax=high,
                colorbar={"title": {"text": surface.metric}, "outlinewidth": 0},
                texttemplate="%{z:.2f}" if surface.values.size <= 400 else None,
                hovertemplate=(
                    f"{surface.x.name} %{{x}}<br>{surface.y.name} %{{y}}<br>"
                    f"{surface.metric} %{{z:.4f}}<extra></extra>"
                ),
            )
        )
        figure.update_yaxes(title_text=surface.y.name, type="category")
    figure.update_xaxes(title_text=surface.x.name, type="category")
    if surface.best:
        _mark_best(figure, surface, *surface.best)
    if surface.drawn and (surface.y or np.isfinite(surface.values[surface.drawn])):
        _mark_drawn(figure, surface, *surface.drawn)
    _lay_out(figure, SURFACE_HEIGHT, hovermode="closest")
    return figure


def _mark_best(figure: go.Figure, surface: Surface, row: int, column: int) -> None:
    if surface.y is not None:
        sides = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", line={"color": colours.INK, "width": 3}, **sides)
        return
    circle = {"symbol": "circle-open", "size": 16, "color": colours.INK, "line": {"width": 2}}
    _add_mark(figure, surface, (row, column), "best", circle)


def _mark_drawn(figure: go.Figure, surface: Surface, row: int, column: int) -> None:
    if surface.y is None:
        _add_mark(figure, surface, (row, column), "drawn", {**STAR, "size": 14})
        return
    # An annotation can stand in the corner of a place; the value is in its middle.
    figure.add_annotation(
        x=column + 0.36,
        y=row + 0.3,
        text="★",
        showarrow=False,
        font={"color": colours.HOLD, "size": 17},
        bgcolor="rgba(255, 255, 255, 0.75)",
        borderpad=0,
    )


def _add_mark(
    figure: go.Figure, surface: Surface, place: tuple[int, int], name: str, marker: dict[str, Any]
) -> None:
    label = surface.x.labels[place[1]]
    figure.add_trace(
        go.Scatter(
            x=[label],
            y=[float(surface.values[place])],
            mode="markers",
            name=f"{name}: {label}",
            hoverinfo="skip",
            marker=marker,
        )
    )


def fan_figure(
    times_ms: NDArray[np.int64], quantiles: Mapping[float, Float], equity: Float | None
) -> go.Figure:
    """Return bands between pairs of quantiles, the median, and what happened."""
    figure, times, order = go.Figure(), _times(times_ms), sorted(quantiles)
    pairs = zip(order[: len(order) // 2], reversed(order), strict=False)
    for depth, (low, high) in enumerate(pairs):
        edge = {"color": f"rgba({colours.BAND}, 0.25)", "width": 0.5}
        name = f"{low:.0%} to {high:.0%} of the paths"
        figure.add_trace(
            go.Scatter(
                x=times, y=quantiles[low].tolist(), line=edge, showlegend=False,
                legendgroup=name, name=f"{low:.0%}",
            )
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=times, y=quantiles[high].tolist(), line=edge, name=name, legendgroup=name,
                fill="tonexty", fillcolor=f"rgba({colours.BAND}, {colours.band_alpha(depth):.2f})",
            )
        )  # fmt: skip
    if len(order) % 2:
        middle = order[len(order) // 2]
        figure.add_trace(
            go.Scatter(
                x=times,
                y=quantiles[middle].tolist(),
                line={"color": colours.EQUITY},
                name="median" if middle == 0.5 else f"{middle:.0%}",
            )
        )
    if equity is not None:
        figure.add_trace(
            go.Scatter(
                x=times, y=equity.tolist(), line={"color": colours.INK}, name="what happened"
            )
        )
    _lay_out(figure, FAN_HEIGHT)
    figure.update_yaxes(title_text="equity", tickformat=",")
    figure.update_xaxes(title_text="UTC")
    return figure


def _lay_out(figure: go.Figure, height: int, hovermode: str = "x unified") -> None:
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 80, "r": 30, "t": 84, "b": 50},
        font={"color": colours.INK, "family": FAMILY},
        legend=LEGEND,
        hovermode=hovermode,
    )
    faint = {"color": colours.FAINT}
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(gridcolor=colours.GRID, tickfont=faint, title_font=faint)


def _shown(figure: go.Figure) -> str:
    return figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG)


def _known(values: Float) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _times(opened_ms: NDArray[np.int64]) -> list[Any]:
    return np.datetime_as_string(opened_ms.astype("datetime64[ms]"), unit="s").tolist()
