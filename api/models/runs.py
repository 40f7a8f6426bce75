"""A run: its terms, its result, where it comes from, and what it did."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import AliasChoices, Field

from api.models.answers import Answer, Instant, JsonObject, Milliseconds
from api.models.scenes import Warned

Side = Literal["long", "short"]


class RunQuestion(Answer):
    """The question of a run.

    terms: cash, costs, sizing, entry, exits, direction, prices and the rest.
    """

    instruments: tuple[str, ...]
    interval: str
    start: str
    end: str
    strategy: str
    params: JsonObject
    inputs: JsonObject | None
    terms: JsonObject


class RunFailure(Answer):
    """Why a run failed."""

    kind: str
    message: str
    file: str | None
    line: int | None


class RunAnswer(Answer):
    """The result of a run. metrics: all by name, null where undefined."""

    status: str
    metrics: dict[str, int | float | None]
    warnings: tuple[Warned, ...]
    failure: RunFailure | None
    lookahead: str = Field(description="whether the strategy looks ahead, as far as is known")
    computed_at: Instant
    candles: int
    first_candle_at: Instant | None
    last_candle_at: Instant | None
    periods_per_year: float | None


class LoadRead(Answer):
    """A load that brought candles which the result read. candles: how many of them."""

    load_id: int
    candles: int
    source: str
    origin: str | None
    first_opened_at: Instant
    last_opened_at: Instant
    code_version: str
    started_at: Instant


class RevisionSeen(Answer):
    """A revision that touches the candles. is_later: it came after the result."""

    revision: int
    reason: str
    first_opened_at: Instant
    last_opened_at: Instant
    created_at: Instant
    is_later: bool


class SeriesRead(Answer):
    """The candles of one series that the result read."""

    instrument: str
    interval: str
    revision: int
    start: Instant
    end: Instant
    loads: tuple[LoadRead, ...]
    revisions: tuple[RevisionSeen, ...]


class SeriesOfRun(Answer):
    """The candles that a result read."""

    series: tuple[SeriesRead, ...]


class RunLineage(Answer):
    """The origin of a result; `/runs/{run_key}/lineage` has that of its candles."""

    result_key: str
    strategy_digest: str
    engine_version: str
    metrics_version: str
    is_sealed: bool = Field(description="whether the stored row is as the engine wrote it")


class HeldBy(Answer):
    """A scene that this result answers."""

    scene_id: UUID
    name: str | None
    owner: str | None
    rank: int | None


class RunDetail(Answer):
    """A run and its newest answer that the caller may see."""

    run_key: str
    run: RunQuestion
    result: RunAnswer
    lineage: RunLineage
    is_stale: bool
    stale_reasons: tuple[str, ...] = Field(description="sentences")
    scenes: tuple[HeldBy, ...]
    has_curve: bool
    without_curve: str | None = Field(description="why there is none, and how one is made")
    trades: int | None
    benchmark: dict[str, int | float | None] = Field(description="metrics of buying and holding")
    quote: str = Field(description="currency of cash, equity and profit; empty if it has several")


class CandleColumns(Answer):
    """Candles as columns. t: milliseconds since 1970, UTC, of the opening."""

    t: list[Milliseconds]
    o: list[float]
    h: list[float]
    l: list[float]  # noqa: E741  the chart's own word
    c: list[float]
    v: list[float]


class RunCandles(Answer):
    """The candles of a run, reduced to what a screen can show; highs and lows are kept."""

    instrument: str
    interval: str
    start: Instant
    end: Instant
    total: int = Field(description="candles of the span before they were reduced")
    is_reduced: bool
    candles_per_point: int
    candles: CandleColumns


class RunEquity(Answer):
    """Equity, drawdown (≤ 0) and buy and hold, reduced; extremes are kept.

    buy_and_hold: equity of all cash in at the first open, costs as in the run; null: of several
        instruments, or where the candles have changed since
    """

    has_curve: bool
    without_curve: str | None
    total: int
    is_reduced: bool
    t: list[Milliseconds]
    equity: list[float]
    drawdown: list[float]
    buy_and_hold: list[float | None]


class TradeRow(Answer):
    """A round trip. return: on the value at entry; mae, mfe: fractions of the entry price."""

    seq: int
    instrument: str
    side: Side
    entry_at: Instant
    exit_at: Instant
    entry_price: float
    exit_price: float
    size: float
    pnl: float = Field(description="net of fees, slippage and borrowing, quote currency")
    return_: float = Field(
        validation_alias=AliasChoices("return", "return_"),
        serialization_alias="return",
        description="on the value at entry",
    )
    fees: float
    slippage: float | None
    borrow: float | None
    mae: float | None
    mfe: float | None
    bars: int = Field(description="candles from entry to exit")
    reason: str


class TradePage(Answer):
    """A page of trades."""

    has_curve: bool
    without_curve: str | None
    items: tuple[TradeRow, ...]
    next_cursor: str | None
    total: int


class TradeMarks(Answer):
    """Trades for a chart, as columns, thinned to what it can show. side: 1 long, -1 short.

    If there are too many, those with the largest profit or loss stay.
    """

    has_curve: bool
    total: int
    is_thinned: bool
    seq: list[int]
    entry_t: list[Milliseconds]
    exit_t: list[Milliseconds]
    side: list[int]
    entry_price: list[float]
    exit_price: list[float]
    pnl: list[float]
    reason: list[str]


class MonthReturn(Answer):
    """The return of a calendar month in UTC."""

    year: int
    month: int
    value: float = Field(description="fraction")


class DrawdownSpan(Answer):
    """A fall below the running peak. recovered_at: null while it lasts."""

    depth: float
    started_at: Instant
    lowest_at: Instant
    recovered_at: Instant | None
    days: float


class TimeValues(Answer):
    """A line over time; null where undefined."""

    t: list[Milliseconds]
    v: list[float | None]


class Histogram(Answer):
    """Counts between edges: one edge more than counts."""

    edges: list[float]
    counts: list[int]


class TradeGroup(Answer):
    """The trades of a group: how many, and what they earned."""

    group: str
    trades: int
    wins: int
    pnl: float
    mean_return: float


class RunAnalysis(Answer):
    """A run in parts. Times of trades are those of their entry, UTC."""

    has_curve: bool
    without_curve: str | None
    monthly_returns: tuple[MonthReturn, ...]
    worst_drawdowns: tuple[DrawdownSpan, ...]
    rolling_sharpe: TimeValues
    rolling_periods: int = Field(description="in the window of the rolling ratio; 0: too short")
    return_distribution: Histogram = Field(description="of the daily returns")
    by_reason: tuple[TradeGroup, ...]
    by_side: tuple[TradeGroup, ...]
    by_month: tuple[TradeGroup, ...]
    by_weekday: tuple[TradeGroup, ...]
    by_hour: tuple[TradeGroup, ...]


class ComparedSide(Answer):
    """A run of a comparison."""

    run_key: str
    label: str
    scene_id: UUID
    scene_name: str | None
    instruments: tuple[str, ...]
    interval: str
    strategy: str
    status: str
    has_curve: bool
    metrics: dict[str, int | float | None]
    warnings: tuple[str, ...]


class ParamCompared(Answer):
    """A field of the question in each run. Only those that differ are listed."""

    path: str
    values: tuple[int | float | str | bool | None, ...]


class MetricCompared(Answer):
    """A metric in each run. best: the places of the best ones."""

    name: str
    values: tuple[float | None, ...]
    best: tuple[int, ...]


class CommonCurves(Answer):
    """Equity over opening cash of several runs on common points; null where a run has none."""

    t: list[Milliseconds]
    values: list[list[float | None]]


class DifferingTrade(Answer):
    """The first place at which the trades of two runs differ. null: that run has no trade there."""

    seq: int
    trades: tuple[TradeRow | None, ...]


class Comparison(Answer):
    """Several runs side by side."""

    runs: tuple[ComparedSide, ...]
    differences: tuple[ParamCompared, ...]
    metrics: tuple[MetricCompared, ...]
    curves: CommonCurves
    first_differing_trade: DifferingTrade | None
