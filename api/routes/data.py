"""Candles: instruments, series, coverage, quality, stale results, the watch list."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.caller import Reader, Trader
from api.context import AppSettings
from api.models.answers import AskedInstant
from api.models.data import (
    CoverageOfSeries,
    InstrumentList,
    QualityAnswer,
    SeriesList,
    StaleAnswer,
    WatchList,
    WatchListAnswer,
)
from mela.interval import Interval

router = APIRouter(tags=["data"])

At = Annotated[AskedInstant | None, Query(description="an instant with its zone")]
Name = Annotated[str, Query(max_length=200, examples=["binance:BTCUSDT"])]


@router.get("/instruments", response_model=InstrumentList)
def list_instruments(
    caller: Reader,
    settings: AppSettings,
    text: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> InstrumentList:
    """List the instruments that were loaded once. text: a part of the name."""
    raise NotImplementedError


@router.get("/series", response_model=SeriesList)
def list_series(caller: Reader, settings: AppSettings) -> SeriesList:
    """List the stored series, each from its first candle to its last."""
    raise NotImplementedError


@router.get("/coverage", response_model=CoverageOfSeries)
def get_coverage(
    instrument: Name,
    interval: Interval,
    caller: Reader,
    settings: AppSettings,
    start: At = None,
    end: At = None,
) -> CoverageOfSeries:
    """Return for each day how many candles are stored and how many the calendar expects."""
    raise NotImplementedError


@router.get("/quality", response_model=QualityAnswer)
def get_quality(
    caller: Reader,
    settings: AppSettings,
    instrument: Annotated[str | None, Query(max_length=200)] = None,
    interval: Interval | None = None,
    state: Annotated[list[Literal["open", "repaired", "confirmed"]] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> QualityAnswer:
    """Return what is wrong with stored candles, as the last checks found it."""
    raise NotImplementedError


@router.get("/stale", response_model=StaleAnswer)
def list_stale(caller: Reader, settings: AppSettings) -> StaleAnswer:
    """Return the results that no longer hold, and the scenes that answer with them."""
    raise NotImplementedError


@router.get("/watchlist", response_model=WatchListAnswer)
def get_watchlist(caller: Reader, settings: AppSettings) -> WatchListAnswer:
    """Return the series that the daily ingestion keeps up to date."""
    raise NotImplementedError


@router.put("/watchlist", response_model=WatchListAnswer)
def put_watchlist(asked: WatchList, caller: Trader, settings: AppSettings) -> WatchListAnswer:
    """Replace the watch list."""
    raise NotImplementedError
