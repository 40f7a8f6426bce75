"""A market that halts: entries are refused, exits wait, and leave when it trades again."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from sqlalchemy import text

from live.events import Alerted, Judged, MarketStatus, encode
from live.orders import Order
from mela.session import parse_session
from mela.settings import Settings
from tests.live.after_hours import STOCK, ms, write_minutes
from tests.live.at_broker import HEADERS, ORDERS
from tests.live.brokers.asking import ask, run
from tests.live.desk import NAME, Desk, cancels, sent
from tests.live.played import on, order, running, start, until
from tests.live.random_sessions import messages, played, with_candles
from tests.live.test_news_entries import same_from_the_log
from warehouse.database import transaction

CLOSE = {"kind": "alpaca", "stops": "close"}
STOP = {"exits": {"stop_loss": 0.05}}


def halt(desk: Desk, source: Any = "stream", name: str = NAME) -> list[Any]:
    """Halt a market within the minute that is open now."""
    return desk.say(MarketStatus(name, True, desk.at_ms + 20_000, "Trading Halt, T1", source))


def resume(desk: Desk, source: Any = "stream") -> list[Any]:
    return desk.say(MarketStatus(NAME, False, desk.at_ms, "Trading Resumption", source))


def refused(told: list[Any]) -> list[tuple[str, bool, float]]:
    return [
        (one.code, one.is_allowed, one.granted_units) for one in told if isinstance(one, Judged)
    ]


def alerts(told: list[Any]) -> list[tuple[str, str]]:
    return [(one.level, one.key) for one in told if isinstance(one, Alerted)]


def holding(**more: Any) -> tuple[Desk, Order]:
    desk = Desk(**{"broker": CLOSE, **STOP, **more})
    [entry] = sent(desk.candle())
    desk.answer(entry, "accepted")
    desk.fill(entry, entry.units)
    return desk, entry


@pytest.mark.parametrize("source", ["stream", "asset"])
@pytest.mark.parametrize("risk", [None, {"max_order_units": 1e9}])
def test_an_entry_of_a_halted_market_is_refused_with_a_code(source: str, risk: Any) -> None:
    desk = Desk(broker=CLOSE, risk=risk)
    assert alerts(halt(desk, source)) == [("warning", f"halted:{NAME}")]

    told = desk.say(MarketStatus(NAME, True, desk.at_ms, "again", source))
    assert told == []  # told twice, it counts once
    told = desk.candle()  # the one that was open when it halted

    assert sent(told) == []
    assert refused(told) == [("instrument_halted", False, 0.0)]
    same_from_the_log(desk)


def test_an_entry_that_rests_is_cancelled_and_another_market_is_left_alone() -> None:
    desk = Desk(broker=CLOSE, entry={"kind": "limit", "offset": 0.05, "valid_bars": 3})
    [entry] = sent(desk.candle())
    desk.answer(entry, "accepted")
    assert halt(desk, name="alpaca:ETH/USD") == []
    assert cancels(halt(desk)) == [entry.client_order_id]
    same_from_the_log(desk)


def test_an_exit_waits_and_leaves_as_soon_as_the_market_says_that_it_trades() -> None:
    desk, entry = holding()
    halt(desk)
    assert sent(desk.candle(90.0)) == []  # the stop was reached, and nothing leaves
    told = resume(desk)
    [leaving] = sent(told)
    assert (leaving.leg, leaving.reason, leaving.units) == ("exit", "stop_loss", entry.units)
    assert alerts(told) == [("info", f"halted:{NAME}")]
    same_from_the_log(desk)


def test_an_exit_leaves_with_the_first_candle_after_a_halt_whose_end_nobody_told() -> None:
    """The connection was cut while the market resumed."""
    desk, _ = holding()
    halt(desk)
    assert sent(desk.candle(90.0)) == []
    told = desk.candle(90.0)
    assert [one.leg for one in sent(told)] == ["exit"]
    assert ("info", f"halted:{NAME}") in alerts(told)
    same_from_the_log(desk)


def test_each_source_ends_its_own_halts() -> None:
    desk, _ = holding()
    halt(desk, "asset")
    halt(desk)
    assert sent(resume(desk)) == []
    assert sent(desk.candle(90.0)) == []  # a candle does not make the broker trade it
    assert [one.leg for one in sent(resume(desk, "asset"))] == ["exit"]
    same_from_the_log(desk)


def test_a_stop_that_rests_stays_there_through_a_halt() -> None:
    desk = Desk(**STOP)
    [entry] = sent(desk.candle())
    desk.answer(entry, "accepted")
    [stop] = sent(desk.fill(entry, entry.units))
    desk.answer(stop, "accepted")
    halt(desk)
    told = desk.candle(90.0)
    assert (sent(told), cancels(told)) == ([], [])
    assert cancels(resume(desk)) == [stop.client_order_id]
    same_from_the_log(desk)


def test_on_paper_with_plain_fills_a_halt_is_told_and_changes_no_number() -> None:
    document = {
        "name": "plain", "instruments": ["binance:BTCUSDT"], "interval": "1m",
        "strategy": {"name": "sma_cross", "params": {"fast": 3, "slow": 8}},
    }  # fmt: skip
    given = with_candles(np.random.default_rng(5), parse_session(document), bars=80)
    plain, heard = messages(given), list[Any]()
    for number, one in enumerate(plain):
        heard.append(one)
        if number in (20, 40):
            at_ms = getattr(one, "received_ms", 0) or one.at_ms
            heard.append(MarketStatus("binance:BTCUSDT", number == 20, at_ms))
    _, without = played(given)
    _, told = played(given, heard)
    numbers = [encode(one) for one in told if not isinstance(one, Alerted)]
    assert numbers == list(map(encode, without))
    assert ("warning", "halted:binance:BTCUSDT") in alerts(told)


def test_alpaca_says_which_assets_it_does_not_trade(replay: Any) -> None:
    server = replay()
    order(server, "asset", symbol="AAPL", tradable=False)

    async def asked(broker: Any) -> tuple[str, str]:
        return await broker.trades(STOCK), await broker.trades("alpaca:SPY")

    halted, traded = run(server, asked)
    assert "does not trade it now" in halted
    assert traded == ""

    async def sends(broker: Any) -> None:
        await broker.submit(ask(instrument=STOCK))

    with pytest.raises(Exception, match="is not tradable"):
        run(server, sends)


HALTED: dict[str, Any] = {
    "name": "halted",
    "instruments": [STOCK],
    "interval": "1m",
    "strategy": {"name": "sma_cross", "params": {"fast": 2, "slow": 4}},
    "broker": {"kind": "alpaca"},
    "cash": 10_000.0,
}


@pytest.mark.integration
def test_a_session_hears_of_a_halt_at_the_replay_and_goes_on_when_it_is_over(
    warehouse: Settings, replay: Any, tmp_path: Path
) -> None:
    """Prices swing each few minutes; the halt is told on the stream, and nothing fills in it."""
    write_minutes(tmp_path, ["2024-11-27"], lambda at: 100.0 + 2.0 * math.sin(at / 2.0e5))
    server = replay(tmp_path)
    order(server, "play", **{"from": "2024-11-27T15:30:30+00:00", "speed": 240})
    settings = on(warehouse, server)
    start(settings, HALTED)

    def placed() -> list[dict[str, Any]]:
        url, asked_for = f"{server.url}{ORDERS}", {"status": "all", "direction": "asc"}
        return requests.get(url, params=asked_for, headers=HEADERS, timeout=10).json()

    def logged(kind: str) -> list[Any]:
        statement = text("SELECT document FROM ops.session_event WHERE kind = :kind ORDER BY seq")
        with transaction(settings) as connection:
            return [row[0] for row in connection.execute(statement, {"kind": kind})]

    async def trade() -> tuple[int, str, str]:
        async with running(settings):
            await until(lambda: len([one for one in placed() if one["status"] == "filled"]) >= 2)
            order(server, "halt", symbol="AAPL")
            await until(lambda: len(logged("MarketStatus")) == 1)
            begun = len(placed())
            at = requests.get(f"{server.url}/replay/clock", timeout=10).json()["now_ms"]
            await asyncio.sleep(2.0)  # eight minutes
            during = placed()
            order(server, "halt", symbol="AAPL", is_halted=False)
            until_ms = requests.get(f"{server.url}/replay/clock", timeout=10).json()["now_ms"]
            await until(lambda: len(placed()) >= len(during) + 2)
            return begun, at, until_ms

    begun, at_ms, until_ms = asyncio.run(trade())
    said = logged("MarketStatus")
    assert len(said) == 2
    assert "Halt News Pending" in str(said[0])
    fills = requests.get(
        f"{server.url}/alpaca/v2/account/activities/FILL", headers=HEADERS, timeout=10
    ).json()
    assert not [one for one in fills if at_ms < ms(one["transaction_time"][:19]) < until_ms - 1_000]
    with transaction(settings) as connection:
        told = connection.execute(
            text("SELECT level, key FROM ops.alert_outbox WHERE key LIKE '%halted:%' ORDER BY 1")
        ).all()
    assert "warning" in {one.level for one in told if one.key.endswith(f"halted:{STOCK}")}
    assert begun >= 2


def test_a_candle_from_before_the_start_is_no_fault_of_a_session_that_knows_none() -> None:
    desk = Desk(broker=CLOSE)
    desk.at_ms -= 60_000
    assert [one for one in desk.candle() if not isinstance(one, Alerted)] == []
    assert len(sent(desk.candle())) == 1
