"""Kafka: one KRaft node, both broker and controller, on loopback."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stack import certificates, fetch, guard, oneshot
from stack.java import java_home
from stack.service import Program, Service, Site

CONTROLLER_PORT = "MELA_STACK_KAFKA_CONTROLLER_PORT"
INTERNAL_PORT = "MELA_STACK_KAFKA_INTERNAL_PORT"
INTERNAL = "MELA_STACK_KAFKA_INTERNAL"  # the administrator's address, if it is not on this machine
_LOG_CONFIG = Path(__file__).with_name("kafka-log4j2.properties")
CONFIG = Path(__file__).with_name("kafka.properties")
_OPEN = """\
inter.broker.listener.name=CLIENTS
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{port}
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
"""
# The broker, the controller and the administrator show certificates; only users need passwords.
_GUARDED = """\
inter.broker.listener.name=INTERNAL
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENTS://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal},\
CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal}
listener.security.protocol.map=CLIENTS:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL
log.dirs={data}
"""
_HERE = ("127.0.0.1", "localhost")


def service() -> Service:
    """Describe Kafka to the supervisor."""
    return Service(
        name="kafka",
        address=lambda settings: settings.kafka.brokers,
        program=_program,
        prepare=_prepare,
        probe=lambda site, _pid: _probe(site),
        finish=_finish,
    )


def _program(site: Site) -> Program:
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
            str(_config(site)),
        ),
        environment={  # so that the supervisor sees when they change
            "MELA_KAFKA__BROKERS": site.settings.kafka.brokers,
            CONTROLLER_PORT: site.kept[CONTROLLER_PORT],
            guard.SECURE: str(guard.is_on(site)).lower(),
        },
        directory=site.home,
        stop_wait_s=20,
    )


def _prepare(site: Site) -> None:
    fetch.ensure_jars(site.settings)
    data = _data(site)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    pattern = _OPEN
    if guard.is_on(site):
        pattern = _GUARDED + guard.broker_properties(site.home)
        certificates.ensure(guard.folder(site.home), _HERE)
    addresses = pattern.format(
        port=site.settings.kafka.brokers.rpartition(":")[2],
        controller=site.kept[CONTROLLER_PORT],
        internal=site.kept[INTERNAL_PORT],
        data=data,
    )
    _config(site).write_text(CONFIG.read_text(encoding="utf-8") + addresses, encoding="utf-8")
    if not (data / "meta.properties").exists():
        _format(site)


def _format(site: Site) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = (
        *_java(site),
        *("-Xmx128m", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={_LOG_CONFIG}"),
        *("-cp", fetch.broker_classpath(site.settings)),
        *("kafka.tools.StorageTool", "format", "--ignore-formatted"),
        *(f"--cluster-id={cluster}", f"--config={_config(site)}"),
    )
    oneshot.run(command, f"Kafka could not format {_data(site)}", directory=site.home)


def _probe(site: Site) -> str | None:
    brokers, client = _asked(site)
    try:
        found = client.list_topics(timeout=3).brokers
    except KafkaException as error:
        return f"no answer from {brokers}: {error.args[0].str()}"
    return None if found else f"no broker has registered at {brokers}"


def _asked(site: Site) -> tuple[str, AdminClient]:
    """Return where the administrator asks, and the client for it."""
    if not guard.is_on(site):
        brokers = site.settings.kafka.brokers
        return brokers, AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    brokers = site.kept.get(INTERNAL) or f"127.0.0.1:{site.kept[INTERNAL_PORT]}"
    return brokers, guard.admin_client(site, brokers)


def _finish(site: Site) -> None:
    from messaging.topics import create_topics

    _, admin = _asked(site)
    create_topics(site.settings.kafka, admin)
    if guard.is_on(site):
        guard.apply(site, admin)


def _java(site: Site) -> tuple[str, ...]:
    return (str(java_home(site.settings) / "bin" / "java"),)


def _data(site: Site) -> Path:
    return site.home / "kafka" / "data"


def _config(site: Site) -> Path:
    return site.home / "kafka" / "server.properties"
