"""The proxy does to connections what a storm says that it does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from stack.ports import choose
from tests.storm.proxy import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy(choose({echo}), echo) as one:
        yield one


def test_bytes_come_back_as_they_were_sent(proxy: Proxy) -> None:
    sent = bytes(range(256)) * 1_000
    with _connected(proxy) as client:
        assert _echoed(client, sent) == sent
    assert proxy.counts["bytes"] == 2 * len(sent)


def test_a_cut_ends_connections_and_lets_new_ones_in(proxy: Proxy) -> None:
    with _connected(proxy) as client, _connected(proxy) as other:
        assert _echoed(client, b"a") + _echoed(other, b"b") == b"ab"
        assert proxy.cut() == 2
        for one in (client, other):
            with pytest.raises(ConnectionResetError):
                one.recv(1)
    with _connected(proxy) as client:
        assert _echoed(client, b"again") == b"again"


def test_a_muted_proxy_takes_connections_and_loses_nothing(proxy: Proxy) -> None:
    with _connected(proxy) as old:
        assert _echoed(old, b"a") == b"a"
        proxy.mute()
        with _connected(proxy) as new:
            for client in (old, new):
                client.sendall(b"waits")
                client.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    client.recv(1)
                client.settimeout(10)
            proxy.calm()
            assert _received(old, 5) == _received(new, 5) == b"waits"


def test_a_slow_proxy_holds_each_piece_back(proxy: Proxy) -> None:
    with _connected(proxy) as client:
        proxy.slow(0.2, float("inf"))
        assert _seconds(client, 1) >= 0.4  # there and back
        proxy.slow(0.0, 100_000)
        assert _seconds(client, 20_000) >= 0.4
        proxy.calm()
        assert _seconds(client, 20_000) < 0.4


def test_where_nobody_listens_behind_it_a_connection_ends() -> None:
    port = choose(set())
    with (
        Proxy(port, choose({port})) as nobody,
        pytest.raises(ConnectionResetError),  # while it connects, or with its first word
        _connected(nobody) as client,
    ):
        client.recv(1)


def _serve(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(client,), daemon=True).start()


def _echo(client: socket.socket) -> None:
    with client:
        try:
            while data := client.recv(65_536):
                client.sendall(data)
        except OSError:
            return


def _connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def _echoed(client: socket.socket, sent: bytes) -> bytes:
    client.sendall(sent)
    return _received(client, len(sent))


def _received(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += client.recv(65_536)
    return found


def _seconds(client: socket.socket, size: int) -> float:
    began = time.monotonic()
    _echoed(client, b"x" * size)
    return time.monotonic() - began
