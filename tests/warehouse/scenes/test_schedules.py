"""warehouse/scenes/schedules.py: scenes that come again, on a real Postgres."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from mela.interval import Interval
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from tests.warehouse.given import NAME, START, answer, at, load, rows
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.scenes import records as scenes
from warehouse.scenes import schedules
from warehouse.scenes.schedules import DueScene, start_of

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
APPLE = "yahoo:AAPL"


def scene(*names: str, **changes: Any) -> Scene:
    content: dict[str, Any] = {
        "instruments": list(names or (NAME,)),
        "interval": "1h",
        "start": "2020-01-01T00:00:00Z",
        "end": "2021-01-01T00:00:00Z",
        "strategy": {"name": "sma_cross", "params": {"fast": 5}},
        "cash": 500.0,
    }
    return parse_scene(content | changes)


def add(settings: Settings, one: Scene, name: str = "often", span: str = "2d", **how: Any) -> int:
    with transaction(settings) as connection:
        return schedules.add(connection, name, one, span, **how)


def due(settings: Settings, now: datetime) -> list[DueScene]:
    with transaction(settings) as connection:
        return schedules.due_scenes(connection, now)


def mark(settings: Settings, one: DueScene) -> None:
    with transaction(settings) as connection:
        schedules.mark_published(
            connection, one.schedule_id, one.scene["scene_id"], one.covered_until
        )


def days(settings: Settings, name: str, *dates: str) -> None:
    for day in dates:
        load(settings, answer([100.0], name=name, start=at(day), interval=Interval.D1), at(day))


def test_a_scene_is_due_once_for_each_new_candle(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 60))
    add(warehouse, scene(), user="ada")
    now = START + 60 * HOUR + HOUR / 2
    [first] = due(warehouse, now)
    asked = parse_scene(first.scene)
    assert (asked.start, asked.end) == (START + 12 * HOUR, START + 60 * HOUR)
    assert (asked.cash, asked.strategy.params, asked.name) == (500.0, {"fast": 5}, "often")
    assert due(warehouse, now) == [first]

    mark(warehouse, first)
    mark(warehouse, first)
    assert due(warehouse, now) == []
    assert due(warehouse, now + HOUR) == []  # its candle is not there yet
    load(warehouse, answer([100.0], start=START + 60 * HOUR))
    [second] = due(warehouse, now + HOUR)
    assert second.covered_until == first.covered_until + HOUR
    assert second.scene["scene_id"] != first.scene["scene_id"]
    stored = rows(
        warehouse,
        """SELECT s.scene_id::text, u.name FROM ops.scene_schedule p
           JOIN ops.scene s ON s.scene_id = p.last_scene_id JOIN ops.user u ON u.id = s.user_id""",
    )
    assert stored == [(first.scene["scene_id"], "ada")]


def why_not(settings: Settings, now: datetime) -> str:
    with transaction(settings) as connection:
        [state] = schedules.states(connection, now).values()
    assert isinstance(state, str), state
    return state


def test_after_a_backfill_it_says_where_the_candles_end_and_that_nobody_loads_on(
    warehouse: Settings,
) -> None:
    load(warehouse, answer([100.0] * 60))
    add(warehouse, scene())

    assert why_not(warehouse, START + 900 * DAY) == (
        f"the candles of {NAME} end at 2024-01-03T12:00:00Z and it is not watched "
        f"(`mela watch add {NAME} --interval 1h`)"
    )
    with transaction(warehouse) as connection:
        instruments.watch(connection, NAME, Interval.H1)
    assert why_not(warehouse, START + 900 * DAY) == (
        f"the candles of {NAME} end at 2024-01-03T12:00:00Z"
    )


def test_it_names_each_series_that_holds_it_up(warehouse: Settings) -> None:
    other, never = "binance:ETHUSDT", "binance:SOLUSDT"
    load(warehouse, answer([100.0] * 60))
    load(warehouse, answer([100.0] * 10, name=other))
    load(warehouse, answer([100.0] * 30, name=other, start=START + 30 * HOUR))
    load(warehouse, answer([100.0], name=never, interval=Interval.D1))
    add(warehouse, scene(NAME, other, never))

    assert why_not(warehouse, START + 60 * HOUR) == (
        f"{other} lacks the candle of 2024-01-01T12:00:00Z; `mela quality` says what is known of "
        f"it; {never} has no 1h candles; `mela ingest` loads them"
    )


def test_it_names_its_time_or_the_candle_that_has_not_closed(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 60))
    add(warehouse, scene())
    now = START + 60 * HOUR + HOUR / 2
    [one] = due(warehouse, now)
    mark(warehouse, one)
    told = "published until 2024-01-03T12:00:00Z; "
    assert why_not(warehouse, now) == f"{told}the next 1h candle has not closed"

    with transaction(warehouse) as connection:
        connection.execute(text("UPDATE ops.scene_schedule SET every = '0 6 * * *'"))
    assert why_not(warehouse, now) == f"{told}its next time is 2024-01-04T06:00:00Z"
    with transaction(warehouse) as connection:
        connection.execute(text("UPDATE ops.scene_schedule SET active = false"))
    assert why_not(warehouse, now) == "it is paused"


def test_all_its_series_must_be_complete(warehouse: Settings) -> None:
    other = "binance:ETHUSDT"
    load(warehouse, answer([100.0] * 60))
    load(warehouse, answer([100.0] * 50, name=other))
    add(warehouse, scene(NAME, other))
    [one] = due(warehouse, START + 61 * HOUR)
    assert one.covered_until == START + 50 * HOUR
    assert one.scene["instruments"] == [NAME, other]


def test_a_gap_holds_a_scene_back_until_it_is_filled_or_known_to_be_real(
    warehouse: Settings,
) -> None:
    load(warehouse, answer([100.0] * 20))
    load(warehouse, answer([100.0] * 20, start=START + 21 * HOUR))
    add(warehouse, scene())
    now = START + 41 * HOUR
    [held] = due(warehouse, now)
    assert held.covered_until == START + 20 * HOUR
    with transaction(warehouse) as connection:
        connection.execute(
            text("""
                WITH looked AS (
                    INSERT INTO ops.quality_check (span_start, span_end, instrument_id, interval,
                                                   candles, expected)
                    SELECT :start, :until, id, '1h', 40, 41 FROM ops.instrument RETURNING *)
                INSERT INTO ops.quality_finding (quality_check_id, instrument_id, interval, kind,
                    first_opened_at, last_opened_at, candles, severity, state, resolved_at)
                SELECT id, instrument_id, interval, 'missing', :gap, :gap, 1, 'error',
                       'confirmed', now() FROM looked
            """),
            {"start": START, "until": now, "gap": START + 20 * HOUR},
        )
    [whole] = due(warehouse, now)
    assert whole.covered_until == START + 41 * HOUR


def test_a_weekend_does_not_hold_stocks_back(warehouse: Settings) -> None:
    """Friday's candle completes the week; the scene is due again on Monday evening."""
    days(warehouse, APPLE, "2024-01-04", "2024-01-05")
    add(warehouse, scene(APPLE, interval="1d"), span="1mo")
    [friday] = due(warehouse, at("2024-01-05T22:00"))
    assert friday.covered_until == at("2024-01-06")
    assert friday.scene["start"] == "2023-12-06T00:00:00Z"
    mark(warehouse, friday)
    assert due(warehouse, at("2024-01-07T12:00")) == []
    days(warehouse, APPLE, "2024-01-08")
    [monday] = due(warehouse, at("2024-01-08T22:00"))
    assert monday.covered_until == at("2024-01-09")


