"""Robustness of a winner: dear fills, delay, other parameters, each year, shuffled candles.

Each part reruns the engine; a run's own key is left as it is, for none of these is stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from backtests import metrics
from backtests.context import StrategyContext
from backtests.run_facts import risk_free_of
from backtests.signals import Signals
from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from backtests.strategy import SignalFunction, Strategy
from mela.calendars import ALWAYS
from mela.candles import Candles
from mela.errors import StrategyBroken
from mela.inputs import declared_as_read
from mela.interval import DAY_MS
from mela.result import Curve, Metrics, Outcome, Status
from mela.run import Costs, Run, rounded_warmup, to_ms

Float = NDArray[np.float64]
Catalogue = Mapping[str, Strategy]
DEAREST = 100.0
HALVINGS = 30
STEP = 0.1
PERMUTATIONS = 200


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The break-even cost of a fill.

    per_fill: fee and slippage together, as a fraction of a fill's notional, at which total_return
        reaches 0; 0.0 where it never gains, None where it still gains at the highest one tried
    multiple: of the run's own fee and slippage; None where these are 0, or per_fill is None
    """

    per_fill: float | None
    multiple: float | None


@dataclass(frozen=True, slots=True)
class Plateau:
    """The results of neighbours in the parameter space, each one step away in one parameter.

    neighbours: parameter → value → metric, None where undefined or the run failed
    tried: neighbours within the bounds of the strategy
    positive: share of them whose metric is above 0
    worst, median: of their metric, relative to the winner's; None where that is not above 0
    An undefined metric counts as 0 in the three.
    """

    neighbours: Mapping[str, Mapping[float, float | None]]
    tried: int
    positive: float | None
    worst: float | None
    median: float | None


@dataclass(frozen=True, slots=True)
class Year:
    """One calendar year (UTC) of the winner, its first and last perhaps not whole.

    trades: those that ended in it; sharpe: annualised, None where undefined
    """

    year: int
    total_return: float
    sharpe: float | None
    max_drawdown: float
    trades: int


@dataclass(frozen=True, slots=True)
class Permuted:
    """The winner's results on shuffled candles, whose order means nothing.

    p_value: (1 + better) / (1 + permutations); better: permutations with at least its metric
    """

    p_value: float | None
    better: int
    permutations: int
    seed: int


@dataclass(frozen=True, slots=True)
class Robustness:
    """The report on one winner. delayed: its metrics with each signal a candle later, or None."""

    metric: str
    value: float | None
    break_even: BreakEven
    delayed: Mapping[str, float | None] | None
    plateau: Plateau
    years: tuple[Year, ...]
    permuted: Permuted

    def document(self) -> dict[str, Any]:
        """Return JSON values."""
        document = asdict(self)
        document["years"] = list(document["years"])
        document["plateau"]["neighbours"] = {
            name: [{"value": at, self.metric: found} for at, found in values.items()]
            for name, values in self.plateau.neighbours.items()
        }
        return document


