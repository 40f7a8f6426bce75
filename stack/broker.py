"""Kafka on loopback: one KRaft node, both broker and controller, or three of them."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from mela.settings import Settings
from stack import certificates, fetch, guard, layout, oneshot
from stack.http import NoAnswer
from stack.java import java_home
from stack.lock import locked
from stack.ports import LOOPBACK, listened_on
from stack.service import Program, Service, Site

CONTROLLER_PORT = "MELA_STACK_KAFKA_CONTROLLER_PORT"
INTERNAL_PORT = "MELA_STACK_KAFKA_INTERNAL_PORT"
INTERNAL = "MELA_STACK_KAFKA_INTERNAL"  # the administrator's address, if it is not on this machine
CLUSTER_ID = "MELA_STACK_KAFKA_CLUSTER_ID"  # of three brokers, which must share it
_LOG_CONFIG = Path(__file__).with_name("kafka-log4j2.properties")
CONFIG = Path(__file__).with_name("kafka.properties")
_OPEN = """\
inter.broker.listener.name=CLIENTS
controller.quorum.voters={voters}
listeners=CLIENTS://127.0.0.1:{listened},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{port}
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
"""
# The broker, the controller and the administrator show certificates; only users need passwords.
_GUARDED = """\
inter.broker.listener.name=INTERNAL
controller.quorum.voters={voters}
listeners=CLIENTS://127.0.0.1:{listened},INTERNAL://127.0.0.1:{internal},\
CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal}
listener.security.protocol.map=CLIENTS:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL
log.dirs={data}
"""
# Overrides what kafka.properties says of one node. A message counts as taken when two brokers have
# it, so that either of them may die.
_ONE_OF_THREE = """\
node.id={number}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
# A broker that was killed counts as dead after 6 s instead of 9.
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1500
# Without this a broker leaves its leaders to others before it stops, for which it asks a controller
# that `mela down` stops at the same time, and would wait for in vain.
controlled.shutdown.enable=false
"""
_HERE = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class Node:
    """A broker and controller by its number, from 1, and what stack.env calls its ports.

    port_key: None for the first, whose port is in MELA_KAFKA__BROKERS
    """

    name: str
    number: int
    port_key: str | None
    controller_key: str
    internal_key: str


def nodes(kept: Mapping[str, str]) -> tuple[Node, ...]:
    """Return the nodes of this stack's Kafka."""
    first = Node(layout.BROKERS[0], 1, None, CONTROLLER_PORT, INTERNAL_PORT)
    if not layout.is_cluster(kept):
        return (first,)
    return (first, *(_node(name, at) for at, name in enumerate(layout.BROKERS[1:], start=2)))


def _node(name: str, number: int) -> Node:
    start = f"MELA_STACK_KAFKA_{number}"
    keys = f"{start}_PORT", f"{start}_CONTROLLER_PORT", f"{start}_INTERNAL_PORT"
    return Node(name, number, *keys)


def new_cluster_id() -> str:
    """Return a random name of a cluster, in Kafka's form."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def services(kept: Mapping[str, str]) -> tuple[Service, ...]:
    """Describe Kafka to the supervisor. The last node's last step makes the topics, for all."""
    found = nodes(kept)
    return tuple(_service(node, is_last=node is found[-1]) for node in found)


def _service(node: Node, *, is_last: bool) -> Service:
    def finish(site: Site) -> None:
        if is_last:
            _finish(site)

    return Service(
        name=node.name,
        address=lambda settings: _address(settings, node),
        program=lambda site: _program(site, node),
        prepare=lambda site: _prepare(site, node),
        probe=lambda site, _pid: _probe(site, node),
        finish=finish,
    )


def _address(settings: Settings, node: Node) -> str:
    known = settings.kafka.brokers.split(",")
    return known[node.number - 1] if node.number <= len(known) else ""


def _port(site: Site, node: Node) -> str:
    return _address(site.settings, node).rpartition(":")[2]


