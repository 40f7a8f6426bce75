"""migrations/versions/v0006: candles by interval and year, and what was known of them when."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from psycopg2.errors import CheckViolation
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from mela.interval import Interval
from mela.run import to_ms
from mela.settings import Settings
from tests.warehouse.given import NAME, START, action, answer, at, load, rows
from warehouse.database import engine_for, transaction
from warehouse.schema import partitions
from warehouse.schema.migrate import MIGRATIONS
from warehouse.schema.partitions import ensure_years

pytestmark = pytest.mark.integration
WHERE = {"version_table_schema": "ops"}
PLACES = """
    SELECT tableoid::regclass::text AS place, count(*) AS candles, sum(close) AS closes
    FROM raw.candle GROUP BY 1 ORDER BY 1
"""
KNOWN = """
    SELECT close FROM raw.candles_as_known(:at) WHERE interval = '1h' ORDER BY opened_at
"""


def dropping(name: str) -> tuple[str, str]:
    """Return what removes a database of the tests' own, whoever of us is still connected.

    Not WITH (FORCE): that is refused while autovacuum, which is not ours to end, works there. A
    plain DROP asks it to leave.
    """
    ours = f"datname = '{name}' AND usename = current_user"
    return (
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}",
        f"DROP DATABASE {name}",
    )


@pytest.fixture
def older(postgres: Settings) -> Iterator[Settings]:
    """A warehouse of its own, before candles had versions."""
    name = f"mela_versions_{os.getpid()}"
    admin = create_engine(postgres.postgres.url(), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        where = postgres.postgres.model_copy(update={"database": name})
        settings = postgres.model_copy(update={"postgres": where})
        with transaction(settings) as made:
            made.execute(text("CREATE SCHEMA ops"))
        move(settings, "0005")
        yield settings
        engine_for(settings).dispose()
        for statement in dropping(name):
            connection.execute(text(statement))
    admin.dispose()


def move(settings: Settings, version: str) -> None:
    """Bring the tables to a version, older ones too."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with transaction(settings) as connection:
        config.attributes["connection"] = connection
        at = MigrationContext.configure(connection, opts=WHERE).get_current_revision()
        go = command.downgrade if at and version < at else command.upgrade
        go(config, version)


def closes(settings: Settings, moment: datetime) -> list[float]:
    return [row.close for row in rows(settings, KNOWN, at=moment)]


def now(settings: Settings) -> datetime:
    [(moment,)] = rows(settings, "SELECT clock_timestamp()")
    return moment


def test_candles_of_before_move_into_their_years_and_back(older: Settings) -> None:
    with transaction(older) as connection:
        connection.execute(
            text("""
                INSERT INTO ops.instrument (venue, symbol, kind, quote, calendar)
                    VALUES ('binance', 'BTCUSDT', 'spot', 'USDT', '24/7');
                INSERT INTO ops.load_batch
                    (interval, source, request, span_start, span_end, code_version)
                    VALUES ('1h', 'test', '{}', '2022-01-01', '2024-01-01', '1');
                INSERT INTO raw.candle
                SELECT 1, length, at, at + '1h', NULL, n, n, n, n, 1, 1, 1
                FROM generate_series(1, 4) AS n, unnest(ARRAY['1m', '1h', '1d']) AS length,
                     LATERAL (SELECT timestamptz '2021-12-31 22:00Z' + n * interval '1 hour' AS at)
            """)
        )
    before = rows(older, PLACES)
    assert [tuple(row) for row in before] == [
        ("raw.candle_1d", 4, 10.0),
        ("raw.candle_1h", 4, 10.0),
        ("raw.candle_1m", 4, 10.0),
    ]

    for _ in range(2):
        move(older, "0006")
        assert [tuple(row) for row in rows(older, PLACES)] == [
            ("raw.candle_1d", 4, 10.0),
            ("raw.candle_1h_2021", 1, 1.0),
            ("raw.candle_1h_2022", 3, 9.0),
            ("raw.candle_1m_2021", 1, 1.0),
            ("raw.candle_1m_2022", 3, 9.0),
        ]
        move(older, "0005")
        assert rows(older, PLACES) == before


def test_a_load_makes_the_years_it_needs(warehouse: Settings) -> None:
    load(warehouse, answer([1.0] * 3, start=at("2009-12-31") + timedelta(hours=22)))
    places = [row.place for row in rows(warehouse, PLACES)]
    assert places == ["raw.candle_1h_2009", "raw.candle_1h_2010"]


def test_a_candle_whose_year_nobody_made_is_kept_and_moves_when_it_is(warehouse: Settings) -> None:
    load(warehouse, answer([1.0]))
    with transaction(warehouse) as connection:
        connection.execute(
            text("""
                INSERT INTO raw.candle
                SELECT instrument_id, interval, '1999-06-01Z', '1999-06-01 01:00Z', NULL,
                       open, high, low, close, volume, revision, load_batch_id FROM raw.candle
            """)
        )
    assert [row.place for row in rows(warehouse, PLACES)][1:] == ["raw.candle_1h_other"]

    load(warehouse, answer([2.0], start=at("1999-06-02")))
    assert [(row.place, row.candles) for row in rows(warehouse, PLACES)][:1] == [
        ("raw.candle_1h_1999", 2)
    ]