def robustness(
    candles: Candles,
    run: Run,
    *,
    metric: str = "sharpe",
    catalogue: Catalogue = CATALOGUE,
    steps: Mapping[str, float] | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Robustness:
    """Return the report on a run.

    candles: what `run_all` takes for it; metric: what it was chosen by, more being better
    steps: parameter → the step of its neighbours; for those not named a tenth of the value, and
        at least 1 for whole numbers
    seed: of the permutations

    Raises ValueError where the run itself gives no metrics, with what it gives instead.
    """
    outcome = next(run_all(candles, [run], with_curve=True, catalogue=catalogue))
    if outcome.metrics is None or outcome.curve is None:
        answer = ": ".join(outcome.error) if outcome.error else outcome.status.value
        raise ValueError(f"a robustness report needs a run that succeeds, but it gives {answer}")
    value = getattr(outcome.metrics, metric)
    return Robustness(
        metric=metric,
        value=_defined(value),
        break_even=break_even(candles, run, catalogue),
        delayed=delayed(candles, run, catalogue),
        plateau=plateau(candles, run, metric, value, steps or {}, catalogue),
        years=by_year(
            outcome.curve,
            run.cash,
            outcome.periods_per_year or math.nan,
            candles.calendar,
            risk_free_of(run, outcome.periods_per_year or math.nan),
        ),
        permuted=permuted(candles, run, metric, value, permutations, seed, catalogue),
    )


def break_even(candles: Candles, run: Run, catalogue: Catalogue = CATALOGUE) -> BreakEven:
    """Return the costs at which the run gains nothing, by halving, up to 100 times its own.

    A run without fee and slippage is tried with a fee of up to 10 %. Minimum fee, borrow rate and
    impact stay as they are.
    """
    own = run.costs.fee + run.costs.slippage
    unit = run.costs if own > 0 else run.costs.model_copy(update={"fee": 0.001})
    highest = min(DEAREST, 0.99 / max(unit.fee, unit.slippage))

    def gains(multiple: float) -> bool:
        costs = unit.model_copy(
            update={"fee": unit.fee * multiple, "slippage": unit.slippage * multiple}
        )
        return _total_return(candles, replace(run, costs=costs), catalogue) > 0.0

    multiple = _highest_that(gains, highest)
    per_fill = None if multiple is None else multiple * _per_fill(unit)
    return BreakEven(per_fill, multiple if own > 0 else None)


def delayed(
    candles: Candles, run: Run, catalogue: Catalogue = CATALOGUE
) -> Mapping[str, float | None] | None:
    """Return the metrics of a run whose signals come a candle later; None where it fails."""
    strategy = catalogue[run.strategy]
    late = replace(strategy, signals=_a_candle_later(strategy), takes_context=True)
    outcome = _one(candles, run, {**catalogue, run.strategy: late})
    return None if outcome.metrics is None else _document(outcome.metrics)


def plateau(
    candles: Candles,
    run: Run,
    metric: str,
    value: float,
    steps: Mapping[str, float],
    catalogue: Catalogue = CATALOGUE,
) -> Plateau:
    """Return how the neighbours of a run do, `value` being its own metric."""
    found: dict[str, dict[float, float | None]] = {}
    for name, at, neighbour in _neighbours(run, steps, catalogue[run.strategy]):
        outcome = _one(candles, neighbour, catalogue)
        measured = math.nan if outcome.metrics is None else getattr(outcome.metrics, metric)
        found.setdefault(name, {})[at] = _defined(measured)
    values = [value for near in found.values() for value in near.values()]
    defined = np.array([0.0 if value is None else value for value in values])
    compared = len(defined) > 0 and value > 0.0
    return Plateau(
        neighbours=found,
        tried=len(values),
        positive=float(np.mean(defined > 0.0)) if values else None,
        worst=float(defined.min()) / value if compared else None,
        median=float(np.median(defined)) / value if compared else None,
    )


def by_year(
    curve: Curve,
    cash: float,
    periods_per_year: float,
    calendar: str = ALWAYS,
    risk_free: float = 0.0,
) -> tuple[Year, ...]:
    """Return the numbers of each calendar year of a curve, in UTC.

    calendar: of the market, which says what a period is
    risk_free: the rate per period that Sharpe ratios are above
    A year begins with the equity that the one before left. Periods are those of the Sharpe ratio.
    """
    if len(curve.equity) == 0:
        return ()
    opened = curve.opened_ms.astype("datetime64[ms]")
    years = opened.astype("datetime64[Y]").astype(np.int64) + 1970
    exits = np.array([trade.exit_at.astimezone(UTC).year for trade in curve.trades], dtype=np.int64)
    is_intraday = bool((curve.opened_ms % DAY_MS).any())
    ends = np.zeros(len(curve.equity), dtype=np.bool_)
    ends[metrics.ends_of_periods(curve.opened_ms, calendar, is_intraday=is_intraday)] = True
    found: list[Year] = []
    before = cash
    for year in np.unique(years):
        part = years == year
        equity = curve.equity[part]
        closes = np.concatenate([[before], equity[ends[part]]])
        ratio = metrics.sharpe(closes[1:] / closes[:-1] - 1.0 - risk_free, periods_per_year)
        found.append(
            Year(
                year=int(year),
                total_return=float(equity[-1] / before - 1.0),
                sharpe=_defined(ratio),
                max_drawdown=float(metrics.max_drawdown(equity, before)),
                trades=int(np.sum(exits == year)),
            )
        )
        before = float(equity[-1])
    return tuple(found)


def permuted(
    candles: Candles,
    run: Run,
    metric: str,
    value: float,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    catalogue: Catalogue = CATALOGUE,
) -> Permuted:
    """Return how many permutations of a run's candles give it at least `value` of its metric.

    Undefined metrics of a permutation, as of a run without trades, do not count as better.
    """
    rng = np.random.default_rng(seed)
    own = candles.span(to_ms(run.start), to_ms(run.end), run.warmup)
    better = 0
    for _ in range(permutations):
        outcome = _one(permute(own, rng), run, catalogue)
        if outcome.metrics is not None:
            better += bool(getattr(outcome.metrics, metric) >= value)
    p = (1 + better) / (1 + permutations) if math.isfinite(value) and permutations else None
    return Permuted(p, better, permutations, seed)


def permute(candles: Candles, rng: np.random.Generator) -> Candles:
    """Return candles whose moves come in another order: nothing can be learned from their order.

    The warm-up and the first candle of the span stay. The gaps from close to open of the others are
    shuffled, and separately the moves within a candle together with its volume; so the last close
    stays too. Times stay as they are.

    Source: Masters, "Permutation and Randomization Tests for Trading System Development" (2020),
    on permuting bars.
    """
    first = candles.start_bar + 1
    if len(candles) - first < 2:
        return candles
    logs = {
        name: np.log(getattr(candles, name)[first - 1 :])
        for name in ("open", "high", "low", "close")
    }
    gaps = rng.permutation(logs["open"][1:] - logs["close"][:-1])
    order = rng.permutation(len(gaps))
    within = {name: (logs[name][1:] - logs["open"][1:])[order] for name in ("high", "low", "close")}
    closes = logs["close"][0] + np.cumsum(gaps + within["close"])
    opens = closes - within["close"]
    part = {name: np.exp(opens + within[name]) for name in ("high", "low")}
    part |= {"open": np.exp(opens), "close": np.exp(closes)}
    # exp and log round: a high that was the close must not end a digit below it.
    part["high"] = np.maximum(part["high"], np.maximum(part["open"], part["close"]))
    part["low"] = np.minimum(part["low"], np.minimum(part["open"], part["close"]))
    part["volume"] = candles.volume[first:][order]
    return replace(
        candles,
        **{
            name: np.concatenate([getattr(candles, name)[:first], new])
            for name, new in part.items()
        },
    )


def _one(candles: Candles, run: Run, catalogue: Catalogue) -> Outcome:
    return next(run_all(candles, [run], catalogue=catalogue))


def _total_return(candles: Candles, run: Run, catalogue: Catalogue) -> float:
    outcome = _one(candles, run, catalogue)
    if outcome.status is Status.RUINED or outcome.metrics is None:
        return -1.0
    return outcome.metrics.total_return


def _per_fill(costs: Costs) -> float:
    return costs.fee + costs.slippage


def _highest_that(holds: Callable[[float], bool], highest: float) -> float | None:
    """Return where a claim stops to hold between 0 and `highest`; None where it never does."""
    if not holds(0.0):
        return 0.0
    if holds(highest):
        return None
    low, high = 0.0, highest
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _a_candle_later(strategy: Strategy) -> SignalFunction:
    def late(candles: Candles, params: Any, indicators: Any, context: StrategyContext) -> Signals:
        given = strategy.decide(candles, params, indicators, lambda: context).signals()
        return Signals(*(None if one is None else _later(one) for one in given))  # type: ignore[arg-type]

    return late


def _later(signal: NDArray[Any]) -> NDArray[Any]:
    """Return a signal one candle later: the first candle has no flag, and no level."""
    first = np.nan if signal.dtype == np.float64 else False
    return np.append(np.array([first], signal.dtype), signal[:-1])


def _neighbours(
    run: Run, steps: Mapping[str, float], strategy: Strategy
) -> list[tuple[str, float, Run]]:
    """Return (parameter, value, run) of each neighbour that the strategy's bounds allow."""
    found: list[tuple[str, float, Run]] = []
    for name, value in run.params.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        whole = isinstance(value, int)
        step = steps.get(name) or abs(value) * STEP
        step = max(1, round(step)) if whole else step
        for at in (value - step, value + step):
            params = {**run.params, name: at}
            try:
                needed = max(strategy.warmup(params), run.sizing.candles_needed)
                inputs = declared_as_read(strategy.inputs(params), run.inputs)
            except (ValidationError, StrategyBroken):
                continue  # beyond a bound, or against a rule as fast < slow: no neighbour there
            if at != value:
                near = replace(run, params=params, warmup=rounded_warmup(needed), inputs=inputs)
                found.append((name, at, near))
    return found


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _document(found: Metrics) -> dict[str, float | None]:
    return {
        name: value if isinstance(value, int) else _defined(value)
        for name, value in found._asdict().items()
    }
