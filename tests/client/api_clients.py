"""Clients of the running platform's API, and a way in that can be cut."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from client import Client
from mela.settings import Settings
from services.accounts import accounts, sessions, tokens
from services.accounts.accounts import Role, Scope

PASSWORD = "seven quiet herons"


def token_of(settings: Settings, role: Role, *scopes: Scope) -> str:
    """Return a token of a new user."""
    name = f"{role.value}-{secrets.token_hex(4)}"
    accounts.add(settings, name, PASSWORD, role)
    signed_in = sessions.sign_in(settings, name, PASSWORD, address="127.0.0.1", agent=None)
    return tokens.make(settings, signed_in.caller, "a test", set(scopes), 1).secret


def client_of(settings: Settings, token: str, url: str | None = None) -> Client:
    return Client(url or settings.api.url, token, progress="none", patience_s=30)


class Wire:
    """Forwards connections to an address; what passes can be cut.

    left: how many answers to requests that begin with `eats` will be lost on the way back
    """

    def __init__(self, url: str, *, eats: bytes, eaten: int) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname, parts.port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._eats, self.left = eats, eaten
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """Cut all connections that are open."""
        for one in list(self._open):
            _shut(one)

    def close(self) -> None:
        _shut(self._server)  # wakes who waits in accept
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = self._server.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(inner,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, inner: socket.socket) -> None:
        with inner, socket.create_connection(self._to) as outer:
            self._open += [inner, outer]
            lost = threading.Event()
            back = threading.Thread(target=self._answers, args=(outer, inner, lost))
            back.start()
            self._questions(inner, outer, lost)
            back.join()
            self._open = [one for one in self._open if one not in (inner, outer)]

    def _questions(self, inner: socket.socket, outer: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := inner.recv(65_536):
                if self.left and data.startswith(self._eats):
                    self.left -= 1
                    lost.set()
                outer.sendall(data)
        _shut(outer)

    def _answers(self, outer: socket.socket, inner: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while (data := outer.recv(65_536)) and not lost.is_set():
                inner.sendall(data)
        _shut(inner)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wire(url: str, *, eats: bytes = b"", eaten: int = 0) -> Iterator[Wire]:
    found = Wire(url, eats=eats, eaten=eaten)
    try:
        yield found
    finally:
        found.close()
