"""Choose the ports and secrets of all services, and keep them in stack.env."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

from mela.errors import StackFailed
from mela.settings import Settings
from stack import (
    api,
    broker,
    cluster,
    environment,
    fetch,
    guard,
    layout,
    orchestration,
    replay,
    roles,
)
from stack.ports import LOOPBACK, behind_key, choose, is_usable
from stack.service import Site


@dataclass(frozen=True)
class _Port:
    """A port stored under a key of stack.env; `pattern` is the format of the value."""

    service: str
    key: str
    pattern: str = "{}"

    def parse(self, value: str) -> int:
        if self.pattern == "{}":
            return int(value)
        first = value.partition(",")[0]  # of the brokers of a cluster; the others have own keys
        parts = urlsplit(first if "//" in first else f"//{first}")
        if parts.hostname not in (LOOPBACK, "localhost") or parts.port is None:
            raise StackFailed(
                f"{self.key} is {value}, but the stack of this machine listens on {LOOPBACK} only; "
                "take the variable away, or give it a loopback address with a port"
            )
        return parts.port

    def is_behind(self, kept: Mapping[str, str]) -> bool:
        """Tell whether clients know this port and a proxy of yours holds it."""
        return behind_key(self.service) in kept and not self.key.startswith("MELA_STACK_")


_PORTS = (
    _Port("postgres", "MELA_POSTGRES__PORT"),
    _Port("kafka", "MELA_KAFKA__BROKERS", f"{LOOPBACK}:{{}}"),
    _Port("kafka", broker.CONTROLLER_PORT),
    _Port("kafka", broker.INTERNAL_PORT),
    _Port("mlflow", "MELA_MLFLOW__URL", f"http://{LOOPBACK}:{{}}"),
    _Port("airflow-api-server", "MELA_AIRFLOW__URL", f"http://{LOOPBACK}:{{}}"),
    _Port("api", "MELA_API__URL", f"http://{LOOPBACK}:{{}}"),
    _Port("replay", replay.PORT),
    _Port("monitor", "MELA_MONITOR__METRICS_URL", f"http://{LOOPBACK}:{{}}/metrics"),
)
_CLUSTER_PORTS = (
    *(
        _Port(node.name, key)
        for node in broker.nodes(layout.kind(True))[1:]
        for key in (node.port_key, node.controller_key, node.internal_key)
        if key
    ),
    _Port("spark-master", "MELA_SPARK__MASTER", f"spark://{LOOPBACK}:{{}}"),
    _Port("spark-master", cluster.MASTER_UI),
    *(_Port(name, cluster.ui_key(name)) for name in layout.WORKERS),
)
SECRETS: dict[str, Callable[[], str]] = {
    "MELA_POSTGRES__PASSWORD": lambda: secrets.token_urlsafe(24),
    "MELA_AIRFLOW__PASSWORD": lambda: secrets.token_urlsafe(15),
    roles.ADMIN_PASSWORD: lambda: secrets.token_urlsafe(24),
    roles.AIRFLOW_PASSWORD: lambda: secrets.token_urlsafe(24),
    roles.MLFLOW_PASSWORD: lambda: secrets.token_urlsafe(24),
    **{key: lambda: secrets.token_urlsafe(24) for key in roles.PASSWORDS.values()},
    api.PASSWORD: lambda: secrets.token_urlsafe(15),
    orchestration.JWT_SECRET: lambda: secrets.token_urlsafe(48),
    orchestration.SECRET_KEY: lambda: secrets.token_urlsafe(32),
    orchestration.FERNET_KEY: lambda: Fernet.generate_key().decode(),
    **{key: lambda: secrets.token_urlsafe(24) for key in guard.SECRETS},
}


def allocate(
    settings: Settings,
    services: Collection[str],
    say: Callable[[str, str], None],
    *,
    secure: bool = False,
    is_cluster: bool = False,
) -> Site:
    """Return the stack's site with every port and secret chosen and stored.

    services: the services about to be used; only their ports may move, if another program took one
    say:   receives (service, sentence) for a port that had to move
    secure: whether clients of Kafka and MLflow must sign in
    is_cluster: whether there are three brokers and Spark's master and workers
    """
    kept = environment.read(settings.home)
    explicit = _from_settings(settings)
    values: dict[str, str | None] = {
        key: explicit.get(key) or kept.get(key) or make() for key, make in SECRETS.items()
    }
    ports: dict[str, int] = {}
    for port in (*_PORTS, *(_CLUSTER_PORTS if is_cluster else ())):
        value = explicit.get(port.key) or kept.get(port.key)
        may_move = port.service in services and not port.is_behind(kept)
        number = _settled(settings, port, value, ports.values(), may_move)
        if value and number != port.parse(value):
            say(port.service, f"port {port.parse(value)} is taken, moved to {number}")
        ports[port.key] = number
        values[port.key] = port.pattern.format(number)
    values["MELA_POSTGRES__HOST"] = LOOPBACK
    values["MELA_POSTGRES__MARTS_ROLE"] = roles.MARTS
    values["MELA_SPARK__JARS"] = fetch.spark_jars(settings)
    values |= guard.clients(settings.home, secure=secure)
    values |= _of_cluster(kept, values) if is_cluster else _of_one(kept)
    environment.update(settings.home, values)
    return Site(environment.fresh(settings), environment.read(settings.home))


def _of_cluster(kept: Mapping[str, str], values: Mapping[str, str | None]) -> dict[str, str]:
    """Return what stack.env says of a cluster, beside its ports, which `values` has."""
    kind = layout.kind(True)
    others = (f"{LOOPBACK}:{values[node.port_key]}" for node in broker.nodes(kind) if node.port_key)
    return {
        **kind,
        "MELA_KAFKA__BROKERS": ",".join((f"{values['MELA_KAFKA__BROKERS']}", *others)),
        "MELA_KAFKA__REPLICATION": str(layout.COPIES),
        "MELA_SPARK__SECRET": kept.get("MELA_SPARK__SECRET") or secrets.token_urlsafe(24),
        broker.CLUSTER_ID: kept.get(broker.CLUSTER_ID) or broker.new_cluster_id(),
    }


def _of_one(kept: Mapping[str, str]) -> dict[str, str | None]:
    """Take from stack.env what a cluster before this left there; leave what others wrote."""
    if not layout.is_cluster(kept):
        return {}
    settings = ("MELA_KAFKA__REPLICATION", "MELA_SPARK__MASTER", "MELA_SPARK__SECRET")
    return {**layout.kind(False), **dict.fromkeys(settings)}


def _settled(
    settings: Settings, port: _Port, value: str | None, taken: Collection[int], may_move: bool
) -> int:
    if value is None:
        return choose(taken)
    number = port.parse(value)
    if not may_move or is_usable(number, str(settings.home)):
        return number
    if os.environ.get(port.key):
        raise StackFailed(
            f"{port.key} asks for port {number}, which another process holds; "
            "set it to a free one, or take the variable away to have one chosen"
        )
    return choose(taken)


def _from_settings(settings: Settings) -> dict[str, str]:
    """Return the values set explicitly, by argument or environment, in the format of stack.env."""
    found = {
        "MELA_POSTGRES__PORT": (settings.postgres, "port"),
        "MELA_POSTGRES__PASSWORD": (settings.postgres, "password"),
        "MELA_KAFKA__BROKERS": (settings.kafka, "brokers"),
        "MELA_KAFKA__PASSWORD": (settings.kafka, "password"),
        "MELA_KAFKA__READER_PASSWORD": (settings.kafka, "reader_password"),
        "MELA_MLFLOW__URL": (settings.mlflow, "url"),
        "MELA_MLFLOW__PASSWORD": (settings.mlflow, "password"),
        "MELA_AIRFLOW__URL": (settings.airflow, "url"),
        "MELA_API__URL": (settings.api, "url"),
        "MELA_MONITOR__METRICS_URL": (settings.monitor, "metrics_url"),
        "MELA_AIRFLOW__PASSWORD": (settings.airflow, "password"),
        "MELA_ALPACA__KEY": (
            settings.alpaca,
            "key",
        ),  # a secret, so children read it from stack.env
        "MELA_ALPACA__SECRET": (settings.alpaca, "secret"),
    }
    return {
        key: environment.text(getattr(part, name))
        for key, (part, name) in found.items()
        if name in part.model_fields_set
    }
