"""How old the tables are that other programs keep in Postgres, as Alembic notes it there."""

from __future__ import annotations

from importlib.metadata import version

import psycopg2

from stack.service import Site

EMPTY = "none"


def state(site: Site, role: str, password: str, package: str) -> str:
    """Return a package's version and that of the tables in the database of its role.

    EMPTY stands for the second where there are no tables yet.
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
