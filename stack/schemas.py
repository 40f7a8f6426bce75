"""Versions and migrations of the tables that other programs keep in Postgres.

Alembic records their version.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psycopg2

from stack import oneshot
from stack.service import Site

EMPTY = "none"


def state(site: Site, role: str, password: str, package: str) -> str:
    """Return a package's schema version, and that of the tables in its role's database.

    The second is EMPTY if there are no tables yet.
    """
    settings = site.settings.postgres
    with (
        psycopg2.connect(
            host=settings.host, port=settings.port, dbname=role, user=role, password=password
        ) as connection,
        connection.cursor() as run,
    ):
        run.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
        found: object = EMPTY
        if (run.fetchone() or (False,))[0]:
            run.execute("SELECT string_agg(version_num, ',') FROM alembic_version")
            found = (run.fetchone() or (None,))[0]
    return f"{version(package)} {found}"


def migrate(command: tuple[str, ...], environment: Mapping[str, str], directory: Path) -> None:
    """Run a program's own migration. Raises StackFailed with the end of its output.

    command: the program's path and arguments, which must not hold a secret, because they are shown
    """
    shown = " ".join([Path(command[0]).name, *command[1:]])
    oneshot.run(command, f"`{shown}` failed", directory=directory, environment=environment)