def _program(site: Site, node: Node) -> Program:
    memory = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    logs = f"-Dlog4j2.configurationFile={_LOG_CONFIG}"
    return Program(
        command=(
            *_java(site),
            *memory,
            logs,
            "-cp",
            fetch.broker_classpath(site.settings),
            "kafka.Kafka",
            str(_config(site, node)),
        ),
        environment={  # so that the supervisor sees when they change
            "MELA_KAFKA__BROKERS": site.settings.kafka.brokers,
            CONTROLLER_PORT: _voters(site),
            guard.SECURE: str(guard.is_on(site)).lower(),
        },
        directory=site.home,
        stop_wait_s=20,
    )


def _prepare(site: Site, node: Node) -> None:
    fetch.ensure_jars(site.settings)
    data = _data(site, node)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    pattern = _OPEN
    if guard.is_on(site):
        pattern = _GUARDED + guard.broker_properties(site.home)
        with locked(site.home / "run" / "certificates.lock", oneshot.PATIENCE_S):
            certificates.ensure(guard.folder(site.home), _HERE)
    addresses = pattern.format(
        port=_port(site, node),
        listened=listened_on(site.kept, node.name, _port(site, node)),
        controller=site.kept[node.controller_key],
        internal=site.kept[node.internal_key],
        voters=_voters(site),
        data=data,
    )
    if layout.is_cluster(site.kept):
        addresses += _ONE_OF_THREE.format(number=node.number)
    known = CONFIG.read_text(encoding="utf-8")
    _config(site, node).write_text(known + addresses, encoding="utf-8")
    if not (data / "meta.properties").exists():
        _format(site, node)


def _voters(site: Site) -> str:
    return ",".join(
        f"{node.number}@{LOOPBACK}:{site.kept[node.controller_key]}" for node in nodes(site.kept)
    )


def _format(site: Site, node: Node) -> None:
    cluster = site.kept[CLUSTER_ID] if layout.is_cluster(site.kept) else new_cluster_id()
    command = (
        *_java(site),
        *("-Xmx128m", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={_LOG_CONFIG}"),
        *("-cp", fetch.broker_classpath(site.settings)),
        *("kafka.tools.StorageTool", "format", "--ignore-formatted"),
        *(f"--cluster-id={cluster}", f"--config={_config(site, node)}"),
    )
    oneshot.run(command, f"Kafka could not format {_data(site, node)}", directory=site.home)


def _probe(site: Site, node: Node) -> str | None:
    """Ask the node itself: others of a cluster would answer for it."""
    brokers, client = _asked(site, (node,))
    try:
        found = client.list_topics(timeout=3).brokers
    except KafkaException as error:
        return f"no answer from {brokers}: {error.args[0].str()}"
    if layout.is_cluster(site.kept) and node.number not in found:
        return f"the controllers do not count broker {node.number} at {brokers} among the living"
    return None if found else f"no broker has registered at {brokers}"


def _asked(site: Site, asked: tuple[Node, ...]) -> tuple[str, AdminClient]:
    """Return where the administrator asks, and the client for it."""
    if not guard.is_on(site):
        brokers = ",".join(_address(site.settings, node) for node in asked)
        return brokers, AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    ports = (site.kept[node.internal_key] for node in asked)
    brokers = site.kept.get(INTERNAL) or ",".join(f"{LOOPBACK}:{port}" for port in ports)
    return brokers, guard.admin_client(site, brokers)


def _finish(site: Site) -> None:
    from messaging.topics import create_topics

    every = nodes(site.kept)
    brokers, admin = _asked(site, every)
    if len(every) > 1:
        _wait_for_all(admin, brokers, len(every))
    create_topics(site.settings.kafka, admin)
    if guard.is_on(site):
        guard.apply(site, admin)


def _wait_for_all(admin: AdminClient, brokers: str, count: int) -> None:
    """Raise NoAnswer unless all brokers are there: a topic with three copies needs three."""
    try:
        living = len(admin.list_topics(timeout=3).brokers)
    except KafkaException as error:
        raise NoAnswer(f"no answer from {brokers}: {error.args[0].str()}") from error
    if living < count:
        raise NoAnswer(f"expected {count} brokers at {brokers}, but found {living}")


def _java(site: Site) -> tuple[str, ...]:
    return (str(java_home(site.settings) / "bin" / "java"),)


def _data(site: Site, node: Node) -> Path:
    return layout.broker_data(site.home, node.number, cluster=layout.is_cluster(site.kept))


def _config(site: Site, node: Node) -> Path:
    return _data(site, node).parent / "server.properties"
