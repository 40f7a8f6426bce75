"""Each cause of a difference, by a session that has it: its log, its backtest, and what is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from live.drift import compare
from live.drift_causes import Causes, Halt
from live.drift_compare import Difference
from live.events import CandleAbsent, CandleClosed, Event, Judged, Traded
from live.orders import Order
from mela.candles import Candles
from mela.instants import from_ms
from mela.settings import Settings
from tests.live.desk import MINUTE_MS, NAME, Desk, sent
from tests.live.random_sessions import MONDAY_MS, WITH_OWN, Drawn, messages
from tests.live.stored import a_session, log
from tests.live.test_drift import busy, lived, load_candles, stored
from tests.warehouse.given import rows

pytestmark = pytest.mark.integration
PRICES = [
    100.0,
    100,
    100,
    101,
    102,
    103,
    102,
    101,
    100,
    99,
    98,
    99,
    100,
    101,
    102,
    101,
    100,
    99,
    98,
]
CROSSES: dict[str, Any] = {
    "strategy": "sma_cross",
    "params": {"fast": 2, "slow": 3},
    "sizing": {"kind": "units", "units": 1.0},
}
LINES = (
    "SELECT kind, what, cause, why FROM ops.session_drift_line"
    " WHERE candles = '{}' AND session_id = '{}' ORDER BY line"
)
Answer = Callable[[Desk, Order, float], None]


def as_a_backtest(desk: Desk, order: Order, price: float) -> None:
    """Fill a market order at the open of the next candle, which opens at a price."""
    desk.fill(order, order.units, price, number=order.client_order_id)


def played(entry: Answer = as_a_backtest, **more: Any) -> Desk:
    """Play the prices. entry: takes the first entry; all else fills as a backtest does."""
    desk = Desk(**CROSSES | more)
    waiting: list[Order] = []
    is_first = True
    for price in PRICES:
        for order in waiting:
            answer = entry if is_first and order.leg == "enter" else as_a_backtest
            is_first = is_first and order.leg != "enter"
            answer(desk, order, price)
        waiting = sent(desk.candle(price))
    return desk


def lines(settings: Settings, desk: Desk) -> list[Any]:
    """Return how a session differs from its backtest: kind, what, cause and why of each line."""
    document = desk.engine.session.content()
    session_id = a_session(settings, document, broker=document["broker"]["kind"])
    log(settings, session_id, desk.events)
    compare(settings, session_id, None, WITH_OWN)
    return [tuple(one) for one in rows(settings, LINES.format("decided", session_id))]


def of_trades(found: Sequence[Any]) -> list[Any]:
    return [one for one in found if one[0] != "equity"]


def test_a_broker_that_fills_as_a_backtest_does_differs_in_nothing(warehouse: Settings) -> None:
    desk = played()
    assert len([one for one in desk.orders if one.leg == "exit"]) >= 2
    assert lines(warehouse, desk) == []


def test_a_rejected_entry_is_missed_because_the_broker_rejected_it(warehouse: Settings) -> None:
    def rejected(desk: Desk, order: Order, _price: float) -> None:
        desk.answer(order, "rejected", "insufficient buying power")

    found = of_trades(lines(warehouse, played(rejected)))
    assert [one[:3] for one in found] == [("missed", "profit", "rejected")]
    assert "insufficient buying power" in found[0][3]


def test_an_entry_that_ended_without_a_fill_is_missed_because_of_it(warehouse: Settings) -> None:
    def expired(desk: Desk, order: Order, _price: float) -> None:
        desk.answer(order, "expired", "the day is over")

    found = of_trades(lines(warehouse, played(expired)))
    assert [one[:3] for one in found] == [("missed", "profit", "not_filled")]
    assert found[0][3] == "the order is expired: the day is over"


def test_a_partial_fill_explains_the_size(warehouse: Settings) -> None:
    def partly(desk: Desk, order: Order, price: float) -> None:
        desk.fill(order, 0.4, price, number=order.client_order_id)
        desk.answer(order, "cancelled", "nobody sold more")

    found = of_trades(lines(warehouse, played(partly)))
    assert [one[:3] for one in found] == [("size", "size", "partial_fill")]
    assert found[0][3].startswith("0.4 of 1 were filled")


def test_an_entry_on_late_data_is_missed_because_risk_refused_it(warehouse: Settings) -> None:
    risk = {"max_data_age_s": 30.0}
    desk = Desk(**CROSSES, risk=risk)
    waiting: list[Order] = []
    for place, price in enumerate(PRICES):
        for order in waiting:
            as_a_backtest(desk, order, price)
        late = place <= 3  # the first entry is decided on one of these
        waiting = sent(desk.candle(price, late_ms=45_000 if late else 0))
    refused = [one for one in desk.told if isinstance(one, Judged) and not one.is_allowed]
    assert refused

    found = of_trades(lines(warehouse, desk))
    assert found[0][:3] == ("missed", "profit", "risk")
    assert refused[0].code in found[0][3]


def test_what_risk_cut_explains_the_size() -> None:
    """No limit cuts a session and leaves its backtest alone: the log's own words, without one."""
    desk = Desk(**CROSSES)
    judged = Judged(NAME, MONDAY_MS, True, "max_volume_share", 2.0, 0.5, {})
    causes = Causes(desk.engine.session, {NAME: [MONDAY_MS]}, {})
    causes.read([judged])
    entry_ms = MONDAY_MS + MINUTE_MS
    line = Difference("size", NAME, entry_ms, entry_ms + MINUTE_MS, 1, "size", 0.5, 2.0)
    [found] = causes.explained([line])
    assert (found.cause, found.why) == ("risk", "max_volume_share let 0.5 of 2 through")


