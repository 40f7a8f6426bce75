"""A websocket on a connection of the HTTP server, by the protocol of the package `websockets`."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from contextlib import suppress

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

_READ = 65_536


class SocketGone(Exception):
    """The client left."""


class WebSocket:
    """One connection, used by the one thread that serves it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._protocol = ServerProtocol(max_size=2**22)
        self._parts: list[bytes] = []
        self._is_text = False

    def accept(self, path: str, headers: Iterable[tuple[str, str]]) -> bool:
        """Answer the request for an upgrade; False if it was refused."""
        # the HTTP server has read the request, so the protocol reads it from here
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        self._protocol.receive_data("\r\n".join(lines).encode())
        requests = [e for e in self._protocol.events_received() if isinstance(e, Request)]
        if requests:
            response = self._protocol.accept(requests[0])
            self._protocol.send_response(response)
        self._flush()
        return self._protocol.state is State.OPEN

    def receive(self, wait_s: float) -> list[str | bytes]:
        """Return the messages that come within a time, at once if there are some.

        Raises SocketGone when the client left.
        """
        readable, _, _ = select.select([self._connection], [], [], max(0.0, wait_s))
        if not readable:
            return []
        try:
            data = self._connection.recv(_READ)
        except OSError as error:
            raise SocketGone(str(error)) from error
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        found = [m for event in self._protocol.events_received() for m in self._message(event)]
        self._flush()
        if not data or self._protocol.state is State.CLOSED or self._protocol.close_expected():
            raise SocketGone("closed")
        return found

    def send(self, message: str | bytes) -> None:
        """Send a message, text or binary. Raises SocketGone when the client left."""
        if self._protocol.state is not State.OPEN:
            raise SocketGone("closed")
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush()

    def ping(self) -> None:
        """Send a ping, as the services do now and then."""
        self._protocol.send_ping(b"")
        self._flush()

    def close(self, reason: str = "") -> None:
        """Say goodbye."""
        with suppress(SocketGone):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(CloseCode.GOING_AWAY, reason)
                self._flush()

    def cut(self) -> None:
        """End the connection without a word."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _message(self, event: object) -> list[str | bytes]:
        if not isinstance(event, Frame) or event.opcode not in (
            Opcode.TEXT,
            Opcode.BINARY,
            Opcode.CONT,
        ):
            return []  # the protocol itself answers pings and closes
        if event.opcode is not Opcode.CONT:
            self._parts, self._is_text = [], event.opcode is Opcode.TEXT
        self._parts.append(bytes(event.data))
        if not event.fin:
            return []
        whole = b"".join(self._parts)
        return [whole.decode() if self._is_text else whole]

    def _flush(self) -> None:
        try:
            for data in self._protocol.data_to_send():
                if data:
                    self._connection.sendall(data)
        except OSError as error:
            raise SocketGone(str(error)) from error
