"""Monte Carlo: returns resampled in blocks, and trades in another order."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.metrics.returns import STILL

Float = NDArray[np.float64]
Int = NDArray[np.int64]
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
PATHS = 1_000
FAN_POINTS = 256
DRAWN_AT_ONCE = 2**21  # random numbers in memory
FEWEST_FOR_BLOCKS = 30  # returns below this number tell nothing of their dependence


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The quantiles of a number in the resamples; None if it is undefined in all of them.

    levels: of `values`, rising; 0.05 and 0.95 bound the middle nine tenths
    """

    levels: tuple[float, ...]
    values: tuple[float, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class MonteCarlo:
    """The numbers of resampled paths of period returns.

    block: mean length of a block, in periods
    max_drawdown: ≤ 0, on the ends of periods: shallower than one taken over every candle
    loss_probability: share of the paths that end below where they began
    fan_periods: (m,) int64, at most 257: how many periods have passed, from 0 on
    fan: (levels, m) float64: quantiles of equity as a multiple of the opening cash, from 1.0 on
    """

    seed: int
    paths: int
    periods: int
    block: int
    total_return: Quantiles
    cagr: Quantiles
    sharpe: Quantiles
    max_drawdown: Quantiles
    loss_probability: float
    fan_periods: Int
    fan: Float

    def document(self) -> dict[str, Any]:
        """Return JSON values, the fan included."""
        names = ("total_return", "cagr", "sharpe", "max_drawdown")
        return {
            "seed": self.seed,
            "paths": self.paths,
            "periods": self.periods,
            "block": self.block,
            **{name: _quantiles_document(getattr(self, name)) for name in names},
            "loss_probability": self.loss_probability,
            "fan_levels": list(LEVELS),
            "fan_periods": self.fan_periods.tolist(),
            "fan": self.fan.tolist(),
        }


@dataclass(frozen=True, slots=True)
class TradeShuffle:
    """The effect of the order of trades, and of which trades came.

    max_drawdown: of the same trades in another order, after each trade, ≤ 0
    drawn_max_drawdown, drawn_final_equity: of as many trades drawn with replacement; the order
        alone leaves the final equity as it is, so that only drawing spreads it
    final_equity: of the trades as they came: a multiple of the opening cash, as the drawn one is
    """

    seed: int
    shuffles: int
    trades: int
    max_drawdown: Quantiles
    final_equity: float
    drawn_max_drawdown: Quantiles
    drawn_final_equity: Quantiles

    def document(self) -> dict[str, Any]:
        """Return JSON values."""
        names = ("max_drawdown", "drawn_max_drawdown", "drawn_final_equity")
        return {
            **asdict(self),
            **{name: _quantiles_document(getattr(self, name)) for name in names},
        }


def block_length(returns: Float) -> int:
    """Return the mean block length that keeps the dependence of (n,) returns, from 1 to n.

    Fewer than 30 returns, or returns that never move, give 1.

    Source: Politis & White, "Automatic Block-Length Selection for the Dependent Bootstrap",
    Econometric Reviews 23 (2004), with the correction of Patton, Politis & White (2009).
    """
    if len(returns) < FEWEST_FOR_BLOCKS or float(np.std(returns)) < STILL:
        return 1
    from arch.bootstrap import optimal_block_length  # a second, most of it for ARCH models

    with np.errstate(all="ignore"):
        length = float(optimal_block_length(returns)["stationary"].iloc[0])
    return min(len(returns), max(1, round(length))) if math.isfinite(length) else 1


def resample(
    returns: Float,
    *,
    periods_per_year: float,
    years: float | None = None,
    paths: int = PATHS,
    block: int | None = None,
    risk_free: float = 0.0,
    seed: int = 0,
) -> MonteCarlo:
    """Return the numbers of paths drawn from (n,) period returns by the stationary bootstrap.

    returns: fractions, finite, ≥ -1; at least 2
    years: the length of the span, for cagr; None for n / periods_per_year
    block: mean length of a block; None for the automatic one
    risk_free: the rate per period that Sharpe ratios are above
    The same arguments give the same bits.

    Source: Politis & Romano, "The Stationary Bootstrap", Journal of the American Statistical
    Association 89 (1994).
    """
    n = len(returns)
    if n < 2 or not np.isfinite(returns).all():
        raise ValueError(f"expected at least 2 finite returns, but found {n} of which some are not")
    block = block_length(returns) if block is None else block
    if block < 1 or paths < 1:
        raise ValueError(f"expected block and paths of at least 1, but found {block} and {paths}")
    at = np.unique(np.linspace(0, n, min(n, FAN_POINTS) + 1).round().astype(np.int64))
    numbers, equity = np.empty((3, paths)), np.empty((paths, len(at)))
    rng = np.random.default_rng(seed)
    step = max(1, DRAWN_AT_ONCE // n)
    for first in range(0, paths, step):
        size = min(step, paths - first)
        # A block ends with probability 1 / block after each period; the next begins anywhere.
        ends = rng.random((size, n)) * block < 1.0
        begins = rng.integers(0, n, (size, n))
        part = slice(first, first + size)
        _draw(returns, risk_free, ends, begins, at, numbers[:, part], equity[part])
    total, drawdown, sharpe = numbers
    growth = np.maximum(total + 1.0, 0.0)
    years = n / periods_per_year if years is None else years
    with np.errstate(over="ignore"):
        yearly = growth ** (1.0 / years) - 1.0
    return MonteCarlo(
        seed=seed,
        paths=paths,
        periods=n,
        block=block,
        total_return=_quantiles(total),
        cagr=_quantiles(yearly),
        sharpe=_quantiles(sharpe * math.sqrt(periods_per_year)),
        max_drawdown=_quantiles(drawdown),
        loss_probability=float(np.mean(total < 0.0)),
        fan_periods=at,
        fan=np.quantile(equity, LEVELS, axis=0),
    )


def trade_returns(profits: Float, cash: float) -> Float:
    """Return what each trade added to equity, as a fraction of what there was before it.

    profits: (n,) float64, net of costs, one position at a time, in order; cash: the opening one

    >>> trade_returns(np.array([50.0, -75.0]), cash=100.0).tolist()
    [0.5, -0.5]
    """
    after = cash + np.cumsum(profits)
    return profits / np.concatenate([[cash], after[:-1]])


def shuffle_trades(returns: Float, *, shuffles: int = PATHS, seed: int = 0) -> TradeShuffle:
    """Return what other orders and other draws of the same trades would have given.

    returns: (n,) float64, of each trade, as `trade_returns` gives them; at least 1, finite
    The same arguments give the same bits.
    """
    n = len(returns)
    if n < 1 or shuffles < 1 or not np.isfinite(returns).all():
        raise ValueError(f"expected at least 1 finite return of a trade and 1 shuffle, found {n}")
    rng = np.random.default_rng(seed)
    worst, drawn = np.empty(shuffles), np.empty((2, shuffles))
    step = max(1, DRAWN_AT_ONCE // n)
    for first in range(0, shuffles, step):
        size = min(step, shuffles - first)
        part = slice(first, first + size)
        order = np.argsort(rng.random((size, n)), axis=1, kind="stable")
        worst[part] = _compound(returns, order)[1]
        drawn[:, part] = _compound(returns, rng.integers(0, n, (size, n)))
    return TradeShuffle(
        seed=seed,
        shuffles=shuffles,
        trades=n,
        max_drawdown=_quantiles(worst),
        final_equity=float(np.prod(1.0 + returns)),
        drawn_max_drawdown=_quantiles(drawn[1]),
        drawn_final_equity=_quantiles(drawn[0]),
    )


def _quantiles(values: Float) -> Quantiles:
    defined = values[np.isfinite(values)]
    if len(defined) == 0:
        return Quantiles(LEVELS, None)
    return Quantiles(LEVELS, tuple(np.quantile(defined, LEVELS).tolist()))


def _quantiles_document(of: Quantiles) -> dict[str, Any]:
    return {"levels": list(of.levels), "values": None if of.values is None else list(of.values)}


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(
    returns: Float,
    risk_free: float,
    ends: NDArray[np.bool_],
    begins: Int,
    at: Int,
    numbers: Float,
    equity: Float,
) -> None:
    """Write each path's total return, maximum drawdown and Sharpe ratio, and its equity at `at`."""
    n = len(returns)
    for path in range(len(ends)):
        value = peak = 1.0
        worst = mean = squares = 0.0
        source = begins[path, 0]
        point = 0
        for period in range(n):
            if at[point] == period:
                equity[path, point] = value
                point += 1
            if period > 0:
                source = begins[path, period] if ends[path, period] else source + 1
                source = 0 if source == n else source
            change = returns[source]
            value *= 1.0 + change
            peak = max(peak, value)
            worst = min(worst, value / peak - 1.0)
            off = change - mean
            mean += off / (period + 1)
            squares += off * (change - mean)
        equity[path, point] = value
        risk = math.sqrt(squares / (n - 1))
        numbers[0, path] = value - 1.0
        numbers[1, path] = worst
        numbers[2, path] = (mean - risk_free) / risk if risk >= STILL else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _compound(returns: Float, order: Int) -> Float:
    """Return final equity and maximum drawdown of trades in each of (paths, n) orders."""
    found = np.empty((2, len(order)))
    for path in range(len(order)):
        value = peak = 1.0
        worst = 0.0
        for trade in order[path]:
            value *= 1.0 + returns[trade]
            peak = max(peak, value)
            worst = min(worst, value / peak - 1.0)
        found[0, path] = value
        found[1, path] = worst
    return found
