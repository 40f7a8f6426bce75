"""What a strategy sees of its inputs: candles that had closed, and nothing that comes later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.context import align, context_of, last_by
from backtests.indicators import Indicators
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.simulate import run_all
from backtests.strategy import Strategy
from mela.calendars import closes_ms
from mela.candles import Candles
from mela.errors import CandlesMissing
from mela.inputs import Input
from mela.interval import DAY_MS, HOUR_MS, Interval
from mela.outcome import Status
from mela.run import Part, Run, from_ms

BTC, ETH = "binance:BTCUSDT", "binance:ETHUSDT"
INTERVALS = [one for one in Interval if one is not Interval.M1]
MONDAY_MS = 1_704_067_200_000  # 2024-01-01


def series(interval: Interval, opened_ms, close=None, **fields) -> Candles:
    opened = np.array(opened_ms, dtype=np.int64)
    made = 100.0 + np.arange(len(opened), dtype=np.float64) if close is None else close
    close = np.array(made, dtype=np.float64)
    return Candles(
        interval, opened, close, close + 1, close - 1, close, np.ones(len(close)), **fields
    )


def hourly(count: int, first_ms: int = MONDAY_MS, **fields) -> Candles:
    return series(Interval.H1, first_ms + HOUR_MS * np.arange(count), **fields)


def daily(count: int, first_ms: int = MONDAY_MS, **fields) -> Candles:
    return series(Interval.D1, first_ms + DAY_MS * np.arange(count), **fields)


@st.composite
def gappy(draw, interval: Interval, most: int = 60) -> Candles:
    """Draw candles of an interval with holes, opening where that interval opens."""
    count = draw(st.integers(1, most))
    first = draw(st.integers(0, 40))
    if interval.fixed_ms is None:
        months = np.arange("2023-01", "2030-12", dtype="datetime64[M]")[first : first + count]
        opened = months.astype("datetime64[ms]").astype(np.int64)
    else:
        opened = MONDAY_MS + interval.fixed_ms * (first + np.arange(count))
    kept = draw(st.lists(st.booleans(), min_size=len(opened), max_size=len(opened)))
    kept[0] = True
    return series(interval, opened[np.array(kept)])


def test_on_each_hour_the_last_daily_candle_that_has_closed_is_seen() -> None:
    one = align(hourly(50), BTC, daily(3, close=[10.0, 20.0, 30.0]))

    assert np.isnan(one.close[:23]).all()
    assert one.close[23:47].tolist() == [10.0] * 24  # the hour that ends the day sees it
    assert one.close[47:].tolist() == [20.0] * 3
    assert one.candles.close.tolist() == [10.0, 20.0]  # the third closes later than all hours


def test_an_indicator_of_the_input_is_computed_on_its_own_candles() -> None:
    one = align(hourly(96), BTC, daily(4, close=[10.0, 20.0, 40.0, 80.0]))

    mean = one.aligned(one.indicators.sma(2))

    assert np.isnan(mean[:47]).all()
    assert mean[[47, 70, 71, 94, 95]].tolist() == [15.0, 15.0, 30.0, 30.0, 60.0]


def test_values_of_other_candles_are_not_aligned() -> None:
    one = align(hourly(48), BTC, daily(2))

    with pytest.raises(ValueError, match="expected one value for each of the 2 candles"):
        one.aligned(np.zeros(48))


@given(st.data())
def test_no_aligned_value_comes_from_a_candle_that_closes_later(data: st.DataObject) -> None:
    own = data.draw(gappy(data.draw(st.sampled_from(INTERVALS))))
    other = data.draw(gappy(data.draw(st.sampled_from(INTERVALS))))

    one = align(own, ETH, other)

    mine, closed = own.interval.ends_ms(own.opened_ms), other.interval.ends_ms(other.opened_ms)
    source = one.aligned(closed[: len(one.candles)].astype(np.float64))
    for bar, close_ms in enumerate(mine.tolist()):
        seen = closed[closed <= close_ms]
        if len(seen) == 0:
            assert np.isnan(source[bar])
        else:
            assert source[bar] == seen[-1]  # the last that had closed, and no later one
    assert (closed[: len(one.candles)] <= mine[-1]).all()


@settings(deadline=None)  # the first example loads the calendars
@given(st.data())
def test_sessions_close_before_the_candle_would_and_nothing_later_is_seen(
    data: st.DataObject,
) -> None:
    calendars = st.sampled_from(["24/7", "XNYS", "XLON"])
    own = replace(data.draw(gappy(Interval.H1)), calendar=data.draw(calendars))
    other = replace(
        data.draw(gappy(data.draw(st.sampled_from([Interval.H1, Interval.D1, Interval.W1])))),
        calendar=data.draw(calendars),
    )

    one = align(own, ETH, other)

    mine, closed = (
        np.where(closes < 0, each.interval.ends_ms(each.opened_ms), closes)
        for each in (own, other)
        for closes in [closes_ms(each.calendar, each.interval, each.opened_ms)]
    )
    seen = one.bars >= 0
    assert (closed[one.bars[seen]] <= mine[seen]).all()


@given(st.data())
def test_cutting_candles_and_inputs_short_changes_nothing_before(data: st.DataObject) -> None:
    own = data.draw(gappy(data.draw(st.sampled_from(INTERVALS))))
    other = data.draw(gappy(data.draw(st.sampled_from(INTERVALS))))
    cut = data.draw(st.integers(1, len(own)))
    columns = ("opened_ms", "open", "high", "low", "close", "volume")
    part = replace(own, **{name: getattr(own, name)[:cut] for name in columns})

    whole, shorter = align(own, ETH, other), align(part, ETH, other)

    assert np.array_equal(whole.close[:cut], shorter.close, equal_nan=True)
    fast = Indicators(whole.candles).ema(3), Indicators(shorter.candles).ema(3)
    aligned = whole.aligned(fast[0])[:cut], shorter.aligned(fast[1])
    assert np.array_equal(*aligned, equal_nan=True)


def test_a_context_names_the_instrument_its_terms_and_its_interval() -> None:
    context = context_of(hourly(3, tick=0.1, lot=0.001), "binance:ETHUSDT", {})

    assert context.instrument.name == "binance:ETHUSDT"
    assert (context.instrument.kind, context.instrument.quote) == ("spot", "USDT")
    assert (context.instrument.tick, context.instrument.lot) == (0.1, 0.001)
    assert (context.instrument.calendar, context.interval) == ("24/7", Interval.H1)


def test_an_input_without_candles_names_the_ingest_that_helps() -> None:
    with pytest.raises(CandlesMissing, match="mela ingest binance:ETHUSDT --interval 1d"):
        context_of(hourly(3), BTC, {"other": Input(instrument=ETH, interval="1d")})  # type: ignore[arg-type]


# A run with inputs


def above_the_daily_mean(candles, params, indicators, context) -> Signals:
    days = context.inputs["daily"]
    mean = days.aligned(days.indicators.sma(2))
    return Signals(crosses_above(candles.close, mean), crosses_below(candles.close, mean))


READS_DAYS = Strategy(
    *("reader", "Read days.", Part, "d" * 64, above_the_daily_mean, lambda _params: 0),
    declares=lambda _params: {"daily": Input(interval=Interval.D1, warmup=2)},
    takes_context=True,
)


def asked(**fields) -> Run:
    span = from_ms(MONDAY_MS + 5 * DAY_MS), from_ms(MONDAY_MS + 10 * DAY_MS)
    inputs = READS_DAYS.inputs({})
    return Run("0" * 64, BTC, Interval.H1, *span, "reader", {}, 64, inputs=inputs, **fields)


def swinging(count: int) -> Candles:
    hours = np.arange(count)
    return hourly(count, close=200.0 + 50 * np.sin(hours / 7) + hours * 13 % 17)


def test_a_run_reads_its_inputs_and_rests_on_their_first_candle() -> None:
    candles = replace(
        swinging(240), inputs={(BTC, Interval.D1): daily(80, MONDAY_MS - 70 * DAY_MS)}
    )

    (outcome,) = run_all(candles, [asked()], catalogue={"reader": READS_DAYS})

    assert (outcome.status, outcome.error) == (Status.SUCCEEDED, None)
    assert outcome.depends_from_ms == MONDAY_MS + (5 - 64) * DAY_MS  # at least 64 are read
    assert "inputs_incomplete" not in outcome.warnings


def test_a_run_whose_input_lacks_candles_says_so_and_rests_on_all_before_its_end() -> None:
    candles = replace(swinging(240), inputs={(BTC, Interval.D1): daily(10)})

    (outcome,) = run_all(candles, [asked()], catalogue={"reader": READS_DAYS})

    assert outcome.status is Status.SUCCEEDED
    assert outcome.depends_from_ms is None
    assert "inputs_incomplete" in outcome.warnings


def test_a_run_without_its_input_fails_and_names_the_way_out() -> None:
    (outcome,) = run_all(swinging(240), [asked()], catalogue={"reader": READS_DAYS})

    assert outcome.status is Status.FAILED
    assert outcome.error is not None
    assert outcome.error[0] == "CandlesMissing"
    assert "mela ingest binance:BTCUSDT --interval 1d" in outcome.error[1]


def test_the_future_of_an_input_changes_no_number() -> None:
    days = daily(90, MONDAY_MS - 70 * DAY_MS)
    closes = days.close.copy()
    closes[days.opened_ms >= MONDAY_MS + 10 * DAY_MS] *= 3.0  # they close after the run's end
    other = series(Interval.D1, days.opened_ms, closes)
    outcomes = [
        next(
            run_all(
                replace(swinging(240), inputs={(BTC, Interval.D1): one}),
                [asked()],
                with_curve=True,
                catalogue={"reader": READS_DAYS},
            )
        )
        for one in (days, other)
    ]

    assert outcomes[0].curve is not None
    assert outcomes[1].curve is not None
    assert np.array_equal(outcomes[0].curve.equity, outcomes[1].curve.equity)


@settings(max_examples=200, deadline=None)
@given(
    rising=st.lists(st.integers(0, 60), max_size=40).map(sorted),
    asked=st.lists(st.integers(-2, 62), max_size=40),
)
def test_the_last_one_by_a_time_is_that_of_a_search(rising: list[int], asked: list[int]) -> None:
    known, at = np.array(rising, np.int64), np.array(asked, np.int64)
    np.testing.assert_array_equal(last_by(known, at), np.searchsorted(known, at, "right") - 1)
