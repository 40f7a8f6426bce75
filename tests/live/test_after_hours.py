"""Sessions in extended hours: a backtest's numbers, and what a broker takes outside the session."""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from sqlalchemy import text

from live.broker_requests import request_of
from live.brokers.alpaca_orders import request_of as alpaca_request
from live.engine import Engine
from live.events import Intended, OrderAnswered, decode, encode
from live.orders import Order, OrderState
from mela.market_hours import Phase, phases
from mela.session import parse_session
from mela.settings import Settings
from tests.live.after_hours import STOCK, STOCKS, ms, with_hours, write_minutes
from tests.live.at_broker import HEADERS, ORDERS, buy, carried_out, held, pull
from tests.live.desk import MINUTE_MS, Desk, cancels, sent
from tests.live.played import on, order, running, start, until
from tests.live.random_sessions import (
    QUICK,
    WITH_OWN,
    Drawn,
    asked,
    backtested,
    found,
    played,
)
from warehouse.database import transaction

SEED = int(os.environ.get("MELA_TEST_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
EARLY, OPEN = "2024-11-27T13:00", "2024-11-27T14:30"  # 08:00 and 09:30 in New York
OPENING = "2024-11-27T14:30:00"
ALPACA: dict[str, Any] = {"of": STOCK, "sessions": "extended", "broker": {"kind": "alpaca"}}
CROSSING: dict[str, Any] = {
    "name": "crossing",
    "instruments": [STOCK],
    "interval": "1m",
    "sessions": "extended",
    "strategy": {"name": "sma_cross", "params": {"fast": 2, "slow": 4}},
    "broker": {"kind": "alpaca"},
    "exits": {"stop_loss": 0.05},
    "cash": 10_000.0,
}


def drawn(seed: int) -> Drawn:
    rng = np.random.default_rng(seed)
    name = str(rng.choice(sorted(set(WITH_OWN) - {"beside"})))
    together = bool(rng.integers(2)) and name not in ("levels", "shares")
    names = STOCKS[: int(rng.integers(1, 4))]
    document = asked(rng, together)
    if together and document["portfolio"]["weights"]["kind"] == "fixed":
        document["portfolio"]["weights"]["of"] = dict.fromkeys(names, 0.9 / len(names))
    more = {
        "name": f"of {name}", "instruments": list(names), "strategy": {"name": name},
        "mode": "together" if together else "each", "interval": str(rng.choice(["5m", "30m"])),
        # who asks for regular hours hears of no others; an account of one takes them all the same
        "sessions": "extended" if together else str(rng.choice(["regular", "extended"])),
    }  # fmt: skip
    more["strategy"]["params"] = QUICK.get(name, {})
    return with_hours(rng, parse_session(document | more), int(rng.integers(60, 140)))


@pytest.mark.parametrize("number", range(12))
def test_candles_of_all_hours_give_the_trades_and_the_equity_of_a_backtest(number: int) -> None:
    """The half day of 2024-11-29 is among them; regular hours see these candles and wait."""
    seed = SEED + number
    print(f"seed {seed}")  # noqa: T201  said where it fails
    given = drawn(seed)

    _, told = played(given)

    assert found(given, told) == list(backtested(given))


def test_drawn_candles_are_of_all_parts_of_a_day_and_trade() -> None:
    marks, trades = set[int](), 0
    for seed in range(4):
        given = drawn(seed)
        for candles in given.series.values():
            marks |= set(phases("XNYS", candles.interval, candles.opened_ms).tolist())
        trades += sum(len(one[0]) for one in found(given, played(given)[1]))
    assert marks == {Phase.BEFORE, Phase.REGULAR, Phase.AFTER}
    assert trades > 8


def desk(at: str, **more: Any) -> Desk:
    return Desk(since_ms=ms(at) - MINUTE_MS, **{**ALPACA, **more})


def fields(order: Order) -> dict[str, str]:
    given_ = alpaca_request(request_of(order)).to_request_fields().items()
    return {name: str(getattr(value, "value", value)) for name, value in given_}


def test_before_the_session_an_entry_is_a_limit_of_the_day_beyond_the_close() -> None:
    [entry] = sent(desk(EARLY).candle(99.99))

    said = fields(entry)
    assert (said["type"], said["time_in_force"], said["extended_hours"]) == ("limit", "day", "True")
    assert said["limit_price"] == "100.98"  # 1 % beyond, at a whole cent
    # it may cost so much more, and the cash pays for that
    assert entry.units * 100.9899 == pytest.approx(0.95 * 1_000.0)
    written = encode(Intended(entry, for_broker=True))
    assert encode(decode("Intended", written)) == written


@pytest.mark.parametrize(
    ("at", "is_outside"),
    [
        (OPEN, False),  # the candle that ends with the opening
        ("2024-11-27T14:29", True),
        ("2024-11-27T20:59", False),
        ("2024-11-27T21:00", True),  # the close
        ("2024-11-28T01:00", True),  # the end of all hours: it waits for the next morning
        ("2024-11-29T17:59", False),
        ("2024-11-29T18:00", True),  # the close of a half day
    ],
)
def test_an_order_is_of_the_hours_in_which_it_leaves(at: str, is_outside: bool) -> None:
    [entry] = sent(desk(at).candle())
    said = fields(entry)
    assert (entry.outside is not None) == is_outside
    assert (said["type"], "extended_hours" in said) == (
        ("limit", True) if is_outside else ("market", False)
    )


@pytest.mark.parametrize("more", [{"sessions": "regular"}, {"of": "alpaca:BTC/USD"}])
def test_no_order_of_regular_hours_or_of_a_coin_is_of_extended_hours(more: dict) -> None:
    [entry] = sent(desk(EARLY, **more).candle())
    assert entry.outside is None
    assert "outside" not in encode(Intended(entry, for_broker=True))  # logs read as they did


def test_a_limit_entry_leaves_outside_the_session_at_its_own_level() -> None:
    [entry] = sent(desk(EARLY, entry={"kind": "limit", "offset": 0.01}).candle())
    assert fields(entry)["limit_price"] == "99.0"
    assert fields(entry)["extended_hours"] == "True"


def holding(at: str, **more: Any) -> Desk:
    one = desk(at, **more)
    [entry] = sent(one.candle())
    one.answer(entry, "accepted")
    one.fill(entry, entry.units)
    return one


STOP = {"exits": {"stop_loss": 0.05}}


def test_no_stop_is_given_before_the_session_and_one_is_when_it_opens() -> None:
    one = holding("2024-11-27T14:28", **STOP)
    assert sent(one.candle()) == []
    [stop] = sent(one.candle())  # its end is the opening
    assert (stop.leg, stop.kind, stop.outside) == ("stop", "stop", None)


def test_a_stop_that_rests_stays_over_the_night_and_the_close_acts_outside_the_session() -> None:
    one = holding("2024-11-27T20:58", **STOP)
    [stop] = [order for order in one.orders if order.leg == "stop"]
    one.answer(stop, "accepted")
    for _ in range(3):
        assert cancels(one.candle(99.0)) == []
    told = one.candle(94.0)
    assert cancels(told) == [stop.client_order_id]
    assert sent(told) == []  # what the stop keeps is free once its cancel is told
    [leaving] = sent(one.answer(stop, "cancelled"))
    assert (leaving.leg, leaving.reason) == ("exit", "stop_loss")
    assert fields(leaving)["limit_price"] == "93.06"
    assert fields(leaving)["extended_hours"] == "True"


def test_an_exit_follows_the_market_and_is_a_market_order_once_the_session_is_open() -> None:
    one = holding("2024-11-27T14:26", **STOP)
    [first] = sent(one.candle(94.0))
    one.answer(first, "accepted")
    assert cancels(one.candle(95.0)) == []  # its limit is nearer to the market than a new one
    assert cancels(one.candle(90.0)) == [first.client_order_id]
    [second] = sent(one.answer(first, "cancelled"))
    assert second.outside == pytest.approx(89.1)
    one.answer(second, "accepted")
    assert cancels(one.candle(90.0)) == [second.client_order_id]  # 09:30
    [third] = sent(one.answer(second, "cancelled"))
    assert fields(third)["type"] == "market"
    one.answer(third, "accepted")
    one.fill(third, third.units, 90.0)
    assert one.position == 0.0
    assert one.critical == []


def test_the_log_gives_the_same_state_with_and_without_snapshots() -> None:
    one = holding("2024-11-27T14:26", **STOP)
    [leaving] = sent(one.candle(94.0))
    one.answer(leaving, "accepted")
    again = Engine(WITH_OWN)
    for event in one.log:
        again.apply(event)
        again = Engine.restore(again.snapshot(), WITH_OWN)
    assert again.digest() == one.engine.digest()


@pytest.mark.integration
def test_a_session_trades_before_the_session_and_in_it(
    warehouse: Settings, replay: Any, tmp_path: Path
) -> None:
    """Prices swing each few minutes while New York opens, at Alpaca's formats and 240 times."""
    write_minutes(tmp_path, ["2024-11-27"], lambda at: 100.0 + 2.0 * math.sin(at / 2.0e5))
    server = replay(tmp_path)
    order(server, "play", **{"from": "2024-11-27T13:58:30+00:00", "speed": 240})
    settings = on(warehouse, server)
    start(settings, CROSSING)

    def placed() -> list[dict[str, Any]]:
        url, asked_for = f"{server.url}{ORDERS}", {"status": "all", "direction": "asc"}
        return requests.get(url, params=asked_for, headers=HEADERS, timeout=10).json()

    async def trade() -> None:
        async with running(settings):
            await until(
                lambda: len([one for one in placed() if one["created_at"] > OPENING]) >= 2, 40.0
            )

    asyncio.run(trade())
    found = [one for one in placed() if one["type"] != "stop"]
    early = [one for one in found if one["created_at"] < OPENING]
    later = [one for one in found if one["created_at"] > OPENING]
    assert {(one["type"], one["time_in_force"], one["extended_hours"]) for one in early} == {
        ("limit", "day", True)
    }
    assert {(one["type"], one["extended_hours"]) for one in later} == {("market", False)}
    assert {one["status"] for one in early} <= {"filled", "canceled"}
    assert len([one for one in early if one["status"] == "filled"]) >= 2
    with transaction(settings) as connection:
        state = connection.execute(text("SELECT state, risk_state FROM ops.session")).one()
    assert tuple(state) == ("running", "active")


@pytest.mark.integration
def test_the_kill_switch_closes_a_position_before_the_session(
    warehouse: Settings, replay: Any, tmp_path: Path
) -> None:
    write_minutes(tmp_path, ["2024-11-27"], lambda _: 100.0)
    server = replay(tmp_path)
    order(server, "play", **{"from": "2024-11-27T15:00:00+00:00", "speed": 1})
    settings = on(warehouse, server)
    session_id = start(settings, CROSSING)
    buy(settings, session_id, 3.0)
    order(server, "play", **{"from": "2024-11-27T22:00:00+00:00", "speed": 1})
    pull(settings, session_id)

    done = carried_out(settings)

    assert done.is_done, done.sentence()
    assert held(settings) == {}
    url = f"{server.url}{ORDERS}"
    placed = requests.get(url, params={"status": "all"}, headers=HEADERS, timeout=10).json()
    [closing] = [one for one in placed if one["side"] == "sell"]
    assert (closing["type"], closing["limit_price"], closing["extended_hours"]) == (
        *("limit", "99"),
        True,
    )


def test_a_word_that_comes_late_decides_by_the_last_close() -> None:
    """An exit expired at night, and that is heard of in the morning."""
    one = holding("2024-11-27T14:28", **STOP)
    [leaving] = sent(one.candle(94.0))
    one.answer(leaving, "accepted")
    one.candle(95.0)
    one.candle(95.0)
    [stale] = [order for order in one.orders if order.leg == "exit" and order.is_open]
    one.say(OrderAnswered(stale.client_order_id, OrderState.EXPIRED, "b1", ms(EARLY)))
    [again] = [order for order in one.orders if order.leg == "exit" and order.is_open]
    assert fields(again)["type"] == "market"
