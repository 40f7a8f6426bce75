"""The examples of docs/strategies.md with inputs, strengths and weights are what happens."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtests.lookahead.check import CHECKED, check
from backtests.portfolio import run_together
from backtests.signals import Signals, Weights
from backtests.simulate import run_all
from backtests.strategy import REGISTERED, Strategy
from mela.candles import Candles
from mela.errors import SceneInvalid
from mela.grid import plan_runs
from mela.interval import DAY_MS, Interval
from mela.outcome import Outcome, Status
from mela.portfolio import FixedWeights, OnDrift, Portfolio, StrategyWeights
from mela.run import Part, Run, from_ms, instant_text
from mela.scene import parse_scene
from mela.settings import REPOSITORY
from mela.verdict import Verdict
from services.strategies.lookahead import random_walk
from sources.longer_intervals import longer_candles
from tests.backtests.lookahead.offenders import planted

PAGE = (REPOSITORY / "docs" / "strategies.md").read_text(encoding="utf-8")
EXAMPLES = ("trend_filter", "calm_size", "momentum_share")
BTC, ETH = "binance:BTCUSDT", "binance:ETHUSDT"
WALK = random_walk(Interval.H1, 5_000, seed=11)
FIRST_MS = int(WALK.opened_ms[0])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Strategy]]:
    """Each example of the page, registered from a file of its own."""
    folder, found = tmp_path_factory.mktemp("page"), {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        name = re.findall(r"^def (\w+)", block, re.MULTILINE)[0]
        if name in EXAMPLES:
            found[name] = registered(folder / f"page_{name}.py", block, name)
    yield found
    for name in EXAMPLES:
        sys.modules.pop(f"page_{name}", None)


def registered(file: Path, source: str, name: str) -> Strategy:
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return REGISTERED.pop(name)


def executed(strategy: Strategy, candles: Candles, **fields) -> Outcome:
    span = from_ms(FIRST_MS + 100 * DAY_MS), from_ms(int(WALK.opened_ms[-1]))
    run = Run("0" * 64, BTC, Interval.H1, *span, strategy.name, {}, 512, **fields)
    run = replace(run, inputs=strategy.inputs({}))
    (outcome,) = run_all(candles, [run], with_curve=True, catalogue={strategy.name: strategy})
    assert outcome.error is None
    return outcome


def test_every_example_is_on_the_page(written: dict[str, Strategy]) -> None:
    assert tuple(written) == EXAMPLES


def test_the_trend_filter_enters_only_above_the_mean_of_closed_days(
    written: dict[str, Strategy],
) -> None:
    days = longer_candles(WALK, Interval.D1)
    outcome = executed(written["trend_filter"], replace(WALK, inputs={(BTC, Interval.D1): days}))

    assert outcome.status is Status.SUCCEEDED
    assert outcome.curve is not None
    assert len(outcome.curve.trades) > 3
    for trade in outcome.curve.trades:
        closed = days.close[days.opened_ms + DAY_MS <= trade.entry_at.timestamp() * 1000]
        assert closed[-1] > closed[-50:].mean()


def test_the_trend_filter_does_not_look_ahead(written: dict[str, Strategy]) -> None:
    candles = replace(WALK, inputs={(CHECKED, Interval.D1): longer_candles(WALK, Interval.D1)})
    found = check(candles, written["trend_filter"], {})

    assert [difference.sentence() for difference in found.differences] == []
    assert found.verdict is Verdict.CLEAN, found.unverified


def test_a_smaller_strength_trades_less(written: dict[str, Strategy]) -> None:
    calm = executed(written["calm_size"], WALK)
    plain = replace(
        written["calm_size"],
        signals=lambda *given: written["calm_size"].signals(*given)._replace(strength=None),
    )
    full = executed(plain, WALK)

    assert calm.curve is not None
    assert full.curve is not None
    pairs = list(zip(calm.curve.trades, full.curve.trades, strict=True))
    assert len(pairs) > 10
    assert all(one.entry_at == other.entry_at for one, other in pairs)
    assert pairs[0][0].size < pairs[0][1].size


def test_an_account_holds_the_weights_that_its_strategy_gives(
    written: dict[str, Strategy],
) -> None:
    outcome = together(written["momentum_share"], StrategyWeights())

    assert outcome.curve is not None
    assert {trade.instrument for trade in outcome.curve.trades} == {BTC, ETH}


@pytest.mark.parametrize(("given", "held"), [(0.3, 0.3), (0.9, 0.5)])
def test_constant_weights_are_fixed_ones_and_sum_to_at_most_1(given: float, held: float) -> None:
    def constant(candles: Candles, _params: Part, _indicators: object) -> Weights:
        return Weights(np.full(len(candles), given))

    def always_in(candles: Candles, _params: Part, _indicators: object) -> Signals:
        return Signals(np.ones(len(candles), bool), np.zeros(len(candles), bool))

    fixed = FixedWeights(of={BTC: held, ETH: held})
    own = together(planted(constant), StrategyWeights())
    named = together(planted(always_in), fixed)

    assert own.curve is not None
    assert named.curve is not None
    assert np.array_equal(own.curve.equity, named.curve.equity)


def test_weights_of_the_strategy_need_a_strategy_that_gives_them() -> None:
    def always_in(candles: Candles, _params: Part, _indicators: object) -> Signals:
        return Signals(np.ones(len(candles), bool), np.zeros(len(candles), bool))

    outcome = together(planted(always_in), StrategyWeights())

    assert outcome.status is Status.FAILED
    assert "needs a strategy that returns Weights" in str(outcome.error)


def test_a_weight_beyond_1_fails_with_its_candle() -> None:
    def doubled(candles: Candles, _params: Part, _indicators: object) -> Weights:
        return Weights(np.full(len(candles), 2.0))

    outcome = together(planted(doubled), StrategyWeights())

    assert "must give weights as at least -1 and at most 1" in str(outcome.error)


def together(strategy: Strategy, weights: FixedWeights | StrategyWeights) -> Outcome:
    series = {BTC: WALK, ETH: random_walk(Interval.H1, 5_000, seed=12)}
    span = from_ms(FIRST_MS + 10 * DAY_MS), from_ms(int(WALK.opened_ms[-1]))
    account = Portfolio(weights=weights, rebalance=OnDrift(threshold=0.01))
    run = Run(
        *("0" * 64, BTC, Interval.H1, *span, strategy.name, {}, 128),
        others=(ETH,),
        portfolio=account,
    )
    (outcome,) = run_together(series, [run], with_curve=True, catalogue={strategy.name: strategy})
    return outcome


# What a scene may choose


def scene(**fields):
    return parse_scene(
        {
            "instruments": [BTC],
            "interval": "1h",
            "start": instant_text(from_ms(FIRST_MS)),
            "end": instant_text(from_ms(FIRST_MS + 9 * DAY_MS)),
            "strategy": {"name": "trend_filter"},
            **fields,
        }
    )


def run_of(written: dict[str, Strategy], **fields) -> Run:
    return next(plan_runs(scene(**fields), written, max_runs=10).expand())


def test_a_choice_that_says_what_is_declared_asks_the_same(written: dict[str, Strategy]) -> None:
    plain = run_of(written)

    assert run_of(written, inputs={"daily": {"interval": "1d"}}).run_key == plain.run_key
    other = run_of(written, inputs={"daily": {"interval": "1w"}})
    assert other.run_key != plain.run_key
    assert other.inputs["daily"].interval is Interval.W1
    assert run_of(written, inputs={"daily": {"instrument": ETH}}).input_series == (
        (ETH, Interval.D1, 64),
    )


@pytest.mark.parametrize(
    ("fields", "path", "said"),
    [
        ({"inputs": {"weekly": {}}}, "inputs.weekly", "it reads daily"),
        ({"inputs": {"daily": {"interval": "1m"}}}, "inputs.daily.interval", "shorter than"),
        ({"interval": "1w"}, "interval", "shorter than the run's 1w"),
        ({"interval": "3d"}, "interval", "shorter than the run's 3d"),
        (
            {"interval": "3d", "inputs": {"daily": {"interval": "1w"}}},
            "inputs.daily.interval",
            "no multiple of",
        ),
        ({"inputs": {"daily": {"instrument": "x"}}}, "inputs.daily.instrument", "venue:symbol"),
    ],
)
def test_an_input_that_cannot_be_joined_is_refused_with_its_path(
    written: dict[str, Strategy], fields: dict, path: str, said: str
) -> None:
    with pytest.raises(SceneInvalid) as refused:
        run_of(written, **fields)

    assert refused.value.field == path
    assert said in refused.value.sentence
