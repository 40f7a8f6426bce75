"""Law: kill -9 at any point, and again, and the end is that of a run that nobody killed.

The real process on a real Postgres, against the replay's candles and Alpaca's trading endpoints. It
dies by SIGKILL after some write, request or answer, is started again, dies again, until the market
has been played. Then no order is lost, doubled or unknown, here and at the broker.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from sqlalchemy import text

from mela.settings import REPOSITORY, Settings
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


class Mortal:
    """A process that lives as often as it is asked to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.mortal"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "ready" in self._told()

    def live(
        self, settings: Settings, until_ms: int, at: int = 0, kind: str = ""
    ) -> dict[str, Any]:
        asked = {"until_ms": until_ms, "many": 2, "at": at, "kind": kind}
        asked["settings"] = plain(settings)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return self._told()

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "broken" not in told, told["broken"]
        return told

    def end(self) -> None:
        self._process.communicate(timeout=30)


def plain(settings: Settings) -> dict[str, Any]:
    from pydantic import SecretStr

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shown(one) for name, one in value.items()}
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    return json.loads(json.dumps(shown(settings.model_dump()), default=str))


@pytest.fixture
def mortal() -> Iterator[Mortal]:
    made = Mortal()
    yield made
    made.end()


def begun(settings: Settings, server: Any, mortal: Mortal) -> Settings:
    """Start both sessions and live until their first candle."""
    with transaction(settings) as connection:
        connection.execute(text("TRUNCATE ops.user CASCADE"))
    order(server, "play", **{"from": FROM, "speed": 1000, "until": FROM})
    where = on(settings, server, snapshot_events=40)
    start(where, PAPER)
    start(where, ALPACA)
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


def killed(
    settings: Settings, mortal: Mortal, until_ms: int, rng: random.Random
) -> tuple[int, set[str]]:
    """Live up to an instant through as many deaths as it takes; return how many, and where."""
    deaths, points, now = 0, set[str](), FROM_MS + MINUTE
    while now < until_ms:
        kind = rng.choice(("", "", "", "submitted", "filled", "looked_up"))
        soon = min(now + 3 * MINUTE, until_ms)
        told = mortal.live(settings, soon, at=1 if kind else rng.randint(1, 6), kind=kind)
        now = told["now"]
        if "killed" in told:
            deaths += 1
            points.add(told["killed"])
    assert "passed" in mortal.live(settings, until_ms)
    return deaths, points


def check(warehouse: Settings, replay: Any, mortal: Mortal, candles: int, seed: int) -> int:
    until_ms = FROM_MS + candles * MINUTE
    first = replay()
    settings = begun(warehouse, first, mortal)
    assert "passed" in mortal.live(settings, until_ms)
    expected = world(settings, first)
    assert len(expected["orders"]) > candles / 5
    assert len(expected["equity"]) == 2 * (candles - 1)

    second = replay()
    settings = begun(warehouse, second, mortal)
    deaths, points = killed(settings, mortal, until_ms, random.Random(seed))  # noqa: S311
    found = world(settings, second)

    assert found == expected
    # the last order of the account on paper may wait for a candle; at the broker none is left
    assert {one[-1] for one in found["orders"]} <= {"filled", "intended"}
    assert {one[-1] for one in found["theirs"]} == {"filled"}
    assert "stored" in points
    assert points - {"stored", "kept"}
    return deaths


def test_kill_9_at_any_point_changes_nothing(warehouse: Settings, replay, mortal: Mortal) -> None:
    assert check(warehouse, replay, mortal, candles=12, seed=1) >= 6


@pytest.mark.nightly
def test_kill_9_at_two_hundred_points_changes_nothing(
    warehouse: Settings, replay, mortal: Mortal
) -> None:
    deaths = 0
    for seed in range(2, 20):
        deaths += check(warehouse, replay, mortal, candles=30, seed=seed)
        if deaths >= 200:
            break
    assert deaths >= 200
