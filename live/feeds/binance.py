"""Binance's spot klines, by python-binance: one connection with a stream for each series."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from live.binance_library import AsyncClient, BinanceSocketManager
from live.clock import Clock
from live.events import CandleClosed
from live.feeds.connection import ConnectionLost, Heard
from live.feeds.listener import Listener, Patience
from live.feeds.protocol import Listening
from live.feeds.rest import RestCandles
from mela.calendars import ALWAYS
from mela.instrument import parse_name
from mela.settings import Settings
from sources.binance import binance_interval

_AT_ONCE = 100  # streams in the address; more are subscribed to afterwards
_MOST = 1024  # streams of one connection, as Binance allows
_PAUSE_S = 0.25  # Binance takes five messages a second
_QUEUE = 100_000  # python-binance ends a connection whose queue is full
_CLOSE_S = 3.0
_SOCKET = {"ping_interval": 20, "ping_timeout": 60, "max_queue": None}


def listener(
    listenings: Sequence[Listening],
    settings: Settings,
    clock: Clock,
    since_ms: Mapping[Listening, int] | None = None,
    patience: Patience | None = None,
) -> Listener:
    """Return the feed of some series. Raises ValueError for more than one connection takes."""
    names = {_stream(listening): listening for listening in listenings}
    if len(names) > _MOST:
        raise ValueError(f"expected at most {_MOST} series of Binance, but found {len(names)}")
    return Listener(
        dict.fromkeys(listenings, ALWAYS),
        RestCandles("binance", settings, clock),
        clock,
        lambda: BinanceConnection(names, settings.replay_url),
        since_ms=since_ms,
        patience=patience or Patience(silence_s=60.0),  # it tells running candles all the time
    )


class BinanceConnection:
    """One connection of python-binance, whose own reconnecting is not used."""

    def __init__(self, names: Mapping[str, Listening], replay_url: str | None) -> None:
        self._names = dict(names)
        self._replay_url = replay_url
        self._client: Any = None
        self._socket: Any = None

    async def open(self) -> None:
        """Connect to all streams. Raises ConnectionLost."""
        made: type[Any] = BinanceSocketManager
        if self._replay_url:  # the manager has no other way to name a host
            url = f"{self._replay_url.rstrip('/').replace('http', 'ws', 1)}/"
            made = type("ReplaySocketManager", (BinanceSocketManager,), {"STREAM_URL": url})
        names = sorted(self._names)
        try:
            self._client = AsyncClient()
            manager = made(self._client, max_queue_size=_QUEUE)
            manager.ws_kwargs = dict(_SOCKET)
            self._socket = manager.multiplex_socket(names[:_AT_ONCE])
            self._socket.MAX_RECONNECTS = 0  # the listener begins again, and asks what it missed
            self._socket.TIMEOUT = 0.25  # seconds in which it notices that it shall end
            await self._socket.connect()
            for number, first in enumerate(range(_AT_ONCE, len(names), _AT_ONCE), start=1):
                await asyncio.sleep(_PAUSE_S)
                params = names[first : first + _AT_ONCE]
                message = {"method": "SUBSCRIBE", "params": params, "id": number}
                await self._socket.ws.send(orjson.dumps(message).decode())
        except Exception as error:
            raise ConnectionLost(f"Binance could not be reached: {error}") from error

    async def hear(self) -> Heard:
        """Wait for the next event. Raises ConnectionLost."""
        try:
            event: dict[str, Any] = await self._socket.recv()
        except Exception as error:
            raise ConnectionLost(f"Binance's stream ended: {error}") from error
        if event.get("e") == "error":
            raise ConnectionLost(f"Binance's stream ended: {event.get('type')} {event.get('m')}")
        listening = self._names.get(str(event.get("stream")))
        if listening is None or not event["data"]["k"]["x"]:
            return Heard()
        kline = event["data"]["k"]
        prices = (float(kline[name]) for name in "ohlcv")
        opened_ms, heard_ms = int(kline["t"]), int(event["data"]["E"])
        candle = CandleClosed(
            listening.instrument, listening.interval, opened_ms, *prices, received_ms=heard_ms
        )
        return Heard((candle,))

    async def close(self) -> None:
        """End the connection, and the client's."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                if self._socket is not None:
                    await self._socket.close()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                if self._client is not None:
                    await self._client.close_connection()


def _stream(listening: Listening) -> str:
    symbol = parse_name(listening.instrument)[1].lower()
    return f"{symbol}@kline_{binance_interval(listening.interval)}"