def test_another_price_a_fee_and_another_time_are_the_brokers(warehouse: Settings) -> None:
    def dear(desk: Desk, order: Order, price: float) -> None:
        desk.fill(order, order.units, price + 0.25, number=order.client_order_id)

    def with_fee(desk: Desk, order: Order, price: float) -> None:
        event = desk.filled_event(order, order.units, price, order.client_order_id)
        desk.say(replace(event, fee=0.5))

    def a_candle_later(desk: Desk, order: Order, price: float) -> None:
        later.append(order)

    later: list[Order] = []
    for entry, kind, what in (
        (dear, "price", "entry price"),
        (with_fee, "fee", "fees"),
    ):
        found = of_trades(lines(warehouse, played(entry)))
        assert [one[:3] for one in found] == [(kind, what, "broker")]
        assert found[0][3] == (
            "the broker fills with the market's own prices, and targets on the close"
        )

    desk = Desk(**CROSSES)
    waiting: list[Order] = []
    for price in PRICES:
        for order in waiting:
            first = not later and order.leg == "enter"
            (a_candle_later if first else as_a_backtest)(desk, order, price)
        waiting = sent(desk.candle(price))
        if later and not later[0].filled_units and desk.position == 0.0 and len(later) == 1:
            as_a_backtest(desk, later[0], price)
            later.append(later[0])
    found = of_trades(lines(warehouse, desk))
    assert {one[2] for one in found} == {"broker"}
    assert ("timing", "entry") in {one[:2] for one in found}


def by_the_warehouse(
    settings: Settings, events: Sequence[Event], given: Drawn, candles: Candles
) -> list[Any]:
    """Return how a session differs from the backtest of the candles that the warehouse has now."""
    session_id = stored(settings, given, events)
    load_candles(settings, candles)
    _, found = compare(settings, session_id, None, WITH_OWN)
    assert found.state != "failed", found.why
    return [tuple(one) for one in rows(settings, LINES.format("stored", session_id))]


@pytest.mark.parametrize("comes_later", [True, False])
def test_a_candle_that_the_session_did_without_is_named(
    warehouse: Settings, comes_later: bool
) -> None:
    given = busy()
    [candles] = given.series.values()
    heard = messages(given)
    gone = heard[20]
    assert isinstance(gone, CandleClosed)
    absent = CandleAbsent(gone.interval, gone.opened_ms, (gone.instrument,), gone.received_ms)
    late = [replace(gone, received_ms=gone.received_ms + 7_200_000)] if comes_later else []
    events = lived(given, [*heard[:20], absent, *heard[21:24], *late, *heard[24:]])

    found = by_the_warehouse(warehouse, events, given, candles)
    cause = "late_data" if comes_later else "missing_data"
    assert {one[2] for one in found} == {cause}
    assert f"{from_ms(gone.opened_ms):%Y-%m-%dT%H}" in found[0][3]


def test_a_candle_that_the_warehouse_has_not_is_named(warehouse: Settings) -> None:
    """That of an entry; test_drift has one that was restated."""
    given = busy()
    [candles] = given.series.values()
    events = lived(given, messages(given))
    traded = [one for one in events if isinstance(one, Traded)][2]
    kept = candles.opened_ms != traded.entry_ms
    assert kept.sum() == len(candles) - 1
    columns = {
        name: getattr(candles, name)[kept] for name in ("open", "high", "low", "close", "volume")
    }
    some = replace(candles, opened_ms=candles.opened_ms[kept], **columns)

    found = by_the_warehouse(warehouse, events, given, some)
    assert found
    assert {one[2] for one in found} == {"not_stored"}


def test_what_nothing_explains_is_unknown_and_what_comes_after_follows() -> None:
    desk = Desk("buy_and_hold", broker={"kind": "paper"})
    causes = Causes(desk.engine.session, {NAME: [MONDAY_MS]}, {})
    first, second = MONDAY_MS + MINUTE_MS, MONDAY_MS + 5 * MINUTE_MS
    found = causes.explained(
        [
            Difference("price", NAME, at, at + MINUTE_MS, 1, "entry price", 1.0, 2.0)
            for at in (first, second)
        ]
    )
    assert [one.cause for one in found] == ["unknown", "follows"]
    assert (found[0].why, found[1].why is None) == (None, False)


def test_what_came_after_a_pause_follows_from_it_though_the_backtest_still_holds() -> None:
    """The backtest entered in the pause and holds on: its equity alone tells of that entry."""
    desk = Desk("buy_and_hold", broker={"kind": "paper"})
    causes = Causes(desk.engine.session, {NAME: [MONDAY_MS]}, {})
    paused, entered = MONDAY_MS + MINUTE_MS, MONDAY_MS + 9 * MINUTE_MS
    causes.halts = [Halt(paused, paused + 5 * MINUTE_MS, "paused")]
    found = causes.explained(
        [
            Difference("extra", NAME, entered, entered + MINUTE_MS, 1, "profit", 1.0, None),
            Difference("equity", NAME, paused, paused, 1, "first difference", 1.0, 2.0),
        ]
    )
    assert [one.cause for one in found] == ["follows", "halted"]
