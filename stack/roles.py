"""Who may do what in Postgres: a role and a database for each that stores something there."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, cursor

from mela.errors import StackFailed
from stack.service import Site

ADMIN = "postgres"
ADMIN_PASSWORD = "MELA_STACK_POSTGRES_ADMIN_PASSWORD"  # noqa: S105 - the name of the key
AIRFLOW_PASSWORD = "MELA_STACK_AIRFLOW_DATABASE_PASSWORD"  # noqa: S105
MLFLOW_PASSWORD = "MELA_STACK_MLFLOW_DATABASE_PASSWORD"  # noqa: S105


def ensure(site: Site) -> None:
    """Create what is missing of the roles and their databases, and set their passwords."""
    settings = site.settings.postgres
    owners = {
        settings.user: (settings.database, settings.password.get_secret_value()),
        "airflow": ("airflow", site.kept[AIRFLOW_PASSWORD]),
        "mlflow": ("mlflow", site.kept[MLFLOW_PASSWORD]),
    }
    try:
        connection = psycopg2.connect(
            host=settings.host,
            port=settings.port,
            dbname="postgres",
            user=ADMIN,
            password=site.kept[ADMIN_PASSWORD],
        )
    except psycopg2.OperationalError as error:
        raise StackFailed(
            f"Postgres does not accept the password in {site.home / 'stack.env'}: restore the "
            f"one that belongs to {site.home / 'postgres'}, or remove that folder to begin anew"
        ) from error
    with closing(connection):
        connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with connection.cursor() as run:
            for role, (database, password) in owners.items():
                _ensure_role(run, role, password)
                _ensure_database(run, database, role)
            # The warehouse's owner may create scratch databases, as its tests do.
            run.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(settings.user)))


def _ensure_role(run: cursor, role: str, password: str) -> None:
    run.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    verb = "ALTER" if run.fetchone() else "CREATE"
    statement = f"{verb} ROLE {{}} LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION PASSWORD {{}}"
    run.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(password)))


def _ensure_database(run: cursor, database: str, owner: str) -> None:
    run.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
    if run.fetchone():
        return
    name, holder = sql.Identifier(database), sql.Identifier(owner)
    run.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, holder))
    run.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))


def url(site: Site, role: str, password: str) -> str:
    """Return the SQLAlchemy URL of a role's own database."""
    settings = site.settings.postgres
    return f"postgresql+psycopg2://{role}:{password}@{settings.host}:{settings.port}/{role}"
