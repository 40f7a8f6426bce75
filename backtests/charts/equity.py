"""The picture of a result: its equity curve, and below it how far under its peak it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from mela.counts import counted
from mela.result import Curve

# Fractions of the picture. A layout that Matplotlib finds by itself makes it draw everything twice,
# which each scene's end would wait for. The left side has room for 1,000,000,000.
PLACES = {"left": 0.12, "right": 0.985, "top": 0.9, "bottom": 0.07, "hspace": 0.06}


def equity_chart(curve: Curve, result: Mapping[str, Any], path: Path) -> None:
    """Draw equity and drawdown of a result to a PNG file."""
    with matplotlib.style.context("default"):  # a library may have set fonts that need more room
        _draw(curve, result, path)


def _draw(curve: Curve, result: Mapping[str, Any], path: Path) -> None:
    at = curve.opened_ms.astype("datetime64[ms]")
    peak = np.maximum(np.maximum.accumulate(curve.equity), result["cash"])
    figure = Figure(figsize=(10, 6))
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1], gridspec_kw=PLACES)
    above.plot(at, curve.equity, color="#1f5fa8", linewidth=1.2)
    above.axhline(result["cash"], color="#888888", linewidth=0.8, linestyle=":")
    above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    above.set_ylabel("equity")
    above.set_title(_title(result), loc="left", fontsize=11)
    below.fill_between(at, curve.equity / peak - 1.0, 0.0, color="#b03a2e", alpha=0.6, linewidth=0)
    below.yaxis.set_major_formatter(PercentFormatter(1.0))
    below.set_ylabel("drawdown")
    locator = AutoDateLocator()
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    for axes in (above, below):
        axes.grid(visible=True, alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _title(result: Mapping[str, Any]) -> str:
    params = ", ".join(f"{name} {value}" for name, value in result["params"].items())
    subject = (
        f"{', '.join(result['instruments'])} {result['interval']} · {result['strategy']['name']}"
    )
    sharpe = "undefined" if result["sharpe"] is None else f"{result['sharpe']:.2f}"
    return (
        f"{subject} ({params})\n"
        f"total return {result['total_return']:+.1%} · Sharpe {sharpe} · "
        f"max drawdown {result['max_drawdown']:.1%} · {counted(result['trades'], 'trade')}"
    )
