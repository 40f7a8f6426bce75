"""live.feeds.ledger: what a candle is to a series, whatever the order of messages."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from live.events import CandleClosed
from live.feeds.ledger import Ledger
from live.feeds.protocol import Listening
from mela.calendars import expected_opens_ms
from mela.interval import DAY_MS, Interval

MINUTE = 60_000
FROM_MS = 1_704_067_200_000
COIN, STOCK = "binance:BTCUSDT", "alpaca:AAPL"


def candle(number: int, close: float = 10.0, instrument: str = COIN) -> CandleClosed:
    opened_ms = FROM_MS + number * MINUTE
    return CandleClosed(instrument, Interval.M1, opened_ms, 10.0, 12.0, 9.0, close, 1.0, 0)


def ledger_of(instrument: str = COIN, calendar: str = "24/7") -> Ledger:
    return Ledger(Listening(instrument, Interval.M1), calendar, FROM_MS)


def test_candles_are_next_again_restated_after_a_gap_or_old() -> None:
    ledger = ledger_of()
    assert ledger.judge(candle(0)) == "next"
    taken = ledger.take(candle(0), received_ms=5)
    assert taken.received_ms == 5
    assert ledger.judge(candle(0)) == "again"
    assert ledger.judge(candle(0, close=11.0)) == "restated"
    assert ledger.judge(candle(1)) == "next"
    assert ledger.judge(candle(3)) == "gap"
    assert ledger.judge(candle(-1)) == "old"


def test_the_next_candle_follows_the_last_one_given() -> None:
    ledger = ledger_of()
    assert (ledger.next_open_ms(), ledger.next_close_ms()) == (FROM_MS, FROM_MS + MINUTE)
    ledger.take(candle(0), 0)
    assert ledger.next_open_ms() == FROM_MS + MINUTE
    ledger.take(candle(4), 0)
    ledger.take(candle(2), 0)  # a restatement does not move it back
    assert ledger.next_open_ms() == FROM_MS + 5 * MINUTE


def test_a_stock_expects_nothing_while_its_market_is_closed() -> None:
    ledger = ledger_of(STOCK, "XNYS")  # the first of January is a holiday
    opens_ms = 1_704_205_800_000  # 09:30 in New York on the second
    assert ledger.next_open_ms() == opens_ms
    early = (opens_ms - FROM_MS) // MINUTE - 30
    assert ledger.judge(candle(early, instrument=STOCK)) == "old"
    assert ledger.judge(candle(early + 30, instrument=STOCK)) == "next"


def test_a_stock_is_expected_in_the_hours_that_are_listened_to() -> None:
    ledger = Ledger(Listening(STOCK, Interval.M1, "extended"), "XNYS", FROM_MS)
    early_ms = 1_704_186_000_000  # 04:00 in New York on the second of January
    assert (ledger.next_open_ms(), ledger.next_close_ms()) == (early_ms, early_ms + MINUTE)
    first = (early_ms - FROM_MS) // MINUTE
    assert ledger.judge(candle(first - 1, instrument=STOCK)) == "old"
    assert ledger.judge(candle(first, instrument=STOCK)) == "next"
    ledger.take(candle(first + 16 * 60 - 1, instrument=STOCK), 0)  # the last one of the evening
    assert ledger.next_open_ms() == early_ms + DAY_MS


@given(
    st.permutations(range(12)).flatmap(
        lambda order: st.tuples(st.just(order), st.lists(st.sampled_from(order), max_size=20))
    )
)
def test_with_rest_for_the_gaps_any_order_gives_each_candle_once_and_in_order(messages) -> None:
    order, again = messages
    ledger = ledger_of()
    given_: list[int] = []
    for number in [*order, *again]:
        if ledger.judge(candle(number)) == "gap":
            first = (ledger.wanted_ms - FROM_MS + MINUTE - 1) // MINUTE
            given_ += [ledger.take(candle(each), 0).opened_ms for each in range(first, number)]
        if ledger.judge(candle(number)) in ("next", "gap", "restated"):
            given_.append(ledger.take(candle(number), 0).opened_ms)
    assert given_ == [FROM_MS + number * MINUTE for number in range(12)]


@pytest.mark.parametrize("interval", [Interval.M1, Interval.M15, Interval.H1, Interval.D1])
@pytest.mark.parametrize("calendar", ["24/7", "XNYS", "24/5"])
def test_what_is_worked_out_at_once_is_what_the_calendar_says_each_time(
    calendar: str, interval: Interval
) -> None:
    """Thousands of candles on end, over weekends, holidays and the end of what is kept."""
    ledger = Ledger(Listening(STOCK, interval), calendar, FROM_MS)
    for number in range(1_200 if interval.is_intraday else 300):
        opened_ms = ledger.next_open_ms()
        if number % 97 == 0:
            wanted_ms = ledger.wanted_ms
            opens = expected_opens_ms(calendar, interval, wanted_ms, wanted_ms + 40 * DAY_MS)
            assert opened_ms == opens[0]
        ledger.skip_to(opened_ms + (1 if number % 50 else 3 * DAY_MS))
