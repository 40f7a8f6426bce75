"""A run: its result and lineage, candles, equity, trades and analysis."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.caller import Reader
from api.conditional import etag_of, unchanged, with_etag
from api.context import AppSettings
from api.files import attachment, csv_file
from api.models.answers import AskedInstant
from api.models.runs import (
    RunAnalysis,
    RunCandles,
    RunDetail,
    RunEquity,
    SeriesOfRun,
    TradeMarks,
    TradePage,
)
from api.run_answers import analysis_answer, marks_answer, run_answer, series_answer
from mela.instants import instant_text
from services.runs import run_analysis, run_detail, run_series, run_trades

router = APIRouter(tags=["runs"])

RunKey = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
Points = Annotated[int, Query(ge=50, le=10_000)]
At = Annotated[AskedInstant | None, Query(description="an instant with its zone")]
Instrument = Annotated[
    str | None, Query(max_length=200, description="of a run of several: only this one")
]
TradeSort = Literal["entry_at", "pnl", "return", "mae", "mfe", "bars", "fees", "seq"]
JSON = "application/json"
COLUMNS = orjson.OPT_SERIALIZE_NUMPY


@router.get("/runs/{run_key}", response_model=RunDetail)
def get_run(
    run_key: RunKey, caller: Reader, settings: AppSettings, request: Request, response: Response
) -> RunDetail | Response:
    """Return a run, its newest answer, and where that comes from."""
    opened = run_detail.opened(settings, caller, run_key)
    tag = etag_of(*opened.depends_on)
    if (known := unchanged(request, tag)) is not None:
        return known
    return with_etag(response, tag, run_answer(run_detail.run_found(settings, opened)))


@router.get("/runs/{run_key}/lineage")
def get_lineage(run_key: RunKey, caller: Reader, settings: AppSettings) -> SeriesOfRun:
    """Return the candles that a run read, the loads that brought them, and their revisions."""
    found = run_detail.series_read(settings, caller, run_key)
    return SeriesOfRun(series=tuple(map(series_answer, found)))


@router.get("/runs/{run_key}/candles", response_model=RunCandles)
def get_candles(
    run_key: RunKey,
    caller: Reader,
    settings: AppSettings,
    points: Points = 1500,
    start: At = None,
    end: At = None,
    instrument: Instrument = None,
) -> Response:
    """Return the candles of a run's span, or of [start, end) in it, as many as a screen shows.

    instrument: of a run of several; the first one if left out
    """
    found = run_series.reduced_candles(
        settings, caller, run_key, points=points, start=start, end=end, instrument=instrument
    )
    return _columns(
        {
            "instrument": found.instrument,
            "interval": found.interval,
            "start": instant_text(found.start),
            "end": instant_text(found.end),
            "total": found.total,
            "is_reduced": found.candles_per_point > 1,
            "candles_per_point": found.candles_per_point,
            "candles": {name: np.ascontiguousarray(one) for name, one in found.columns.items()},
        }
    )


@router.get("/runs/{run_key}/equity", response_model=RunEquity)
def get_equity(
    run_key: RunKey,
    caller: Reader,
    settings: AppSettings,
    points: Points = 1500,
    start: At = None,
    end: At = None,
) -> Response:
    """Return the equity of a run, its drawdown, and buying and holding."""
    head, found = run_series.reduced_equity(
        settings, caller, run_key, points=points, start=start, end=end
    )
    size = 0 if found is None else len(found.t)
    held = None if found is None else found.hold
    return _columns(
        {
            "has_curve": head.has_curve,
            "without_curve": head.without_curve,
            "total": found.total if found else 0,
            "is_reduced": bool(found and size < found.total),
            "t": found.t if found else [],
            "equity": found.equity if found else [],
            "drawdown": found.drawdown if found else [],
            "buy_and_hold": [None] * size if held is None else held,
        }
    )


@router.get("/runs/{run_key}/trades", response_model=TradePage)
def list_trades(
    run_key: RunKey,
    caller: Reader,
    settings: AppSettings,
    sort: TradeSort = "entry_at",
    order: Literal["asc", "desc"] = "asc",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    from_seq: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    instrument: Instrument = None,
) -> TradePage:
    """List the trades of a run. from_seq: only this trade and those that came after it."""
    found = run_trades.list_trades(
        settings,
        caller,
        run_key,
        sort=sort,
        falls=order == "desc",
        limit=limit,
        cursor=cursor,
        from_seq=from_seq,
        instrument=instrument,
    )
    return TradePage.of(found)


@router.get("/runs/{run_key}/trades/marks", response_model=TradeMarks)
def get_trade_marks(
    run_key: RunKey,
    caller: Reader,
    settings: AppSettings,
    points: Points = 1500,
    start: At = None,
    end: At = None,
    instrument: Instrument = None,
) -> TradeMarks:
    """Return entries and exits for a chart; of too many, those with the largest profit or loss."""
    found = run_trades.marks(
        settings, caller, run_key, points=points, start=start, end=end, instrument=instrument
    )
    return marks_answer(found)


@router.get("/runs/{run_key}/analysis", response_model=RunAnalysis)
def get_analysis(run_key: RunKey, caller: Reader, settings: AppSettings) -> RunAnalysis:
    """Return a run in parts: months, drawdowns, rolling Sharpe, distribution, groups of trades."""
    return analysis_answer(*run_analysis.analysis_of(settings, caller, run_key))


@router.get(
    "/runs/{run_key}/export.json",
    responses={200: {"content": {JSON: {"schema": {"type": "object"}}}}},
    response_class=Response,
)
def export_run(run_key: RunKey, caller: Reader, settings: AppSettings) -> Response:
    """Return the whole run as a file: result document, lineage, trades, equity."""
    found = run_trades.whole_run(settings, caller, run_key)
    content = orjson.dumps(found, option=COLUMNS | orjson.OPT_UTC_Z | orjson.OPT_INDENT_2)
    return Response(content, media_type=JSON, headers=attachment(f"run-{run_key[:12]}.json"))


@router.get(
    "/runs/{run_key}/trades.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def download_trades(run_key: RunKey, caller: Reader, settings: AppSettings) -> StreamingResponse:
    """Return the trades of a run as CSV."""
    lines = run_trades.trades_csv(settings, caller, run_key)
    return csv_file(lines, f"trades-{run_key[:12]}.csv")


def _columns(answer: dict[str, Any]) -> Response:
    """Return an answer with columns of numpy as JSON; NaN becomes null."""
    return Response(orjson.dumps(answer, option=COLUMNS), media_type=JSON)
