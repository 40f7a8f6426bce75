"""replay.trading: alpaca-py's own client and models against the genuine formats."""

import time
from typing import Any

import pytest
import requests

from live.alpaca_library import (
    APIError,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OrderSide,
    QueryOrderStatus,
    TimeInForce,
    TradingClient,
)

FROM = "2024-01-01T00:00:00+00:00"
SESSION = "2021-03-15T14:00:00+00:00"


def order(server, what: str, /, **document: Any) -> None:
    answer = requests.post(f"{server.url}/replay/{what}", json=document, timeout=10)
    assert answer.status_code == 200, answer.text


def client_of(server, key: str = "key") -> TradingClient:
    return TradingClient(key, "secret", url_override=f"{server.url}/alpaca")


def market(symbol: str = "BTC/USDT", qty: float = 0.5, **more: Any) -> MarketOrderRequest:
    fields = {"side": OrderSide.BUY, "time_in_force": TimeInForce.GTC} | more
    return MarketOrderRequest(symbol=symbol, qty=qty, **fields)


def filled(client: TradingClient, number: str) -> Any:
    for _ in range(200):
        found = client.get_order_by_client_id(number)
        if found.status == "filled":
            return found
        time.sleep(0.01)
    raise AssertionError(f"{number} is {found.status}")


@pytest.fixture
def server(replay):
    made = replay()
    order(made, "play", **{"from": FROM, "speed": 60})
    return made


def test_alpaca_pys_models_read_every_answer(server) -> None:
    client = client_of(server)
    taken = client.submit_order(market(client_order_id="one"))
    assert (taken.status, taken.client_order_id) == ("pending_new", "one")
    done = filled(client, "one")
    assert client.get_order_by_id(done.id).filled_qty == "0.5"
    [position] = client.get_all_positions()
    assert (position.symbol, position.qty, position.side) == ("BTCUSDT", "0.5", "long")
    assert client.get_open_position("BTCUSDT").avg_entry_price == done.filled_avg_price
    account = client.get_account()
    spent = 0.5 * float(done.filled_avg_price)
    assert float(account.cash) == pytest.approx(100_000 - spent)
    assert float(account.equity) == pytest.approx(100_000, rel=0.01)
    assert client.get_asset("BTC/USDT").tradable
    [fill] = client.get("/account/activities/FILL")
    assert (fill["qty"], fill["cum_qty"], fill["leaves_qty"]) == ("0.5", "0.5", "0")


def test_closing_positions_and_cancelling_all_answer_for_each(server) -> None:
    client = client_of(server)
    client.submit_order(market(client_order_id="one"))
    filled(client, "one")
    far = LimitOrderRequest(
        symbol="BTC/USDT",
        qty=0.1,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        limit_price=1000.0,
    )
    waiting = client.submit_order(far)
    [cancelled] = client.cancel_orders()
    assert (cancelled.id, cancelled.status) == (waiting.id, 200)
    [closed] = client.close_all_positions()
    assert (closed.status, closed.body.side) == (200, OrderSide.SELL)
    filled(client, closed.body.client_order_id)
    assert client.get_all_positions() == []
    with pytest.raises(APIError, match="position does not exist") as missing:
        client.get_open_position("BTCUSDT")
    assert (missing.value.status_code, missing.value.code) == (404, 40410000)


def test_orders_are_listed_by_state_time_side_and_direction(server) -> None:
    client = client_of(server)
    order(server, "trading", hold=True, times=1)
    client.submit_order(market(client_order_id="held"))
    time.sleep(0.05)
    client.submit_order(market(client_order_id="done", qty=0.1))
    filled(client, "done")

    def names(**query: Any) -> list[str]:
        return [each.client_order_id for each in client.get_orders(GetOrdersRequest(**query))]

    assert names(status=QueryOrderStatus.OPEN) == ["held"]
    assert names(status=QueryOrderStatus.CLOSED) == ["done"]
    assert names(status=QueryOrderStatus.ALL) == ["done", "held"]
    assert names(status=QueryOrderStatus.ALL, direction="asc", limit=1) == ["held"]
    first = client.get_order_by_client_id("held").submitted_at
    assert names(status=QueryOrderStatus.ALL, after=first) == ["done"]
    assert names(status=QueryOrderStatus.ALL, until=first) == []
    assert names(status=QueryOrderStatus.ALL, side=OrderSide.SELL) == []


