"""A run stepped candle by candle gives what the walk over all of its candles gives, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests import execute, portfolio
from backtests.candles.aligned import AlignedCandles
from backtests.candles.prepared import prepare_candles
from backtests.execute import Buffers
from backtests.indicators import Indicators
from backtests.kernel.excursions import measure_excursions, window_extremes
from backtests.signals import Signals, Weights
from backtests.stepping import CandleSteps, PortfolioSteps
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.portfolio import StrategyWeights
from mela.result import Outcome, Trades
from mela.run import Part, Run
from tests.backtests.kernel.test_bars import asked, inputs_on, market, run_on
from tests.backtests.random_accounts import accounts, executed

# A busy machine is slow, and that is no fault of a law.
law = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**32 - 1)


@law
@given(seed=SEEDS, fields=asked(), moves=st.floats(0.0, 0.5))
def test_a_run_saved_and_restored_on_the_way_is_the_whole_walk(seed, fields, moves) -> None:
    rng = np.random.default_rng(seed)
    candles = market(rng)
    n, warmup = len(candles), int(rng.integers(0, len(candles) - 1))
    run = run_on(candles, warmup, fields)
    span = prepare_candles(candles, run)
    flags = rng.random((4, n)) < rng.choice([0.05, 0.2, 0.5], 4)[:, None]
    signals = Signals(*flags, **inputs_on(rng, candles))
    buffers, equity = Buffers.of(n), np.empty(span.bars)
    walked = execute._walk_bars(span, run, signals, buffers, equity)

    steps = CandleSteps.of(span, run, signals)
    stepper, curve, trades = steps.stepper(), [], []
    for bar in range(steps.first, steps.first + walked.bars):
        if rng.random() < moves:
            saved = stepper.save()
            stepper = steps.stepper()
            stepper.restore(saved)
            assert stepper.save() == saved
        step = stepper.step(steps.candle(bar), steps.decision(bar))
        curve.append(step.equity)
        trades += step.trades.tolist()

    candles, rested = span.candles, run.entry.kind != "market"
    measure_excursions(
        buffers.trades, walked.trades, candles.high, candles.low, candles.close,
        *window_extremes(candles.high, candles.low), rested,
    )  # fmt: skip
    assert curve == equity[: walked.bars].tolist()
    assert trades == buffers.trades[: walked.trades].tolist()
    assert step.ruined == walked.ruined


def laid_out(drawn) -> tuple[AlignedCandles, Run, Mapping[str, Strategy]]:
    """Return the candles of a drawn account side by side, its run, and the strategy it asks."""
    with pytest.MonkeyPatch.context() as patch:
        kept = []
        patch.setattr(portfolio, "_run_one", lambda *given: kept.append(given))
        executed(*drawn)
    ((laid, run, _, catalogue),) = kept
    return laid, run, catalogue


def assert_steps_are_the_walk(
    steps: PortfolioSteps, outcome: Outcome, moves: float, rng: np.random.Generator
) -> None:
    """Step an account, saved and restored now and then, and compare all that it gives."""
    stepper, curve, trades = steps.stepper(), [], []
    for now in range(1, 1 + len(outcome.curve.equity)):
        if rng.random() < moves:
            saved = stepper.save()
            stepper = steps.stepper()
            stepper.restore(saved)
            assert stepper.save() == saved
        step, traded = steps.step(stepper, now)
        curve.append(step.equity)
        trades += [
            trade._replace(instrument=steps.run.instruments[place])
            for trade, place in zip(Trades(step.trades, steps.laid.opened_ms), traded, strict=True)
        ]

    assert curve == outcome.curve.equity.tolist()
    assert trades == list(outcome.curve.trades)


@settings(law, max_examples=100)
@given(drawn=accounts(), seed=SEEDS, moves=st.floats(0.0, 0.5))
def test_an_account_saved_and_restored_on_the_way_is_the_whole_walk(drawn, seed, moves) -> None:
    laid, run, catalogue = laid_out(drawn)
    outcome = portfolio._run_one(laid, run, True, catalogue)

    steps = PortfolioSteps.of(laid, run, portfolio.decided(laid, run, catalogue))

    assert_steps_are_the_walk(steps, outcome, moves, np.random.default_rng(seed))


@settings(law, max_examples=60)
@given(drawn=accounts(), seed=SEEDS, moves=st.floats(0.0, 0.5))
def test_an_account_with_weights_of_its_strategy_steps_as_the_whole_walk(
    drawn, seed, moves
) -> None:
    laid, run, catalogue = laid_out(drawn)
    asked = run.portfolio.model_copy(update={"weights": StrategyWeights()})
    run = replace(run, portfolio=asked)

    def weights(candles: Candles, _params: Part, _indicators: Indicators) -> Weights:
        rng = np.random.default_rng([seed, int(candles.tick or 0)])
        return Weights(rng.choice([-0.8, -0.3, 0.0, 0.4, 0.9, np.nan], len(candles)))

    own = {"given": replace(catalogue["given"], signals=weights)}
    outcome = portfolio._run_one(laid, run, True, own)

    steps = PortfolioSteps.of(laid, run, portfolio.decided(laid, run, own))

    assert_steps_are_the_walk(steps, outcome, moves, np.random.default_rng(seed))


def test_iterating_steps_a_run_to_its_end() -> None:
    rng = np.random.default_rng(5)
    candles = market(rng)
    run = run_on(candles, 1, {})
    flags = np.zeros((4, len(candles)), np.bool_)
    flags[0, 0] = True

    steps = CandleSteps.of(prepare_candles(candles, run), run, Signals(*flags))

    assert len(list(steps)) == len(candles) - 1
