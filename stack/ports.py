"""Loopback ports: the configured one, the stored one, or a free one."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Mapping

import psutil

from mela.errors import StackFailed
from stack.sweep import is_ours

LOOPBACK = "127.0.0.1"
# Below the kernel's ephemeral range, so that no outgoing connection sits on a port that we keep.
_CHOICE = range(15_000, 32_000)


def behind_key(service: str) -> str:
    """Return the key of stack.env for the port where a service listens behind a proxy of yours.

    >>> behind_key("postgres")
    'MELA_STACK_POSTGRES_BEHIND_PORT'
    """
    return f"MELA_STACK_{service.upper().replace('-', '_')}_BEHIND_PORT"


def listened_on(kept: Mapping[str, str], service: str, known: int | str | None) -> str:
    """Return the port that a service listens on: `known` to its clients, or the one behind it.

    kept: stack.env
    """
    return kept.get(behind_key(service)) or str(known)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def is_usable(port: int, marker: str) -> bool:
    """Tell whether the port is free, or held by a process of the stack with this marker."""
    return is_free(port) or any(is_ours(pid, marker) for pid in _listeners(port))


def choose(taken: Iterable[int]) -> int:
    """Return a free loopback port that is not among `taken`."""
    avoided = set(taken)
    for port in random.sample(_CHOICE, 200):
        if port not in avoided and is_free(port):
            return port
    raise StackFailed(
        f"expected a free port among 200 tried from {_CHOICE.start} to {_CHOICE.stop}, but found "
        "none; stop what occupies them, or set the ports (MELA_POSTGRES__PORT, …)"
    )


def _listeners(port: int) -> set[int]:
    found = (one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN)
    return {one.pid for one in found if one.laddr and one.laddr.port == port and one.pid}