def test_a_limit_order_waits_until_the_price_comes_to_it_and_pays_no_more(server) -> None:
    client = client_of(server)
    order(server, "play", **{"from": FROM, "speed": 1000})
    hours = requests.get(
        f"{server.url}/api/v3/klines",
        params={"symbol": "BTCUSDT", "interval": "1h", "startTime": 1_704_067_200_000, "limit": 1},
        timeout=10,
    ).json()
    low, opened = float(hours[0][3]), float(hours[0][1])
    limit = round(low + 0.2 * (opened - low), 2)
    request = LimitOrderRequest(
        symbol="BTC/USDT",
        qty=0.1,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        limit_price=limit,
        client_order_id="limit",
    )
    assert client.submit_order(request).status == "pending_new"
    deadline = time.monotonic() + 8
    while (found := client.get_order_by_client_id("limit")).status != "filled":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert float(found.filled_avg_price) <= limit
    assert found.filled_at > found.submitted_at


def test_the_market_clock_and_the_calendar_are_new_yorks(server) -> None:
    order(server, "play", **{"from": SESSION, "speed": 1})
    client = client_of(server)
    clock = client.get_clock()
    assert clock.is_open
    assert str(clock.next_close) == "2021-03-15 16:00:00-04:00"
    assert str(clock.next_open) == "2021-03-16 09:30:00-04:00"
    days = client.get("/calendar", {"start": "2020-11-25", "end": "2020-11-27"})
    assert [(day["date"], day["close"]) for day in days] == [
        ("2020-11-25", "16:00"),
        ("2020-11-27", "13:00"),
    ]


def test_a_stock_order_waits_for_the_session(server) -> None:
    order(server, "play", **{"from": "2021-03-15T12:00:00+00:00", "speed": 60})
    client = client_of(server)
    request = market("AAPL", 10, time_in_force=TimeInForce.DAY, client_order_id="early")
    client.submit_order(request)
    time.sleep(0.05)
    assert client.get_order_by_client_id("early").status == "accepted"
    order(server, "jump", seconds=2 * 3600)
    done = filled(client, "early")
    assert 120 < float(done.filled_avg_price) < 126


def test_each_key_has_an_account_of_its_own_and_none_is_refused(server) -> None:
    client_of(server, "one").submit_order(market(client_order_id="mine"))
    assert client_of(server, "two").get_orders(GetOrdersRequest(status="all")) == []
    answer = requests.get(f"{server.url}/alpaca/v2/account", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (401, 40110000)


def test_a_killed_replay_comes_back_with_its_orders_and_its_clock(replay, tmp_path) -> None:
    file = tmp_path / "desk.json"
    first = replay(state=file)
    order(first, "play", **{"from": FROM, "speed": 60})
    client = client_of(first)
    client.submit_order(market(client_order_id="one"))
    filled(client, "one")
    order(first, "trading", hold=True, times=1)
    client.submit_order(market(client_order_id="two"))
    kept = file.read_bytes()  # as it lies there whenever the process dies
    first.desk.stop()
    file.write_bytes(kept)

    second = replay(state=file)
    client = client_of(second)
    assert client.get_order_by_client_id("one").status == "filled"
    [waiting] = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN))
    assert waiting.client_order_id == "two"
    [position] = client.get_all_positions()
    assert position.qty == "0.5"
    state = requests.get(f"{second.url}/replay/clock", timeout=10).json()
    assert state["speed"] == 60
    assert state["now_ms"] > 1_704_067_200_000
    with pytest.raises(APIError, match="client_order_id must be unique"):
        client.submit_order(market(client_order_id="two"))
    client.cancel_orders()
    assert client.get_order_by_client_id("two").status == "canceled"


def test_an_order_that_is_no_order_is_refused_in_a_sentence(server) -> None:
    for body, status in (("not json", 400), ("[]", 400), ('{"qty": "1"}', 422)):
        answer = requests.post(
            f"{server.url}/alpaca/v2/orders",
            data=body,
            headers={"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"},
            timeout=10,
        )
        assert answer.status_code == status
        assert answer.json()["message"]
