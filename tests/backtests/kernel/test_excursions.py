"""backtests/kernel/excursions.py: by hand, and against a plain reading on random runs."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.testing.instrument import Row, candles_of, execute
from backtests.testing.portfolio import execute_together
from mela.candles import Candles
from mela.interval import Interval
from mela.result import Trade
from mela.run import LimitEntry, MarketEntry, StopEntry

SWING: list[Row] = [(100, 100, 100, 100), (100, 130, 90, 120), (120, 140, 110, 110), (105,) * 4]


def far(trade: Trade) -> tuple[float, float]:
    return trade.mae, trade.mfe


def only(outcome) -> tuple[float, float]:
    (trade,) = outcome.curve.trades
    return far(trade)


def test_a_long_trade_is_measured_by_lows_and_highs_over_its_entry() -> None:
    assert only(execute(SWING, [0], [2])) == pytest.approx((-0.1, 0.4))


def test_a_short_trade_is_measured_the_other_way() -> None:
    found = only(execute(SWING, exit=[0], enter=[2], direction="short"))

    assert found == pytest.approx((-0.4, 0.1))


def test_the_candle_of_the_exit_counts_with_the_exit_alone() -> None:
    """Its low of 50 came before or after the target was reached; nobody knows."""
    rows = [(100.0,) * 4, (100, 105, 95, 100), (100, 130, 50, 60)]

    assert only(execute(rows, [0], take_profit=0.2)) == pytest.approx((-0.05, 0.2))


def test_a_trade_within_one_candle_goes_as_far_as_its_exit() -> None:
    rows = [(100.0,) * 4, (100, 130, 50, 60)]

    assert only(execute(rows, [0], stop_loss=0.2)) == pytest.approx((-0.2, 0.0))


def test_of_a_candle_that_a_limit_entered_the_close_alone_counts() -> None:
    rows = [(100.0,) * 4, (100, 120, 80, 99), (99.0,) * 4, (99.0,) * 4]

    found = only(execute(rows, [0], [2], entry=LimitEntry(offset=0.1)))

    assert found == pytest.approx((0.0, 0.1))


def test_slippage_is_an_excursion_of_its_own() -> None:
    """Bought at 110 where the market was 100: the low of 100 lies against it."""
    rows = [(100.0,) * 4] * 3

    assert only(execute(rows, [0], [1], slippage=0.1)) == pytest.approx((90 / 110 - 1, 0.0))


def test_a_trade_of_an_account_is_measured_on_its_own_candles() -> None:
    still = [(100.0,) * 4] * 4

    outcome = execute_together({"a:X": still, "b:Y": SWING}, {"b:Y": [0]}, {"b:Y": [2]})

    assert only(outcome) == pytest.approx((-0.1, 0.4))
    assert outcome.metrics.avg_mae == pytest.approx(-0.1)
    assert outcome.metrics.avg_mfe == pytest.approx(0.4)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "entry",
    [MarketEntry(), LimitEntry(offset=0.002), StopEntry(offset=0.002)],
    ids=lambda e: e.kind,
)
def test_random_trades_are_measured_candle_by_candle(seed: int, entry) -> None:
    """Long ones pass whole blocks of candles by; what is looked at must be the same."""
    candles = walk(seed)
    rng = np.random.default_rng(seed)
    signals = [np.flatnonzero(rng.random(len(candles)) < 0.01).tolist() for _ in range(2)]

    outcome = execute(
        candles, *signals, direction="both", entry=entry, slippage=0.001, stop_loss=0.1
    )

    bars = {ms: bar for bar, ms in enumerate(candles.opened_ms.tolist())}
    assert max(bars[ms_of(t.exit_at)] - bars[ms_of(t.entry_at)] for t in outcome.curve.trades) > 64
    for trade in outcome.curve.trades:
        first, last = bars[ms_of(trade.entry_at)], bars[ms_of(trade.exit_at)]
        seen = [trade.exit_price]
        if last > first:
            if entry.kind != "market":
                seen.append(float(candles.close[first]))
            whole = range(first if entry.kind == "market" else first + 1, last)
            seen += [float(side[bar]) for bar in whole for side in (candles.high, candles.low)]
        moves = [np.sign(trade.size) * (price / trade.entry_price - 1) for price in seen]
        assert far(trade) == (min(0.0, *moves), max(0.0, *moves))
    told = [far(trade) for trade in outcome.curve.trades]
    means = np.mean(told, axis=0)
    assert (outcome.metrics.avg_mae, outcome.metrics.avg_mfe) == pytest.approx(tuple(means))


def walk(seed: int) -> Candles:
    rng = np.random.default_rng(seed + 100)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.003, 2_000)))
    high, low = close * (1 + rng.random(2_000) * 0.01), close * (1 - rng.random(2_000) * 0.01)
    return candles_of(list(zip(close, high, low, close, strict=True)), Interval.H1)


def ms_of(at) -> int:
    return round(at.timestamp() * 1_000)
