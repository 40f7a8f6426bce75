"""The picture of a run whose candles and curve were read, not executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.charts import html, png
from backtests.charts.over_time import months_of
from backtests.charts.picture import Kind
from backtests.charts.view import (
    LOG_FROM,
    MOST_TRADES,
    View,
    entries_of,
    exits_of,
    notes_of,
    subtitle_of,
    telling_points,
    thinned_trades,
    title_of,
)
from mela.inference import infer
from mela.instrument import UNKNOWN_CURRENCY
from mela.result import Curve, Metrics

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RunRead:
    """A run of one instrument as it was read.

    candles: (m,) columns opened_ms, open, high, low, close; `merged` of the span's in each
    total: candles of the span
    curve: trades, and equity at each candle; hold, drawdown: (n,) at the same instants
    """

    instrument: str
    interval: str
    strategy: str
    params: Mapping[str, Any]
    start: datetime
    end: datetime
    cash: float
    metrics: Metrics
    candles: Mapping[str, NDArray[Any]]
    merged: int
    total: int
    curve: Curve
    hold: Float
    drawdown: Float


def most_candles(kind: Kind) -> int:
    """Return how many candles a picture of this kind shows at most."""
    return png.MOST_CANDLES if kind == "png" else html.MOST_CANDLES


def read_picture(run: RunRead, kind: Kind) -> bytes:
    """Return a picture of a run: candles with its trades, equity, drawdown, months.

    It shows no indicators, which only the strategy itself can tell.
    Raises ValueError for a run without candles or equity.
    """
    equity = run.curve.equity
    if len(equity) == 0 or len(run.candles["open"]) == 0:
        raise ValueError("there is nothing to draw: the run has no equity")
    most = most_candles(kind)
    kept = thinned_trades(run.curve.trades, png.MOST_MARKED if kind == "png" else MOST_TRADES)
    points = telling_points([equity, run.hold, run.drawdown], most)
    quote = infer(run.instrument).quote
    view = View(
        title=title_of(run.instrument, run.interval, run.strategy, run.params),
        subtitle=subtitle_of(run.start, run.end, run.metrics),
        quote="quote currency" if quote == UNKNOWN_CURRENCY else quote,
        candles=run.candles,
        merged=run.merged,
        is_log=bool(run.candles["high"].max() / run.candles["low"].min() > LOG_FROM),
        entries=entries_of(kept),
        exits=exits_of(kept),
        curve_ms=run.curve.opened_ms[points],
        equity=equity[points],
        hold=run.hold[points],
        drawdown=run.drawdown[points],
        notes=notes_of(
            run.total, run.merged, points, run.curve, len(kept), run.metrics.open_trades
        ),
        months=months_of(run.curve, run.cash),
    )
    return html.scene_html(view, None).encode() if kind == "html" else png.scene_png(view, None)
