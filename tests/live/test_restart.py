"""Law: kill -9 at any point, and again, and the end is that of a run that nobody killed.

The real process on a real Postgres, against the replay's candles and Alpaca's trading endpoints. It
dies by SIGKILL after some write, request or answer, or while a request is on the wire, is started
again, dies again, until the market has been played. Orders are filled whole, or in parts that go on
while nobody lives. Then no order is lost, doubled or unknown, here and at the broker.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any

import pytest
import requests
from sqlalchemy import text

from mela.settings import Settings
from replay.faults import Fault
from replay.trading.behaviours import Behaviour
from tests.live.lives import Mortal
from tests.live.played import FROM, FROM_MS, PAPER, on, order, start
from warehouse.database import transaction

pytestmark = pytest.mark.integration
MINUTE = 60_000
ALPACA: dict[str, Any] = {
    **PAPER,
    "name": "second",
    "instruments": ["alpaca:BTC/USDT"],
    "broker": {"kind": "alpaca"},
    "costs": {"fee": 0.0},
    "sizing": {"kind": "cash", "amount": 1000.0},
}
TABLES = {
    "orders": "SELECT substr(client_order_id, 14), side, leg, units, filled_units, average_price,"
    " state FROM ops.session_order ORDER BY 1",
    "fills": "SELECT substr(client_order_id, 14), side, units, price, fee FROM ops.session_fill"
    " ORDER BY 1, 3",
    "trades": "SELECT instrument, entry_at, exit_at, size, entry_price, exit_price, fees, profit,"
    " exit_reason FROM ops.session_trade ORDER BY 1, 3",
    "equity": "SELECT s.name, e.opened_at, e.equity, e.cash FROM ops.session_equity e"
    " JOIN ops.session s USING (session_id) ORDER BY 1, 2",
    "positions": "SELECT instrument, units, average_price FROM ops.session_position ORDER BY 1",
    "sessions": "SELECT name, state, risk_state FROM ops.session ORDER BY 1",
}


@pytest.fixture
def mortal() -> Iterator[Mortal]:
    made = Mortal()
    yield made
    made.end()


def begun(
    settings: Settings, server: Any, mortal: Mortal, at_broker: dict[str, Any] = ALPACA
) -> Settings:
    """Start both sessions and live until their first candle."""
    with transaction(settings) as connection:
        connection.execute(text("TRUNCATE ops.user CASCADE"))
    order(server, "play", **{"from": FROM, "speed": 1000, "until": FROM})
    where = on(settings, server, snapshot_events=40)
    start(where, PAPER)
    start(where, at_broker)
    assert "passed" in mortal.live(where, FROM_MS + MINUTE)
    return where


def world(settings: Settings, server: Any) -> dict[str, Any]:
    """Return how everything is, here and at the broker, without what a restart may change."""
    with transaction(settings) as connection:
        found = {
            name: [tuple(row) for row in connection.execute(text(statement))]
            for name, statement in TABLES.items()
        }
    found["theirs"] = at_broker(server)
    return found


def at_broker(server: Any) -> list[tuple[Any, ...]]:
    answer = requests.get(
        f"{server.url}/alpaca/v2/orders",
        params={"status": "all", "limit": 500, "direction": "asc"},
        headers={"APCA-API-KEY-ID": "replay", "APCA-API-SECRET-KEY": "replay"},
        timeout=10,
    )
    names = ("client_order_id", "side", "qty", "filled_qty", "filled_avg_price", "status")
    rows = [tuple(one[name] for name in names) for one in answer.json()]
    return sorted((row[0][13:], *row[1:]) for row in rows)


# What is on the wire at a death: the broker did it before, does it afterwards, or never hears of it
ORDERS = "/alpaca/v2/orders"
WIRE = {
    "an order, taken": Fault(ORDERS, 200, method="POST", is_done=True),
    "an order, taken later": Fault(ORDERS, 200, method="POST"),
    "an order, lost": Fault(ORDERS, None, method="POST"),
    "a cancel": Fault(f"{ORDERS}/*", 200, method="DELETE", is_done=True),
    "a look-up": Fault(f"{ORDERS}:by_client_order_id", 200, is_done=True),
    "the positions": Fault("/alpaca/v2/positions", 200, is_done=True),
}
IN_PARTS = Behaviour(shares=(0.5, 0.3, 0.2), pause_s=0.1, times=1_000_000)


@dataclass
class Deaths:
    """Where a process died. partly: how often it knew of a part of an order."""

    points: list[str] = field(default_factory=list[str])
    partly: int = 0


def has_parts(settings: Settings) -> bool:
    with transaction(settings) as connection:
        states = connection.scalars(text("SELECT state FROM ops.session_order"))
        return "partly_filled" in set(states)


def life(
    settings: Settings,
    server: Any,
    mortal: Mortal,
    until_ms: int,
    point: str,
    at: int,
    delay_s: float,
) -> dict[str, Any]:
    """Live until an instant, or until a point: one of WIRE, or what the process passes."""
    if point not in WIRE:
        return mortal.live(settings, until_ms, at=at, kind=point)
    before = server.faults.held
    server.faults.add(replace(WIRE[point], delay_s=delay_s, after=at - 1))
    told = mortal.live(settings, until_ms, is_over=lambda: server.faults.held > before)
    server.faults.clear()
    return told or {"killed": point, "now": server.catalog.now_ms}


def killed(
    settings: Settings,
    server: Any,
    mortal: Mortal,
    until_ms: int,
    rng: random.Random,
    points: Iterator[str],
) -> Deaths:
    """Live up to an instant through as many deaths as it takes, each at the next point."""
    deaths, now, point = Deaths(), FROM_MS + MINUTE, next(points)
    while now < until_ms:
        soon = min(now + 3 * MINUTE, until_ms)
        most = 1 if point in WIRE else 2 if point else 6
        delay_s = rng.choice((0.1, 0.4, 0.8))
        told = life(settings, server, mortal, soon, point, rng.randint(1, most), delay_s)
        now = told["now"]
        if "killed" in told:
            deaths.points.append(told["killed"])
            deaths.partly += has_parts(settings)
            point = next(points)
    assert "passed" in mortal.live(settings, until_ms)
    return deaths


def check(
    warehouse: Settings,
    replay: Any,
    mortal: Mortal,
    candles: int,
    seed: int,
    points: Iterator[str],
    behaviour: Behaviour | None = None,
) -> Deaths:
    until_ms = FROM_MS + candles * MINUTE

    def market() -> tuple[Any, Settings]:
        server = replay()
        if behaviour is not None:
            server.desk.behave(behaviour)
        return server, begun(warehouse, server, mortal)

    first, settings = market()
    assert "passed" in mortal.live(settings, until_ms)
    expected = world(settings, first)
    assert len(expected["orders"]) > candles / 5
    assert len(expected["equity"]) == 2 * (candles - 1)

    second, settings = market()
    rng = random.Random(seed)  # noqa: S311
    deaths = killed(settings, second, mortal, until_ms, rng, points)
    found = world(settings, second)

    assert found == expected
    # the last order of the account on paper may wait for a candle; at the broker none is left
    assert {one[-1] for one in found["orders"]} <= {"filled", "intended"}
    assert {one[-1] for one in found["theirs"]} == {"filled"}
    return deaths


STOPS = {**ALPACA, "exits": {"stop_loss": 0.0004, "trailing_stop": 0.0008}}
OPEN_THERE = {"new": "accepted", "canceled": "cancelled"}


def check_stops(
    warehouse: Settings,
    replay: Any,
    mortal: Mortal,
    candles: int,
    seed: int,
    points: Iterator[str],
) -> tuple[Deaths, int]:
    """Die while stops rest at the broker; return where, and how many stops were filled.

    A stop fills before or after the session hears of its candle's close, so that two runs need not
    be equal. What each order became is the same here and there, and so is what is held.
    """
    server, until_ms = replay(), FROM_MS + candles * MINUTE
    settings = begun(warehouse, server, mortal, STOPS)
    rng = random.Random(seed)  # noqa: S311
    deaths = killed(settings, server, mortal, until_ms, rng, points)

    theirs = {row[0]: (row[1], float(row[3]), row[5]) for row in at_broker(server)}
    with transaction(settings) as connection:

        def rows(statement: str) -> list[Any]:
            return list(connection.execute(text(statement)))

        whose = "USING (session_id) WHERE s.broker = 'alpaca'"
        ours = rows(  # without those that never left
            "SELECT substr(o.client_order_id, 14) AS number, o.side, o.filled_units, o.state,"
            f" o.leg, o.units FROM ops.session_order o JOIN ops.session s {whose}"
            " AND (o.state <> 'expired' OR o.filled_units > 0)"
        )
        filled = rows(
            "SELECT substr(client_order_id, 14), sum(f.units) FROM ops.session_fill f"
            f" JOIN ops.session s {whose} GROUP BY 1"
        )
        held = rows(f"SELECT p.units FROM ops.session_position p JOIN ops.session s {whose}")
        states = rows("SELECT state, risk_state FROM ops.session")
    assert {one.number: (one.side, one.filled_units, one.state) for one in ours} == {
        number: (side, units, OPEN_THERE.get(state, state))
        for number, (side, units, state) in theirs.items()
    }
    assert dict(map(tuple, filled)) == {
        number: units for number, (_, units, _) in theirs.items() if units
    }
    signed = [(1.0 if side == "buy" else -1.0) * units for side, units, _ in theirs.values()]
    position = sum(row[0] for row in held)
    assert position == pytest.approx(sum(signed), abs=1e-9)
    still = [one for one in ours if one.state == "accepted"]
    assert [one.leg for one in still] == (["stop"] if position else [])
    assert [one.units for one in still] == [position][: len(still)]
    assert {tuple(one) for one in states} == {("running", "active")}
    return deaths, len([one for one in ours if one.leg == "stop" and one.state == "filled"])


def drawn(seed: int) -> Iterator[str]:
    rng = random.Random(seed)  # noqa: S311
    kinds = ("", "", "", "submitted", "filled", "looked_up", *WIRE, "an order, taken")
    while True:
        if (kind := rng.choice(kinds)) != "a cancel":
            yield kind


def test_kill_9_at_any_point_changes_nothing(warehouse: Settings, replay, mortal: Mortal) -> None:
    points = (one for one in drawn(1) if one not in WIRE)
    deaths = check(warehouse, replay, mortal, candles=12, seed=1, points=points)
    assert len(deaths.points) >= 6
    assert "stored" in deaths.points
    assert set(deaths.points) - {"stored", "kept"}


def test_kill_9_with_a_request_on_the_wire_or_half_an_order_filled_changes_nothing(
    warehouse: Settings, replay, mortal: Mortal
) -> None:
    known = ("an order, taken", "a look-up", "filled", "an order, taken later", "a look-up")
    points = cycle((*known, "an order, lost", "the positions"))
    deaths = check(warehouse, replay, mortal, candles=16, seed=1, points=points, behaviour=IN_PARTS)
    assert set(deaths.points) == {"filled", *WIRE} - {"a cancel"}  # none is asked here
    assert deaths.partly >= 1


def test_kill_9_while_a_stop_rests_at_the_broker_loses_and_doubles_none(
    warehouse: Settings, replay, mortal: Mortal
) -> None:
    points = cycle(("an order, taken", "", "submitted", "a look-up", "a cancel", "stored"))
    deaths, stopped = check_stops(warehouse, replay, mortal, candles=16, seed=1, points=points)
    assert len(deaths.points) >= 6
    assert stopped >= 1


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_kill_9_at_two_hundred_points_changes_nothing(
    warehouse: Settings, replay, mortal: Mortal
) -> None:
    deaths = Deaths()
    for seed in range(2, 60):
        behaviour = IN_PARTS if seed % 2 else None
        some = check(warehouse, replay, mortal, 30, seed, drawn(seed), behaviour)
        deaths.points += some.points
        deaths.partly += some.partly
        if len(deaths.points) >= 200 and deaths.partly >= 5:
            break
    assert len(deaths.points) >= 200
    assert deaths.partly >= 5
    wire = set(WIRE) - {"a cancel"}
    assert set(deaths.points) >= {"stored", "submitted", "filled", "looked_up", *wire}


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_kill_9_at_two_hundred_points_with_stops_at_the_broker_loses_and_doubles_none(
    warehouse: Settings, replay, mortal: Mortal
) -> None:
    points, stopped = list[str](), 0
    for seed in range(2, 60):
        rng = random.Random(seed)  # noqa: S311
        kinds = ("", "", "submitted", "filled", "looked_up", "cancelled", *WIRE)
        drawn = (rng.choice(kinds) for _ in iter(int, 1))
        some, more = check_stops(warehouse, replay, mortal, 30, seed, drawn)
        points, stopped = points + some.points, stopped + more
        if len(points) >= 200 and stopped >= 20:
            break
    assert len(points) >= 200
    assert stopped >= 20
    assert set(points) >= {"stored", "submitted", "filled", "looked_up", "cancelled", *WIRE}
