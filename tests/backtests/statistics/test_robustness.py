"""Each part of the report where its answer is known beforehand, and on a strategy that exists."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from backtests.signals import Signals
from backtests.simulate import run_all
from backtests.statistics.robustness import (
    break_even,
    by_year,
    delayed,
    permute,
    permuted,
    plateau,
    robustness,
)
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from backtests.testing.instrument import candles_of
from benchmarks.validation import trending
from mela.candles import Candles
from mela.interval import Interval
from mela.run import Costs, FractionSizing, Part, Run, Whole, from_ms

FREE = Costs(fee=0.0, slippage=0.0)
ALL_IN = FractionSizing(fraction=1.0)


def run_of(candles: Candles, strategy: str = "sma_cross", **fields) -> Run:
    first = int(candles.opened_ms[fields.get("warmup", 0)])
    last = candles.interval.end_ms(int(candles.opened_ms[-1]))
    given = {"params": {"fast": 10, "slow": 30}, "warmup": 0, "costs": FREE, "sizing": ALL_IN}
    return Run(
        "", "x:y", candles.interval, from_ms(first), from_ms(last), strategy, **given | fields
    )


def still(price: float) -> tuple[float, float, float, float]:
    return (price, price, price, price)


def given(enter: list[int], exit: list[int]) -> dict[str, Strategy]:
    """Return a catalogue of one strategy that gives these signals whatever the candles."""

    def signals(candles, _params, _indicators) -> Signals:
        bars = np.arange(len(candles))
        return Signals(np.isin(bars, enter), np.isin(bars, exit))

    return {"given": Strategy("given", "Give.", Part, "", signals, lambda _params: 0)}


WALK = trending(np.random.default_rng(1), 600, drift=0.3)


def test_break_even_is_where_costs_eat_the_gain() -> None:
    """Bought at 100 and sold at 121: (1 − f) / (1 + f) × 1.21 = 1 at f = 21 / 221."""
    candles = candles_of([still(100), still(100), still(121), still(121)])
    run = run_of(candles, "given", params={}, costs=Costs(fee=0.01, slippage=0.0))

    found = break_even(candles, run, given([0], [1]))

    assert found.per_fill == pytest.approx(21 / 221, rel=1e-6)
    assert found.multiple == pytest.approx(21 / 2.21, rel=1e-6)


def test_without_costs_of_its_own_there_is_no_multiple() -> None:
    candles = candles_of([still(100), still(100), still(110.25), still(110.25)])

    found = break_even(candles, run_of(candles, "given", params={}), given([0], [1]))

    assert found.per_fill == pytest.approx(10.25 / 210.25, rel=1e-6)
    assert found.multiple is None


def test_what_never_gains_breaks_even_at_nothing_and_what_always_gains_nowhere() -> None:
    falling = candles_of([still(100), still(100), still(50), still(50)])
    rising = candles_of([still(1), still(1), still(1e6), still(1e6)])
    costs = Costs(fee=0.001, slippage=0.0005)

    lost = break_even(falling, run_of(falling, "given", params={}, costs=costs), given([0], [1]))
    won = break_even(rising, run_of(rising, "given", params={}, costs=costs), given([0], [1]))

    assert (lost.per_fill, lost.multiple) == (0.0, 0.0)
    assert (won.per_fill, won.multiple) == (None, None)


def test_a_delay_fills_a_candle_later() -> None:
    """In time: bought at 100, sold at 200. A candle later: bought at 160, sold at 80."""
    candles = candles_of([still(p) for p in (100, 100, 160, 200, 80)])
    run = run_of(candles, "given", params={})

    found = delayed(candles, run, given([0], [2]))

    assert next(run_all(candles, [run], catalogue=given([0], [2]))).metrics.total_return == 1.0
    assert found is not None
    assert found["total_return"] == -0.5


def test_a_crossing_can_be_delayed() -> None:
    run = run_of(WALK)
    strategy = CATALOGUE["sma_cross"]

    def later(candles, params, indicators) -> Signals:
        enter, exit_ = strategy.signals(candles, params, indicators).signals()[:2]
        return Signals(np.roll(enter, 1), np.roll(exit_, 1))

    moved = {"sma_cross": replace(strategy, signals=later)}
    found = delayed(WALK, run)

    metrics = next(run_all(WALK, [run], catalogue=moved)).metrics
    assert found is not None
    assert found["final_equity"] == metrics.final_equity
    assert found["trades"] == metrics.trades > 3


def test_neighbours_are_a_step_away_and_run_by_the_engine() -> None:
    run = run_of(WALK)
    own = next(run_all(WALK, [run])).metrics.sharpe

    found = plateau(WALK, run, "sharpe", own, {"slow": 5})

    assert {name: sorted(near) for name, near in found.neighbours.items()} == {
        "fast": [9, 11],
        "slow": [25, 35],
    }
    near = [
        replace(run, params={"fast": 9, "slow": 30}, warmup=64),
        replace(run, params={"fast": 11, "slow": 30}, warmup=64),
    ]
    ratios = [outcome.metrics.sharpe for outcome in run_all(WALK, near)]
    assert list(found.neighbours["fast"].values()) == ratios
    every = [value for near in found.neighbours.values() for value in near.values()]
    assert found.tried == 4
    assert found.positive == np.mean(np.array(every) > 0)
    assert found.worst == min(every) / own
    assert found.median == np.median(every) / own


def test_neighbours_beyond_a_bound_or_a_rule_are_none() -> None:
    run = run_of(WALK, params={"fast": 1, "slow": 2})

    found = plateau(WALK, run, "sharpe", 1.0, {})

    assert found.neighbours.keys() == {"slow"}
    assert list(found.neighbours["slow"]) == [3]


def test_a_neighbour_that_fails_counts_as_nothing() -> None:
    class Params(Part):
        level: Whole = 5

    def picky(candles, params, _indicators) -> Signals:
        if params.level == 6:
            raise ZeroDivisionError("level 6")
        bars = np.arange(len(candles))
        return Signals(bars == 1, bars == 9)

    catalogue = {"picky": Strategy("picky", "Fail.", Params, "", picky, lambda _params: 0)}
    candles = candles_of([still(100 + bar + bar % 3) for bar in range(12)])

    found = plateau(
        candles, run_of(candles, "picky", params={"level": 5}), "sharpe", 2.0, {}, catalogue
    )

    assert found.neighbours["level"][6] is None
    assert found.positive == 0.5
    assert found.worst == 0.0


def test_years_chain_to_the_whole() -> None:
    run = run_of(WALK, warmup=256)
    outcome = next(run_all(WALK, [run], with_curve=True))

    found = by_year(outcome.curve, run.cash, outcome.periods_per_year)

    assert [year.year for year in found] == [1970, 1971, 1972]
    assert math.prod(1 + y.total_return for y in found) - 1 == pytest.approx(
        outcome.metrics.total_return
    )
    assert sum(year.trades for year in found) == outcome.metrics.trades
    assert min(year.max_drawdown for year in found) >= outcome.metrics.max_drawdown
    equity = outcome.curve.equity
    opened = [datetime.fromtimestamp(ms / 1000, UTC) for ms in outcome.curve.opened_ms]
    before = [at.year < 1971 for at in opened].count(True)
    through = [at.year < 1972 for at in opened].count(True)
    closes = equity[before - 1 : through]
    returns = closes[1:] / closes[:-1] - 1
    assert found[1].sharpe == pytest.approx(
        returns.mean() / returns.std(ddof=1) * math.sqrt(365), rel=1e-9
    )


def test_years_of_hours_measure_days() -> None:
    rng = np.random.default_rng(2)
    walk = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 24 * 40)))
    candles = candles_of([still(p) for p in walk], Interval.H1)
    run = run_of(candles, "given", params={})
    outcome = next(run_all(candles, [run], with_curve=True, catalogue=given([0], [])))

    (found,) = by_year(outcome.curve, run.cash, outcome.periods_per_year)

    assert found.sharpe == outcome.metrics.sharpe
    assert found.max_drawdown == outcome.metrics.max_drawdown


def test_permuted_candles_keep_their_laws_their_moves_and_their_last_close() -> None:
    candles = replace(WALK, start_bar=100, volume=np.arange(1.0, len(WALK) + 1))

    mixed = permute(candles, np.random.default_rng(3))

    mixed.check()
    assert np.array_equal(mixed.close[:101], candles.close[:101])
    assert mixed.close[-1] == pytest.approx(candles.close[-1], rel=1e-9)
    for name in ("high", "low", "close"):
        ours, theirs = (
            np.sort(np.log(getattr(one, name) / one.open)[101:]) for one in (mixed, candles)
        )
        assert ours == pytest.approx(theirs, abs=1e-12)
    gaps = [np.sort(np.log(one.open[101:] / one.close[100:-1])) for one in (mixed, candles)]
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-12)
    assert sorted(mixed.volume) == sorted(candles.volume)
    assert not np.array_equal(mixed.close, candles.close)


def test_too_few_candles_to_permute_stay() -> None:
    candles = candles_of([still(100), still(101)])

    assert permute(candles, np.random.default_rng(4)) is candles


def test_a_trend_is_rare_among_permutations_and_a_walk_is_not() -> None:
    trends = trending(np.random.default_rng(5), 1_500, drift=0.35)
    luck = trending(np.random.default_rng(6), 1_500)
    p = []
    for candles in (trends, luck):
        run = run_of(candles)
        value = next(run_all(candles, [run])).metrics.sharpe
        p.append(permuted(candles, run, "sharpe", value, permutations=60, seed=1).p_value)

    assert p[0] == 1 / 61
    assert p[1] > 0.1


def test_the_p_value_counts_the_winner_itself() -> None:
    run = run_of(WALK)

    best = permuted(WALK, run, "sharpe", 100.0, permutations=9)
    worst = permuted(WALK, run, "sharpe", -100.0, permutations=9)
    undefined = permuted(WALK, run, "sharpe", math.nan, permutations=2)

    assert (best.p_value, best.better) == (0.1, 0)
    assert (worst.p_value, worst.better) == (1.0, 9)
    assert undefined.p_value is None


@pytest.mark.parametrize("strategy", ["rsi_reversion", "sma_cross"])
def test_a_strategy_gets_a_report_that_is_json(strategy: str) -> None:
    params = CATALOGUE[strategy].params().model_dump()
    run = run_of(WALK, strategy, params=params, costs=Costs())

    found = robustness(WALK, run, permutations=5, seed=2)

    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert document == json.loads(
        json.dumps(robustness(WALK, run, permutations=5, seed=2).document())
    )
    assert document["metric"] == "sharpe"
    assert document["permuted"]["permutations"] == 5
    assert len(document["years"]) == 3


def test_a_run_that_fails_gets_no_report() -> None:
    run = run_of(WALK, params={"fast": 30, "slow": 10})

    with pytest.raises(ValueError, match="needs a run that succeeds, but it gives ValidationError"):
        robustness(WALK, run)
