"""warehouse/ingestion/ingest.py: the real clients, the replay's answers, a real Postgres."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from mela.errors import CandlesMissing, SourceRefused
from mela.settings import Settings
from tests.warehouse.given import at, rows
from warehouse.candles.reader import CandleReader
from warehouse.database import transaction
from warehouse.ingestion.ingest import ingest

pytestmark = pytest.mark.integration
BITCOIN, APPLE = "binance:BTCUSDT", "yahoo:AAPL"


def test_hours_of_bitcoin_come_with_their_lineage(replayed: Settings) -> None:
    report = ingest(BITCOIN, "1h", at("2023-03-24"), at("2023-03-25"), replayed)
    assert (report.inserted, report.updated, report.unchanged) == (23, 0, 0)  # one was a halt
    assert (report.origin, report.revision, report.rejected) == ("replay", 1, 0)
    assert report.first_opened_at == at("2023-03-24")
    [batch] = rows(replayed, "SELECT * FROM ops.load_batch")
    assert (batch.status, batch.origin, batch.source) == ("succeeded", "replay", "binance")
    assert (batch.inserted, batch.request["instrument"]) == (23, BITCOIN)
    assert batch.finished_at >= batch.started_at
    assert rows(replayed, "SELECT DISTINCT load_batch_id FROM raw.candle") == [(batch.id,)]

    again = ingest(BITCOIN, "1h", at("2023-03-24"), at("2023-03-25"), replayed)
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 23)
    assert again.revision is None


def test_days_of_apple_are_stored_as_traded_and_read_as_the_scene_may_know(
    replayed: Settings,
) -> None:
    """645.57 before the 7:1 split of 2014-06-09, of which a scene before it knows nothing."""
    ingest(APPLE, "1d", at("2014-06-05"), at("2014-06-11"), replayed)
    stored = rows(replayed, "SELECT close, session_on::text FROM raw.candle ORDER BY opened_at")
    assert stored == [
        *[(647.35, "2014-06-05"), (645.57, "2014-06-06")],
        *[(93.7, "2014-06-09"), (94.25, "2014-06-10")],
    ]
    assert rows(
        replayed,
        "SELECT effective_on::text, value FROM raw.corporate_action WHERE kind = 'split'"
        " ORDER BY 1",
    ) == [("2014-06-09", 7.0), ("2020-08-31", 4.0)]

    reader = CandleReader(replayed)

    def closes(end: str, prices: str = "split_adjusted") -> list[float]:
        read = reader.read(APPLE, "1d", at("2014-06-05"), at(end), 64, prices)
        return read.candles.close.tolist()

    assert closes("2014-06-09") == [647.35, 645.57]
    assert closes("2014-06-11") == [647.35 / 7, 645.57 / 7, 93.7, 94.25]
    assert closes("2020-09-01")[:3] == [647.35 / 28, 645.57 / 28, 93.7 / 4]
    assert closes("2020-08-31")[:3] == [647.35 / 7, 645.57 / 7, 93.7]
    assert closes("2020-09-01", "raw") == [647.35, 645.57, 93.7, 94.25]
    assert reader.read(APPLE, "1d", at("2014-06-05"), at("2014-06-11"), 64, "raw").candles.calendar


def test_a_refused_load_is_kept_with_its_error_and_makes_no_instrument(replayed: Settings) -> None:
    with pytest.raises(SourceRefused):
        ingest("binance:NOSUCHCOIN", "1h", at("2023-01-01"), at("2023-01-02"), replayed)
    [batch] = rows(replayed, "SELECT * FROM ops.load_batch")
    assert (batch.status, batch.instrument_id) == ("failed", None)
    assert batch.error.startswith("SourceRefused: ")
    assert batch.request == {"instrument": "binance:NOSUCHCOIN"}
    with pytest.raises(CandlesMissing):
        CandleReader(replayed).read(
            "binance:NOSUCHCOIN", "1h", at("2023-01-01"), at("2023-01-02"), 64, "raw"
        )


@pytest.mark.parametrize(
    ("name", "end"), [("BTCUSDT", "2023-01-02"), (BITCOIN, "2022-12-31"), (BITCOIN, "2023-01-01")]
)
def test_a_wrong_argument_leaves_no_trace(replayed: Settings, name: str, end: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        ingest(name, "1h", at("2023-01-01"), at(end), replayed)
    assert rows(replayed, "SELECT FROM ops.load_batch") == []


def test_another_tick_or_lot_is_a_revision_of_all_candles(replayed: Settings) -> None:
    """A run that rounds to them would answer otherwise."""
    ingest(BITCOIN, "1h", at("2023-03-20"), at("2023-03-21"), replayed)
    ingest(BITCOIN, "1h", at("2023-03-25"), at("2023-03-26"), replayed)
    with transaction(replayed) as connection:
        connection.execute(text("UPDATE ops.instrument SET tick = 5.0"))

    ingest(BITCOIN, "1h", at("2023-03-22"), at("2023-03-23"), replayed)

    asked = "SELECT revision, reason, first_opened_at, last_opened_at FROM ops.candle_revision"
    *others, last = rows(replayed, f"{asked} ORDER BY revision")
    assert [revision.reason for revision in others] == ["candles"] * 3
    assert last.reason == "trading_rules"
    assert (last.first_opened_at, last.last_opened_at) == (at("2023-03-20"), at("2023-03-25T23:00"))
    read = CandleReader(replayed).read(BITCOIN, "1h", at("2023-03-20"), at("2023-03-21"), 0, "raw")
    assert (read.revision, read.candles.tick) == (4, 0.01)
