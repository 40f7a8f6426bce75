"""warehouse/quality: checks and repairs, on a real Postgres and the replay's real candles."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from mela.errors import CandlesMissing
from mela.interval import Interval
from mela.settings import REPOSITORY, Settings
from replay import create_server
from tests.warehouse.given import NAME, START, answer, at, load, rows
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.ingest import ingest
from warehouse.quality import QualityReport, check_quality, repair_gaps

pytestmark = pytest.mark.integration
HOURS = Interval.H1
HOUR = timedelta(hours=1)
KEY = (NAME, HOURS)


def remove(settings: Settings, *opens: str) -> None:
    with transaction(settings) as connection:
        connection.execute(
            text("DELETE FROM raw.candle WHERE opened_at = ANY(:opens)"),
            {"opens": [at(one) for one in opens]},
        )


def found(report: QualityReport, kind: str = "missing") -> list[tuple[Any, ...]]:
    return [
        (one.first_opened_at, one.candles, one.state) for one in report.findings if one.kind == kind
    ]


def states(settings: Settings) -> list[tuple[str, str]]:
    query = "SELECT kind, state FROM ops.quality_finding ORDER BY id"
    return [tuple(row) for row in rows(settings, query)]


def test_a_finding_keeps_its_row_until_it_is_gone(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 10))
    load(warehouse, answer([100.0] * 10, start=START + 13 * HOUR))
    now = START + 24 * HOUR
    first = check_quality(warehouse, now=now)
    assert found(first) == [(START + 10 * HOUR, 3, "open")]
    assert not first.ok
    [check] = first.checks
    assert (check.candles, check.expected, check.instrument) == (20, 23, NAME)
    assert (check.span_start, check.span_end) == (START, now)
    assert check.expected_until == START + 23 * HOUR  # as many hours as are expected

    again = check_quality(warehouse, now=now)
    assert again.findings == first.findings
    assert len(rows(warehouse, "SELECT FROM ops.quality_check")) == 2

    load(warehouse, answer([100.0], start=START + 10 * HOUR))
    less = check_quality(warehouse, now=now)
    assert found(less) == [(START + 11 * HOUR, 2, "open")]
    load(warehouse, answer([100.0] * 2, start=START + 11 * HOUR))
    assert check_quality(warehouse, now=now).ok
    assert states(warehouse) == [("missing", "repaired")] * 2
    [within] = check_quality(warehouse, end=START + 12 * HOUR, now=now).checks
    assert (within.expected, within.expected_until) == (12, START + 12 * HOUR)


def test_a_span_is_judged_as_the_whole_is(warehouse: Settings) -> None:
    """A gap that reaches over the span's ends is the same finding; others are left alone."""
    load(warehouse, answer([100.0] * 10))
    load(warehouse, answer([100.0] * 20, start=START + 15 * HOUR))
    load(warehouse, answer([100.0] * 20, start=START + 40 * HOUR))
    now = START + 60 * HOUR
    whole = check_quality(warehouse, now=now)
    assert found(whole) == [
        (START + 10 * HOUR, 5, "open"),
        (START + 35 * HOUR, 5, "open"),
    ]
    part = check_quality(warehouse, [KEY], START + 12 * HOUR, START + 13 * HOUR, now=now)
    assert (part.checks[0].candles, part.checks[0].expected) == (0, 1)
    assert found(part) == [(START + 10 * HOUR, 5, "open")]
    assert check_quality(warehouse, now=now).findings == whole.findings


def test_before_the_first_candle_only_what_was_listed_is_missing(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 10))
    ask: dict[str, Any] = {"start": START - 5 * HOUR, "end": START + 5 * HOUR}
    ask["now"] = START + 10 * HOUR
    unknown = check_quality(warehouse, [KEY], **ask)
    assert [one.severity for one in unknown.findings] == ["info"]
    with transaction(warehouse) as connection:
        connection.execute(text("UPDATE ops.instrument SET listed_on = '2023-12-31'"))
    [listed] = check_quality(warehouse, [KEY], **ask).findings
    assert (listed.severity, listed.candles) == ("error", 5)
    with transaction(warehouse) as connection:
        connection.execute(text("UPDATE ops.instrument SET listed_on = '2024-01-01'"))
    assert check_quality(warehouse, [KEY], **ask).findings == ()


