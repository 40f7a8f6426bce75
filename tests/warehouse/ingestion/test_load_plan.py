from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import Interval
from mela.series import SeriesKey
from mela.settings import Settings
from tests.warehouse.given import NAME, answer, at, load
from warehouse.database import transaction
from warehouse.ingestion import load_plan as loads
from warehouse.ingestion.instruments import watch
from warehouse.ingestion.load_plan import Load

HOURLY = SeriesKey(NAME, Interval.H1)
DAY = (at("2024-01-01"), at("2024-01-02"))
SUNDAY = (at("2023-12-31"), at("2024-01-01"))


def spans(planned: list[tuple[SeriesKey, Load]]) -> list[tuple[str, str]]:
    return [(one["start"][:13], one["end"][:13]) for _, one in planned]


def asked(
    settings: Settings,
    start: str,
    end: str,
    began: str,
    status: str = "succeeded",
    request: str = "{}",
) -> None:
    """Record that a load asked [start, end), beginning at an instant."""
    with transaction(settings) as connection:
        connection.execute(
            text("""
                INSERT INTO ops.load_batch (instrument_id, interval, source, origin, request,
                    span_start, span_end, code_version, started_at, finished_at, status, error)
                SELECT id, '1h', 'test', 'replay', :request, :start, :end, 'test', :began, :began,
                    :status,
                    CASE :status WHEN 'failed' THEN 'no' END
                FROM ops.instrument
            """),
            {"start": at(start), "end": at(end), "began": at(began)}
            | {"status": status, "request": request},
        )


@pytest.mark.parametrize(
    ("interval", "day", "start"),
    [
        (Interval.H1, DAY, at("2023-12-29")),  # three days: vendors correct young candles
        (Interval.W1, SUNDAY, at("2023-12-24")),  # the week that ends with Sunday opened on Monday
    ],
)
def test_a_day_is_asked_with_a_lookback_never_shorter_than_a_candle(
    interval: Interval, day: tuple[datetime, datetime], start: datetime
) -> None:
    [(_, load)] = loads.daily_loads([SeriesKey(NAME, interval)], None, None, day)
    assert (load["start"], load["end"]) == (start.isoformat(), day[1].isoformat())


def test_a_given_start_replaces_day_and_lookback() -> None:
    start, end = "2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"
    assert spans(loads.daily_loads([HOURLY], start, None, DAY)) == [
        ("2020-01-01T00", "2024-01-02T00")
    ]
    assert spans(loads.daily_loads([HOURLY], start, end, DAY)) == [
        ("2020-01-01T00", "2020-02-01T00")
    ]


def test_an_impossible_span_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="start beside the end"):
        loads.daily_loads([HOURLY], None, "2020-02-01T00:00:00Z", DAY)
    with pytest.raises(ValueError, match="after the start"):
        loads.daily_loads([HOURLY], "2020-02-01T00:00:00Z", "2020-01-01T00:00:00Z", DAY)


def test_a_run_without_an_interval_takes_the_last_whole_day() -> None:
    after = datetime(2024, 1, 2, 1, tzinfo=UTC).astimezone()
    assert loads.whole_day(None, None, after) == DAY
    assert loads.whole_day(*SUNDAY, after) == SUNDAY


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (6, [1] * 6), (7, [2, 2, 2, 1]), (13, [3, 3, 3, 3, 1])]
)
def test_a_plan_never_becomes_more_tasks_than_allowed(count: int, sizes: list[int]) -> None:
    planned = [
        (HOURLY, Load(instrument=NAME, interval="1h", start=str(n), end="")) for n in range(count)
    ]
    planned.append(
        (SeriesKey("yahoo:AAPL", Interval.D1), Load(instrument="", interval="", start="", end=""))
    )
    batches = loads.batch_loads(planned, "binance", 6, None, DAY[0])
    assert [len(batch["loads"]) for batch in batches] == sizes
    assert [one["start"] for batch in batches for one in batch["loads"]] == [
        str(n) for n in range(count)
    ]
    # what is loaded already is left out of a retry only where a batch has several loads
    assert {batch["since"] for batch in batches} <= ({None} if count <= 6 else {DAY[0].isoformat()})


def test_venues_without_a_service_of_their_own_are_asked_through_ccxt() -> None:
    names = ("binance:BTCUSDT", "yahoo:AAPL", "alpaca:AAPL", "kraken:BTC-USD")
    assert [loads.service_of(name) for name in names] == [*loads.SERVICES[:3], "ccxt"]


