"""live.brokers.alpaca_orders: the kinds of order that Alpaca has for stocks and for coins."""

from __future__ import annotations

from typing import Any

import pytest

from live.brokers.alpaca_orders import request_of
from live.brokers.protocol import OrderRequest


def fields(instrument: str, side: Any, units: float, **more: Any) -> dict[str, Any]:
    request = request_of(OrderRequest("id", instrument, side, units, **more))
    given = request.to_request_fields().items()
    return {name: str(getattr(value, "value", value)) for name, value in given}


def test_a_stock_has_a_stop_at_the_next_cent_away_from_the_market() -> None:
    found = fields("alpaca:AAPL", "sell", 3.0, kind="stop", stop_price=99.996)
    assert (found["type"], found["stop_price"], found["time_in_force"]) == ("stop", "99.99", "gtc")
    found = fields("alpaca:AAPL", "buy", 3.0, kind="stop", stop_price=99.992)
    assert found["stop_price"] == "100.0"


def test_a_limit_of_a_stock_is_at_a_whole_cent_and_never_worse_than_asked() -> None:
    found = fields("alpaca:AAPL", "buy", 3.0, kind="limit", limit_price=99.999)
    assert (found["type"], found["limit_price"]) == ("limit", "99.99")
    found = fields("alpaca:AAPL", "sell", 3.0, kind="limit", limit_price=99.991)
    assert found["limit_price"] == "100.0"
    found = fields("alpaca:BTC/USD", "buy", 3.0, kind="limit", limit_price=99.9991)
    assert found["limit_price"] == "99.9991"


def test_parts_of_a_share_have_a_stop_for_a_day() -> None:
    found = fields("alpaca:AAPL", "sell", 2.5, kind="stop", stop_price=99.0)
    assert (found["qty"], found["time_in_force"]) == ("2.5", "day")


def test_a_coin_has_a_limit_beyond_its_stop() -> None:
    found = fields("alpaca:BTC/USD", "sell", 0.5, kind="stop", stop_price=100.0)
    assert (found["type"], found["stop_price"], found["limit_price"]) == (
        "stop_limit", "100.0", "95.0",
    )  # fmt: skip
    found = fields("alpaca:BTC/USD", "buy", 0.5, kind="stop", stop_price=100.0)
    assert found["limit_price"] == "105.0"
    assert found["time_in_force"] == "gtc"


@pytest.mark.parametrize("kind", ["limit", "stop"])
def test_an_order_without_its_price_is_not_sent(kind: Any) -> None:
    with pytest.raises(ValueError, match=f"a {kind} order needs a price"):
        fields("alpaca:BTC/USD", "sell", 0.5, kind=kind)