def test_loads_that_need_one_year_at_once_make_it_once(warehouse: Settings) -> None:
    opened = np.array([to_ms(at("1995-06-01")), to_ms(at("1996-06-01"))])
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ensure_years(warehouse, Interval.H1, opened), range(8)))
    assert sorted(made) == [0] * 7 + [2]


def test_a_load_does_not_wait_long_for_a_partition(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long query over all years holds the default one; the candles wait there, and move later."""
    monkeypatch.setattr(partitions, "_WAIT", text("SET LOCAL lock_timeout = '100ms'"))
    said = answer([1.0, 2.0], start=at("1994-06-01"))
    with transaction(warehouse) as long:
        long.execute(text("SELECT count(*) FROM raw.candle_1h_other"))
        assert load(warehouse, said).inserted == 2
    assert [row.place for row in rows(warehouse, PLACES)] == ["raw.candle_1h_other"]
    assert load(warehouse, said).unchanged == 2
    assert [row.place for row in rows(warehouse, PLACES)] == ["raw.candle_1h_1994"]


def test_a_day_stays_with_all_days(warehouse: Settings) -> None:
    load(warehouse, answer([1.0] * 3, interval=Interval.D1))
    assert [row.place for row in rows(warehouse, PLACES)] == ["raw.candle_1d"]


def test_what_was_known_at_any_moment_can_be_asked(warehouse: Settings) -> None:
    moments = [now(warehouse)]
    for said in ([1.0, 2.0], [1.0, 2.5, 3.0], [1.0, 2.5, 3.0], [1.5, 2.0, 3.0]):
        load(warehouse, answer(said))
        moments.append(now(warehouse))

    known = [closes(warehouse, moment) for moment in moments]
    assert known == [[], [1.0, 2.0], [1.0, 2.5, 3.0], [1.0, 2.5, 3.0], [1.5, 2.0, 3.0]]


def test_a_version_is_kept_for_each_change_and_its_time_meets_the_next(warehouse: Settings) -> None:
    for close in (1.0, 2.0, 2.0, 3.0):
        load(warehouse, answer([close, 9.0]))

    kept = rows(warehouse, "SELECT * FROM raw.candle_version ORDER BY known_from")
    assert [(row.close, row.revision, row.load_batch_id) for row in kept] == [
        (1.0, 1, 1),
        (2.0, 2, 2),
    ]
    revisions = rows(warehouse, "SELECT created_at FROM ops.candle_revision ORDER BY revision")
    moments = [row.created_at for row in revisions]
    assert [(row.known_from, row.known_until) for row in kept] == [
        (moments[0], moments[1]),
        (moments[1], moments[2]),
    ]
    assert moments == sorted(set(moments))
    assert closes(warehouse, moments[1]) == [2.0, 9.0]
    assert closes(warehouse, moments[1] - timedelta(microseconds=1)) == [1.0, 9.0]


def test_moments_rise_with_revisions_though_the_clock_was_set_back(warehouse: Settings) -> None:
    """A split comes between two restatements, all before the moment of the first load."""
    load(warehouse, answer([1.0, 9.0]))
    with transaction(warehouse) as connection:
        connection.execute(text("UPDATE ops.candle_revision SET created_at = now() + '1 hour'"))
    events = [action("split", date(2024, 1, 2), 2.0), action("dividend", date(2024, 1, 3), 0.5)]
    load(warehouse, answer([1.0, 9.0], actions=events))
    load(warehouse, answer([2.0, 9.0], actions=events))
    revisions = rows(warehouse, "SELECT created_at FROM ops.candle_revision ORDER BY revision")
    moments = [row.created_at for row in revisions]
    assert moments == sorted(set(moments))
    assert len(moments) == 4
    assert closes(warehouse, moments[2]) == [1.0, 9.0]


def test_a_failed_load_leaves_no_version(warehouse: Settings) -> None:
    load(warehouse, answer([1.0]))
    broken = answer([-1.0])
    with pytest.raises(CheckViolation):
        load(warehouse, broken)
    assert rows(warehouse, "SELECT FROM raw.candle_version") == []


def test_a_change_by_hand_is_kept_too_and_must_carry_a_revision(warehouse: Settings) -> None:
    load(warehouse, answer([1.0]))
    change = "UPDATE raw.candle SET close = 1.0, low = 0.5{}"
    with (
        pytest.raises(IntegrityError, match="higher revision"),
        transaction(warehouse) as connection,
    ):
        connection.execute(text(change.format("")))

    with transaction(warehouse) as connection:
        connection.execute(text(change.format(", revision = 2")))
    assert [row.low for row in rows(warehouse, "SELECT low FROM raw.candle_version")] == [1.0]


def test_what_was_known_of_one_series_is_looked_up_by_its_key(warehouse: Settings) -> None:
    """The function is worked into the query, so that no other series is read."""
    load(warehouse, answer([1.0]))
    plan = rows(
        warehouse,
        "EXPLAIN SELECT * FROM raw.candles_as_known(now()) AS known"
        f" JOIN ops.instrument i ON i.id = known.instrument_id WHERE i.symbol = '{NAME[8:]}'"
        " AND known.interval = '1h' AND known.instrument_id = 1 AND opened_at >= :start",
        start=START,
    )
    said = "\n".join(row[0] for row in plan)
    assert "Function Scan" not in said
    assert "candle_1m" not in said
