"""An older warehouse, full of real candles and results, becomes today's without losing any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import orjson
import psycopg2
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from cli.main import app
from mela.metrics import DEFINITIONS
from mela.run import Run
from mela.settings import Settings
from tests.warehouse.given import rows
from tests.warehouse.lived import BTC, TODAY, Life, ingest_all, live, restate
from warehouse.database import engine_for, transaction
from warehouse.results import finder as results
from warehouse.results import trials
from warehouse.results.stale import stale_results
from warehouse.schema import migrate
from warehouse.schema.migrate import head, upgrade
from warehouse.schema.migrations.versions.v0002_more_metrics import COUNTS, FRACTIONS

pytestmark = pytest.mark.integration
COLUMNS = text("""
    SELECT n.nspname, t.relname, a.attname FROM pg_attribute a
    JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname IN ('raw', 'ops') AND t.relkind IN ('r', 'p') AND NOT t.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped AND t.relname <> 'alembic_version'
    ORDER BY a.attnum
""")
FOREIGN = text("""
    SELECT c.conrelid::regclass::text, c.confrelid::regclass::text FROM pg_constraint c
    WHERE c.contype = 'f' AND c.conrelid <> c.confrelid
""")
NUMBERED = text("""
    SELECT table_schema || '.' || table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'ops' AND is_identity = 'YES'
""")
UNKNOWN = "00000000-0000-4000-8000-000000000000"
Tables = dict[str, list[str]]


@dataclass
class Lived:
    """A warehouse of today, and what happened in it."""

    settings: Settings
    life: Life


@pytest.fixture(scope="module")
def databases(postgres: Settings) -> Iterator[Any]:
    """Make databases; they go with their server."""
    admin = create_engine(postgres.postgres.url(), isolation_level="AUTOCOMMIT")
    made: list[Settings] = []

    def make(name: str) -> Settings:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        where = postgres.postgres.model_copy(update={"database": name})
        made.append(postgres.model_copy(update={"postgres": where}))
        return made[-1]

    yield make
    for settings in made:
        engine_for(settings).dispose()
    admin.dispose()


@pytest.fixture(scope="module")
def lives(databases: Any) -> Callable[[bool], Lived]:
    """Give a warehouse of today that saw use: with portfolios and holdouts, or without."""

    @cache
    def lived(whole: bool) -> Lived:
        settings = databases(f"mela_lived_{'more' if whole else 'less'}")
        upgrade(settings)
        return Lived(settings, live(settings, whole=whole))

    return lived


def upgraded_to(settings: Settings, version: str) -> None:
    """Bring an empty database to an older version, by the same files as `mela up`."""
    with transaction(settings) as connection:
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS ops"))
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def tables(settings: Settings) -> Tables:
    """Return the columns of each table; partitions belong to theirs."""
    found: Tables = {}
    with transaction(settings) as connection:
        for schema, table, column in connection.execute(COLUMNS):
            found.setdefault(f"{schema}.{table}", []).append(column)
    return found


def in_order(settings: Settings, names: list[str]) -> list[str]:
    """Return tables so that each comes behind those that it points to."""
    with transaction(settings) as connection:
        pairs = [tuple(row) for row in connection.execute(FOREIGN)]
    ordered: list[str] = []
    while len(ordered) < len(names):
        rest = [name for name in names if name not in ordered]
        waiting = {of for of, to in pairs if to in rest}
        assert waiting != set(rest), rest
        ordered += [name for name in rest if name not in waiting]
    return sorted(ordered, key=lambda name: name.startswith("raw.candle"))  # a trigger's own checks


def copied(old: Settings, lived: Lived) -> Tables:
    """Give an old warehouse the rows of today's, in its own columns; return which they are."""
    new, there = tables(lived.settings), tables(old)
    shared = {
        # a seal is also of metrics that an older warehouse has no columns for yet
        name: [one for one in there[name] if one in new[name] and one != "seal"]
        for name in there
        if name != "ops.result_seal"  # the trigger of a later version seals what is copied
    }
    with psycopg2_session(lived.settings) as source, psycopg2_session(old) as target:
        for name in in_order(old, list(shared)):
            columns = ", ".join(f'"{one}"' for one in shared[name])
            content = BytesIO()
            asked = f"SELECT {columns} FROM {name}"
            source.cursor().copy_expert(f"COPY ({asked}) TO STDOUT", content)
            if "blocks" in shared[name] and has_arrays(old):
                content = unpacked(content, shared[name].index("blocks"))
            content.seek(0)
            target.cursor().copy_expert(f"COPY {name} ({columns}) FROM STDIN", content)
    with transaction(old) as connection:
        for name, column in connection.execute(NUMBERED).all():  # as the old code left them
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), max({column}))"
                    f" FROM {name} HAVING count(*) > 0"
                )
            )
    return shared


