"""Candles: instruments, series, coverage, quality, stale results, the watch list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.caller import Reader, Trader
from api.context import AppSettings
from api.models.answers import AskedInstant
from api.models.data import (
    CheckRow,
    CoverageOfSeries,
    FindingRow,
    InstrumentList,
    InstrumentRow,
    QualityAnswer,
    SeriesList,
    SeriesRow,
    StaleAnswer,
    StaleRow,
    StaleSceneRow,
    WatchedSeries,
    WatchList,
    WatchListAnswer,
)
from mela.interval import Interval
from services.candles import overview as candle_overview
from services.candles import watchlist
from services.candles.watchlist import Watched
from services.runs import stale_pages

router = APIRouter(tags=["data"])

At = Annotated[AskedInstant | None, Query(description="an instant with its zone")]
Name = Annotated[str, Query(max_length=200, examples=["binance:BTCUSDT"])]


@router.get("/instruments", response_model=InstrumentList)
def list_instruments(
    _: Reader,
    settings: AppSettings,
    text: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> InstrumentList:
    """List the instruments that were loaded once. text: a part of the name."""
    found, is_cut = candle_overview.list_instruments(settings, text, limit)
    return InstrumentList(items=tuple(InstrumentRow.of(one) for one in found), is_cut=is_cut)


@router.get("/series", response_model=SeriesList)
def list_series(_: Reader, settings: AppSettings) -> SeriesList:
    """List the stored series, each from its first candle to its last."""
    found = candle_overview.list_series(settings)
    return SeriesList(items=tuple(SeriesRow.of(one) for one in found))


@router.get("/coverage", response_model=CoverageOfSeries)
def get_coverage(
    instrument: Name,
    interval: Interval,
    _: Reader,
    settings: AppSettings,
    start: At = None,
    end: At = None,
) -> CoverageOfSeries:
    """Return for each day how many candles are stored and how many the calendar expects."""
    found = candle_overview.series_covered(settings, instrument, interval, start, end)
    return CoverageOfSeries.of(found)


@router.get("/quality", response_model=QualityAnswer)
def get_quality(
    _: Reader,
    settings: AppSettings,
    instrument: Annotated[str | None, Query(max_length=200)] = None,
    interval: Interval | None = None,
    state: Annotated[list[Literal["open", "repaired", "confirmed"]] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> QualityAnswer:
    """Return what is wrong with stored candles, as the last checks found it."""
    checks, found, is_cut = candle_overview.quality(
        settings, instrument=instrument, interval=interval, states=state or ["open"], limit=limit
    )
    return QualityAnswer(
        checks=tuple(CheckRow.of(one) for one in checks),
        findings=tuple(FindingRow.of(one) for one in found),
        is_cut=is_cut,
    )


@router.get("/stale", response_model=StaleAnswer)
def list_stale(caller: Reader, settings: AppSettings) -> StaleAnswer:
    """Return the results that no longer hold, and the scenes that answer with them."""
    found = stale_pages.stale_of(settings, caller)
    return StaleAnswer(
        total=found.total,
        results=tuple(
            StaleRow.of({**asdict(one), "reasons": stale_pages.words_of(one)})
            for one in found.results
        ),
        scenes=tuple(StaleSceneRow.of(one) for one in found.scenes),
    )


@router.get("/watchlist", response_model=WatchListAnswer)
def get_watchlist(_: Reader, settings: AppSettings) -> WatchListAnswer:
    """Return the series that the daily ingestion keeps up to date."""
    return _watch_list(watchlist.list_watched(settings))


@router.put("/watchlist", response_model=WatchListAnswer)
def put_watchlist(asked: WatchList, _: Trader, settings: AppSettings) -> WatchListAnswer:
    """Replace the watch list."""
    wanted = [(one.instrument, one.interval) for one in asked.items]
    return _watch_list(watchlist.replace_watched(wanted, settings))


def _watch_list(found: Iterable[Watched]) -> WatchListAnswer:
    def rows(series: Iterable[Watched]) -> tuple[WatchedSeries, ...]:
        return tuple(
            WatchedSeries(instrument=one.instrument, interval=Interval(one.interval))
            for one in series
        )

    return WatchListAnswer(items=rows(found), defaults=rows(watchlist.defaults()))
