"""The streams by path, and their open connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from socket import socket
from urllib.parse import parse_qsl, unquote

from replay.binance import SOURCES as BINANCE_SOURCES
from replay.series import Catalog
from replay.streams.alpaca_data import SOURCES as ALPACA_SOURCES
from replay.streams.alpaca_data import AlpacaChannel, Seats
from replay.streams.binance import BinanceChannel
from replay.streams.channel import Channel
from replay.streams.disturbances import Disturbance, Disturbances
from replay.streams.socket import WebSocket
from replay.streams.tape import Tape

STOCKS = "/alpaca/stream/v2/"
COINS = "/alpaca/stream/v1beta3/crypto/us"
UPDATES = "/alpaca/stream"
MakeUpdates = Callable[[WebSocket, Tape, Disturbances], Channel]


class Streams:
    """The websockets of a server. updates: makes the stream of Alpaca's trade updates."""

    def __init__(self, catalog: Catalog, updates: MakeUpdates) -> None:
        self.disturbances = Disturbances()
        self._catalog = catalog
        self._seats = Seats()
        self._updates = updates
        self._binance = Tape(catalog, BINANCE_SOURCES)
        self.alpaca_tape = Tape(catalog, ALPACA_SOURCES)

    def stream_of(self, path: str) -> str | None:
        """Return which stream a path belongs to; None if no service has a websocket there."""
        if path.startswith(("/ws/", "/stream")) or path == "/ws":
            return "binance"
        if path.rstrip("/") == UPDATES:
            return "updates"
        return "alpaca" if path.startswith((STOCKS, COINS)) else None

    def stop(self) -> None:
        """End all connections, as the server ends."""
        self.disturbances.order(Disturbance("cut", seconds=60.0))

    def is_refused(self, stream: str) -> bool:
        """Tell whether a new connection is refused now."""
        return self.disturbances.is_refused(stream)

    def serve(
        self, connection: socket, path: str, query: str, headers: list[tuple[str, str]]
    ) -> None:
        """Serve one websocket until its client leaves."""
        socket_ = WebSocket(connection)
        if not socket_.accept(f"{path}?{query}" if query else path, headers):
            return
        lower = {name.lower(): value for name, value in headers}
        channel = self._channel(socket_, path, query, lower)
        channel.serve()
        socket_.close()

    def _channel(
        self, socket_: WebSocket, path: str, query: str, headers: Mapping[str, str]
    ) -> Channel:
        clock, disturbances = self._catalog.clock, self.disturbances
        stream = self.stream_of(path)
        if stream == "updates":
            return self._updates(socket_, self.alpaca_tape, disturbances)
        if stream == "alpaca":
            alpaca = AlpacaChannel(socket_, clock, self.alpaca_tape, disturbances)
            alpaca.catalog, alpaca.seats, alpaca.path = self._catalog, self._seats, path
            alpaca.is_stock = path.startswith(STOCKS)
            alpaca.is_packed = headers.get("content-type", "") == "application/msgpack"
            return alpaca
        binance = BinanceChannel(socket_, clock, self._binance, disturbances)
        binance.is_combined = path.startswith("/stream")
        names = dict(parse_qsl(query)).get("streams", "")
        if not binance.is_combined:
            names = unquote(path.removeprefix("/ws").strip("/"))
        binance.ask([name for name in names.split("/") if name])
        return binance