@pytest.mark.integration
def test_the_watch_list_is_loaded_where_nothing_is_named(warehouse: Settings) -> None:
    assert len(loads.chosen_series(None, warehouse)) == len(loads.DEFAULT_SERIES)
    load(warehouse, answer([1.0]))
    with transaction(warehouse) as connection:
        watch(connection, NAME, "1d")
    assert loads.chosen_series([""], warehouse) == [SeriesKey(NAME, Interval.D1)]
    assert loads.chosen_series([f"{NAME} 1h"] * 2, warehouse) == [HOURLY]


@pytest.mark.integration
def test_a_backfill_asks_for_what_no_load_covers(warehouse: Settings) -> None:
    load(warehouse, answer([1.0]))
    asked(warehouse, "2020-01-03", "2020-01-05", "2024-06-01")
    asked(warehouse, "2020-01-04", "2020-01-06", "2024-06-01")
    asked(warehouse, "2020-01-07", "2020-01-08", "2024-06-01", status="failed")
    span = (at("2020-01-01"), at("2020-01-09"))
    wanted = loads.missing_loads([HOURLY], *span, warehouse, chunk_candles=48)
    assert spans(wanted) == [
        ("2020-01-01T00", "2020-01-03T00"),
        ("2020-01-06T00", "2020-01-08T00"),
        ("2020-01-08T00", "2020-01-09T00"),
    ]
    forced = loads.missing_loads([HOURLY], *span, warehouse, chunk_candles=96, force=True)
    assert spans(forced) == [("2020-01-01T00", "2020-01-05T00"), ("2020-01-05T00", "2020-01-09T00")]


@pytest.mark.integration
def test_a_load_answers_only_for_candles_closed_when_it_began(warehouse: Settings) -> None:
    load(warehouse, answer([1.0]))
    asked(warehouse, "2020-01-01", "2020-01-02", "2020-01-01 12:30")
    wanted = loads.missing_loads([HOURLY], at("2020-01-01"), at("2020-01-02"), warehouse)
    assert [(one["start"], one["end"]) for _, one in wanted] == [
        ("2020-01-01T11:30:00+00:00", "2020-01-02T00:00:00+00:00")
    ]


@pytest.mark.integration
def test_a_feed_that_lags_answers_only_for_what_it_knew(warehouse: Settings) -> None:
    """Half an hour late, it has not given the candle that closed a quarter of an hour ago."""
    load(warehouse, answer([1.0]))
    told = '{"as_of": "2020-01-01T11:45:00Z"}'
    asked(warehouse, "2020-01-01", "2020-01-02", "2020-01-01 12:15", request=told)
    wanted = loads.missing_loads([HOURLY], at("2020-01-01"), at("2020-01-01T12:00"), warehouse)
    assert [(one["start"], one["end"]) for _, one in wanted] == [
        ("2020-01-01T10:45:00+00:00", "2020-01-01T12:00:00+00:00")
    ]


@pytest.mark.integration
def test_of_a_batch_each_load_runs_whatever_becomes_of_the_others(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"a:A": SourceRefused("no"), "b:B": SourceUnavailable("later"), "c:C": None}
    ran: list[str] = []

    def ingest(name: str, *_: object) -> object:
        ran.append(name)
        if error := said[name]:
            raise error
        raise AssertionError("c:C is covered")

    monkeypatch.setattr(loads, "ingest", ingest)
    batch = [
        Load(instrument=n, interval="1h", start="2020-01-01T00:00Z", end="2020-01-02T00:00Z")
        for n in said
    ]
    with pytest.raises(SourceUnavailable, match="later"):
        loads.run_batch(batch[:2], None, warehouse)
    assert ran == ["a:A", "b:B"]
    with pytest.raises(SourceRefused):
        loads.run_batch(batch[:1], None, warehouse)


@pytest.mark.integration
def test_a_retry_leaves_out_what_the_batch_has(warehouse: Settings) -> None:
    load(warehouse, answer([1.0]))
    began = datetime.now(UTC) - timedelta(minutes=1)
    asked(warehouse, "2020-01-01", "2020-01-02", "2024-06-01")
    one = Load(instrument=NAME, interval="1h", start="2020-01-01T00:00Z", end="2020-01-02T00:00Z")
    assert loads.run_batch([one], loads.EVER.isoformat(), warehouse) == []
    with transaction(warehouse) as connection:
        span = (at("2020-01-01"), at("2020-01-02"))
        assert loads.uncovered_spans(connection, HOURLY, *span, began) == [span]