def test_a_watched_feed_that_stopped_is_an_error(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 10))
    after = START + timedelta(days=5)
    [forgotten] = check_quality(warehouse, now=after).findings
    assert (forgotten.kind, forgotten.severity) == ("stale", "info")
    with transaction(warehouse) as connection:
        instruments.watch(connection, NAME, "1h")
        instruments.watch(connection, NAME, "1d")  # never loaded
    errors = [one for one in check_quality(warehouse, now=after).findings if one.is_error]
    assert [(one.interval, one.kind) for one in errors] == [("1d", "stale"), ("1h", "stale")]
    assert check_quality(warehouse, now=after).ok is False
    load(warehouse, answer([100.0] * 120))
    [left] = check_quality(warehouse, now=after).findings
    assert left.interval == "1d"


def test_a_replay_is_not_stale(replayed: Settings) -> None:
    ingest(NAME, "1h", at("2023-03-20"), at("2023-03-21"), replayed)
    with transaction(replayed) as connection:
        instruments.watch(connection, NAME, "1h")
    [found] = check_quality(replayed).findings
    assert (found.kind, found.severity, found.detail["what"]) == ("stale", "info", "from a replay")


def test_an_unknown_series_is_told(warehouse: Settings) -> None:
    with pytest.raises(CandlesMissing, match="mela ingest binance:NOBODY"):
        check_quality(warehouse, [("binance:NOBODY", HOURS)])
    with pytest.raises(ValueError, match="zone"):
        check_quality(warehouse, start=START.replace(tzinfo=None))


def test_a_gap_is_asked_for_again_and_a_real_one_is_recorded(replayed: Settings) -> None:
    ingest(NAME, "1h", at("2023-03-20"), at("2023-03-28"), replayed)
    remove(replayed, "2023-03-21T05:00", "2023-03-21T06:00", "2023-03-26T00:00")

    report = repair_gaps(replayed)

    assert (report.repaired, report.confirmed, report.ok) == (2, 1, True)
    [halt] = report.findings
    assert (halt.first_opened_at, halt.state) == (at("2023-03-24T13:00"), "confirmed")
    asked = halt.detail["asked"]
    assert [one["source"] for one in asked] == ["binance", "binance"]
    assert {one["load_batch_id"] for one in asked} == {one.batch_id for one in report.requests}
    assert len(report.requests) == 2
    assert [one.inserted for one in report.requests] == [3, 0]
    later = check_quality(replayed, start=at("2023-03-20"), end=at("2023-03-28"))
    assert found(later) == [(at("2023-03-24T13:00"), 1, "confirmed")]
    assert repair_gaps(replayed, end=at("2023-03-28")).requests == ()
    assert repair_gaps(replayed, end=at("2023-03-28"), again=True).requests != ()


def test_a_young_gap_stays_open(replayed: Settings) -> None:
    ingest(NAME, "1h", at("2023-03-20"), at("2023-03-25"), replayed)
    report = repair_gaps(replayed, now=at("2023-03-25"))
    assert (report.confirmed, [one.state for one in report.findings]) == (0, ["open"])
    assert repair_gaps(replayed, now=at("2023-03-27")).confirmed == 1


def test_a_service_that_fails_confirms_nothing(replayed: Settings) -> None:
    ingest(NAME, "1h", at("2023-03-20"), at("2023-03-28"), replayed)
    elsewhere = replayed.model_copy(update={"replay_url": replayed.replay_url})
    with transaction(replayed) as connection:
        connection.execute(text("UPDATE ops.instrument SET symbol = 'NOSUCHCOIN'"))
    report = repair_gaps(elsewhere)
    [request] = report.requests
    assert request.batch_id is None
    assert (request.error or "").startswith("SourceRefused: ")
    [left] = report.findings
    assert (left.state, "asked" in left.detail) == ("open", False)


