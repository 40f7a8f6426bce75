"""A run stepped candle by candle gives what the walk over all of its candles gives, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests import execute, portfolio
from backtests.candles.prepared import prepare_candles
from backtests.execute import Buffers
from backtests.signals import Signals
from backtests.simulate import signals_of
from backtests.stepping import CandleSteps, PortfolioSteps
from tests.backtests.kernel.test_bars import asked, inputs_on, market, run_on
from tests.backtests.test_portfolio import accounts, executed

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

    assert curve == equity[: walked.bars].tolist()
    assert trades == buffers.trades[: walked.trades].tolist()
    assert step.ruined == walked.ruined


@settings(law, max_examples=100)
@given(drawn=accounts(), seed=SEEDS, moves=st.floats(0.0, 0.5))
def test_an_account_saved_and_restored_on_the_way_is_the_whole_walk(drawn, seed, moves) -> None:
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        kept = []
        of_run = portfolio._run_one

        def keep(laid, run, with_curve, catalogue):
            kept.append((laid, run, catalogue))
            return of_run(laid, run, with_curve, catalogue)

        patch.setattr(portfolio, "_run_one", keep)
        outcome = executed(*drawn)
    laid, run, catalogue = kept[0]
    signals = [
        signals_of(span, run, catalogue, False).signals() if span.bars else None
        for span in laid.spans
    ]

    steps = PortfolioSteps.of(laid, run, signals)
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
            (run.instruments[place], row["size"], row["exit_price"], row["profit"], row["fees"])
            for row, place in zip(step.trades, traded, strict=True)
        ]

    assert curve == outcome.curve.equity.tolist()
    assert trades == [
        (t.instrument, t.size, t.exit_price, t.profit, t.fees) for t in outcome.curve.trades
    ]


def test_iterating_steps_a_run_to_its_end() -> None:
    rng = np.random.default_rng(5)
    candles = market(rng)
    run = run_on(candles, 1, {})
    flags = np.zeros((4, len(candles)), np.bool_)
    flags[0, 0] = True

    steps = CandleSteps.of(prepare_candles(candles, run), run, Signals(*flags))

    assert len(list(steps)) == len(candles) - 1
