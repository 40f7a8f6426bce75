"""The parts of alpaca-py in use, imported without the warning that its old websockets raise."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():  # alpaca-py 0.44.0 imports streams that this project never opens
    warnings.filterwarnings("ignore", "websockets", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.common.rest import RESTClient
    from alpaca.data.enums import Adjustment, CorporateActionsType, DataFeed
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.historical.crypto import CryptoHistoricalDataClient
    from alpaca.data.historical.news import NewsClient
    from alpaca.data.historical.stock import StockHistoricalDataClient
    from alpaca.data.requests import (
        CorporateActionsRequest,
        CryptoBarsRequest,
        CryptoLatestBarRequest,
        NewsRequest,
        StockBarsRequest,
        StockLatestBarRequest,
    )
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
    from alpaca.trading.client import TradingClient

__all__ = [
    "APIError",
    "Adjustment",
    "CorporateActionsClient",
    "CorporateActionsRequest",
    "CorporateActionsType",
    "CryptoBarsRequest",
    "CryptoHistoricalDataClient",
    "CryptoLatestBarRequest",
    "DataFeed",
    "NewsClient",
    "NewsRequest",
    "RESTClient",
    "StockBarsRequest",
    "StockHistoricalDataClient",
    "StockLatestBarRequest",
    "TimeFrame",
    "TimeFrameUnit",
    "TradingClient",
]
