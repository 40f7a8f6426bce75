"""One picture of what a scene found: its best run, and of a search also where that one lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from backtests.charts import html, png
from backtests.charts.fan import Fan
from backtests.charts.surface import surface_of
from backtests.charts.view import view_of
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.result import Outcome

Kind = Literal["html", "png"]
Float = NDArray[np.float64]


def scene_picture(
    kind: Kind,
    outcome: Outcome,
    candles: Candles,
    *,
    rows: Sequence[Mapping[str, Any]] = (),
    paths: Iterable[str] = (),
    metric: str = "sharpe",
    rank: int = 1,
    fan: Fan | None = None,
    catalogue: Mapping[str, Strategy] | None = None,
) -> bytes:
    """Return a picture of a run and, with several, of the search that it is one of.

    outcome: with its curve; candles: of its series
    rows: the result documents of all runs; paths: what the search varied; metric: what ranked them
    rank: of the run among them, from 1
    fan: drawn below the run
    catalogue: whose strategy is asked for its indicators, in this process; None to draw none
    Raises ValueError for an outcome without a curve.
    """
    module = html if kind == "html" else png
    limits = {"most_trades": png.MOST_MARKED} if kind == "png" else {}
    fan = fan and fan.thinned(html.MOST_CANDLES)
    view = view_of(
        outcome, candles, most_candles=module.MOST_CANDLES, catalogue=catalogue, **limits
    )
    drawn = rows[rank - 1] if rank <= len(rows) else None
    surface = surface_of(rows, list(paths), metric, drawn)
    if len(rows) > 1:
        place = "the best" if rank == 1 else f"number {rank:,}"
        place = f"{place} of {len(rows):,} runs by {metric}"
        view = replace(view, notes=(place, *view.notes))
    if kind == "html":
        return html.scene_html(view, surface, fan).encode()
    return png.scene_png(view, surface, fan)


def fan_picture(
    times_ms: NDArray[np.int64],
    quantiles: Mapping[float, Float],
    equity: Float | None = None,
    *,
    kind: Kind = "html",
    title: str = "Monte Carlo",
) -> bytes:
    """Return a fan: how equity might have gone, by quantile, around how it went.

    Its arguments are those of `Fan`.
    Raises ValueError for arrays of other lengths or levels outside (0, 1).
    """
    fan = Fan(times_ms, quantiles, equity, title).thinned(html.MOST_CANDLES)
    return html.fan_html(fan).encode() if kind == "html" else png.fan_png(fan)
