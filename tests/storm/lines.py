"""Proxies between a stack's services and all their clients, in place before it starts."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from stack import environment
from stack.ports import LOOPBACK, behind_key, choose
from tests.storm.proxy import Proxy

# What stack.env calls the address that clients know. Kafka's broker tells them the same one.
KNOWN = {
    "postgres": ("MELA_POSTGRES__PORT", "{}"),
    "kafka": ("MELA_KAFKA__BROKERS", f"{LOOPBACK}:{{}}"),
    "mlflow": ("MELA_MLFLOW__URL", f"http://{LOOPBACK}:{{}}"),
}


@contextmanager
def lines(home: Path) -> Generator[Mapping[str, Proxy]]:
    """Choose ports for a stack that has none yet, and forward those that clients know."""
    chosen: set[int] = set()
    kept: dict[str, str | None] = {}
    with ExitStack() as running:
        found: dict[str, Proxy] = {}
        for name, (key, pattern) in KNOWN.items():
            known = choose(chosen)
            behind = choose(chosen | {known})
            chosen |= {known, behind}
            kept |= {key: pattern.format(known), behind_key(name): str(behind)}
            found[name] = running.enter_context(Proxy(known, behind))
        environment.update(home, kept)
        yield found
