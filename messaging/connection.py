"""Connect to Kafka: one place for address, encryption, user and password."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import KafkaError

from mela.settings import KafkaSettings

SCRAM = "SCRAM-SHA-512"
READER_GROUPS = "mela-reader"  # how the names of consumer groups of the role `reader` begin
REFUSED = (
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
JOB_GROUPS = "mela-job"  # and of the streaming job


def client(kafka: KafkaSettings, *, reads: bool = False) -> dict[str, str]:
    """Return the connection options of a client of confluent-kafka.

    reads: sign in as the user who reads, where there is one, instead of the one who publishes
    """
    options = {"bootstrap.servers": kafka.brokers}
    if kafka.protocol == "PLAINTEXT":
        return options
    user, password = _account(kafka, reads=reads)
    signed = {"sasl.mechanism": SCRAM, "sasl.username": user, "sasl.password": password}
    authority = {"ssl.ca.location": str(kafka.ca)} if kafka.ca else {}
    # the name in the broker's certificate is compared with its address: that is the default
    return {**options, "security.protocol": kafka.protocol, **signed, **authority}


def spark_options(kafka: KafkaSettings) -> dict[str, str]:
    """Return the connection options of Spark's Kafka source, which is a Java client."""
    options = {"kafka.bootstrap.servers": kafka.brokers, "groupIdPrefix": JOB_GROUPS}
    if kafka.protocol == "PLAINTEXT":
        return options
    user, password = _account(kafka, reads=False)
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    authority = (
        {
            "kafka.ssl.truststore.type": "PEM",
            # the text, not the file: an executor on another machine needs no copy of it
            "kafka.ssl.truststore.certificates": Path(kafka.ca).read_text(encoding="ascii"),
        }
        if kafka.ca
        else {}
    )
    return {
        **options,
        "kafka.security.protocol": kafka.protocol,
        "kafka.sasl.mechanism": SCRAM,
        "kafka.sasl.jaas.config": (
            f"{module} required username={_quoted(user)} password={_quoted(password)};"
        ),
        **authority,
    }


def _account(kafka: KafkaSettings, *, reads: bool) -> tuple[str, str]:
    if reads and kafka.reader:
        return kafka.reader, kafka.reader_password.get_secret_value()
    return kafka.user, kafka.password.get_secret_value()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