def test_a_second_source_fills_holes_and_overwrites_nothing(
    warehouse: Settings, tmp_path: Path
) -> None:
    opened = pd.date_range("2024-01-01", periods=48, freq="1h", tz="UTC")
    for symbol, price, rows_of in (
        ("AUSDT", 10.0, np.r_[0:20, 24:48]),
        ("BUSDT", 11.0, np.r_[0:48]),
    ):
        columns = dict.fromkeys(("open", "high", "low", "close"), price) | {"volume": 1.0}
        keys = {"source": "binance", "symbol": symbol, "interval": "1h"}
        table = pd.DataFrame({"open_time": opened[rows_of]}).assign(**keys, **columns)
        table.to_parquet(tmp_path / f"{symbol}.parquet")
    with create_server(data=tmp_path) as server:
        settings = warehouse.model_copy(
            update={
                "replay_url": server.url,
                "second_sources": {"binance:AUSDT": "binance:BUSDT"},
            }
        )
        ingest("binance:AUSDT", "1h", START, START + 47 * HOUR, settings)
        report = repair_gaps(settings, end=START + 47 * HOUR, now=START + 72 * HOUR)
    assert (report.repaired, report.findings) == (1, ())
    stored = rows(
        warehouse,
        """SELECT c.close, count(*), b.request->>'second_source' AS second
           FROM raw.candle c JOIN ops.load_batch b ON b.id = c.load_batch_id
           JOIN ops.instrument i ON i.id = c.instrument_id WHERE i.symbol = 'AUSDT'
           GROUP BY 1, 3 ORDER BY 1""",
    )
    assert stored == [(10.0, 43, None), (11.0, 4, "binance:BUSDT")]
    assert rows(warehouse, "SELECT symbol FROM ops.instrument") == [("AUSDT",)]


def test_the_batch_of_a_killed_load_is_closed_and_a_living_one_is_not(
    warehouse: Settings,
) -> None:
    script = textwrap.dedent("""
        import sys, time
        from mela.settings import Settings
        from warehouse.ingestion.load_batches import load_batch
        from tests.warehouse.given import START
        settings = Settings.model_validate_json(sys.argv[1])
        settings = settings.model_copy(update={"postgres": settings.postgres.model_copy(
            update={"password": type(settings.postgres.password)(sys.argv[2])})})
        asked = {"interval": "1h", "source": "binance", "request": "{}", "start": START,
                 "end": START.replace(day=2)}
        with load_batch(settings, asked) as batch:
            print(batch, flush=True)
            time.sleep(60)
    """)
    password = warehouse.postgres.password.get_secret_value()
    loading = subprocess.Popen(
        [sys.executable, "-c", script, warehouse.model_dump_json(), password],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    with loading:
        assert loading.stdout is not None
        batch = int(loading.stdout.readline())
        load(warehouse, answer([100.0]))
        check_quality(warehouse)
        status = f"SELECT status, error, finished_at FROM ops.load_batch WHERE id = {batch}"
        assert rows(warehouse, status)[0].status == "running"
        loading.send_signal(signal.SIGKILL)
        loading.wait()
    deadline = time.monotonic() + 30  # Postgres needs a moment to miss a client that was killed
    while rows(warehouse, status)[0].status == "running" and time.monotonic() < deadline:
        check_quality(warehouse)
    [closed] = rows(warehouse, status)
    assert (closed.status, closed.error.partition(":")[0]) == ("failed", "Abandoned")
    assert closed.finished_at is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ops.quality_finding SET kind = 'odd'",
        "UPDATE ops.quality_finding SET state = 'repaired'",
        "UPDATE ops.quality_finding SET interval = '1d'",
        "UPDATE ops.quality_finding SET candles = 0",
        "DELETE FROM ops.quality_check",
        "INSERT INTO ops.quality_finding (quality_check_id, instrument_id, interval, kind,"
        " first_opened_at, last_opened_at, candles, severity) SELECT quality_check_id,"
        " instrument_id, interval, kind, first_opened_at, last_opened_at, 1, 'info'"
        " FROM ops.quality_finding",
    ],
)
def test_the_database_itself_refuses(warehouse: Settings, statement: str) -> None:
    load(warehouse, answer([100.0]))
    load(warehouse, answer([100.0], start=START + 2 * HOUR))
    check_quality(warehouse, now=START + 5 * HOUR)
    with pytest.raises(IntegrityError), transaction(warehouse) as connection:
        connection.execute(text(statement))
