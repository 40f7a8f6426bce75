"""replay.trading: stops that rest, at the price that reaches them, and the units that they keep."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from live.alpaca_library import (
    APIError,
    MarketOrderRequest,
    OrderSide,
    StopLimitOrderRequest,
    StopOrderRequest,
    TimeInForce,
    TradingClient,
)
from tests.replay.test_trading import client_of, filled, market, order

FROM_MS, MINUTE = 1_704_067_200_000, 60_000


def instant(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def falling(server: Any) -> tuple[int, float]:
    """Return a minute that closes below its open, and a level on its way."""
    order(server, "play", **{"from": instant(FROM_MS + 120 * MINUTE), "speed": 1})
    query = {"symbol": "BTCUSDT", "interval": "1m", "startTime": FROM_MS, "limit": 100}
    candles = requests.get(f"{server.url}/api/v3/klines", params=query, timeout=10).json()
    for row in candles[2:]:
        opened, close = float(row[1]), float(row[4])
        if close < opened - 4.0:
            return int(row[0]), round((opened + close) / 2, 2)
    raise AssertionError("no minute falls")


def stop(level: float, qty: float = 0.5, name: str = "stop") -> StopLimitOrderRequest:
    return StopLimitOrderRequest(
        symbol="BTC/USDT",
        qty=qty,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.GTC,
        stop_price=level,
        limit_price=round(level * 0.95, 2),
        client_order_id=name,
    )


@pytest.fixture
def held(replay) -> tuple[Any, TradingClient, int, float]:
    """Hold half a coin at the beginning of a minute that falls; its stop lies on the way."""
    server = replay()
    opened_ms, level = falling(server)
    order(
        server, "play", **{"from": instant(opened_ms), "speed": 1000, "until": instant(opened_ms)}
    )
    client = client_of(server)
    client.submit_order(market(client_order_id="one"))
    filled(client, "one")
    return server, client, opened_ms, level


def test_a_stop_fills_at_its_level_when_the_price_comes_to_it(held) -> None:
    server, client, opened_ms, level = held
    client.submit_order(stop(level))
    time.sleep(0.05)
    assert client.get_order_by_client_id("stop").status == "new"
    order(server, "play", speed=1000, until=instant(opened_ms + MINUTE))
    done = filled(client, "stop")
    assert float(done.filled_avg_price) == level
    assert client.get_all_positions() == []


def test_a_stop_keeps_the_units_that_it_may_sell_until_it_is_cancelled(held) -> None:
    _, client, _, level = held
    resting = client.submit_order(stop(level, qty=0.4))
    more = MarketOrderRequest(
        symbol="BTC/USDT", qty=0.2, side=OrderSide.SELL, time_in_force=TimeInForce.GTC
    )
    with pytest.raises(APIError, match="insufficient qty available") as refused:
        client.submit_order(more)
    assert refused.value.status_code == 403
    [position] = client.get_all_positions()
    assert position.qty_available == "0.1"
    client.cancel_order_by_id(resting.id)
    filled(client, client.submit_order(more).client_order_id)


def test_coins_have_no_plain_stop(held) -> None:
    _, client, _, level = held
    plain = StopOrderRequest(
        symbol="BTC/USDT",
        qty=0.1,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.GTC,
        stop_price=level,
    )
    with pytest.raises(APIError, match="invalid order type"):
        client.submit_order(plain)
