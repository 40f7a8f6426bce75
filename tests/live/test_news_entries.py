"""A headline that halts entries also cancels those that rest, at once; what leaves stays."""

from __future__ import annotations

from typing import Any

import pytest

from live.broker_books import BrokerBook
from live.engine import Engine
from live.events import (
    CandleClosed,
    Derived,
    Facts,
    FillBooked,
    HeadlineHeard,
    OrderChanged,
    Started,
    encode,
)
from live.orders import Order, OrderState
from mela.interval import DAY_MS, HOUR_MS, Interval
from mela.session import parse_session
from tests.live.desk import NAME, Desk, cancels, sent
from tests.live.random_sessions import MONDAY_MS, SESSION_ID, WITH_OWN

SHORT = {"after_s": 10}  # over long before the candle closes
LIMIT: dict[str, Any] = {"kind": "limit", "offset": 0.05, "valid_bars": 3}
PLAIN, HARD = {"kind": "paper"}, {"kind": "paper", "fills": "hard"}


def headline(desk: Desk, after_ms: int, title: str = "a headline", *names: str) -> HeadlineHeard:
    at = desk.at_ms + after_ms
    return HeadlineHeard(title, names, at, at, "x")


def ends(told: list[Derived]) -> list[tuple[str, OrderState]]:
    return [(one.order.leg, one.order.state) for one in told if isinstance(one, OrderChanged)]


def same_from_the_log(desk: Desk) -> None:
    """Hold that the log gives the same state and the same words, from any snapshot too."""
    again = Engine(WITH_OWN)
    told = []
    for number, event in enumerate(desk.log):
        told += again.apply(event)
        if number % 2:
            again = Engine.restore(again.snapshot(), WITH_OWN)
    assert list(map(encode, told)) == list(map(encode, desk.told))
    assert again.digest() == desk.engine.digest()


def test_a_headline_cancels_the_entry_that_rests_at_a_broker_at_once() -> None:
    desk = Desk(news=SHORT, entry=LIMIT)
    (order,) = sent(desk.candle())
    desk.answer(order, "accepted")

    assert cancels(desk.say(headline(desk, 20_000))) == [order.client_order_id]

    assert sent(desk.answer(order, "cancelled")) == [], "nothing is entered before the next close"
    assert len(sent(desk.candle())) == 1, "its time is over then"
    same_from_the_log(desk)


def test_an_entry_whose_answer_is_outstanding_is_cancelled_too() -> None:
    desk = Desk(news=SHORT)
    (order,) = sent(desk.candle())

    assert cancels(desk.say(headline(desk, 1_000))) == [order.client_order_id]
    same_from_the_log(desk)


def reversing() -> tuple[Desk, Order]:
    """Return a desk whose exit is on its way, after which it wants the other side."""
    one = {"kind": "units", "units": 1.0}
    broker = {"kind": "alpaca", "stops": "close"}
    desk = Desk("sides", news=SHORT, direction="both", sizing=one, broker=broker)
    book = desk.engine.accounts[0].book
    assert isinstance(book, BrokerBook)
    for _ in range(500):
        for order in sent(desk.candle()):
            if order.leg == "exit" and book.account.wanted != 0.0:
                return desk, order
            desk.fill(order, 1.0)
    raise AssertionError("it never turned")


def test_an_entry_that_waits_for_an_exit_is_given_up() -> None:
    desk, exit_ = reversing()
    assert [one.leg for one in sent(desk.fill(exit_, 1.0))] == ["enter"], "it would be entered"
    desk, exit_ = reversing()

    desk.say(headline(desk, 1_000))

    assert sent(desk.fill(exit_, 1.0)) == []
    assert desk.position == 0.0
    same_from_the_log(desk)


def test_exits_and_stops_stay() -> None:
    desk = Desk(news=SHORT, sizing={"kind": "units", "units": 4.0}, exits={"stop_loss": 0.05})
    (order,) = sent(desk.candle())
    desk.answer(order, "accepted")
    (stop,) = sent(desk.fill(order, 4.0))
    desk.answer(stop, "accepted")

    assert desk.say(headline(desk, 1_000)) == []
    (exit_,) = sent(desk.command("flatten")) or [None]
    assert exit_ is None, "the stop's cancel comes first"
    assert cancels(desk.told) == [stop.client_order_id]
    (exit_,) = sent(desk.answer(stop, "cancelled"))
    assert desk.say(headline(desk, 1_000)) == []
    desk.fill(exit_, 4.0)
    assert desk.position == 0.0
    same_from_the_log(desk)


