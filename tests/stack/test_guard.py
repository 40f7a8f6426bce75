"""Who gets into a guarded stack and who does not: Kafka, Postgres, MLflow, and one whole scene."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psutil
import psycopg2
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AclOperation, AdminClient, NewTopic
from pydantic import SecretStr

import stack
from cli.stack.services import print_addresses
from mela.errors import SourceUnavailable
from mela.messages import CHUNK_RESULTS, PROGRESS, REJECTED, RESULTS, RUNS, SCENES, State
from mela.settings import KafkaSettings, Settings
from mela.trading_messages import TRADING
from messaging import connection
from messaging.codec import decode_progress
from messaging.consumer import check_broker, poll, tail
from messaging.publisher import Publisher
from services.scenes.cancel import cancel_scene
from stack import environment, guard, roles
from tests.conftest import mela
from tests.warehouse.given import a_scene

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
TOPICS = (SCENES, RUNS, CHUNK_RESULTS, RESULTS, PROGRESS, REJECTED, *TRADING)
WAIT_S = 15.0
MISSING = "mela.nobody"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mela-guard-", dir="/tmp"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as scope:
        for name in [name for name in os.environ if name.startswith("MELA_")]:
            scope.delenv(name)
        try:
            stack.up(Settings(home=folder), secure=True, offline=True, only={"spark", "mlflow"})
            yield folder
        finally:
            stack.down(Settings(home=folder))
            shutil.rmtree(folder)


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    return environment.fresh(Settings(home=home))


@pytest.fixture(scope="module")
def kept(home: Path) -> dict[str, str]:
    return environment.read(home)


def signed(settings: Settings, user: str, password: str) -> KafkaSettings:
    account = {"user": user, "password": SecretStr(password), "reader": ""}
    return settings.kafka.model_copy(update=account)


def client_of(role: str, settings: Settings, kept: dict[str, str]) -> dict[str, str]:
    return connection.client(signed(settings, role, kept[guard.PASSWORDS[role]]))


def write_error(client: dict[str, str], topic: str) -> KafkaError | None:
    """Return why a message was not taken; an empty one, which no reader takes for a scene."""
    errors: list[KafkaError | None] = []
    producer = Producer({**client, "log_level": 0, "message.timeout.ms": int(WAIT_S * 1000)})
    producer.produce(topic, b"", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(WAIT_S) == 0
    return errors[0]


def read_error(client: dict[str, str], topic: str, group: str) -> KafkaError | None:
    """Return why the first message of a topic could not be read."""
    consumer = Consumer({**client, "log_level": 0, "group.id": group})
    try:
        consumer.get_watermark_offsets(TopicPartition(topic, 0), WAIT_S)
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(1.0)
        return message.error() if message is not None else None
    except KafkaException as error:
        return error.args[0]
    finally:
        consumer.close()


@pytest.mark.parametrize("role", [*guard.TOPICS, guard.ADMIN])
def test_a_role_writes_and_reads_exactly_its_topics(
    role: str, settings: Settings, kept: dict[str, str]
) -> None:
    client, prefix = client_of(role, settings, kept), guard.GROUPS.get(role, role)
    everything = dict.fromkeys(TOPICS, (AclOperation.READ, AclOperation.WRITE))
    allowed = everything if role == guard.ADMIN else guard.TOPICS[role]

    written = {topic for topic in TOPICS if write_error(client, topic) is None}
    assert written == {topic for topic in allowed if AclOperation.WRITE in allowed[topic]}
    # a group of another role's is refused to everybody but the administrator
    readable = {topic for topic in TOPICS if read_error(client, topic, f"{prefix}-test") is None}
    assert readable == {topic for topic in allowed if AclOperation.READ in allowed[topic]}
    if role != guard.ADMIN:
        assert read_error(client, RESULTS, "somebody-elses") is not None


def test_only_the_administrator_makes_topics_and_sees_rules(
    settings: Settings, kept: dict[str, str]
) -> None:
    for role in guard.PASSWORDS:
        admin = AdminClient({**client_of(role, settings, kept), "log_level": 0})
        [made] = admin.create_topics([NewTopic(MISSING, 1, 1)], validate_only=True).values()
        if role == guard.ADMIN:
            made.result(WAIT_S)
        else:
            with pytest.raises(KafkaException, match="AUTHORIZATION_FAILED"):
                made.result(WAIT_S)


def test_a_wrong_password_an_unknown_user_and_a_client_without_either_are_refused(
    settings: Settings,
) -> None:
    for user in (guard.PUBLISHER, "nobody"):
        wrong = signed(settings, user, "not-the-password")
        asked = settings.model_copy(update={"kafka": wrong})
        with pytest.raises(SourceUnavailable, match=rf"refuses {user}.*MELA_KAFKA__PASSWORD"):
            check_broker(asked, SCENES)
    plain = AdminClient({"bootstrap.servers": settings.kafka.brokers, "log_level": 0})
    with pytest.raises(KafkaException):
        plain.list_topics(timeout=3)


def test_a_broker_under_another_name_or_another_authority_is_not_trusted(
    settings: Settings, kept: dict[str, str], tmp_path: Path
) -> None:
    from stack import certificates

    client = client_of(guard.READER, settings, kept)
    faults: list[KafkaError] = []
    certificates.ensure(tmp_path, ("127.0.0.1",))
    for wrong in (
        {"ssl.ca.location": str(tmp_path / certificates.AUTHORITY)},
        {"bootstrap.servers": client["bootstrap.servers"].replace("127.0.0.1", "127.0.0.2")},
    ):
        faults.clear()
        admin = AdminClient({**client, **wrong, "log_level": 0, "error_cb": faults.append})
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=3)
    # the listener of the broker itself takes certificates of this stack only
    internal = f"127.0.0.1:{kept['MELA_STACK_KAFKA_INTERNAL_PORT']}"
    stranger = {
        "bootstrap.servers": internal,
        "security.protocol": "ssl",
        "ssl.ca.location": str(settings.kafka.ca),
        "ssl.certificate.location": str(tmp_path / certificates.ADMIN),
        "ssl.key.location": str(tmp_path / certificates.ADMIN),
        "log_level": 0,
    }
    with pytest.raises(KafkaException):
        AdminClient(stranger).list_topics(timeout=3)


def test_no_secret_is_readable_by_others_or_stands_in_an_argument(
    home: Path, kept: dict[str, str]
) -> None:
    secrets = [kept[key] for key in (*guard.SECRETS, *roles.PASSWORDS.values())]
    private = [home / "stack.env", home / "mlflow-sign-in.ini", home / "run" / "supervisord.conf"]
    private += [home / "kafka" / "tls" / name for name in ("broker.pem", "admin.pem")]
    assert {path.stat().st_mode & 0o077 for path in private} == {0}
    running = [
        process
        for process in psutil.process_iter()
        if process.is_running() and _home_of(process) == str(home)
    ]
    assert running
    words = "\n".join(" ".join(process.cmdline()) for process in running)
    logs = "\n".join(path.read_text(errors="replace") for path in (home / "logs").glob("*.log"))
    assert [secret for secret in secrets if secret in words or secret in logs] == []


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("MELA_STACK")
    except psutil.Error:
        return None


STATEMENTS = {
    "read candles": "SELECT count(*) FROM raw.candle",
    "read results": "SELECT count(*) FROM ops.result",
    "write candles": "INSERT INTO raw.candle SELECT * FROM raw.candle LIMIT 0",
    "add results": "INSERT INTO ops.result SELECT * FROM ops.result LIMIT 0",
    "change results": "UPDATE ops.result SET sharpe = 9 WHERE false",
    "remove results": "DELETE FROM ops.result WHERE false",
    "change scenes": "UPDATE ops.scene SET name = name WHERE false",
    "write seals": "INSERT INTO ops.result_seal SELECT * FROM ops.result_seal LIMIT 0",
    "mark chunks": "DELETE FROM ops.chunk_mark WHERE false",
    "begin a pass of pruning": "SELECT ops.begin_prune(365, 20, 180)",
    "end a pass of pruning": "SELECT ops.end_prune(0)",
    "say that something was pruned": "DELETE FROM ops.pruned_answer WHERE false",
    "read accounts": "SELECT count(*) FROM app.account",
    "change accounts": "UPDATE app.account SET role = role WHERE false",
    "read quotas": "SELECT count(*) FROM app.quota",
    "hide a scene": "INSERT INTO app.scene_card (scene_id, is_private)"
    " SELECT scene_id, true FROM ops.scene LIMIT 0 ON CONFLICT DO NOTHING",
    "read what owners say": "SELECT count(*) FROM app.scene_card",
    "add to the audit log": "INSERT INTO app.audit_entry SELECT * FROM app.audit_entry LIMIT 0",
    "change the audit log": "UPDATE app.audit_entry SET action = action WHERE false",
    "remove from the audit log": "DELETE FROM app.audit_entry WHERE false",
    "empty the audit log": "TRUNCATE app.audit_entry",
    "add to a session's log": "INSERT INTO ops.session_event SELECT * FROM ops.session_event"
    " LIMIT 0",
    "change a session's log": "UPDATE ops.session_event SET kind = kind WHERE false",
    "remove from a session's log": "DELETE FROM ops.session_event WHERE false",
    "start sessions": "INSERT INTO ops.session SELECT * FROM ops.session LIMIT 0",
    "move sessions on": "UPDATE ops.session SET state = state WHERE false",
    "give sessions to others": "UPDATE ops.session SET user_id = user_id WHERE false",
    "set the kill switch": "INSERT INTO ops.kill_latch SELECT * FROM ops.kill_latch LIMIT 0",
    "release the kill switch": "UPDATE ops.kill_latch SET released_at = now() WHERE false",
    "record models": "INSERT INTO ops.model_version SELECT * FROM ops.model_version LIMIT 0",
    "make tables": "CREATE TABLE ops.mine (id int)",
    "add roles": "CREATE ROLE mine",
}
READS = {"read candles", "read results"}
PRUNES = {"begin a pass of pruning", "end a pass of pruning"}
MAY = {
    roles.TASKS: READS | {"write candles", "hide a scene"} | PRUNES,
    roles.JOB: READS | {"add results", "change scenes", "mark chunks", "read quotas"},
    roles.RUN: READS | {"mark chunks"},
    roles.READER: {"read results"},
    roles.API: READS
    | {"read accounts", "change accounts", "read quotas", "add to the audit log", "hide a scene"}
    | {"start sessions", "set the kill switch", "release the kill switch", "read what owners say"},
    roles.LIVE: READS | {"add to a session's log", "move sessions on"},
    roles.TRAINER: READS | {"record models"},
}


@pytest.mark.parametrize("role", MAY)
def test_a_role_of_postgres_may_do_exactly_its_part(
    role: str, settings: Settings, kept: dict[str, str]
) -> None:
    where = settings.postgres
    session = psycopg2.connect(
        host=where.host,
        port=where.port,
        dbname=where.database,
        user=role,
        password=kept[roles.PASSWORDS[role]],
    )
    may: set[str] = set()
    with session.cursor() as run:
        for name, statement in STATEMENTS.items():
            try:
                run.execute("SET transaction_read_only = off")
                run.execute(statement)
                may.add(name)
            except psycopg2.errors.InsufficientPrivilege:
                continue
            finally:
                session.rollback()
    session.close()
    assert may == MAY[role]
    for database in ("airflow", "mlflow", roles.MLFLOW_SIGN_IN, "postgres"):
        if role != "postgres" and database != "postgres":
            with pytest.raises(psycopg2.OperationalError, match="permission denied"):
                psycopg2.connect(
                    host=where.host,
                    port=where.port,
                    dbname=database,
                    user=role,
                    password=kept[roles.PASSWORDS[role]],
                )


def test_mlflow_asks_who_its_clients_are(settings: Settings, kept: dict[str, str]) -> None:
    url = settings.mlflow.url
    search = f"{url}/api/2.0/mlflow/experiments/search"
    create = f"{url}/api/2.0/mlflow/experiments/create"
    asked = {"max_results": 1}

    def status(account: tuple[str, str] | None, address: str, body: object) -> int:
        return httpx.post(address, json=body, auth=account, timeout=60).status_code

    for stranger in (
        None,
        ("admin", "password1234"),
        ("admin", "password"),
        ("mela-admin", "password1234"),
        ("mela", "wrong"),
    ):
        assert status(stranger, search, asked) == 401
    person = (settings.mlflow.user, settings.mlflow.password.get_secret_value())
    assert person[0] == guard.MLFLOW_USER
    assert status(person, search, asked) == 200
    users = f"{url}/api/2.0/mlflow/users/create"
    assert status(person, users, {"username": "mine", "password": "a-long-one-1"}) == 403
    job = (guard.MLFLOW_JOB, kept[guard.MLFLOW_PASSWORDS[guard.MLFLOW_JOB]])
    name = f"made by {uuid4()}"
    assert status(job, create, {"name": name}) == 200
    found = httpx.get(
        f"{url}/api/2.0/mlflow/experiments/get-by-name",
        params={"experiment_name": name},
        auth=person,
        timeout=60,
    ).json()["experiment"]
    remove = f"{url}/api/2.0/mlflow/experiments/delete"
    assert status(person, remove, {"experiment_id": found["experiment_id"]}) == 403


def test_the_page_of_addresses_says_how_to_sign_in(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo and `mela up` print it; the password itself is in its file only."""
    print_addresses(settings)
    shown = " ".join(capsys.readouterr().out.split())
    assert "user mela, password MELA_MLFLOW__PASSWORD in" in shown
    assert settings.mlflow.password.get_secret_value() not in shown


