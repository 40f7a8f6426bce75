"""Alerts leave the outbox at least once, as messages that people can bear, to real receivers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from mela.errors import SettingsInvalid
from mela.settings import REPOSITORY, Settings
from mela.settings.alerts import AlertSettings
from services.alerts.outbox import deliver_due
from tests.services.alerts.alert_servers import Webhook, smtp, webhook
from tests.warehouse.given import rows
from warehouse.database import transaction
from warehouse.trading import alerts
from warehouse.trading.alerts import LEASE_S, Alert, Level

pytestmark = pytest.mark.integration
DEAD = "json://127.0.0.1:9/a-token"


class Clock:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(seconds=5)

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as state:
        yield state


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def empty(warehouse: Settings) -> Settings:
    with transaction(warehouse) as connection:
        connection.exec_driver_sql("TRUNCATE ops.alert_outbox, ops.alert_receiver")
    return warehouse


def told(settings: Settings, *receivers: str, **rules: Any) -> Settings:
    hidden = tuple(map(SecretStr, receivers))
    return settings.model_copy(update={"alerts": AlertSettings(receivers=hidden, **rules)})


def put(settings: Settings, key: str = "a", level: Level = "warning", body: str = "why") -> None:
    with transaction(settings) as connection:
        alerts.put(connection, Alert(level, key, f"title {key}", body))


def states(settings: Settings) -> list[tuple[str, str, int]]:
    found = rows(settings, "SELECT key, state, times FROM ops.alert_outbox ORDER BY id")
    return [tuple(row) for row in found]


def test_an_alert_reaches_a_webhook_of_apprise_and_a_mail_server(
    empty: Settings, hook: Webhook, clock: Clock
) -> None:
    put(empty)
    with smtp() as (port, mails):
        mail = f"mailto://127.0.0.1:{port}?from=mela@example.org&to=me@example.org&mode=insecure"
        settings = told(empty, hook.apprise, mail)
        assert deliver_due(settings, clock) == 1
    assert [(one["title"], one["message"]) for one in hook.heard] == [("title a", "why")]
    [text] = mails
    assert "Subject: title a" in text
    assert "why" in text
    assert states(empty) == [("a", "sent", 1)]
    assert deliver_due(settings, clock) == 0


def test_the_webhook_of_other_alerts_hears_them_too(
    empty: Settings, hook: Webhook, clock: Clock
) -> None:
    settings = empty.model_copy(update={"alert_webhook": SecretStr(hook.url)})
    put(settings, level="critical")
    assert deliver_due(settings, clock) == 1
    assert hook.heard == [
        {"event": "alert", "level": "critical", "key": "a", "text": "title a\nwhy"}
    ]


@pytest.mark.parametrize("kind", ["apprise", "url"])
@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "70"}, b"", 70),
        ({}, b'{"ok": false, "parameters": {"retry_after": 7}}', 7),  # Telegram
        ({}, b"no JSON", 30),
    ],
)
def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long(
    empty: Settings,
    hook: Webhook,
    clock: Clock,
    kind: str,
    headers: dict[str, str],
    body: bytes,
    seconds: float,
) -> None:
    settings = told(empty, hook.apprise)
    if kind == "url":
        settings = empty.model_copy(update={"alert_webhook": SecretStr(hook.url)})
    hook.answers = [(429, headers, body)]
    asked: list[Any] = []
    hook.on_post = asked.append
    put(settings, "a")
    put(settings, "b")
    assert deliver_due(settings, clock) == 0
    assert len(asked) == 1, "the second alert must not knock at a door that asked for silence"
    clock.later(seconds - 1)
    assert deliver_due(settings, clock) == 0
    assert len(asked) == 1
    clock.later(2)
    assert deliver_due(settings, clock) == 2
    assert len(hook.heard) == 2
    assert rows(empty, "SELECT * FROM ops.alert_receiver") == []


def test_a_dead_receiver_keeps_nobody_else_waiting_and_is_asked_ever_less(
    empty: Settings, hook: Webhook, clock: Clock
) -> None:
    settings = told(empty, DEAD, hook.apprise)
    put(settings)
    for wait_s in (30, 60, 120):
        assert deliver_due(settings, clock) == 0
        [[until, failures]] = rows(empty, "SELECT paused_until, failures FROM ops.alert_receiver")
        assert (until - clock()).total_seconds() == wait_s
        assert failures == {30: 1, 60: 2, 120: 3}[wait_s]
        clock.later(wait_s)
    assert len(hook.heard) == 1, "who has an alert does not get it again"
    put(settings, body="newer")  # it says all that the old one said, to both
    assert states(empty) == [("a", "waiting", 2)]
    clock.later(73 * 3600)
    with transaction(empty) as connection:
        connection.exec_driver_sql("UPDATE ops.alert_outbox SET last_at = now()")
    assert deliver_due(settings, clock) == 0
    assert [state for _, state, _ in states(empty)] == ["dead"]


def test_a_failing_alert_becomes_one_with_a_newer_one_of_its_key(
    empty: Settings, hook: Webhook, clock: Clock
) -> None:
    settings = told(empty, hook.apprise)
    hook.answers = [(500, {}, b"")]
    put(settings, body="first")
    hook.on_post = lambda document: (
        put(settings, body="second") if "first" in str(document) else None
    )
    assert deliver_due(settings, clock) == 0
    hook.on_post = lambda _: None
    assert states(empty) == [("a", "waiting", 2)]
    clock.later(31)
    assert deliver_due(settings, clock) == 1
    assert hook.heard[0]["message"].startswith("second\n2 times since ")


def test_what_was_told_is_told_again_only_after_a_while_unless_it_became_worse(
    empty: Settings, hook: Webhook, clock: Clock
) -> None:
    settings = told(empty, hook.apprise, coalesce_s=300)
    put(settings)
    assert deliver_due(settings, clock) == 1
    for _ in range(3):
        put(settings)
    clock.later(200)
    assert deliver_due(settings, clock) == 0
    put(settings, level="critical")
    assert deliver_due(settings, clock) == 1
    assert hook.heard[1]["message"].startswith("why\n4 times since ")
    put(settings)
    clock.later(301)
    assert deliver_due(settings, clock) == 1


def test_in_quiet_hours_only_the_worst_is_told_and_the_rest_afterwards(
    empty: Settings, hook: Webhook, clock: Clock
) -> None:
    settings = told(empty, hook.apprise, quiet="22:00-07:00", zone="Europe/Berlin")
    clock.now = datetime(2030, 1, 1, 22, 30, tzinfo=UTC)
    put(settings, "a")
    put(settings, "b", "critical")
    put(settings, "c", "info")
    assert deliver_due(settings, clock) == 1
    assert [one["title"] for one in hook.heard] == ["title b"]
    clock.now = datetime(2030, 1, 2, 6, 0, tzinfo=UTC)
    assert deliver_due(settings, clock) == 1
    assert states(empty) == [("a", "sent", 1), ("b", "sent", 1), ("c", "dropped", 1)]


def test_without_receivers_nothing_waits_for_ever(empty: Settings, clock: Clock) -> None:
    put(empty, level="critical")
    assert deliver_due(told(empty), clock) == 0
    assert rows(empty, "SELECT state, error FROM ops.alert_outbox") == [
        ("dropped", "no receiver is set")
    ]


def test_an_alert_of_a_transaction_that_fails_is_none(empty: Settings) -> None:
    def fail() -> None:
        with transaction(empty) as connection:
            alerts.put(connection, Alert("error", "a", "t", "b"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert states(empty) == []


DELIVER = """
from services.alerts.outbox import deliver_due
from mela.settings import Settings
deliver_due(Settings())
"""


def test_a_process_killed_between_sending_and_noting_it_loses_nothing(
    empty: Settings, hook: Webhook, clock: Clock
) -> None:
    settings = told(empty, hook.apprise)
    put(settings)
    running: list[subprocess.Popen[bytes]] = []
    killed: list[int] = []

    def kill(_document: Any) -> None:
        if not killed:
            os.kill(running[0].pid, signal.SIGKILL)
            killed.append(running[0].pid)

    hook.on_post = kill
    running.append(subprocess.Popen([sys.executable, "-c", DELIVER], env=environment(settings)))
    assert running[0].wait(120) == -signal.SIGKILL
    assert [state for _, state, _ in states(empty)] == ["sending"]
    assert deliver_due(settings, clock) == 0, "who had it may still be at work"
    clock.later(LEASE_S + 5)
    assert deliver_due(settings, clock) == 1
    assert len(hook.heard) == 2
    assert [state for _, state, _ in states(empty)] == ["sent"]


def environment(settings: Settings) -> dict[str, str]:
    postgres = settings.postgres
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "MELA_HOME": str(settings.home),
        "MELA_POSTGRES__PORT": str(postgres.port),
        "MELA_POSTGRES__DATABASE": postgres.database,
        "MELA_POSTGRES__PASSWORD": postgres.password.get_secret_value(),
        "MELA_ALERTS__RECEIVERS": str(
            [one.get_secret_value() for one in settings.alerts.receivers]
        ).replace("'", '"'),
    }


def test_two_that_deliver_at_once_do_not_both_take_an_alert(empty: Settings, clock: Clock) -> None:
    put(empty)
    since = clock() - timedelta(hours=1)
    take: Callable[[Any], Any] = lambda connection: alerts.take(  # noqa: E731
        connection, clock(), alerts.LEVELS, since
    )
    with transaction(empty) as one, transaction(empty) as other:
        assert take(one) is not None
        assert take(other) is None


@pytest.mark.parametrize(
    "rules", [{"quiet": "22-7"}, {"digest": "25:00"}, {"zone": "Nowhere"}, {"level": "loud"}]
)
def test_wrong_rules_are_refused(rules: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid):
        Settings(alerts=rules)
