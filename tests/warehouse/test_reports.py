"""warehouse/reports.py: what the loads of one run did, told apart from others' beside it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from mela.inference import infer
from mela.settings import Settings
from tests.warehouse.given import NAME, START, at
from warehouse import reports
from warehouse.database import transaction
from warehouse.ingestion import instruments

pytestmark = pytest.mark.integration
DAY = timedelta(days=1)
END = START + 30 * DAY
NOW = at("2026-11-29")


def batch(
    settings: Settings,
    start: datetime,
    end: datetime,
    inserted: int,
    *,
    began: datetime = NOW,
    origin: str = "replay",
    status: str = "succeeded",
) -> None:
    with transaction(settings) as connection:
        connection.execute(
            text("""
                INSERT INTO ops.load_batch (instrument_id, interval, source, origin, request,
                    span_start, span_end, code_version, started_at, finished_at, status, inserted,
                    error)
                VALUES (:id, '1h', 'test', :origin, '{}', :start, :end, 'test', :began,
                    CASE WHEN :status = 'running' THEN NULL ELSE :began END, :status, :inserted,
                    CASE WHEN :status = 'failed' THEN 'it broke' END)
            """),
            {
                "id": instruments.upsert(connection, infer(NAME)),
                "origin": origin,
                "start": start,
                "end": end,
                "began": began,
                "status": status,
                "inserted": inserted,
            },
        )


def within(settings: Settings) -> list[reports.Load]:
    with transaction(settings) as connection:
        return reports.loads_within(
            connection, [(NAME, "1h"), ("yahoo:AAPL", "1d")], START, END, NOW
        )


def test_a_later_load_of_other_days_is_another_s(warehouse: Settings) -> None:
    """The daily run begins while the demo's loads go on, and has the higher number."""
    batch(warehouse, START, END, 720)
    batch(warehouse, at("2026-11-25"), at("2026-11-29"), 0, began=NOW + DAY)

    assert within(warehouse) == [reports.Load(NAME, "1h", "replay", START, END, 720, 0, 0, 0)]


def test_chunks_are_added_and_what_failed_or_came_before_is_left_out(warehouse: Settings) -> None:
    batch(warehouse, START, START + DAY, 24, origin="internet")
    batch(warehouse, START + DAY, END, 696)
    batch(warehouse, START, END, 9, began=NOW - DAY)
    batch(warehouse, START, END, 9, status="failed")
    batch(warehouse, START, END, 9, status="running")

    assert within(warehouse) == [
        reports.Load(NAME, "1h", "internet, replay", START, END, 720, 0, 0, 0)
    ]


def test_a_span_that_was_not_loaded_whole_is_told(warehouse: Settings) -> None:
    assert within(warehouse) == []
    batch(warehouse, START, START + DAY, 24)

    [found] = within(warehouse)
    assert (found.start, found.end) == (START, START + DAY)