def test_a_scene_goes_the_whole_way_and_a_strategy_finds_no_secret(
    home: Path, settings: Settings, tmp_path: Path
) -> None:
    """The strategy tries to reach what it must not, and says in an error what it reached."""
    folder = home / "packages"
    shutil.copytree(Path(__file__).with_name("spying"), folder, dirs_exist_ok=True)
    span = ("--interval", "1d", "--from", "2022-01-01", "--to", "2024-01-01")
    loaded = mela("ingest", "binance:BTCUSDT", *span, home=home)
    assert loaded.returncode == 0, loaded.stderr
    scene = tmp_path / "scene.yaml"
    scene.write_text(
        "schema_version: 1\ninstruments: [binance:BTCUSDT]\ninterval: 1d\n"
        "start: 2023-01-01T00:00:00Z\nend: 2023-12-01T00:00:00Z\n"
        "strategy: {name: spying}\n"
    )
    done = mela("publish", str(scene), "--follow", home=home, timeout_s=300)
    assert "finished" in done.stdout + done.stderr, done.stdout + done.stderr
    rows = json.loads(mela("results", "last", "--json", home=home).stdout)
    rows = rows["results"] if isinstance(rows, dict) else rows
    assert rows[0]["status"] == "failed"
    sentence = rows[0]["error"]["sentence"]
    assert "reached: nothing" in sentence, sentence