def test_a_cron_expression_picks_the_moments(warehouse: Settings) -> None:
    """Mondays at six, for which the candles until then must be there."""
    load(warehouse, answer([100.0] * 24 * 8))  # until Tuesday, 2024-01-09
    add(warehouse, scene(), every="0 6 * * 1")
    [one] = due(warehouse, START + 8 * DAY)
    assert one.covered_until == at("2024-01-08T06:00")
    mark(warehouse, one)
    assert due(warehouse, START + 13 * DAY) == []
    assert due(warehouse, START + 14 * DAY + 7 * HOUR) == []  # six has passed, its candles have not
    load(warehouse, answer([100.0] * 24 * 7, start=START + 8 * DAY))
    [next_one] = due(warehouse, START + 14 * DAY + 7 * HOUR)
    assert next_one.covered_until == at("2024-01-15T06:00")


def test_nothing_is_due_without_candles_or_when_paused(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 60))
    add(warehouse, scene(interval="1d"), name="never loaded")
    add(warehouse, scene(), name="paused")
    with transaction(warehouse) as connection:
        connection.execute(text("UPDATE ops.scene_schedule SET active = (name <> 'paused')"))
    assert due(warehouse, START + 60 * HOUR) == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"span": "90"}, "span as 90d"),
        ({"every": "hourly"}, "cron expression"),
        ({"every": "61 * * * *"}, "cron expression"),
        ({"one": scene("binance:NOBODY")}, "binance:NOBODY"),
        ({"one": scene(holdout={"start": "2020-06-01T00:00:00Z"})}, "holdout"),
        ({"name": "taken"}, "free"),
    ],
)
def test_a_wrong_schedule_is_told(warehouse: Settings, how: dict[str, Any], said: str) -> None:
    load(warehouse, answer([100.0]))
    add(warehouse, scene(), name="taken")
    with pytest.raises(ValueError, match=said):
        add(warehouse, **{"one": scene(), **how})


def test_a_schedule_can_be_removed_and_its_scenes_stay(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 60))
    add(warehouse, scene())
    [one] = due(warehouse, START + 60 * HOUR)
    with transaction(warehouse) as connection, pytest.raises(ValueError, match="expected"):
        schedules.mark_published(connection, one.schedule_id, "0" * 32, one.covered_until)
    mark(warehouse, one)
    with transaction(warehouse) as connection:
        assert schedules.remove(connection, "often")
        assert not schedules.remove(connection, "often")
        assert schedules.schedules(connection) == []
        assert scenes.get(connection, one.scene["scene_id"]) is not None


@pytest.mark.parametrize(
    ("span", "end", "start"),
    [
        ("90d", "2024-03-31", "2024-01-01"),
        ("2w", "2024-03-31", "2024-03-17"),
        ("1mo", "2024-03-31", "2024-02-29"),
        ("3mo", "2024-02-10", "2023-11-10"),
        ("1y", "2024-02-29", "2023-02-28"),
        ("2y", "2024-12-31", "2022-12-31"),
    ],
)
def test_spans_reach_back(span: str, end: str, start: str) -> None:
    assert start_of(span, at(end)) == at(start)