@pytest.mark.parametrize("broker", [PLAIN, HARD])
def test_on_paper_a_limit_entry_does_not_fill_after_a_headline(broker: dict[str, Any]) -> None:
    desk = Desk(news=SHORT, entry=LIMIT, broker=broker)
    desk.candle()

    told = desk.say(headline(desk, 20_000))

    assert ends(told) == [("enter", OrderState.CANCELLED)]
    assert not [one for one in desk.candle(100.0, low=90.0) if isinstance(one, FillBooked)]
    same_from_the_log(desk)


@pytest.mark.parametrize("broker", [PLAIN, HARD])
def test_on_paper_an_entry_at_market_has_filled_when_the_headline_comes(
    broker: dict[str, Any],
) -> None:
    desk = Desk(news=SHORT, broker=broker)
    desk.candle()

    assert desk.say(headline(desk, 20_000)) == [], "its candle has opened: it is filled there"

    assert [one for one in desk.candle() if isinstance(one, FillBooked)]
    same_from_the_log(desk)


def test_a_headline_of_other_instruments_and_without_the_words_cancels_nothing() -> None:
    desk = Desk(news={"after_s": 10, "words": ["rates"]}, entry=LIMIT)
    (order,) = sent(desk.candle())
    desk.answer(order, "accepted")

    assert desk.say(headline(desk, 20_000, "Merger")) == []
    assert desk.say(headline(desk, 20_000, "Rates", "binance:ETHUSDT")) == []
    assert cancels(desk.say(headline(desk, 20_000, "Rates", NAME))) == [order.client_order_id]


def test_a_headline_that_is_heard_again_cancels_nothing_anew() -> None:
    desk = Desk(news=SHORT, entry=LIMIT)
    (order,) = sent(desk.candle())
    once = headline(desk, 20_000)
    desk.say(once)
    desk.answer(order, "cancelled")
    (order,) = sent(desk.candle())
    desk.answer(order, "accepted")

    assert desk.say(once) == []
    desk.say(headline(desk, 1_000))  # by which the first window is forgotten
    desk.answer(order, "cancelled")
    (other,) = sent(desk.candle())
    desk.answer(other, "accepted")
    assert desk.say(once) == []
    same_from_the_log(desk)


STOCKS = "alpaca:AAPL", "alpaca:MSFT"


@pytest.mark.parametrize(("hour", "is_given_up"), [(22, True), (24 + 15, False)])
@pytest.mark.parametrize("exits", [{}, {"stop_loss": 0.05}])
@pytest.mark.parametrize("mode", ["each", "together"])
def test_what_is_to_be_bought_at_tomorrows_open_is_given_up_until_it_has_come(
    mode: str, exits: dict[str, Any], hour: int, is_given_up: bool
) -> None:
    document = {
        "name": "days", "instruments": list(STOCKS), "interval": "1d", "mode": mode,
        "strategy": {"name": "buy_and_hold"}, "news": SHORT, "exits": exits,
    }  # fmt: skip
    tuesday = MONDAY_MS + DAY_MS
    facts = tuple(Facts(name, "stock", "USD", "XNYS") for name in STOCKS)
    content = parse_session(document).content()
    engine = Engine(WITH_OWN)
    engine.apply(Started(SESSION_ID, content, tuesday, facts, (), tuesday))

    def day(opened_ms: int) -> list[Derived]:
        at_ms = opened_ms + 21 * HOUR_MS + 1_000
        prices = 100.0, 100.0, 100.0, 100.0, 10.0
        return [
            one
            for name in STOCKS
            for one in engine.apply(CandleClosed(name, Interval.D1, opened_ms, *prices, at_ms))
        ]

    day(tuesday)
    at_ms = tuesday + hour * HOUR_MS
    told = engine.apply(HeadlineHeard("a headline", (), at_ms, at_ms))
    assert ends(told) == [("enter", OrderState.CANCELLED)] * (2 * is_given_up)
    filled = [one.instrument for one in day(tuesday + DAY_MS) if isinstance(one, FillBooked)]
    assert filled == ([] if is_given_up else list(STOCKS))
    again = [one.instrument for one in day(tuesday + 2 * DAY_MS) if isinstance(one, FillBooked)]
    assert again == (list(STOCKS) if is_given_up else []), "it is entered anew once that is over"
