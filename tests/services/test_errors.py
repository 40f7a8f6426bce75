"""An error of Postgres says what the caller can do: start it, correct the password, upgrade."""

from __future__ import annotations

import socket

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mela.errors import AccessDenied, MelaError, SourceUnavailable, StackFailed
from mela.settings import PostgresSettings, Settings
from services.errors import explained
from warehouse.database import engine_for, transaction


def error_of(settings: Settings, statement: str = "SELECT 1") -> MelaError | None:
    """Return the explanation of the error that a statement raises."""
    try:
        with transaction(settings) as connection:
            connection.execute(text(statement))
    except DBAPIError as error:
        return explained(error, settings)
    finally:
        engine_for(settings).dispose()
    raise AssertionError(f"{statement} raised nothing")


def test_a_warehouse_that_is_down_is_named_with_the_command_that_helps() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    settings = Settings(postgres=PostgresSettings(host="127.0.0.1", port=port))

    error = error_of(settings)

    assert isinstance(error, SourceUnavailable)
    assert "does not answer" in str(error)
    assert "mela up" in str(error)


@pytest.mark.integration
@pytest.mark.parametrize(
    "change", [{"password": SecretStr("wrong")}, {"user": "nobody_of_this_name"}]
)
def test_a_wrong_password_is_not_called_a_warehouse_that_is_down(
    warehouse: Settings, change: dict[str, object]
) -> None:
    where = warehouse.postgres.model_copy(update=change)

    error = error_of(warehouse.model_copy(update={"postgres": where}))

    assert isinstance(error, AccessDenied)
    assert where.user in str(error)
    assert "MELA_POSTGRES__PASSWORD" in str(error)
    assert "does not answer" not in str(error)


@pytest.mark.integration
def test_a_missing_database_is_named(warehouse: Settings) -> None:
    where = warehouse.postgres.model_copy(update={"database": "not_there"})

    error = error_of(warehouse.model_copy(update={"postgres": where}))

    assert isinstance(error, StackFailed)
    assert "not_there" in str(error)


@pytest.mark.integration
def test_a_missing_table_means_an_older_warehouse(warehouse: Settings) -> None:
    error = error_of(warehouse, "SELECT * FROM ops.not_there")

    assert isinstance(error, StackFailed)
    assert "older than this code" in str(error)


@pytest.mark.integration
def test_an_error_of_our_own_is_not_explained_away(warehouse: Settings) -> None:
    assert error_of(warehouse, "SELECT 1 / 0") is None
