"""What pictures show: merged candles, thinned curves, marks for each trade, and what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtests.charts.view import (
    buy_and_hold,
    drawdowns,
    merge,
    telling_points,
    thinned_trades,
    view_of,
)
from backtests.testing.instrument import candles_of, execute
from mela.interval import Interval
from mela.result import Outcome
from tests.backtests.charts.outcomes import REASONS, both_sides, walk


def test_merged_candles_keep_first_open_extremes_and_last_close() -> None:
    rows = [(10, 12, 9, 11), (11, 15, 10, 14), (14, 14, 8, 9), (9, 10, 9, 10), (10, 11, 7, 8)]

    merged = merge(candles_of(rows), 2)

    assert merged["open"].tolist() == [10, 14, 10]
    assert merged["high"].tolist() == [15, 14, 11]
    assert merged["low"].tolist() == [9, 8, 7]
    assert merged["close"].tolist() == [14, 10, 8]
    assert np.diff(merged["opened_ms"]).tolist() == [2 * 86_400_000] * 2


def test_a_thinned_curve_keeps_its_extremes_and_ends() -> None:
    random = np.random.default_rng(4)
    curves = [np.cumsum(random.normal(size=100_000)) for _ in range(2)]

    points = telling_points(curves, 500)

    assert len(points) < 2_100
    assert (points[0], points[-1]) == (0, 99_999)
    for curve in curves:
        assert {int(curve.argmin()), int(curve.argmax())} <= set(points.tolist())
    assert telling_points(curves, 100_000).tolist() == list(range(100_000))


def test_drawdown_is_measured_before_it_is_thinned() -> None:
    candles = walk(5_000)
    outcome = execute(candles, range(10, 5_000, 50), range(40, 5_000, 50), fee=0.001)

    view = view_of(outcome, candles, most_candles=100)

    assert view.drawdown.min() == pytest.approx(outcome.metrics.max_drawdown, rel=1e-12)
    assert drawdowns(np.array([90.0, 120.0, 60.0]), cash=100.0).tolist() == pytest.approx(
        [-0.1, 0.0, -0.5]
    )


def test_buy_and_hold_ends_at_its_metric() -> None:
    candles = walk(300)
    outcome = execute(candles, [5], [50], fee=0.002, slippage=0.001)

    hold = buy_and_hold(candles, outcome.run)

    assert hold[-1] / 1_000.0 - 1.0 == pytest.approx(outcome.metrics.buy_hold_return, rel=1e-12)


def test_every_trade_has_an_entry_and_an_exit_mark() -> None:
    candles = walk(260)
    outcome = both_sides(candles)

    view = view_of(outcome, candles, most_candles=2_000)

    trades = outcome.curve.trades
    assert [marks.kind for marks in view.entries] == ["long", "short"]
    assert {marks.kind for marks in view.exits} == set(REASONS)
    assert sum(len(marks.prices) for marks in view.entries) == len(trades)
    assert sum(len(marks.prices) for marks in view.exits) == len(trades)
    [shorts] = [marks for marks in view.entries if marks.kind == "short"]
    expected = [trade.entry_price for trade in trades if trade.size < 0]
    assert shorts.prices.tolist() == expected
    assert shorts.texts[0].startswith("short ")


def test_what_is_merged_or_left_out_is_said() -> None:
    candles = walk(5_000)
    outcome = execute(candles, range(10, 5_000, 50), range(40, 4_980, 50))

    view = view_of(outcome, candles, most_candles=100, most_trades=10)

    assert view.merged == 50
    assert len(view.candles["open"]) == 100
    assert sum(len(marks.prices) for marks in view.exits) == 10
    said = "; ".join(view.notes)
    assert "5,000 candles, 50 merged into each one drawn" in said
    assert "10 of 99 trades marked" in said
    assert "still open at the end" in said
    whole = view_of(outcome, candles, most_candles=5_000)
    assert whole.notes == ("a position still open at the end is not marked",)


def test_thinned_trades_keep_the_first_and_the_last() -> None:
    candles = walk(5_000)
    trades = execute(candles, range(10, 5_000, 50), range(40, 5_000, 50)).curve.trades
    kept = thinned_trades(trades, 7)
    assert (len(kept), kept[0], kept[-1]) == (7, trades[0], trades[-1])


def test_the_title_names_what_was_run_and_the_subtitle_what_it_found() -> None:
    candles = walk(260)
    outcome = execute(candles, [5], [50])
    run = replace(outcome.run, strategy="sma_cross", params={"fast": 5, "k": 0.25})

    view = view_of(replace(outcome, run=run), candles, most_candles=2_000)

    assert view.title == "binance:BTCUSDT 1d: sma_cross(fast=5, k=0.25)"
    assert view.quote == "USDT"
    assert f"return {outcome.metrics.total_return:+.1%}" in view.subtitle
    assert "1 trade," in view.subtitle
    long = replace(run, params={f"parameter_{n}": n for n in range(30)})
    assert len(view_of(replace(outcome, run=long), candles, most_candles=9).title) < 140


def test_warmup_is_not_drawn() -> None:
    candles = walk(260)
    outcome = execute(candles, [70], [90], warmup=60)
    view = view_of(outcome, candles, most_candles=2_000)
    assert len(view.candles["open"]) == len(view.equity) == 200


def test_a_run_without_a_curve_cannot_be_drawn() -> None:
    candles = walk(20)
    outcome: Outcome = replace(execute(candles, [5], [9]), curve=None)
    with pytest.raises(ValueError, match="nothing to draw: the run ended as succeeded"):
        view_of(outcome, candles, most_candles=100)


def test_a_ruined_run_is_drawn_to_its_end() -> None:
    candles = walk(60)
    outcome = execute(candles, [5], [50])
    curve = replace(
        outcome.curve,
        equity=outcome.curve.equity[:30],
        opened_ms=outcome.curve.opened_ms[:30],
        trades=(),
    )
    view = view_of(replace(outcome, curve=curve), candles, most_candles=100)
    assert len(view.hold) == len(view.equity) == 30
    assert len(view.candles["open"]) == 60
    assert "ruined" in view.notes[-1]


def test_prices_over_decades_take_a_logarithmic_axis() -> None:
    rows = [(price, price, price, price) for price in np.geomspace(1, 50, 40)]
    candles = candles_of(rows, Interval.D1)
    assert view_of(execute(candles, [1], [3]), candles, most_candles=100).is_log
    still = candles_of([(10, 10, 10, 10)] * 9)
    assert not view_of(execute(still, [1], [3]), still, most_candles=100).is_log
