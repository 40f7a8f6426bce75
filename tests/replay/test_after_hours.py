"""The replayed Alpaca outside the session: what it takes, what waits, what it refuses."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import requests

from live.alpaca_library import APIError, TradingClient
from tests.live.after_hours import ms, write_minutes

NOON_MS = ms("2024-11-29T17:00")


def order(server: Any, what: str, /, **document: Any) -> None:
    answer = requests.post(f"{server.url}/replay/{what}", json=document, timeout=10)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def market(replay: Any, tmp_path: Path) -> Any:
    """Minutes of a half day (09:30 to 13:00 in New York) and the Monday after it."""
    write_minutes(tmp_path, ["2024-11-29", "2024-12-02"], lambda at: 100.0 + (at - NOON_MS) / 3.6e9)
    return replay(tmp_path)


def at(server: Any, text: str) -> Any:
    order(server, "play", **{"from": f"{text}+00:00", "speed": 1})
    return TradingClient("key", "secret", raw_data=True, url_override=f"{server.url}/alpaca")


def ask(client: Any, number: str, **more: Any) -> Any:
    body = {
        "symbol": "AAPL", "qty": "2", "side": "buy", "type": "limit", "time_in_force": "day",
        "limit_price": "150", "extended_hours": True, "client_order_id": number, **more,
    }  # fmt: skip
    return client.post("/orders", {name: one for name, one in body.items() if one is not None})


def status(client: Any, number: str, *hoped: str) -> Any:
    until = time.monotonic() + 5.0
    while True:
        found: Any = client.get_order_by_client_id(number)
        if found["status"] in hoped:
            return found
        assert time.monotonic() < until, found
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"type": "market", "limit_price": None}, "must be DAY or GTC limit orders"),
        ({"time_in_force": "ioc"}, "must be DAY or GTC limit orders"),
        ({"type": "stop", "limit_price": None, "stop_price": "90"}, "stop orders are not eligible"),
        ({"type": "stop_limit", "stop_price": "90"}, "stop orders are not eligible"),
        ({"limit_price": "100.001"}, "sub-penny"),
    ],
)
def test_only_limits_of_the_day_are_taken_for_extended_hours(
    market: Any, more: dict[str, Any], words: str
) -> None:
    client = at(market, "2024-11-29T13:00")
    with pytest.raises(APIError, match=words) as no:
        ask(client, "one", **more)
    assert no.value.status_code == 422


@pytest.mark.parametrize("now", ["2024-11-29T09:30", "2024-11-29T20:30"])
def test_a_limit_of_extended_hours_fills_before_and_after_the_session(
    market: Any, now: str
) -> None:
    client = at(market, now)
    assert not client.get_clock()["is_open"]
    ask(client, "one")
    done = status(client, "one", "filled")
    assert float(done["filled_avg_price"]) == pytest.approx(
        100.0 + (ms(now) - NOON_MS) / 3.6e9, abs=0.001
    )


def test_orders_of_the_session_wait_for_it_while_one_of_extended_hours_fills(market: Any) -> None:
    client = at(market, "2024-11-29T14:29:30")
    ask(client, "early")
    ask(client, "limit", extended_hours=None)
    ask(client, "market", type="market", limit_price=None, extended_hours=None)
    status(client, "early", "filled")
    for waits in ("limit", "market"):
        status(client, waits, "accepted")
    order(market, "jump", seconds=40)
    for waits in ("limit", "market"):
        status(client, waits, "filled")


def test_a_stop_is_reached_within_the_session_alone(market: Any) -> None:
    client = at(market, "2024-11-29T20:30")
    more = {"type": "stop", "stop_price": "99", "time_in_force": "gtc"}  # beyond it already
    ask(client, "stop", limit_price=None, extended_hours=None, **more)
    order(market, "jump", seconds=600)
    status(client, "stop", "accepted")
    order(market, "play", **{"from": "2024-12-02T14:31:00+00:00", "speed": 1})
    status(client, "stop", "filled")


@pytest.mark.parametrize(
    ("now", "is_extended", "expires"),
    [
        ("2024-11-29T15:00", None, "2024-11-29T18:00"),
        ("2024-11-29T15:00", True, "2024-11-29T22:00"),
        ("2024-11-29T19:00", None, "2024-12-02T21:00"),
        ("2024-11-29T23:00", True, "2024-12-03T01:00"),
    ],
)
def test_an_order_of_the_day_ends_with_the_hours_that_it_is_for(
    market: Any, now: str, is_extended: bool | None, expires: str
) -> None:
    client = at(market, now)
    ask(client, "far", limit_price="1", extended_hours=is_extended)
    assert client.get_order_by_client_id("far")["expires_at"][:16] == expires
    order(market, "play", **{"from": f"{expires}:01+00:00", "speed": 1})
    status(client, "far", "expired")


def test_what_is_queued_over_the_weekend_fills_when_extended_hours_begin(market: Any) -> None:
    client = at(market, "2024-11-29T22:30")
    ask(client, "queued")
    status(client, "queued", "accepted")
    order(market, "play", **{"from": "2024-12-02T09:00:30+00:00", "speed": 1})
    done = status(client, "queued", "filled")
    assert done["filled_at"][:16] == "2024-12-02T09:00"


def test_the_calendar_tells_when_extended_hours_end(market: Any) -> None:
    client = at(market, "2024-11-29T15:00")
    days: Any = client.get("/calendar", {"start": "2024-11-27", "end": "2024-11-29"})
    assert [(one["close"], one["session_close"]) for one in days] == [
        ("16:00", "2000"),
        ("13:00", "1700"),
    ]
