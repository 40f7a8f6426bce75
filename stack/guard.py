"""Kafka's access rights, and whether the stack authenticates its clients.

A guarded Kafka speaks TLS only and knows eight users, each with the rights of its role. It checks
each request (StandardAuthorizer); what no rule allows is refused. Rules and passwords are written
at every `up` over a listener of their own, which takes certificates of this stack only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from mela.errors import StackFailed
from mela.messages import CHUNK_RESULTS, PROGRESS, REJECTED, RESULTS, RUNS, SCENES
from mela.trading_messages import TRADING
from messaging.connection import JOB_GROUPS, READER_GROUPS
from stack import certificates
from stack.service import Site

SECURE = "MELA_STACK_SECURE"  # "true": clients sign in
PUBLISHER, JOB, RUN = "mela-publisher", "mela-job", "mela-run"
READER, ADMIN = "mela-reader", "mela-admin"
API = "mela-api"
LIVE = "mela-live"
TRAINER = "mela-trainer"
PASSWORDS = {
    PUBLISHER: "MELA_KAFKA__PASSWORD",
    READER: "MELA_KAFKA__READER_PASSWORD",
    JOB: "MELA_STACK_KAFKA_JOB_PASSWORD",
    RUN: "MELA_STACK_KAFKA_RUN_PASSWORD",
    ADMIN: "MELA_STACK_KAFKA_ADMIN_PASSWORD",
    API: "MELA_STACK_KAFKA_API_PASSWORD",
    LIVE: "MELA_STACK_KAFKA_LIVE_PASSWORD",
    TRAINER: "MELA_STACK_KAFKA_TRAINER_PASSWORD",
}
MLFLOW_USER, MLFLOW_JOB, MLFLOW_ADMIN = "mela", "mela-job", "mela-admin"
MLFLOW_PASSWORDS = {
    MLFLOW_USER: "MELA_MLFLOW__PASSWORD",
    MLFLOW_JOB: "MELA_STACK_MLFLOW_JOB_PASSWORD",
    MLFLOW_ADMIN: "MELA_STACK_MLFLOW_ADMIN_PASSWORD",
}
MLFLOW_SECRET = "MELA_STACK_MLFLOW_SECRET_KEY"  # noqa: S105 - the name of a key
SECRETS = (*PASSWORDS.values(), *MLFLOW_PASSWORDS.values(), MLFLOW_SECRET)
_ITERATIONS = 8192  # of the hash by which Kafka keeps a password
_WAIT_S = 30.0
_READ = (AclOperation.READ, AclOperation.DESCRIBE)
_WRITE = (AclOperation.WRITE, AclOperation.DESCRIBE)
_BOTH = (AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE)
# What each role may do, by topic. The administrator is a super user and needs no rule.
TOPICS: Mapping[str, Mapping[str, tuple[AclOperation, ...]]] = {
    PUBLISHER: {SCENES: _WRITE},
    JOB: {
        SCENES: _READ,
        RUNS: _BOTH,
        CHUNK_RESULTS: _BOTH,
        RESULTS: _BOTH,
        PROGRESS: _BOTH,
        REJECTED: _WRITE,
    },
    API: {
        SCENES: _WRITE,
        **dict.fromkeys((RESULTS, PROGRESS, REJECTED, *TRADING), _READ),
    },
    LIVE: dict.fromkeys(TRADING, _WRITE),
    TRAINER: {PROGRESS: _WRITE},
    RUN: {CHUNK_RESULTS: _WRITE, RESULTS: _WRITE, REJECTED: _WRITE},
    READER: {
        **dict.fromkeys((RESULTS, PROGRESS, REJECTED, *TRADING), _READ),
        **dict.fromkeys(
            (SCENES, RUNS, CHUNK_RESULTS), (AclOperation.DESCRIBE,)
        ),  # how long they are
    },
}
GROUPS = {JOB: JOB_GROUPS, READER: READER_GROUPS, API: READER_GROUPS}  # by prefix


def is_on(site: Site) -> bool:
    """Tell whether clients of this stack must sign in."""
    return site.kept.get(SECURE) == "true"


def clients(home: Path, *, secure: bool) -> dict[str, str]:
    """Return the keys of stack.env by which clients of this machine connect."""
    return {
        SECURE: str(secure).lower(),
        "MELA_KAFKA__PROTOCOL": "SASL_SSL" if secure else "PLAINTEXT",
        "MELA_KAFKA__USER": PUBLISHER,
        "MELA_KAFKA__READER": READER,
        "MELA_KAFKA__CA": str(folder(home) / certificates.AUTHORITY),
        "MELA_MLFLOW__USER": MLFLOW_USER if secure else "",
    }


def job_variables(site: Site) -> dict[str, str]:
    """Return the variables by which the streaming job signs in to Kafka and MLflow."""
    if not is_on(site):
        return {}
    password = site.kept[PASSWORDS[JOB]]
    return {
        "MELA_KAFKA__PROTOCOL": "SASL_SSL",
        "MELA_KAFKA__USER": JOB,
        "MELA_KAFKA__PASSWORD": password,
        "MELA_KAFKA__RUN_USER": RUN,
        "MELA_KAFKA__PUBLISHER": PUBLISHER,
        "MELA_KAFKA__RUN_PASSWORD": site.kept[PASSWORDS[RUN]],
        "MELA_MLFLOW__USER": MLFLOW_JOB,
        "MELA_MLFLOW__PASSWORD": site.kept[MLFLOW_PASSWORDS[MLFLOW_JOB]],
    }


def api_variables(site: Site) -> dict[str, str]:
    """Return the variables by which the web application signs in to Kafka: one user for all."""
    if not is_on(site):
        return {}
    password = site.kept[PASSWORDS[API]]
    return {
        "MELA_KAFKA__PROTOCOL": "SASL_SSL",
        "MELA_KAFKA__USER": API,
        "MELA_KAFKA__PASSWORD": password,
        "MELA_KAFKA__READER": API,
        "MELA_KAFKA__READER_PASSWORD": password,
    }


def live_variables(site: Site) -> dict[str, str]:
    """Return the variables by which the process that trades signs in to Kafka: it only writes."""
    if not is_on(site):
        return {}
    return {
        "MELA_KAFKA__PROTOCOL": "SASL_SSL",
        "MELA_KAFKA__USER": LIVE,
        "MELA_KAFKA__PASSWORD": site.kept[PASSWORDS[LIVE]],
    }


def trainer_variables(site: Site) -> dict[str, str]:
    """Return the variables by which the process that trains signs in to Kafka and MLflow.

    In MLflow it is who the command line is: a model belongs to whoever registers its first version.
    """
    if not is_on(site):
        return {}
    return {
        "MELA_KAFKA__PROTOCOL": "SASL_SSL",
        "MELA_KAFKA__USER": TRAINER,
        "MELA_KAFKA__PASSWORD": site.kept[PASSWORDS[TRAINER]],
        "MELA_MLFLOW__USER": MLFLOW_USER,
        "MELA_MLFLOW__PASSWORD": site.kept[MLFLOW_PASSWORDS[MLFLOW_USER]],
    }


def folder(home: Path) -> Path:
    """Return where the certificates are."""
    return home / "kafka" / "tls"


def broker_properties(home: Path, listeners: Iterable[str] = ("clients",)) -> str:
    """Return the properties of a broker that knows its clients.

    listeners: the names, in small letters, of those where clients sign in with a password
    """
    place = folder(home)
    module = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    sign_in = "".join(
        f"listener.name.{name}.scram-sha-512.sasl.jaas.config={module}\n" for name in listeners
    )
    supers = [f"User:CN={certificates.BROKER_NAME}", f"User:CN={certificates.ADMIN_NAME}"]
    return f"""\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users={";".join([*supers, f"User:{ADMIN}"])}
