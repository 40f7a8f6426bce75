"""Several candle series side by side, step by step: what one account of them walks over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from backtests.candles.coverage import ENDS_EARLY
from backtests.candles.prepared import PreparedCandles, prepare_candles
from backtests.signals import Bool, Float, Signals, Weights
from backtests.sizing_inputs import candles_per_year, volatility
from mela.candles import Candles
from mela.interval import DAY_MS
from mela.portfolio import (
    FixedWeights,
    InverseVolatility,
    OnSchedule,
    Portfolio,
    Rebalance,
    StrategyWeights,
)
from mela.run import Run, to_ms

Int = NDArray[np.int64]
SESSIONS_DIFFER = "sessions_differ"
WITHOUT_CANDLES = "instrument_without_candles"
ENDED = "instrument_ended"


@dataclass(frozen=True, eq=False)
class AlignedCandles:
    """The spans of k instruments over n steps, a step being a time at which one of them opens.

    Column 0 stands before the first step: the last warm-up candle of each instrument.

    opened_ms: (n + 1,) int64, rising; its first lies before the start
    has: (k, n + 1) bool, whether an instrument has a candle
    fillable: (k, n + 1) bool, whether that candle can fill an order
    prices: open, high, low, close and volume in units, (k, n + 1) float64 each, 0 where there is
        no candle
    """

    spans: Sequence[PreparedCandles]
    opened_ms: Int
    has: Bool
    fillable: Bool
    prices: tuple[Float, Float, Float, Float, Float]
    _baskets: dict[tuple[bytes, float, float], PreparedCandles] = field(default_factory=dict)

    @property
    def candles(self) -> int:
        """Return how many candles all instruments have in the span."""
        return sum(span.bars for span in self.spans)

    def signals(self, given: Sequence[Signals | None]) -> tuple[Bool, Bool, Bool, Bool]:
        """Return the signals of all instruments, (k, n + 1) each; None for one without candles."""
        made = tuple(np.zeros(self.has.shape, np.bool_) for _ in range(4))
        for row, (span, signals) in enumerate(zip(self.spans, given, strict=True)):
            if signals is None:
                continue
            bars, columns = _places(span, self.opened_ms)
            for whole, one in zip(made, signals.mirrored(), strict=True):
                whole[row, columns] = one[bars]
        return made[0], made[1], made[2], made[3]

    def inputs(self, given: Sequence[Signals | None]) -> tuple[Float, Float, Float]:
        """Return strength, stop and target of all instruments, (k, n + 1) each.

        An instrument that gives none has strength 1 and NaN levels. If no instrument gives one, the
        array is (k, 0).
        """
        made: list[Float] = []
        for name, absent in (("strength", 1.0), ("stop", np.nan), ("target", np.nan)):
            rows = [None if one is None else getattr(one, name) for one in given]
            is_given = any(values is not None for values in rows)
            whole = np.full(self.has.shape if is_given else (len(rows), 0), absent)
            for row, (span, values) in enumerate(zip(self.spans, rows, strict=True)):
                if values is not None:
                    bars, columns = _places(span, self.opened_ms)
                    whole[row, columns] = values[bars]
            made.append(whole)
        return made[0], made[1], made[2]

    def weights(self, names: Sequence[str], portfolio: Portfolio) -> Float:
        """Return the target weight of each instrument as known on the close of each column.

        returns: (k, n + 1) float64, or (k, 1) where they never change
        """
        weights = portfolio.weights
        if isinstance(weights, StrategyWeights):  # not known before the strategy was asked
            return np.zeros((len(names), 1))
        if isinstance(weights, FixedWeights):
            shares = np.array([[weights.of[name]] for name in names])
        elif isinstance(weights, InverseVolatility):
            shares = self._inverse_volatility(weights.period)
        else:
            shares = np.full((len(names), 1), 1.0 / len(names))
        return self._shared_among_the_rest(shares, portfolio)

    @cached_property
    def ended(self) -> dict[int, int]:
        """Return the instruments whose candles end before those of another: row → last column.

        Only where the market's calendar expects a later candle within the span.
        """
        last = {
            row: int(np.flatnonzero(self.has[row])[-1])
            for row, span in enumerate(self.spans)
            if span.bars and ENDS_EARLY in span.warnings
        }
        return {row: at for row, at in last.items() if at < len(self.opened_ms) - 1}

    def _shared_among_the_rest(self, weights: Float, portfolio: Portfolio) -> Float:
        """Return weights of which those that ended have none; the rest keep their proportions.

        On its last close the weight of an ended instrument is NaN: it is left there.
        """
        if portfolio.delisted == "hold" or not self.ended:
            return weights
        left = np.broadcast_to(weights, self.has.shape).copy()
        before = left.sum(axis=0)
        for row, last in self.ended.items():
            left[row, last:] = 0.0
        after = left.sum(axis=0)
        left *= np.divide(before, after, out=np.ones(len(before)), where=after > 0.0)
        return self._with_last_closes(left)

    def _with_last_closes(self, weights: Float) -> Float:
        for row, last in self.ended.items():
            weights[row, last] = np.nan
        return weights

    def strategy_weights(self, given: Sequence[Weights | None], run: Run) -> Float:
        """Return the share that each strategy wants on the close of each column.

        given: of each instrument, None for one without candles
        run: a side that its direction leaves out has no share
        returns: (k, n + 1) float64, at least 0; a short position has the share that it wants to be
            short. If shares sum to more than 1, all are scaled so that they sum to 1.
        """
        least = 0.0 if run.direction == "long" else -1.0
        most = 0.0 if run.direction == "short" else 1.0
        wanted = np.zeros(self.has.shape)
        for row, (span, weights) in enumerate(zip(self.spans, given, strict=True)):
            if weights is None:
                continue
            bars, columns = _places(span, self.opened_ms)
            known = np.nan_to_num(weights.values[bars], nan=0.0)
            wanted[row, columns] = np.abs(np.clip(known, least, most))
            wanted[row] = _carried(wanted[row], self.has[row])
        ends = run.portfolio is not None and run.portfolio.delisted == "close"
        for row, last in self.ended.items() if ends else ():
            wanted[row, last:] = 0.0
        shares = wanted / np.maximum(wanted.sum(axis=0), 1.0)
        return self._with_last_closes(shares) if ends else shares

    def _inverse_volatility(self, period: int) -> Float:
        inverse = np.zeros(self.has.shape)
        for row, span in enumerate(self.spans):
            if len(span.candles) == 0:
                continue
            bars, columns = _places(span, self.opened_ms)
            yearly = np.sqrt(candles_per_year(span.candles))
            moves = (volatility(span.candles.close, period) * yearly)[bars]
            known = moves > 0.0  # neither too few candles, nor a price that never moved
            inverse[row, columns] = np.divide(1.0, moves, out=np.zeros(len(moves)), where=known)
            inverse[row] = _carried(inverse[row], self.has[row])
        total = inverse.sum(axis=0)
        return np.divide(inverse, total, out=np.zeros(inverse.shape), where=total > 0.0)

    def due(self, rebalance: Rebalance) -> Bool:
        """Return the steps at whose open all shares are to be restored: (n + 1,) bool."""
        due = np.zeros(len(self.opened_ms), np.bool_)
        if isinstance(rebalance, OnSchedule):
            periods = periods_of(self.opened_ms, rebalance.every)
            due[2:] = periods[2:] != periods[1:-1]
        return due

    def basket(self, names: Sequence[str], run: Run, weights: Float) -> PreparedCandles:
        """Return the span of the account: its candles are those of a basket that is held.

        The basket is bought at the first open of each instrument with the weights of column 0, so
        that `buy_hold_return` of its candles is what that brings, costs included.
        """
        assert run.portfolio is not None  # noqa: S101  only such runs come here
        key = run.portfolio.canonical(), run.costs.fee, run.costs.slippage
        if key not in self._baskets:
            if len(self._baskets) > 8:
                self._baskets.clear()
            shares = weights[:, 0] if weights[:, 0].any() else np.full(len(names), 1 / len(names))
            paid = (1.0 + run.costs.fee) * (1.0 + run.costs.slippage)
            self._baskets[key] = self._basket(shares, paid, run)
        return self._baskets[key]

    def _basket(self, shares: Float, paid: float, run: Run) -> PreparedCandles:
        opens, closes = self.prices[0], self.prices[3]
        worth = np.full(len(self.opened_ms), (1.0 - shares.sum()) * paid)
        for row, share in enumerate(shares):
            steps = np.flatnonzero(self.has[row, 1:]) + 1
            grown = np.full(len(worth), paid)  # until its first candle a share is cash
            if len(steps):
                first = int(steps[0])
                path = _carried(closes[row, first:], self.has[row, first:])
                grown[first:] = path / opens[row, first]
            worth += share * grown
        worth[0] = 1.0
        before = np.append(1.0, worth[:-1])
        first = self.spans[0].candles
        calendars = [span.candles.calendar for span in self.spans if span.bars]
        basket = Candles(
            interval=first.interval,
            opened_ms=self.opened_ms,
            open=before,
            high=np.maximum(before, worth),
            low=np.minimum(before, worth),
            close=worth,
            volume=np.ones(len(worth)),
            calendar="24/7" if "24/7" in calendars else calendars[0],
        )
        span = prepare_candles(basket, replace(run, warmup=1))
        depends = [one.depends_from_ms for one in self.spans]
        known = [ms for ms in depends if ms is not None]
        return replace(
            span,
            warmup_missing=max(one.warmup_missing for one in self.spans),
            depends_from_ms=min(known) if len(known) == len(depends) else None,
            warnings=self._warnings(calendars, run.instruments),
        )

    def _warnings(self, calendars: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
        warnings = [warning for span in self.spans for warning in span.warnings]
        if any(span.bars == 0 for span in self.spans):
            warnings.append(WITHOUT_CANDLES)
        warnings += [f"{ENDED}:{names[row]}" for row in self.ended]
        if not self.spans[0].candles.interval.is_intraday and len(set(calendars)) > 1:
            warnings.append(SESSIONS_DIFFER)
        return tuple(dict.fromkeys(warnings))


def align(spans: Sequence[PreparedCandles], run: Run) -> AlignedCandles:
    """Lay spans side by side; at least one of them has a candle."""
    opened = [span.candles.opened_ms[span.candles.start_bar :] for span in spans]
    steps = reduce(np.union1d, opened)
    opened_ms = np.append(min(to_ms(run.start), int(steps[0])) - 1, steps)
    shape = len(spans), len(opened_ms)
    has, fillable = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    columns_of = tuple(np.zeros(shape) for _ in range(5))
    for row, span in enumerate(spans):
        if span.bars == 0:
            continue
        candles = span.candles
        bars, columns = _places(span, opened_ms)
        has[row, columns] = True
        is_quiet = candles.volume == 0.0
        is_quiet[: span.quiet_from] = False
        fillable[row, columns] = ~is_quiet[bars]
        series = candles.open, candles.high, candles.low, candles.close, candles.volume_units
        for column, values in zip(columns_of, series, strict=True):
            column[row, columns] = values[bars]
    opened_ms.flags.writeable = False
    open_, high, low, close, volume = columns_of
    return AlignedCandles(spans, opened_ms, has, fillable, (open_, high, low, close, volume))


def _places(span: PreparedCandles, opened_ms: Int) -> tuple[slice, Int]:
    """Return which candles of a span have a column, and which ones those are."""
    start = span.candles.start_bar
    columns = np.searchsorted(opened_ms, span.candles.opened_ms[start:]).astype(np.int64)
    if start == 0:
        return slice(0, None), columns
    return slice(start - 1, None), np.append(0, columns)


def _carried(values: Float, known: Bool) -> Float:
    """Return the last known value at each place; the first one there is where none was known."""
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), 0))
    return values[last]


def periods_of(opened_ms: Int, every: str) -> Int:
    """Return the number of the day, week or month (`1d`, `1w`, `1mo`) of each opening time."""
    days = opened_ms // DAY_MS
    if every == "1d":
        return days
    if every == "1w":
        return (days + 3) // 7  # 1970-01-01 was a Thursday; weeks begin on Monday
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
