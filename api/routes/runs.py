"""A run: its result and lineage, candles, equity, trades and analysis."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.caller import Reader
from api.context import AppSettings
from api.models.runs import (
    RunAnalysis,
    RunCandles,
    RunDetail,
    RunEquity,
    TradeMarks,
    TradePage,
)

router = APIRouter(tags=["runs"])

RunKey = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
Points = Annotated[int, Query(ge=50, le=10_000)]
At = Annotated[datetime | None, Query(description="an instant with its zone")]
TradeSort = Literal["entry_at", "pnl", "return", "mae", "mfe", "bars", "fees"]


@router.get("/runs/{run_key}", response_model=RunDetail)
def get_run(
    run_key: RunKey, caller: Reader, settings: AppSettings, request: Request, response: Response
) -> RunDetail:
    """Return a run, its newest answer, and where that comes from."""
    raise NotImplementedError


@router.get("/runs/{run_key}/candles", response_model=RunCandles)
def get_candles(
    run_key: RunKey,
    caller: Reader,
    settings: AppSettings,
    points: Points = 1500,
    start: At = None,
    end: At = None,
    instrument: Annotated[str | None, Query(max_length=200)] = None,
) -> RunCandles:
    """Return the candles of a run's span, or of [start, end) in it, as many as a screen shows.

    instrument: of a run of several; the first one if left out
    """
    raise NotImplementedError


@router.get("/runs/{run_key}/equity", response_model=RunEquity)
def get_equity(
    run_key: RunKey,
    caller: Reader,
    settings: AppSettings,
    points: Points = 1500,
    start: At = None,
    end: At = None,
) -> RunEquity:
    """Return the equity of a run, its drawdown, and buying and holding."""
    raise NotImplementedError


@router.get("/runs/{run_key}/trades", response_model=TradePage)
def list_trades(
    run_key: RunKey,
    caller: Reader,
    settings: AppSettings,
    sort: TradeSort = "entry_at",
    order: Literal["asc", "desc"] = "asc",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> TradePage:
    """List the trades of a run."""
    raise NotImplementedError


@router.get("/runs/{run_key}/trades/marks", response_model=TradeMarks)
def get_trade_marks(
    run_key: RunKey,
    caller: Reader,
    settings: AppSettings,
    points: Points = 1500,
    start: At = None,
    end: At = None,
) -> TradeMarks:
    """Return entries and exits for a chart; of too many, those with the largest profit or loss."""
    raise NotImplementedError


@router.get("/runs/{run_key}/analysis", response_model=RunAnalysis)
def get_analysis(run_key: RunKey, caller: Reader, settings: AppSettings) -> RunAnalysis:
    """Return a run in parts: months, drawdowns, rolling Sharpe, distribution, groups of trades."""
    raise NotImplementedError


@router.get(
    "/runs/{run_key}/export.json",
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
    response_class=Response,
)
def export_run(run_key: RunKey, caller: Reader, settings: AppSettings) -> Response:
    """Return the whole run as a file: result document, lineage, trades, equity."""
    raise NotImplementedError


@router.get(
    "/runs/{run_key}/trades.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def download_trades(run_key: RunKey, caller: Reader, settings: AppSettings) -> StreamingResponse:
    """Return the trades of a run as CSV."""
    raise NotImplementedError
