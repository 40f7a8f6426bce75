"""One picture of what a scene found: its best run, and of a search also where that one lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from backtests.pictures import html, png
from backtests.pictures.surface import surface_of
from backtests.pictures.view import telling_points, view_of
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
) -> bytes:
    """Return a picture of a run and, with several, of the search that it is the best of.

    outcome: with its curve; candles: of its series
    rows: the result documents of all runs; paths: what the search varied; metric: what ranked them
    Raises ValueError for an outcome without a curve.
    """
    module = html if kind == "html" else png
    limits = {"most_trades": png.MOST_MARKED} if kind == "png" else {}
    view = view_of(outcome, candles, most_candles=module.MOST_CANDLES, **limits)
    surface = surface_of(rows, list(paths), metric)
    if len(rows) > 1:
        best = f"the best of {len(rows):,} runs by {metric}"
        view = replace(view, notes=(best, *view.notes))
    if kind == "html":
        return html.scene_html(view, surface).encode()
    return png.scene_png(view, surface)


def fan_picture(
    times_ms: NDArray[np.int64],
    quantiles: Mapping[float, Float],
    equity: Float | None = None,
    *,
    kind: Kind = "html",
    title: str = "Monte Carlo",
) -> bytes:
    """Return a fan: how equity might have gone, by quantile, around how it went.

    times_ms: (n,) int64, UTC milliseconds; equity: (n,)
    quantiles: level in (0, 1) → (n,) equity at that level; bands are drawn between the lowest and
        the highest, the next ones inwards, and an odd one in the middle is a line
    Raises ValueError for arrays of other lengths or levels outside (0, 1).
    """
    curves = [*quantiles.values(), *([] if equity is None else [equity])]
    if not quantiles or any(not 0.0 < level < 1.0 for level in quantiles):
        raise ValueError(f"expected levels within (0, 1), but found {sorted(quantiles)}")
    if any(len(curve) != len(times_ms) for curve in curves):
        lengths = sorted({len(curve) for curve in curves})
        raise ValueError(f"expected {len(times_ms)} values in each curve, but found {lengths}")
    points = telling_points(curves, html.MOST_CANDLES)
    thinned = {level: curve[points] for level, curve in quantiles.items()}
    told = None if equity is None else equity[points]
    if kind == "html":
        return html.fan_html(times_ms[points], thinned, told, title).encode()
    return png.fan_png(times_ms[points], thinned, told, title)
