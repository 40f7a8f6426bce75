"""What a broker lends reaches the gate from the log, and what it has not said is not lent."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from live.engine import Engine
from live.events import Facts, Judged, Lent, Started
from live.lending import tell_lent
from mela.session import parse_session
from mela.settings import Settings
from services.trading import rows as trading_rows
from services.trading.callers import at_this_machine
from tests.live.brokers.asking import COIN, SESSION, STOCK, ask, order, run
from tests.live.desk import NAME, Desk, sent
from tests.live.played import FROM, PAPER, on, running, start, until
from tests.live.random_sessions import MONDAY_MS, SESSION_ID, WITH_OWN
from tests.warehouse.given import rows

RISK = {"short_availability": True}
SHORTS: dict[str, Any] = {"direction": "short", "risk": RISK}


def shorts(*said: Any, **more: Any) -> tuple[list[Judged], Desk]:
    """Return what the gate says of the first short entry after a broker said something."""
    broker = {"kind": "alpaca", "stops": "close"}
    desk = Desk("sides", **{**SHORTS, "broker": broker, **more})
    for one in said:
        desk.say(one(desk))
    for _ in range(60):
        told = desk.candle()
        found = [one for one in told if isinstance(one, Judged)]
        if found:
            assert bool(sent(told)) == (found[0].is_allowed and more.get("broker") is None)
            return found, desk
    raise AssertionError("nothing was entered")


def lent(units: float, name: str = NAME) -> Any:
    return lambda desk: Lent((name,), (units,), desk.at_ms)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ((), "unknown_shortable"),
        ((lent(math.nan),), "unknown_shortable"),
        ((lent(math.inf, "alpaca:ETH/USD"),), "unknown_shortable"),
        ((lent(0.0),), "short_availability"),
        ((lent(math.inf),), "passed"),
        ((lent(math.inf), lent(0.0)), "short_availability"),
        ((lent(math.inf), lent(math.nan)), "unknown_shortable"),
    ],
)
def test_at_a_broker_a_short_entry_needs_that_the_broker_lends_it(
    said: tuple[Any, ...], code: str
) -> None:
    [judged], desk = shorts(*said)
    assert judged.code == code

    again = Engine(WITH_OWN)
    for event in desk.log:
        again.apply(event)
        again = Engine.restore(again.snapshot(), WITH_OWN)
    assert again.digest() == desk.engine.digest()
    assert repr(again.accounts[0].lends) == repr(desk.engine.accounts[0].lends)


@pytest.mark.parametrize("fills", ["plain", "hard"])
def test_on_paper_nobody_states_what_is_lent_and_there_is_enough(fills: str) -> None:
    [judged], _ = shorts(broker={"kind": "paper", "fills": fills})
    assert judged.code == "passed"


def began(**more: Any) -> Engine:
    """Return a session of a stock and a coin at Alpaca that may sell short."""
    document = {
        "name": "shorts", "instruments": [STOCK, COIN], "interval": "1d",
        "strategy": {"name": "sma_cross"}, "broker": {"kind": "alpaca"}, **SHORTS, **more,
    }  # fmt: skip
    facts = Facts(STOCK, "stock", "USD", "XNYS"), Facts(COIN, "spot", "USDT", "24/7")
    engine = Engine(WITH_OWN)
    content = parse_session(document).content()
    engine.apply(Started(SESSION_ID, content, MONDAY_MS, facts, (), MONDAY_MS))
    return engine


class Clock:
    """A clock that stands still."""

    def now_ms(self) -> int:
        return MONDAY_MS


def asked(server: Any, engine: Engine) -> list[Lent]:
    """Ask the replay's Alpaca as a comparison does; the session takes what it says."""
    told: list[Any] = []

    async def act(broker: Any) -> None:
        clock: Any = Clock()
        await tell_lent(broker, await broker.account(), clock, engine, told.append)

    run(server, act)
    for one in told:
        engine.apply(one)
    return told


def test_what_alpaca_lends_is_said_when_it_changes(replay: Any) -> None:
    server, engine = replay(), began()

    [said] = asked(server, engine)
    assert (said.instruments, said.units) == ((STOCK, COIN), (math.inf, 0.0))
    assert said.why == f"{COIN} is not lent"
    assert asked(server, engine) == [], "it is what it was"
    order(server, "asset", symbol="AAPL", shortable=True, easy_to_borrow=False)
    [said] = asked(server, engine)
    assert said.units == (0.0, 0.0)
    order(server, "asset", symbol="AAPL", shortable=True, easy_to_borrow=True)
    order(server, "account", key="replay", may_short=False)
    assert asked(server, engine) == []
    order(server, "account", key="replay", may_short=True)
    order(server, "faults", path="/alpaca/v2/assets/AAPL", status=500, times=1)
    [said] = asked(server, engine)
    assert math.isnan(said.units[0]), "what it does not answer is unknown"
    assert asked(server, engine)[0].units == (math.inf, 0.0)
    assert [one.lends.units for one in engine.accounts] == [{STOCK: math.inf}, {COIN: 0.0}]


@pytest.mark.parametrize(
    "more", [{"direction": "long"}, {"risk": {"short_availability": False}}, {"risk": None}]
)
def test_who_sells_nothing_short_or_has_no_limit_asks_nobody(
    replay: Any, more: dict[str, Any]
) -> None:
    assert asked(replay(), began(**more)) == []


def test_the_replay_refuses_to_sell_short_what_it_does_not_lend(replay: Any) -> None:
    server = replay()
    order(server, "play", **{"from": SESSION, "speed": 1})
    order(server, "asset", symbol="AAPL", shortable=False, easy_to_borrow=False)

    async def act(broker: Any) -> str:
        try:
            await broker.submit(ask(side="sell", units=1.0, instrument=STOCK))
        except Exception as error:  # noqa: BLE001  it is looked at
            return str(error)
        return "taken"

    assert 'asset "AAPL" cannot be sold short' in run(server, act)
    order(server, "asset", symbol="AAPL", shortable=True, easy_to_borrow=True)
    assert run(server, act) == "taken"


@pytest.mark.integration
def test_a_session_at_alpaca_sells_no_coin_short(warehouse: Settings, replay: Any) -> None:
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 600})
    settings = on(warehouse, server)
    document = {
        **PAPER, "instruments": ["alpaca:BTC/USDT"], "broker": {"kind": "alpaca"},
        "costs": {"fee": 0.0}, "sizing": {"kind": "cash", "amount": 1000.0}, **SHORTS,
    }  # fmt: skip
    session_id = start(settings, document)
    refused = "SELECT DISTINCT code FROM ops.session_verdict"

    async def trade() -> None:
        async with running(settings):
            await until(lambda: bool(rows(settings, refused)), 40)

    asyncio.run(trade())

    assert rows(settings, refused) == [("short_availability",)]
    ann = at_this_machine(settings, "ann")
    log = trading_rows.log(settings, ann, session_id, limit=1000).items
    kinds = [one.kind for one in reversed(log)]
    assert kinds.index("Lent") < kinds.index("Reconciled"), "it is known before anything leaves"
    assert "Intended" not in kinds
