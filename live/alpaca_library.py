"""The parts of alpaca-py that trade and listen, imported without its old websockets' warning."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():  # alpaca-py 0.44.0 still uses the old half of websockets
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import DataFeed
    from alpaca.data.live.crypto import CryptoDataStream
    from alpaca.data.live.stock import StockDataStream
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
    from alpaca.trading.requests import (
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        StopLimitOrderRequest,
        StopOrderRequest,
    )
    from alpaca.trading.stream import TradingStream
    from websockets.exceptions import WebSocketException

__all__ = [
    "APIError",
    "CryptoDataStream",
    "DataFeed",
    "GetOrdersRequest",
    "LimitOrderRequest",
    "MarketOrderRequest",
    "OrderSide",
    "QueryOrderStatus",
    "StockDataStream",
    "StopLimitOrderRequest",
    "StopOrderRequest",
    "TimeInForce",
    "TradingClient",
    "TradingStream",
    "WebSocketException",
]
