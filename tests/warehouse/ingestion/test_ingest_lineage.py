"""What a load keeps: of what its candles were made, and a value that a service restated."""

from __future__ import annotations

import pytest
import requests

from mela.settings import Settings
from replay import create_server
from tests.warehouse.given import at, rows
from warehouse.ingestion.ingest import ingest

pytestmark = pytest.mark.integration
BITCOIN, APPLE = "binance:BTCUSDT", "yahoo:AAPL"
_REQUEST = "SELECT request FROM ops.load_batch ORDER BY id DESC LIMIT 1"


def test_a_load_says_of_what_its_candles_were_made(warehouse: Settings) -> None:
    with create_server() as server:
        replayed = warehouse.model_copy(update={"replay_url": server.url})
        ingest(APPLE, "3d", at("2020-08-26"), at("2020-09-02"), replayed)
        [[request]] = rows(replayed, _REQUEST)
        assert (request["resampled_from"], request["interval"]) == ("1d", "1d")
        ingest(BITCOIN, "1m", at("2024-01-01"), at("2024-02-01"), replayed)
        [[request]] = rows(replayed, _REQUEST)
        assert [file.split()[0] for file in request["archives"]] == ["BTCUSDT-1m-2024-01.zip"]
        assert request["replayed"] == "1m made up from 1h"
        assert "resampled_from" not in request


def test_a_restated_candle_is_the_only_one_that_changes(warehouse: Settings) -> None:
    with create_server() as server:
        replayed = warehouse.model_copy(update={"replay_url": server.url})
        load = (BITCOIN, "1h", at("2024-01-01"), at("2024-01-02"), replayed)
        assert ingest(*load).inserted == 24
        asked = {"symbol": "BTCUSDT", "interval": "1h", "opened_at": "2024-01-01T05:00Z"}
        url = f"{server.url}/replay/restate"
        assert requests.post(url, json=asked | {"volume": 1.5}, timeout=5).status_code == 200
        again = ingest(*load)
    assert (again.inserted, again.updated, again.unchanged) == (0, 1, 23)
    assert again.revision == 2
    changed = rows(replayed, "SELECT opened_at, volume FROM raw.candle WHERE revision = 2")
    assert changed == [(at("2024-01-01T05:00"), 1.5)]
