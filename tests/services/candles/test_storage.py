"""Candles that are stored, the watch list and schedules, for any caller."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mela.errors import CandlesMissing, InputInvalid, NotFound
from mela.interval import Interval
from mela.settings import Settings
from services.candles.quality import check_candles, chosen_series
from services.candles.storage import load_candles, stored_candles
from services.candles.watchlist import list_watched, unwatch_series, watch_series
from services.scenes.schedules import add_schedule, list_schedules, remove_schedule
from tests.warehouse.given import NAME, START, answer, load

HOUR = timedelta(hours=1)
SCENE = {
    "instruments": [NAME],
    "interval": "1h",
    "start": "2024-01-02T00:00:00Z",
    "end": "2024-01-03T00:00:00Z",
    "strategy": {"name": "sma_cross"},
}


@pytest.mark.parametrize(("name", "field"), [("BTCUSDT", "instrument"), (NAME, "end")])
def test_a_wrong_argument_names_its_field(name: str, field: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        load_candles(name, Interval.H1, START, START, Settings())

    assert refused.value.field == field


@pytest.mark.integration
def test_coverage_has_the_first_and_last_candle_of_each_series(warehouse: Settings) -> None:
    assert stored_candles(warehouse) == []
    load(warehouse, answer([100.0] * 3))
    load(warehouse, answer([100.0] * 2, name="binance:ETHUSDT"))

    first, second = stored_candles(warehouse)

    assert (first.instrument, first.interval) == (NAME, "1h")
    assert (first.first_opened_at, first.last_opened_at) == (START, START + 2 * HOUR)
    assert stored_candles(warehouse, ["binance:ETHUSDT"]) == [second]


@pytest.mark.integration
def test_a_watched_series_is_listed_until_it_is_removed(warehouse: Settings) -> None:
    with pytest.raises(InputInvalid, match="mela ingest"):
        watch_series(NAME, Interval.H1, warehouse)
    load(warehouse, answer([100.0]))
    assert watch_series(NAME, Interval.H1, warehouse) == [
        ("binance:ETHUSDT", "1h"),
        ("yahoo:AAPL", "1d"),
        ("yahoo:SPY", "1d"),
    ]  # what the daily ingestion loaded while the list was empty
    assert watch_series(NAME, Interval.H1, warehouse) == []

    assert list_watched(warehouse) == [(NAME, "1h")]
    unwatch_series(NAME, Interval.H1, warehouse)
    with pytest.raises(NotFound):
        unwatch_series(NAME, Interval.H1, warehouse)


@pytest.mark.integration
def test_a_schedule_is_listed_until_it_is_removed(warehouse: Settings) -> None:
    load(warehouse, answer([100.0]))
    with pytest.raises(InputInvalid, match="90d"):
        add_schedule("mine", SCENE, "soon", warehouse)
    add_schedule("mine", SCENE, "1y", warehouse, user="Ada")

    [found] = list_schedules(warehouse)
    assert (found.name, found.instruments, found.span, found.user) == ("mine", (NAME,), "1y", "Ada")
    assert found.waits_for is not None
    assert "end at 2024-01-01T01:00:00Z and it is not watched" in found.waits_for
    remove_schedule("mine", warehouse)
    with pytest.raises(NotFound, match="mine"):
        remove_schedule("mine", warehouse)


@pytest.mark.integration
def test_quality_is_checked_for_the_series_that_are_named(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 10))
    load(warehouse, answer([100.0] * 10, start=START + 13 * HOUR))

    found = check_candles(warehouse, instruments=[NAME], end=START + 23 * HOUR)

    assert not found.ok
    assert {one.kind for one in found.findings if one.is_error} == {"missing"}
    assert chosen_series(warehouse) is None
    with pytest.raises(CandlesMissing, match="yahoo:IBM was never loaded"):
        chosen_series(warehouse, ["yahoo:IBM"])
