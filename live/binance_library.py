"""The parts of python-binance that listen, imported without its old names' warnings."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():  # python-binance 1.0.37 imports an old name of websockets
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from binance.async_client import AsyncClient
    from binance.ws.reconnecting_websocket import ReconnectingWebsocket
    from binance.ws.streams import BinanceSocketManager

__all__ = ["AsyncClient", "BinanceSocketManager", "ReconnectingWebsocket"]
