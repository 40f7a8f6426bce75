"""`mela user`, on a real Postgres."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from typer.testing import CliRunner
from typer.testing import Result as Ended

from cli.main import app
from mela.settings import Settings
from services.accounts import accounts
from stack.api import sign_in
from tests.warehouse.given import rows
from warehouse.database import transaction
from warehouse.scenes import users

pytestmark = pytest.mark.integration


def mela(*words: str, typed: str | None = None) -> Ended:
    return CliRunner().invoke(app, ["user", *words], input=typed)


def test_an_account_gets_a_random_password_that_must_be_changed(settings: Settings) -> None:
    said = mela("add", "Ada", "--role", "admin")

    assert said.exit_code == 0, said.output
    [password] = [line for line in said.stdout.splitlines() if " " not in line]
    assert len(password) >= 20
    assert accounts.has_password(settings, "ada", password)
    assert accounts.one(settings, "ada").must_change_password is True
    assert "ada" in mela("list").stdout


def test_who_published_before_keeps_the_scenes_under_the_name(settings: Settings) -> None:
    with transaction(settings) as connection:
        known = users.ensure(connection, "grace")
    assert mela("add", "grace").exit_code == 0
    assert rows(settings, "SELECT user_id FROM app.account") == [(known,)]


def test_a_password_may_be_typed_and_is_judged(settings: Settings) -> None:
    mela("add", "ada")
    good, bad = "seven quiet herons", "password123"
    refused = mela("passwd", "ada", "--ask", typed=f"{bad}\n{bad}\n")
    assert refused.exit_code == 1
    assert "tried first" in refused.output
    assert mela("passwd", "ada", "--ask", typed=f"{good}\n{good}\n").exit_code == 0
    assert accounts.has_password(settings, "ada", good)
    assert accounts.one(settings, "ada").must_change_password is False


def test_who_is_disabled_is_so_until_enabled(settings: Settings) -> None:
    mela("add", "ada")
    assert mela("disable", "ada").exit_code == 0
    assert accounts.one(settings, "ada").is_disabled is True
    assert mela("enable", "ada").exit_code == 0
    assert accounts.one(settings, "ada").is_disabled is False


def test_the_only_administrator_stays_one(settings: Settings) -> None:
    mela("add", "ada", "--role", "admin")
    said = mela("role", "ada", "viewer")
    assert said.exit_code == 1
    assert "only administrator" in said.output


def test_a_quota_is_set_for_a_user_without_an_account_too(settings: Settings) -> None:
    with transaction(settings) as connection:
        users.ensure(connection, "kafka")
    assert mela("quota", "kafka", "--runs-per-day", "1000").exit_code == 0
    query = "SELECT runs_per_day, scenes_at_once FROM app.quota"
    assert rows(settings, query) == [(1000, None)]


def test_what_does_not_fit_is_said_in_a_sentence(settings: Settings) -> None:
    for words, sentence in (
        (("add", "ada", "--role", "god"), "expected one of viewer, trader, admin"),
        (("add", "kafka"), "expected a name"),
        (("disable", "nobody9"), "there is no account 'nobody9'"),
    ):
        said = mela(*words)
        assert said.exit_code == 1
        assert sentence in said.output
    mela("add", "ada")
    assert "the name ada is taken" in mela("add", "ada").output


def test_each_command_is_in_the_audit_log(settings: Settings) -> None:
    with transaction(settings) as connection:
        connection.execute(text("TRUNCATE app.audit_entry"))
    mela("add", "ada")
    mela("disable", "ada")
    query = "SELECT via, action, subject FROM app.audit_entry ORDER BY id"
    assert rows(settings, query) == [
        ("command", "add_user", "ada"),
        ("command", "change_user", "ada"),
    ]


def test_the_first_account_is_made_once_and_its_password_shown_until_it_changes(
    settings: Settings,
) -> None:
    from stack import environment
    from stack.api import FIRST, PASSWORD

    password = environment.read(settings.home)[PASSWORD]
    assert accounts.ensure_first(settings, FIRST, password) is True
    assert accounts.ensure_first(settings, "second", password) is False
    assert sign_in(settings) == f"admin / {password}"
    accounts.set_password(settings, FIRST, "seven quiet herons", must_change=False)
    assert password not in sign_in(settings)