def test_the_job_keeps_its_roles(settings: Settings, kept: dict[str, str]) -> None:
    """What the running job uses of Postgres, as Postgres sees it."""
    where = settings.postgres
    deadline = time.monotonic() + WAIT_S
    with (
        psycopg2.connect(
            host=where.host,
            port=where.port,
            dbname="postgres",
            user=roles.ADMIN,
            password=kept[roles.ADMIN_PASSWORD],
        ) as session,
        session.cursor() as run,
    ):
        run.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = %s", (where.database,)
        )
        users = {name for (name,) in run.fetchall()}
    assert time.monotonic() < deadline
    assert {roles.JOB, roles.RUN} <= users


def test_a_publisher_cannot_send_what_the_job_sends(settings: Settings) -> None:
    with pytest.raises(SourceUnavailable), Publisher(settings.kafka, linger_ms=0) as publisher:
        publisher.result(str(uuid4()), "0" * 64, b"{}")
    tail(settings, RESULTS, PROGRESS, REJECTED).close()  # while it may read


def test_a_scene_is_cancelled_by_roles_that_may_not_write_progress_and_the_job_tells_it(
    settings: Settings, kept: dict[str, str]
) -> None:
    """The web application's roles, and those of the command line: neither may write there."""
    where = settings.postgres.model_copy(
        update={"user": roles.API, "password": SecretStr(kept[roles.PASSWORDS[roles.API]])}
    )
    kafka = signed(settings, guard.API, kept[guard.PASSWORDS[guard.API]])
    application = settings.model_copy(update={"postgres": where, "kafka": kafka})
    for by in (application, settings):
        scene_id = UUID(a_scene(settings))
        heard = tail(settings, PROGRESS)
        cancel_scene(scene_id, by)
        deadline = time.monotonic() + WAIT_S
        while (raw := poll(heard, 1.0)) is None or decode_progress(raw).scene_id != scene_id:
            assert time.monotonic() < deadline, "the job did not tell that a scene was cancelled"
        heard.close()
        assert decode_progress(raw).state is State.CANCELLED
