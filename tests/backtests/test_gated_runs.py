"""Runs with limits: the same walk where they forbid nothing, and no fill that they forbid."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests import execute as executing
from backtests import portfolio
from backtests.candles.prepared import prepare_candles
from backtests.execute import Buffers
from backtests.gated_runs import walk_gated
from backtests.signals import Signals
from backtests.testing.instrument import candles_of, execute
from backtests.testing.portfolio import execute_together
from mela.interval import Interval
from mela.portfolio import OnSchedule
from mela.risk_limits import RiskLimits
from tests.backtests.kernel.test_bars import asked, inputs_on, market, run_on
from tests.backtests.random_accounts import accounts
from tests.backtests.test_stepping import SEEDS, laid_out

# A busy machine is slow, and that is no fault of a law.
law = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WIDE = RiskLimits(
    max_order_units=1e15,
    max_order_notional=1e15,
    min_order_notional=1e-12,
    price_collar=0.999,
    max_position_notional=1e15,
    max_position_share=1e9,
    max_gross=1e15,
    max_net=1e15,
    max_leverage=1e9,
    short_availability=True,
    max_open_orders=1_000,
    max_orders_per_minute=1_000,
    session_hours="wait",
    max_data_age_s=1e12,
    max_losses_in_a_row=10_000,
)


def walked_both_ways(seed: int, fields, limits: RiskLimits):
    """Walk random signals on a random market as a whole, and stepped through a gate."""
    rng = np.random.default_rng(seed)
    candles = market(rng)
    n, warmup = len(candles), int(rng.integers(0, len(candles) - 1))
    run = run_on(candles, warmup, fields)
    span = prepare_candles(candles, run)
    flags = rng.random((4, n)) < rng.choice([0.05, 0.2, 0.5], 4)[:, None]
    signals = Signals(*flags, **inputs_on(rng, candles))
    whole, stepped, remarks = Buffers.of(n), Buffers.of(n), []
    curves = np.zeros(span.bars), np.zeros(span.bars)
    walked = executing._walk_bars(span, run, signals, whole, curves[0])
    again = walk_gated(span, replace(run, risk=limits), signals, stepped, curves[1], remarks)
    return (walked, whole, curves[0]), (again, stepped, curves[1]), remarks, span


@law
@given(seed=SEEDS, fields=asked())
def test_limits_that_forbid_nothing_change_nothing(seed, fields) -> None:
    whole, gated, remarks, _ = walked_both_ways(seed, fields, WIDE)

    assert remarks == []
    assert gated[0] == whole[0]
    assert gated[2].tolist() == whole[2].tolist()
    periods, trades = whole[0].periods, whole[0].trades
    assert gated[1].period_equity[:periods].tolist() == whole[1].period_equity[:periods].tolist()
    assert gated[1].drawdown.tolist() == whole[1].drawdown.tolist()
    names = [name for name in whole[1].trades.dtype.names if name not in ("mae", "mfe")]
    assert gated[1].trades[names][:trades].tolist() == whole[1].trades[names][:trades].tolist()


SIZES = st.fixed_dictionaries(
    {},
    optional={
        "max_order_units": st.floats(0.5, 8.0),
        "max_order_notional": st.floats(50.0, 900.0),
        "max_position_share": st.floats(0.1, 0.9),
        "max_volume_share": st.floats(0.05, 1.0),
        "lot_and_tick": st.just(True),
        "max_losses_in_a_row": st.integers(1, 3),
    },
)


@law
@given(seed=SEEDS, fields=asked(), sizes=SIZES)
def test_no_fill_is_larger_than_its_limits_allowed_on_the_close_that_ordered_it(
    seed, fields, sizes
) -> None:
    limits = RiskLimits(**sizes, volume_candles=2)

    _, (walked, buffers, _), remarks, span = walked_both_ways(seed, fields, limits)

    candles = span.candles
    lot, resting = candles.lot_units, fields["entry"].kind != "market"
    for trade in buffers.trades[: walked.trades]:
        units, bar = abs(float(trade["size"])), int(trade["entry_bar"])
        assert units <= sizes.get("max_order_units", np.inf) * (1 + 1e-8)
        if sizes.get("lot_and_tick") and candles.lot is not None:
            assert abs(units / lot - round(units / lot)) < 1e-6
        some_are_quiet = span.quiet_from < len(candles)
        if resting or some_are_quiet:  # ordered on an earlier close than the one before
            continue
        close, volume = float(candles.close[bar - 1]), candles.volume_units[:bar][-2:]
        assert units * close <= sizes.get("max_order_notional", np.inf) * (1 + 1e-8)
        if "max_volume_share" in sizes:
            assert units <= sizes["max_volume_share"] * volume.mean() * (1 + 1e-8)
    assert all(remark.startswith("risk_refused:") for remark in remarks)


@settings(law, max_examples=40)
@given(drawn=accounts())
def test_limits_that_forbid_nothing_change_nothing_in_an_account_of_several(drawn) -> None:
    laid, run, catalogue = laid_out(drawn)

    whole = portfolio._run_one(laid, run, True, catalogue)
    gated = portfolio._run_one(laid, replace(run, risk=WIDE), True, catalogue)

    assert gated.warnings == whole.warnings
    assert gated.metrics == whole.metrics or str(gated.metrics) == str(whole.metrics)
    if whole.curve is not None:
        assert gated.curve.equity.tolist() == whole.curve.equity.tolist()
        assert list(gated.curve.trades) == list(whole.curve.trades)


def still(price: float):
    return (price, price, price, price)


def told(outcome) -> list[str]:
    return [code for code in outcome.warnings if code.startswith(("risk_refused", "outside"))]


def test_what_is_bought_for_one_instrument_is_no_longer_there_for_the_next() -> None:
    """Two thirds of 900 may be at work: the second share is refused, whatever its instrument."""
    rows = [still(100)] * 4
    enter = {"a:X": [0], "b:Y": [0], "c:Z": [0]}

    outcome = execute_together(
        dict.fromkeys(enter, rows), enter, cash=900.0, risk={"max_gross": 600.0}
    )

    assert told(outcome) == ["risk_refused:max_gross=1"]
    assert outcome.metrics.open_trades == 2


def test_what_is_sold_at_the_same_open_makes_room() -> None:
    rows = [still(100)] * 4
    outcome = execute_together(
        {"a:X": rows, "b:Y": rows}, {"a:X": [0], "b:Y": [1]}, {"a:X": [1]},
        cash=1_000.0, risk={"max_gross": 500.0},
    )  # fmt: skip

    assert told(outcome) == []
    assert (outcome.metrics.trades, outcome.metrics.open_trades) == (1, 1)


def test_a_share_is_not_restored_while_only_reducing_passes() -> None:
    """The share of X halves, and on Monday would be bought again for 125 at 50."""
    rows = {"a:X": [still(100)] * 6 + [still(50)] * 3 + [still(100)], "b:Y": [still(100)] * 10}
    fields = {"enter": {"a:X": [0]}, "rebalance": OnSchedule(every="1w")}

    free, bound = (
        execute_together(rows, **fields, risk=risk) for risk in (None, {"max_drawdown": 0.2})
    )

    assert free.curve.equity[-1] == 1_125.0
    assert bound.curve.equity[-1] == 1_000.0
    assert told(bound) == ["risk_refused:max_drawdown=1"]


def test_the_decision_of_the_last_warm_up_candle_is_judged_too() -> None:
    rows = [still(100)] * 3
    limits = {"max_order_notional": 10.0}

    assert execute(rows, enter=[0], warmup=1).metrics.open_trades == 1
    outcome = execute(rows, enter=[0], warmup=1, risk=limits)
    assert (outcome.metrics.open_trades, told(outcome)) == (
        0,
        ["risk_refused:max_order_notional=1"],
    )
    outcome = execute_together({"a:X": rows, "b:Y": rows}, {"a:X": [0]}, warmup=1, risk=limits)
    assert (outcome.metrics.open_trades, told(outcome)) == (
        0,
        ["risk_refused:max_order_notional=1"],
    )


def test_nothing_fills_outside_the_hours_that_are_asked_for() -> None:
    """Hourly candles in New York around a half day: exits wait as entries do."""
    first = 1_732_863_600_000  # 2024-11-29 at 02:00 in New York
    rows = [still(100.0 + at) for at in range(24)]
    candles = replace(candles_of(rows, Interval.H1, first), calendar="XNYS")

    def filled(**fields) -> list[tuple[float, float]]:
        outcome = execute(candles, enter=[0], exit=[11], **fields)
        return [(trade.entry_price, trade.exit_price) for trade in outcome.curve.trades]

    assert filled() == [(101.0, 112.0)]  # opened at 03:00 and at 14:00
    assert filled(sessions="extended") == [(102.0, 112.0)]  # 04:00, and until 17:00
    assert filled(sessions="regular") == []  # 10:00, and then not before the next session


def test_a_strategy_that_keeps_no_secret_is_found_so_with_limits_as_without() -> None:
    """Fills of a run with limits do not depend on later candles either."""
    rng = np.random.default_rng(8)
    close = 100.0 * np.cumprod(1 + rng.normal(0, 0.02, 120))
    rows = [(a, max(a, b) * 1.01, min(a, b) * 0.99, b) for a, b in itertools.pairwise(close)]
    limits = {
        "max_daily_loss": 0.03, "max_losses_in_a_row": 2, "target_volatility": 0.015,
        "max_volume_share": 30.0, "volume_candles": 3, "volatility_candles": 5,
    }  # fmt: skip
    fields = {"enter": list(range(0, 119, 4)), "exit": list(range(2, 119, 4)), "risk": limits}

    whole = execute(rows, **fields)

    assert any(code.startswith("risk_refused") for code in whole.warnings)
    for cut in (30, 61, 90):
        part = execute(rows[:cut], **fields)
        assert part.curve.equity.tolist() == whole.curve.equity[:cut].tolist()
