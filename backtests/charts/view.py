"""The picture of one run: merged candles, thinned curves, marked trades, and notes on all of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.candles.prepared import PreparedCache, PreparedCandles
from backtests.charts.drawn_lines import DrawnIndicators, indicators_of
from backtests.charts.over_time import Months, RollingSharpe, months_of, rolling_sharpe_of
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.counts import counted
from mela.execution_terms import Costs
from mela.inference import infer
from mela.instrument import UNKNOWN_CURRENCY
from mela.result import Curve, Metrics, Outcome, Trade
from mela.run import Run, from_ms, to_ms

Float = NDArray[np.float64]
Int = NDArray[np.int64]
MOST_TRADES = 3_000
LONGEST = 90  # characters of parameters in a title
LOG_FROM = 5.0  # highest over lowest price, from which a logarithmic axis reads better


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Fills of one kind, to be marked on the candles.

    name: as the legend says it; kind: `long` or `short` for entries, else why the trade ended
    opened_ms: (k,) int64, the candles of the fills; prices: (k,) float64; texts: what a hover says
    """

    name: str
    kind: str
    opened_ms: Int
    prices: Float
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One run, ready to be drawn.

    candles: (m,) columns opened_ms, open, high, low, close; `merged` of the run's in each
    indicators: of the strategy, (m,) at the close of each candle drawn
    curve_ms, equity, hold, drawdown: (p,) the curves at the same instants
    months, rolling: None where the run is too short for them
    notes: what was left out or merged, in sentences
    """

    title: str
    subtitle: str
    quote: str
    candles: Mapping[str, NDArray[Any]]
    merged: int
    is_log: bool
    entries: tuple[Marks, ...]
    exits: tuple[Marks, ...]
    curve_ms: Int
    equity: Float
    hold: Float
    drawdown: Float
    notes: tuple[str, ...]
    indicators: DrawnIndicators = DrawnIndicators()
    months: Months | None = None
    rolling: RollingSharpe | None = None

    @property
    def mark_scale(self) -> float:
        """Return how much smaller marks are drawn, by area, where there are many."""
        count = sum(len(marks.prices) for marks in self.entries)
        return float(np.clip(90 / max(count, 1), 0.3, 1.0))


def view_of(
    outcome: Outcome,
    candles: Candles,
    *,
    most_candles: int,
    most_trades: int = MOST_TRADES,
    catalogue: Mapping[str, Strategy] | None = None,
) -> View:
    """Return what a picture of an outcome shows.

    candles: of the outcome's series; what lies outside the run's span is not shown
    most_candles: more are merged, open, high, low and close kept right
    most_trades: of more, so many are marked, spread evenly
    catalogue: whose strategy is asked for its indicators; None to draw none
    Raises ValueError for an outcome without a curve.
    """
    run, curve, metrics = outcome.run, outcome.curve, outcome.metrics
    if curve is None or metrics is None or len(curve.equity) == 0:
        raise ValueError(f"there is nothing to draw: the run ended as {outcome.status}")
    span = candles.span(to_ms(run.start), to_ms(run.end), 0)
    merged = math.ceil(len(span) / most_candles)
    kept = thinned_trades(curve.trades, most_trades)
    hold = buy_and_hold(span, run)[: len(curve.equity)]
    drawdown = drawdowns(curve.equity, run.cash)
    points = telling_points([curve.equity, hold, drawdown], most_candles)
    prepared = _prepared(candles, run)
    drawn = DrawnIndicators() if catalogue is None else indicators_of(run, prepared, catalogue)
    rolling = rolling_sharpe_of(curve, prepared, run.cash)
    notes = notes_of(len(span), merged, points, curve, len(kept), metrics.open_trades)
    return View(
        title=title_of(run.instrument, run.interval, run.strategy, run.params),
        subtitle=subtitle_of(run.start, run.end, metrics),
        quote=_quote(run.instrument, candles),
        candles=merge(span, merged),
        merged=merged,
        is_log=bool(span.high.max() / span.low.min() > LOG_FROM),
        entries=entries_of(kept),
        exits=exits_of(kept),
        curve_ms=curve.opened_ms[points],
        equity=curve.equity[points],
        hold=hold[points],
        drawdown=drawdown[points],
        notes=(*notes, *drawn.notes),
        indicators=drawn.at(_merged_ends(len(span), merged)),
        months=months_of(curve, run.cash),
        rolling=rolling and thinned_sharpe(rolling, most_candles),
    )


def _prepared(candles: Candles, run: Run) -> PreparedCandles:
    prepared = PreparedCache(candles).of(run)
    if isinstance(prepared, Exception):
        raise prepared
    return prepared


def merge(candles: Candles, count: int) -> dict[str, NDArray[Any]]:
    """Return each `count` candles as one: first open, highest high, lowest low, last close.

    The last one stands for what is left.
    """
    starts = np.arange(0, len(candles), count)
    ends = _merged_ends(len(candles), count)
    return {
        "opened_ms": candles.opened_ms[starts],
        "open": candles.open[starts],
        "high": np.maximum.reduceat(candles.high, starts),
        "low": np.minimum.reduceat(candles.low, starts),
        "close": candles.close[ends],
    }


def _merged_ends(bars: int, count: int) -> Int:
    """Return the last bar of each `count` ones."""
    return np.append(np.arange(count, bars, count), bars) - 1


def thinned_sharpe(of: RollingSharpe, most: int) -> RollingSharpe:
    """Return the same with fewer points; all where one of them is undefined, which is rare."""
    if np.isnan(of.values).any():
        return of
    points = telling_points([of.values], most)
    return RollingSharpe(of.window, of.times_ms[points], of.values[points])


def telling_points(curves: Sequence[Float], most: int) -> Int:
    """Return which points of curves to draw: the highest and the lowest of each of `most` parts.

    curves: (n,) float64 each
    returns: rising, the first and the last point included; all where there are at most `most`
    """
    count = len(curves[0])
    if count <= most:
        return np.arange(count)
    starts = np.arange(0, count, math.ceil(count / most))
    chosen = [np.array([0, count - 1])]
    for curve in curves:
        parts = np.split(curve, starts[1:])
        chosen.append(starts + [int(part.argmin()) for part in parts])
        chosen.append(starts + [int(part.argmax()) for part in parts])
    return np.unique(np.concatenate(chosen))


def thinned_trades(trades: Sequence[Trade], most: int) -> list[Trade]:
    """Return at most so many trades, spread evenly, the first and the last among them."""
    if len(trades) <= most:
        return list(trades)
    return [trades[place] for place in np.linspace(0, len(trades) - 1, most).round().astype(int)]


def buy_and_hold(span: Candles, run: Run) -> Float:
    """Return equity on each close with all cash put in at the first open, costs as in the run.

    span: without warm-up. The last value agrees with the metric `buy_hold_return`.
    """
    return held(span, run.cash, run.costs)


def held(span: Candles, cash: float, costs: Costs) -> Float:
    """Return the same for an account of so much cash that pays these costs."""
    paid = span.open[0] * (1.0 + costs.slippage) * (1.0 + costs.fee)
    return cash * span.close / paid


def drawdowns(equity: Float, cash: float) -> Float:
    """Return the fraction that each value lies below the highest so far: (n,), ≤ 0."""
    peak = np.maximum.accumulate(np.maximum(equity, cash))
    return equity / peak - 1.0


def entries_of(trades: Sequence[Trade]) -> tuple[Marks, ...]:
    """Return the entries of trades, by side."""
    sides = {
        "long": [trade for trade in trades if trade.size > 0],
        "short": [trade for trade in trades if trade.size < 0],
    }
    return tuple(
        Marks(
            f"enter {side}",
            side,
            np.array([to_ms(trade.entry_at) for trade in chosen], dtype=np.int64),
            np.array([trade.entry_price for trade in chosen]),
            tuple(f"{side} {abs(trade.size):.6g} at {trade.entry_price:,.6g}" for trade in chosen),
        )
        for side, chosen in sides.items()
        if chosen
    )


def exits_of(trades: Sequence[Trade]) -> tuple[Marks, ...]:
    """Return the exits of trades, by reason."""
    reasons: dict[str, list[Trade]] = {}
    for trade in trades:
        reasons.setdefault(trade.exit_reason, []).append(trade)
    return tuple(
        Marks(
            f"exit: {reason.replace('_', ' ')}",
            reason,
            np.array([to_ms(trade.exit_at) for trade in chosen], dtype=np.int64),
            np.array([trade.exit_price for trade in chosen]),
            tuple(_left(trade) for trade in chosen),
        )
        for reason, chosen in sorted(reasons.items())
    )


def _left(trade: Trade) -> str:
    reason = trade.exit_reason.replace("_", " ")
    return f"{reason} at {trade.exit_price:,.6g}, profit {trade.profit:+,.2f}"


def notes_of(
    candles: int, merged: int, points: Int, curve: Curve, marked: int, open_trades: int
) -> tuple[str, ...]:
    """Return what a picture leaves out or merges, in sentences.

    candles: of the span; merged: into each one drawn; points: of the curves; marked: trades
    """
    notes: list[str] = []
    trades, equity = len(curve.trades), len(curve.equity)
    if merged > 1:
        notes.append(f"{counted(candles, 'candle')}, {merged:,} merged into each one drawn")
    if len(points) < equity:
        notes.append(f"curves by {len(points):,} of {equity:,} points, all extremes kept")
    if marked < trades:
        notes.append(f"{marked:,} of {counted(trades, 'trade')} marked")
    if open_trades:
        notes.append("a position still open at the end is not marked")
    if equity < candles:
        notes.append("ruined: the run ends where its equity does")
    return tuple(notes)


def _quote(name: str, candles: Candles) -> str:
    """Return what prices are in, as an axis says it."""
    quote = (candles.about or infer(name)).quote
    return "quote currency" if quote == UNKNOWN_CURRENCY else quote


def title_of(instrument: str, interval: str, strategy: str, params: Mapping[str, Any]) -> str:
    """Return what a picture of a run is called."""
    return f"{instrument} {interval}: {strategy}({_spelled(params)})"


def subtitle_of(start: datetime, end: datetime, metrics: Metrics) -> str:
    """Return what a run found, in a line."""
    parts = [
        f"{_date(start)} to {_date(end)}",
        f"return {_percent(metrics.total_return)}",
        f"buy & hold {_percent(metrics.buy_hold_return)}",
        f"Sharpe {_number(metrics.sharpe)}",
        f"max drawdown {_percent(metrics.max_drawdown)}",
        f"{counted(metrics.trades, 'trade')}, {_percent(metrics.win_rate, signed=False)} won",
    ]
    return "  ·  ".join(parts)


def _date(at: Any) -> str:
    return f"{from_ms(to_ms(at)):%Y-%m-%d}"


def _spelled(params: Mapping[str, Any]) -> str:
    text = ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in params.items()
    )
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _percent(value: float, *, signed: bool = True) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:+.1%}" if signed else f"{value:.0%}"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"