def has_arrays(settings: Settings) -> bool:
    """Say whether a version keeps block sums as arrays rather than bytes."""
    [(kind,)] = rows(settings, "SELECT pg_typeof((SELECT blocks FROM ops.result LIMIT 1))::text")
    return kind == "double precision[]"


class psycopg2_session:  # noqa: N801  used as a context manager only
    """A session of one transaction, closed at the end."""

    def __init__(self, settings: Settings) -> None:
        self.where = settings.postgres

    def __enter__(self) -> Any:
        where = self.where
        self.session = psycopg2.connect(
            host=where.host,
            port=where.port,
            dbname=where.database,
            user=where.user,
            password=where.password.get_secret_value(),
        )
        return self.session

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.session.commit()
        self.session.close()


def unpacked(content: BytesIO, place: int) -> BytesIO:
    """Write block sums as the versions before 0008 had them: arrays of 3 × 16 numbers."""
    lines: list[bytes] = []
    for line in content.getvalue().splitlines():
        cells = line.split(b"\t")
        if cells[place] != rb"\N":
            numbers = np.frombuffer(bytes.fromhex(cells[place][3:].decode()), dtype=">f8")
            told = ["{" + ",".join(map(repr, row.tolist())) + "}" for row in numbers.reshape(3, 16)]
            cells[place] = ("{" + ",".join(told) + "}").encode()
        lines.append(b"\t".join(cells))
    return BytesIO(b"\n".join(lines) + b"\n")


def content(settings: Settings, table: str, columns: list[str]) -> list[str]:
    """Return a table's rows in some columns, each as text, in one order."""
    named = ", ".join(f'"{one}"' for one in columns)
    asked = f"SELECT part::text FROM (SELECT {named} FROM {table}) AS part ORDER BY 1"
    return [row[0] for row in rows(settings, asked)]


def versions() -> list[str]:
    """Return every version before the newest."""
    script = ScriptDirectory.from_config(migrate._config())
    return sorted(one.revision for one in script.walk_revisions() if one.revision != head())


@dataclass
class Upgraded:
    """A warehouse that was made by an older version, and filled under it."""

    version: str
    settings: Settings
    filled: Tables
    like: Lived


@pytest.fixture(scope="module", params=versions())
def old(request: pytest.FixtureRequest, databases: Any, lives: Callable[[bool], Lived]) -> Upgraded:
    version = request.param
    lived, settings = lives(version >= "0004"), databases(f"mela_of_{version}")
    upgraded_to(settings, version)
    filled = copied(settings, lived)
    assert upgrade(settings) == head()
    return Upgraded(version, settings, filled, lived)


def test_an_upgrade_keeps_every_row_and_makes_nothing_up(old: Upgraded) -> None:
    now = tables(old.settings)
    assert now == tables(old.like.settings)
    for table, columns in old.filled.items():
        there, here = (content(one, table, columns) for one in (old.like.settings, old.settings))
        assert there == here, table
        for column in set(now[table]) - set(columns):
            assert rows(old.settings, f'SELECT count("{column}") FROM {table}') == [(0,)], column
    for table in set(now) - set(old.filled) - {"ops.result_seal"}:
        assert rows(old.settings, f"SELECT count(*) FROM {table}") == [(0,)], table
    # results are sealed as they stand, also where metrics get their columns after that
    [(sealed,)] = rows(old.settings, "SELECT count(*) FROM ops.result_seal")
    assert rows(old.settings, "SELECT count(*) FROM ops.result") == [(sealed,)]
    assert rows(old.settings, "SELECT * FROM ops.broken_seals()") == []
    assert rows(old.settings, "SELECT count(*) FROM raw.candle") == [(1704 + 1704 + 128,)]


