"""Pictures as HTML pages that need nothing else: Plotly, its script embedded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from backtests.charts.colours import (
    BAND,
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

MOST_CANDLES = 2_000
RUN_HEIGHT, SURFACE_HEIGHT, FAN_HEIGHT = 860, 560, 640  # pixels
CONFIG = {"displaylogo": False, "responsive": True, "scrollZoom": True}
STYLE = f"""
body {{ margin: 0 auto; max-width: 1500px; padding: 1.2rem 1.5rem 3rem; color: {INK};
  font: 15px/1.45 "Segoe UI", "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }}
h1 {{ font-size: 1.35rem; margin: 1.4rem 0 .2rem; }}
p {{ margin: .1rem 0; }} .notes {{ color: {FAINT}; font-style: italic; }}
"""

Float = NDArray[np.float64]
Section = tuple[str, str, tuple[str, ...], go.Figure]  # heading, about, notes, figure


def scene_html(view: View, surface: Surface | None, fan: Fan | None = None) -> str:
    """Return a page with a run: above it the surface of its search, below it its fan, if any."""
    sections = []
    if surface is not None:
        names = surface.x.name + (f" and {surface.y.name}" if surface.y else "")
        heading = f"{surface.metric} by {names}"
        about = f"{surface.runs:,} runs"
        sections.append((heading, about, surface.notes, surface_figure(surface)))
    sections.append((view.title, view.subtitle, view.notes, run_figure(view)))
    if fan is not None:
        sections.append(_fan_section(fan))
    return _page(sections, view.title)


def fan_html(fan: Fan) -> str:
    """Return a page with a fan of quantiles over time; see `picture.fan_picture`."""
    return _page([_fan_section(fan)], fan.title)


def _fan_section(fan: Fan) -> Section:
    figure = fan_figure(fan.times_ms, fan.quantiles, fan.equity)
    return fan.title, "", (), figure


def run_figure(view: View) -> go.Figure:
    """Return candles with fills, equity against buy and hold, and drawdown, one below the other."""
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.025, row_heights=[0.55, 0.3, 0.15]
    )
    columns = view.candles
    figure.add_trace(
        go.Candlestick(
            x=_times(columns["opened_ms"]),
            **{name: columns[name].tolist() for name in ("open", "high", "low", "close")},
            name="candles",
            showlegend=False,
            increasing={"line": {"color": RISING, "width": 1}, "fillcolor": RISING},
            decreasing={"line": {"color": FALLING, "width": 1}, "fillcolor": FALLING},
        ),
        row=1,
        col=1,
    )
    for marks in (*view.entries, *view.exits):
        shape = SHAPES.get(marks.kind, OTHER)
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
    _add_curves(figure, view)
    _lay_out(figure, RUN_HEIGHT)
    first, last = (int(columns["opened_ms"][bar]) for bar in (0, -1))
    around = max((last - first) // 80, 1)
    ends = _times(np.array([first - around, last + around]))
    figure.update_xaxes(rangeslider_visible=False, range=ends)
    figure.update_xaxes(title_text="UTC", row=3, col=1)
    figure.update_yaxes(title_text=f"price ({view.quote})", row=1, col=1)
    figure.update_yaxes(title_text=f"equity ({view.quote})", row=2, col=1)
    figure.update_yaxes(title_text="drawdown", tickformat=".0%", row=3, col=1)
    for row in (1, 2):
        figure.update_yaxes(tickformat=",", row=row, col=1)
    if view.is_log:
        figure.update_yaxes(type="log", title_text=f"price ({view.quote}), log", row=1, col=1)
    return figure


def _add_curves(figure: go.Figure, view: View) -> None:
    times = _times(view.curve_ms)
    curves = (
        ("buy & hold", view.hold, HOLD, 2, None, ",.2f"),
        ("equity", view.equity, EQUITY, 2, None, ",.2f"),
        ("drawdown", view.drawdown, DRAWDOWN, 3, "tozeroy", ".2%"),
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
                line={"color": EQUITY},
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
    _lay_out(figure, SURFACE_HEIGHT, hovermode="closest")
    return figure


def _mark_best(figure: go.Figure, surface: Surface, row: int, column: int) -> None:
    if surface.y is not None:
        sides = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", line={"color": INK, "width": 3}, **sides)
        return
    figure.add_trace(
        go.Scatter(
            x=[surface.x.labels[column]],
            y=[float(surface.values[0, column])],
            mode="markers",
            name=f"best: {surface.x.labels[column]}",
            hoverinfo="skip",
            marker={"symbol": "star", "size": 18, "color": HOLD},
        )
    )


def fan_figure(
    times_ms: NDArray[np.int64], quantiles: Mapping[float, Float], equity: Float | None
) -> go.Figure:
    """Return bands between pairs of quantiles, the median, and what happened."""
    figure, times, order = go.Figure(), _times(times_ms), sorted(quantiles)
    for low, high in zip(order[: len(order) // 2], reversed(order), strict=False):
        edge = {"color": f"rgba({BAND}, 0.25)", "width": 0.5}
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
                fill="tonexty", fillcolor=f"rgba({BAND}, 0.16)",
            )
        )  # fmt: skip
    if len(order) % 2:
        middle = order[len(order) // 2]
        figure.add_trace(
            go.Scatter(
                x=times,
                y=quantiles[middle].tolist(),
                line={"color": EQUITY},
                name="median" if middle == 0.5 else f"{middle:.0%}",
            )
        )
    if equity is not None:
        figure.add_trace(
            go.Scatter(x=times, y=equity.tolist(), line={"color": INK}, name="what happened")
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
        font={"color": INK, "family": "Segoe UI, Helvetica Neue, DejaVu Sans, Arial, sans-serif"},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        hovermode=hovermode,
    )
    figure.update_xaxes(gridcolor=GRID, tickfont={"color": FAINT}, title_font={"color": FAINT})
    figure.update_yaxes(gridcolor=GRID, tickfont={"color": FAINT}, title_font={"color": FAINT})


def _page(sections: Sequence[Section], title: str) -> str:
    parts: list[str] = []
    for heading, about, notes, figure in sections:
        body = figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG)
        parts.append(
            f"<h1>{escape(heading)}</h1>\n<p>{escape(about)}</p>\n"
            f'<p class="notes">{escape("; ".join(notes))}</p>\n{body}'
        )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n" + "\n".join(parts)
    ) + "\n</body>\n</html>\n"


def _known(values: Float) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _times(opened_ms: NDArray[np.int64]) -> list[Any]:
    return np.datetime_as_string(opened_ms.astype("datetime64[ms]"), unit="s").tolist()
