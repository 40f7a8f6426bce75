"""warehouse/candles/reader.py: what the engine is given."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from mela.errors import CandlesMissing
from mela.interval import Interval
from mela.run import to_ms
from mela.settings import Settings
from tests.warehouse.given import NAME, START, action, answer, at, load
from warehouse.candles import postgres_candles as stored
from warehouse.candles.reader import CandleReader, CandlesRead
from warehouse.candles.series import Columns, length
from warehouse.database import engine_for, transaction
from warehouse.ingestion import instruments

pytestmark = pytest.mark.integration
APPLE = "yahoo:AAPL"
HOUR = timedelta(hours=1)
NOON = START + 12 * HOUR
DAYS = Interval.D1


def read(
    reader: CandleReader,
    start: datetime = NOON,
    end: datetime = NOON + timedelta(hours=4),
    warmup: int = 4,
) -> CandlesRead:
    return reader.read(NAME, "1h", start, end, warmup, "raw")


def apple(reader: CandleReader, end: str, prices: str) -> list[float]:
    return reader.read(APPLE, DAYS, at("2024-01-01"), at(end), 64, prices).candles.close.tolist()


def test_exactly_the_warmup_is_read_before_the_start(warehouse: Settings) -> None:
    load(warehouse, answer([float(hour) for hour in range(1, 25)]))
    candles, revision = read(CandleReader(warehouse))
    assert candles.close.tolist() == [9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0]
    assert (candles.start_bar, candles.calendar, revision) == (4, "24/7", 1)
    assert int(candles.opened_ms[4]) == to_ms(NOON)
    candles.check()


def test_a_warmup_looks_past_gaps_and_takes_what_there_is(warehouse: Settings) -> None:
    load(warehouse, answer([1.0, 2.0]))
    load(warehouse, answer([3.0], start=NOON))
    candles, _ = read(CandleReader(warehouse))
    assert candles.close.tolist() == [1.0, 2.0, 3.0]
    assert candles.start_bar == 2


def test_a_span_without_candles_has_its_warmup_only(warehouse: Settings) -> None:
    load(warehouse, answer([1.0, 2.0]))
    candles, _ = read(CandleReader(warehouse))
    assert candles.start_bar == len(candles) == 2


def test_values_come_back_bit_for_bit(warehouse: Settings) -> None:
    closes = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 12345.678901234567]
    load(warehouse, answer(closes))
    candles, _ = read(CandleReader(warehouse), start=START)
    assert candles.close.tobytes() == np.array(closes).tobytes()


def test_a_known_series_without_candles_has_revision_0(warehouse: Settings) -> None:
    load(warehouse, answer([]))
    candles, revision = read(CandleReader(warehouse))
    assert (len(candles), candles.start_bar, revision) == (0, 0, 0)


def test_an_unknown_instrument_is_missing_with_the_way_out(warehouse: Settings) -> None:
    with pytest.raises(CandlesMissing, match="mela ingest binance:BTCUSDT --interval 1h"):
        read(CandleReader(warehouse))


def test_what_was_read_is_kept_until_the_series_changes(warehouse: Settings) -> None:
    load(warehouse, answer([1.0] * 24))
    reader = CandleReader(warehouse)
    first = read(reader)
    assert read(reader).candles is first.candles
    load(warehouse, answer([2.0] * 24))
    second = read(reader)
    assert (second.revision, second.candles.close[0]) == (2, 2.0)


def test_what_was_kept_cannot_be_written_to(warehouse: Settings) -> None:
    load(warehouse, answer([1.0] * 24))
    with pytest.raises(ValueError, match="read-only"):
        read(CandleReader(warehouse)).candles.close[0] = 2.0


def test_the_series_used_last_are_kept_as_far_as_they_fit(warehouse: Settings) -> None:
    load(warehouse, answer([1.0] * 24))
    room_for_two = CandleReader(warehouse, max_bytes=2 * 8 * 48)
    spans = [(NOON + timedelta(hours=hour), NOON + timedelta(hours=hour + 4)) for hour in range(3)]
    first, second, _ = (read(room_for_two, *span) for span in spans)
    assert read(room_for_two, *spans[1]).candles is second.candles
    assert read(room_for_two, *spans[0]).candles is not first.candles


def test_a_dropped_connection_is_made_again(warehouse: Settings) -> None:
    load(warehouse, answer([1.0] * 24))
    reader = CandleReader(warehouse)
    read(reader)
    with engine_for(warehouse).connect() as connection, engine_for(warehouse).connect() as other:
        other.execute(text("SELECT 1"))
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        other.invalidate()
    assert len(read(reader).candles) == 8


def test_a_postgres_that_is_away_is_said_so(warehouse: Settings) -> None:
    where = warehouse.postgres.model_copy(update={"port": 1})
    with pytest.raises(OperationalError):
        read(CandleReader(warehouse.model_copy(update={"postgres": where})))


def test_events_count_before_the_end_of_the_scene_and_adjust_what_opened_before_them(
    warehouse: Settings,
) -> None:
    """28 for one in two steps; a dividend of 5 on a close of 20 leaves three quarters."""
    events = [
        action("split", date(2024, 1, 2), 7.0),
        action("split", date(2024, 1, 3), 4.0),
        action("dividend", date(2024, 1, 4), 5.0),
    ]
    load(warehouse, answer([560.0, 80.0, 20.0, 16.0], name=APPLE, interval=DAYS, actions=events))
    reader = CandleReader(warehouse)
    assert apple(reader, "2024-01-05", "raw") == [560.0, 80.0, 20.0, 16.0]
    assert apple(reader, "2024-01-05", "split_adjusted") == [20.0, 20.0, 20.0, 16.0]
    assert apple(reader, "2024-01-05", "total_return") == [15.0, 15.0, 15.0, 16.0]
    assert apple(reader, "2024-01-04", "total_return") == [20.0, 20.0, 20.0]
    assert apple(reader, "2024-01-03", "split_adjusted") == [80.0, 80.0]

    volumes = reader.read(APPLE, DAYS, START, at("2024-01-05"), 64, "split_adjusted")
    assert volumes.candles.volume.tolist() == [2_800.0, 400.0, 100.0, 100.0]


def test_only_the_series_instrument_counts(warehouse: Settings) -> None:
    load(warehouse, answer([1.0]))
    load(warehouse, answer([2.0], name="binance:ETHUSDT"))
    assert read(CandleReader(warehouse), start=START).candles.close.tolist() == [1.0]


def test_the_watch_list_names_known_series_once(warehouse: Settings) -> None:
    load(warehouse, answer([1.0]))
    with transaction(warehouse) as connection:
        for _ in range(2):
            instruments.watch(connection, NAME, "1h")
        assert instruments.watched(connection) == [(NAME, "1h")]
        with pytest.raises(ValueError, match="loaded once"):
            instruments.watch(connection, "binance:NOBODY", "1h")
        assert set(instruments.known(connection, [NAME, "binance:NOBODY"])) == {NAME}


def test_a_long_series_is_read_by_two_connections_as_of_one_moment(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that commits between their starts shows in neither half."""
    load(warehouse, answer([1.0] * 1_000))
    bare = warehouse.model_copy(update={"cache_bytes": 0})
    monkeypatch.setattr(stored, "PARALLEL_FROM", 100)
    halves: list[int] = []
    whole = stored.PostgresSeries.beside

    def late(self: stored.PostgresSeries, snapshot: str, first: int, last: int) -> Columns:
        load(warehouse, answer([2.0] * 1_000))
        half = whole(self, snapshot, first, last)
        halves.append(length(half))
        return half

    monkeypatch.setattr(stored.PostgresSeries, "beside", late)
    candles, revision = CandleReader(bare).read(NAME, "1h", START, at("2025-01-01"), 0, "raw")
    assert halves == [500]
    assert (len(candles), revision, set(candles.close.tolist())) == (1_000, 1, {1.0})
    candles.check()
    after, revision = CandleReader(bare).read(NAME, "1h", START, START + 99 * HOUR, 0, "raw")
    assert (len(after), revision, set(after.close.tolist())) == (99, 2, {2.0})