def test_stored_answers_trials_and_curves_are_read_as_before(old: Upgraded) -> None:
    settings, like, life = old.settings, old.like.settings, old.like.life
    # metrics that came without a version: migrate adds their columns to whatever it finds
    later = {name for name, one in DEFINITIONS.items() if one.since > 2}
    later |= {*FRACTIONS, *COUNTS, "borrow_paid", "blocks"} if old.version < "0002" else set()
    stored = answers(settings, life.runs, later)
    assert stored == answers(like, life.runs, later)
    assert len(stored) == len(life.runs)
    there, here = (known(one, life) for one in (like, settings))
    assert here.n_trials == there.n_trials >= 6
    assert here.blocks.tolist() == (there.blocks.tolist() if old.version >= "0002" else [])
    there, here = (curve_of(one, life.scenes["grid"].scene_id) for one in (like, settings))
    assert here.equity.tolist() == there.equity.tolist()
    assert [trade[:8] for trade in here.trades] == [trade[:8] for trade in there.trades]
    with transaction(settings) as connection:
        assert stale_results(connection, TODAY) == []


def test_the_command_line_answers_from_it(old: Upgraded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MELA_HOME", str(old.settings.home))
    monkeypatch.setenv("MELA_POSTGRES__DATABASE", old.settings.postgres.database)
    scene_id = old.like.life.scenes["grid"].scene_id
    said = CliRunner().invoke(app, ["results", str(scene_id)])
    assert said.exit_code == 0, said.output
    assert "6 of 6 runs recorded" in said.stdout
    trail = CliRunner().invoke(app, ["lineage", old.like.life.runs[0].run_key])
    assert trail.exit_code == 0, trail.output
    assert "binance:BTCUSDT 1h" in trail.stdout


def test_it_goes_on_loads_restates_and_doubts(old: Upgraded) -> None:
    settings = old.settings
    known_now = rows(settings, "SELECT count(*) FROM raw.candles_as_known(now())")
    assert known_now == rows(settings, "SELECT count(*) FROM raw.candle")
    versions_before = rows(settings, "SELECT count(*) FROM raw.candle_version")[0][0]

    assert ingest_all(settings) == [(0, 1, 1703), (0, 0, 1704), (0, 0, 128)]  # the vendor's word
    restate(settings, 16_000.0)

    [(versions_now,)] = rows(settings, "SELECT count(*) FROM raw.candle_version")
    assert versions_now == versions_before + 2
    with transaction(settings) as connection:
        spoilt = {one.run_key for one in stale_results(connection, TODAY)}
    on_bitcoin = {run.run_key for run in old.like.life.runs if BTC in run.instruments}
    assert spoilt == on_bitcoin
    assert len(on_bitcoin) >= 6


def answers(settings: Settings, runs: list[Run], later: set[str]) -> dict[str, dict[str, Any]]:
    """Return the stored answers that hold today, without what an old version did not know."""
    with transaction(settings) as connection:
        found = results.find(connection, runs, TODAY, UNKNOWN)
    return {
        key: {name: value for name, value in orjson.loads(told).items() if name not in later}
        for key, told in found.items()
    }


def known(settings: Settings, life: Life) -> trials.Known:
    scene = life.scenes["grid"]
    span = scene.start, scene.end
    with transaction(settings) as connection:
        return trials.known(
            connection,
            str(scene.scene_id),
            instruments=list(scene.instruments),
            strategies=["sma_cross"],
            dates=span,
            interval="1h",
            span=span,
        )


def curve_of(settings: Settings, scene_id: Any) -> Any:
    with transaction(settings) as connection:
        for document in results.of_scene(connection, scene_id):
            if curve := results.curve(connection, document["result_key"]):
                return curve
    raise AssertionError("no result of the scene has a curve")
