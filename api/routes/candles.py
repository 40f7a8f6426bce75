"""Stored candles, for programs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.caller import Reader
from api.context import AppSettings
from api.models.answers import AskedInstant
from api.models.data import StoredCandles
from api.models.runs import CandleColumns
from mela.execution_terms import Prices
from mela.interval import Interval
from services.runs import stored_candles

router = APIRouter(tags=["data"])


@router.get("/candles", response_model=StoredCandles)
def read_candles(
    instrument: Annotated[str, Query(max_length=200, examples=["binance:BTCUSDT"])],
    interval: Interval,
    start: Annotated[AskedInstant, Query(examples=["2023-01-01T00:00:00Z"])],
    end: Annotated[AskedInstant, Query(examples=["2023-02-01T00:00:00Z"])],
    _: Reader,
    settings: AppSettings,
    prices: Prices = "split_adjusted",
    limit: Annotated[int, Query(ge=1, le=50_000)] = 10_000,
) -> StoredCandles:
    """Return the candles of [start, end) as runs read them; the rest begins at `next_start`."""
    found = stored_candles.part_of(
        settings, instrument, interval, start, end, prices=prices, most=limit
    )
    return StoredCandles(
        instrument=found.instrument,
        interval=found.interval,
        prices=found.prices,
        candles=CandleColumns(**{name: column.tolist() for name, column in found.columns.items()}),
        next_start=found.next_start,
    )
