"""A star of the tests' own: a scratch warehouse that is filled, built, changed and built again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import psycopg2
import pytest
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from mela.settings import REPOSITORY, Settings
from tests.dbt import given
from tests.warehouse.given import rows
from warehouse.database import engine_for, transaction
from warehouse.questions import Answer, ask, questions
from warehouse.schema.migrate import upgrade

PROJECT = REPOSITORY / "dbt"
SCRATCH = f"mela_star_{os.getpid()}"
FACTS = {
    "fct_candle": "instrument_key, interval_key, opened_at",
    "fct_indicator": "instrument_key, interval_key, opened_at",
    "fct_run": "scene_key, run_key",
    "fct_trade": "result_key, seq",
    "fct_equity": "result_key, date_key",
}
TRADING = {
    "fct_order": "client_order_id",
    "fct_fill": "fill_id",
    "fct_session_day": "date_key",
    "fct_drift": "date_key",
}
WRITTEN = "SELECT interval_key, opened_at, xmin::text FROM marts.{} ORDER BY 1, 2, instrument_key"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Built:
    """The star after a build.

    tables: the facts and dim_instrument by name; written: which transaction wrote which row of the
        facts of candles; answers: of the ready questions, by name
    """

    tables: dict[str, Rows]
    written: dict[str, set[tuple[Any, ...]]]
    answers: dict[str, Answer]


@dataclass(frozen=True)
class Star:
    """One warehouse three times. later: changed and built upon what was there; fresh: anew."""

    settings: Settings
    story: given.Story
    first: Built
    later: Built
    fresh: Built
    freshness: dict[str, str]


SERVE = """
import json, os, sys
from dbt.cli.main import dbtRunner
answers = os.fdopen(int(sys.argv[1]), "w")
for line in sys.stdin:
    done = dbtRunner().invoke(json.loads(line))
    sys.stdout.flush()
    print(json.dumps(done.success), file=answers, flush=True)
"""


@dataclass
class Dbt:
    """One process that runs dbt's commands on a warehouse: three seconds spared at each."""

    process: subprocess.Popen[str]
    answers: TextIO
    scratch: Path

    def run(self, *words: str) -> None:
        """Run a command as `dbt` would, and hold that it succeeded."""
        said = (self.scratch / "said").stat().st_size
        assert self.process.stdin
        asked = ["--no-use-colors", "--partial-parse", *words]
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        is_done = self.answers.readline() == "true\n"
        assert is_done, (self.scratch / "said").read_text(errors="replace")[said:][-3_000:]


@pytest.fixture(scope="session")
def dbt(star_warehouse: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dbt]:
    where, scratch = star_warehouse.postgres, tmp_path_factory.mktemp("dbt")
    given = {
        "MELA_POSTGRES__HOST": where.host,
        "MELA_POSTGRES__PORT": str(where.port),
        "MELA_POSTGRES__DATABASE": where.database,
        "MELA_POSTGRES__USER": where.user,
        "MELA_POSTGRES__PASSWORD": where.password.get_secret_value(),
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(scratch / "target"),
        "DBT_LOG_PATH": str(scratch / "logs"),
    }
    reader, writer = os.pipe()
    with (scratch / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(writer)],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=(writer,),
            env=os.environ | given,
            cwd=scratch,
        )
    os.close(writer)
    with os.fdopen(reader) as answers:
        yield Dbt(process, answers, scratch)
        assert process.stdin
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.fixture(scope="session")
def star_warehouse(postgres: Settings) -> Iterator[Settings]:
    """Give a migrated warehouse of its own, so that rows can be counted by hand."""
    with closing(psycopg2.connect(postgres.postgres.url().replace("+psycopg2", ""))) as connection:
        connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {SCRATCH}")
            own = postgres.postgres.model_copy(update={"database": SCRATCH})
            settings = postgres.model_copy(update={"postgres": own})
            upgrade(settings)
            yield settings
            engine_for(settings).dispose()


@pytest.fixture(scope="session")
def star(star_warehouse: Settings, dbt: Dbt) -> Star:
    settings = star_warehouse
    story = given.first_loads(settings)
    dbt.run("build")
    first = look(settings)
    given.later_loads(settings, story)
    dbt.run("build", "--exclude-resource-type", "unit_test")
    later = look(settings)
    dbt.run("run", "--full-refresh", "--select", *FACTS)
    fresh = look(settings)
    dbt.run("source", "freshness")
    said = json.loads((dbt.scratch / "target" / "sources.json").read_text(encoding="utf-8"))
    freshness = {one["unique_id"]: one["status"] for one in said["results"]}
    return Star(settings, story, first, later, fresh, freshness)


def look(settings: Settings) -> Built:
    """Read what a build left."""

    def table(name: str, order: str) -> Rows:
        with transaction(settings) as connection:
            found = connection.exec_driver_sql(f"SELECT * FROM marts.{name} ORDER BY {order}")
            return [dict(row) for row in found.mappings()]

    order = FACTS | TRADING | {"dim_instrument": "instrument, valid_from"}
    written = {
        name: {tuple(row) for row in rows(settings, WRITTEN.format(name))}
        for name in ("fct_candle", "fct_indicator")
    }
    with transaction(settings) as connection:
        answers = {name: ask(connection, name) for name in questions()}
    return Built({name: table(name, by) for name, by in order.items()}, written, answers)
