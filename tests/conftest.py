"""The real services, started once per session, for tests marked `integration`."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

import stack
from mela.settings import REPOSITORY, Settings
from replay import ReplayServer, create_server
from tests.workers import (  # noqa: F401  hooks, which pytest finds here
    PLATFORM,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_teardown,
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_xdist_make_scheduler,
)
from warehouse.database import engine_for, transaction
from warehouse.schema.migrate import upgrade

SCRATCH = f"mela_warehouse_{os.getpid()}"
EMPTY = text(
    "TRUNCATE ops.instrument, ops.user, ops.scene, raw.candle, raw.candle_version,"
    " ops.strategy_check, ops.chunk_mark, ops.model_file"
    " RESTART IDENTITY CASCADE"
)
MELA = Path(sys.executable).with_name("mela")
DEMO_S = 900
# Not a thousand runs of each scene: MLflow's server needs 40 ms of processor time for each, which
# the tests that come next would wait for.
MIRRORED = 100


@pytest.fixture(autouse=True)
def _files_alone() -> Iterator[None]:
    """Forget `forecast` after a test: `CATALOGUE` is what files register, in whatever order."""
    yield
    if loaded := sys.modules.get("backtests.strategy"):
        loaded.REGISTERED.pop("forecast", None)


@pytest.fixture(scope="session")
def packaged() -> Iterator[ReplayServer]:
    """A replay server of the packaged candles, without faults."""
    with create_server() as server:
        yield server


@pytest.fixture
def replay() -> Iterator[Callable[..., ReplayServer]]:
    """Start servers of a test's own, with its own data, time or faults."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(create_server(*args, **kwargs))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Settings]:
    """A migrated Postgres alone."""
    with temporary_home() as home:
        yield stack.up(Settings(home=home), only={"postgres"})


@pytest.fixture(scope="session")
def streams() -> Iterator[Settings]:
    """A Kafka alone, with its topics."""
    with temporary_home() as home:
        yield stack.up(Settings(home=home), only={"kafka"})


@pytest.fixture(scope="session")
def scratch(postgres: Settings) -> Iterator[Settings]:
    """A database of the tests' own on it."""
    admin = create_engine(postgres.postgres.url(), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {SCRATCH}"))
        where = postgres.postgres.model_copy(update={"database": SCRATCH})
        settings = postgres.model_copy(update={"postgres": where})
        upgrade(settings)
        yield settings
        engine_for(settings).dispose()
    admin.dispose()


@pytest.fixture
def warehouse(scratch: Settings) -> Settings:
    """That database, empty for each test."""
    with transaction(scratch) as connection:
        connection.execute(EMPTY)
    return scratch


@pytest.fixture
def replayed(warehouse: Settings, packaged: ReplayServer) -> Settings:
    """That database, and candles that come from a replay server."""
    return warehouse.model_copy(update={"replay_url": packaged.url})


@pytest.fixture(scope="session")
def platform(pytestconfig: pytest.Config) -> Iterator[Settings]:
    """Everything, as `mela demo --offline` leaves it: candles loaded, a grid run and recorded."""
    with ExitStack() as running:
        pytestconfig.stash[PLATFORM] = running
        home = running.enter_context(temporary_home())
        few = {"MELA_MLFLOW_TOP": str(MIRRORED)}
        done = mela("demo", "--offline", home=home, timeout_s=DEMO_S, settings=few)
        (home / "demo.txt").write_text(done.stdout, encoding="utf-8")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        yield stack_settings(home)


def mela(
    *words: str,
    home: Path,
    timeout_s: float = 120,
    stdin: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, on the stack of a home."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MELA_")}
    return subprocess.run(
        [str(MELA), *words],
        cwd=REPOSITORY,
        env={**env, "MELA_HOME": str(home), "COLUMNS": "160", **(settings or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def typed(
    *words: str, home: Path, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line as `mela` does, in this process: another needs a second to start.

    Not for commands that hand over to another program, as `mela psql`: what that one writes is
    not captured. Where a browser of the tests runs a loop in this thread, in which a command could
    not run its own, it is a process after all.
    """
    if asyncio._get_running_loop() is not None:  # without an error where there is none
        return mela(*words, home=home, settings=settings)
    from typer.testing import CliRunner

    from cli import console
    from cli.main import app

    with pytest.MonkeyPatch.context() as scope:
        for name in [name for name in os.environ if name.startswith("MELA_")]:
            scope.delenv(name)
        given = {"MELA_HOME": str(home), "COLUMNS": "160", **(settings or {})}
        for name, value in given.items():
            scope.setenv(name, value)
        for stream in (console.out, console.err):  # made when COLUMNS was not set
            scope.setattr(stream, "_width", 160)
        done = CliRunner().invoke(app, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def stack_settings(home: Path) -> Settings:
    """Return the addresses that the stack of a home keeps."""
    from stack import environment

    return environment.fresh(Settings(home=home))


class temporary_home:  # noqa: N801  used as a context manager only
    """A MELA_HOME that another account may reach, emptied of processes and files at the end."""

    def __enter__(self) -> Path:
        self.home = Path(tempfile.mkdtemp(prefix="mela-test-", dir="/tmp"))
        self.home.chmod(0o755)
        return self.home

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        stack.down(Settings(home=self.home))
        left = processes_of(self.home)
        assert not left, f"`down` left {left}"
        if kind is None:
            shutil.rmtree(self.home)


def processes_of(home: Path) -> list[str]:
    """Return what runs on behalf of a home's stack."""
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MELA_STACK") == str(home.resolve()):
                found.append(" ".join(process.cmdline())[:200])
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