sasl.enabled.mechanisms=SCRAM-SHA-512
{sign_in}ssl.keystore.type=PEM
ssl.keystore.location={place / certificates.BROKER}
ssl.truststore.type=PEM
ssl.truststore.location={place / certificates.AUTHORITY}
ssl.endpoint.identification.algorithm=https
listener.name.internal.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
"""


def admin_client(site: Site, brokers: str) -> AdminClient:
    """Return the administrator's client on the listener that takes certificates only."""
    place = folder(site.home)
    return AdminClient(
        {
            "bootstrap.servers": brokers,
            "security.protocol": "ssl",
            "ssl.ca.location": str(place / certificates.AUTHORITY),
            "ssl.certificate.location": str(place / certificates.ADMIN),
            "ssl.key.location": str(place / certificates.ADMIN),
            "log_level": 0,
        }
    )


def apply(site: Site, admin: AdminClient) -> None:
    """Give every role its password and exactly its rights. Raises StackFailed."""
    try:
        for future in admin.alter_user_scram_credentials(
            [_credential(user, site.kept[key]) for user, key in PASSWORDS.items()]
        ).values():
            future.result(timeout=_WAIT_S)
        wanted = set(rules())
        known = set(admin.describe_acls(_EVERY_RULE).result(timeout=_WAIT_S))
        ours = {rule for rule in known if rule.principal in {f"User:{user}" for user in PASSWORDS}}
        if missing := wanted - known:
            for future in admin.create_acls(list(missing)).values():
                future.result(timeout=_WAIT_S)
        if too_much := ours - wanted:
            for future in admin.delete_acls([_exactly(rule) for rule in too_much]).values():
                future.result(timeout=_WAIT_S)
    except KafkaException as error:
        raise StackFailed(
            f"Kafka did not take the users and rights of its roles: {error}. "
            "Read its log with `mela logs kafka`."
        ) from error


def rules() -> list[AclBinding]:
    """Return what is allowed: a rule for each role, topic or group, and operation."""
    found = [
        _rule(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, role, operation)
        for role, topics in TOPICS.items()
        for topic, operations in topics.items()
        for operation in operations
    ]
    found += [
        _rule(ResourceType.GROUP, prefix, ResourcePatternType.PREFIXED, role, operation)
        for role, prefix in GROUPS.items()
        for operation in _READ
    ]
    return found


def _rule(
    kind: ResourceType, name: str, pattern: ResourcePatternType, role: str, operation: AclOperation
) -> AclBinding:
    return AclBinding(kind, name, pattern, f"User:{role}", "*", operation, AclPermissionType.ALLOW)


_EVERY_RULE = AclBindingFilter(
    *(ResourceType.ANY, cast("str", None), ResourcePatternType.ANY),
    *(cast("str", None), cast("str", None), AclOperation.ANY, AclPermissionType.ANY),
)


def _exactly(rule: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        *(cast("ResourceType", rule.restype), rule.name),
        *(cast("ResourcePatternType", rule.resource_pattern_type), rule.principal, rule.host),
        cast("AclOperation", rule.operation),
        cast("AclPermissionType", rule.permission_type),
    )


def _credential(user: str, password: str) -> UserScramCredentialUpsertion:
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    return UserScramCredentialUpsertion(user, how, password.encode())
