"""`mela ingest` of the venues behind ccxt and of Alpaca: real clients, a real Postgres."""

from __future__ import annotations

import pytest

from mela.settings import Settings
from tests.warehouse.given import at, rows
from warehouse.candles.reader import CandleReader
from warehouse.ingestion.ingest import ingest

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("name", "interval", "start", "end", "candles"),
    [
        ("kraken:BTC/USDT", "1h", "2025-11-10", "2025-11-12", 48),
        ("bybit:BTC/USDT:USDT", "1d", "2025-11-01", "2025-11-11", 10),
        ("coinbase:ETH/USDT", "4h", "2025-11-01", "2025-11-02", 6),
        ("alpaca:BTC/USDT", "1h", "2025-11-10", "2025-11-11", 24),
        ("alpaca:AAPL", "1d", "2020-08-27", "2020-09-02", 4),
    ],
)
def test_candles_of_a_venue_are_stored_once(
    replayed: Settings, name: str, interval: str, start: str, end: str, candles: int
) -> None:
    first = ingest(name, interval, at(start), at(end), replayed)
    again = ingest(name, interval, at(start), at(end), replayed)
    assert (first.inserted, first.origin, again.unchanged) == (candles, "replay", candles)
    [batch, _] = rows(replayed, "SELECT * FROM ops.load_batch ORDER BY id")
    venue = name.partition(":")[0]
    assert (batch.source, batch.request["instrument"], batch.status) == (venue, name, "succeeded")
    found = CandleReader(replayed).read(name, interval, at(start), at(end), 0, "raw")
    assert len(found.candles.close) == candles


def test_alpacas_splits_come_with_its_prices(replayed: Settings) -> None:
    ingest("alpaca:AAPL", "1d", at("2020-08-27"), at("2020-09-02"), replayed)
    stored = rows(replayed, "SELECT kind, effective_on::text, value FROM raw.corporate_action")
    assert ("split", "2020-08-31", 4.0) in stored
