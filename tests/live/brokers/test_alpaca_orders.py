"""live.brokers.alpaca_orders: the kinds of order that Alpaca has for stocks and for coins."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from live.brokers.alpaca_orders import in_hours, request_of
from live.brokers.protocol import OrderRequest
from tests.live.after_hours import ms


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


@pytest.mark.parametrize(
    ("at", "of", "kind"),
    [
        ("2024-11-29T13:00", "alpaca:AAPL", "limit"),
        ("2024-11-29T17:59", "alpaca:AAPL", "market"),
        ("2024-11-29T18:00", "alpaca:AAPL", "limit"),  # the close of a half day
        ("2024-11-29T22:00", "alpaca:AAPL", "market"),  # it waits for the next session
        ("2024-11-29T13:00", "alpaca:BTC/USD", "market"),
    ],
)
def test_a_market_order_that_may_leave_outside_the_session_is_a_limit_there(
    at: str, of: str, kind: str
) -> None:
    asked = OrderRequest("id", of, "sell", 2.0, limit_price=99.0, is_extended_hours=True)
    found = in_hours(asked, ms(at))
    expected = ("limit", "day", 99.0, True) if kind == "limit" else ("market", None, None, False)
    assert (found.kind, found.good_for, found.limit_price, found.is_extended_hours) == expected
    untold = in_hours(replace(asked, limit_price=math.nan), ms(at))
    assert untold.kind == "market"
    assert request_of(untold).to_request_fields()["type"].value == "market"


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
