"""What a run found: the outcome in memory and the result as a document."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from mela.canonical import parted
from mela.curve import Curve, ExitReason, Trade, Trades
from mela.execution_terms import Costs, Entry, Exits, Sizing
from mela.instants import from_ms, instant_text
from mela.interval import Interval
from mela.portfolio import Portfolio
from mela.run import Run

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "NEVER_REUSED",
    "Blocks",
    "Curve",
    "ErrorSaid",
    "ExitReason",
    "Metrics",
    "Outcome",
    "Provenance",
    "Result",
    "Status",
    "StrategyNamed",
    "Trade",
    "Trades",
    "rank",
    "result_document",
    "result_key",
    "run_fields",
]

RESULT_SCHEMA_VERSION = 1
_CELL = np.dtype(">f8")  # as Postgres sends doubles


class Status(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NO_DATA = "no_data"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CANCELLED = "cancelled"
    RUINED = "ruined"


NEVER_REUSED = frozenset({Status.FAILED, Status.TIMED_OUT, Status.OUT_OF_MEMORY, Status.CANCELLED})


class Metrics(NamedTuple):
    """The numbers of a run (docs/metrics.md), fractions. Undefined: NaN, in documents null."""

    total_return: float
    final_equity: float
    cagr: float
    volatility_ann: float
    sharpe: float
    sortino: float
    max_drawdown: float
    exposure_time: float
    trades: int
    winning_trades: int
    losing_trades: int
    win_rate: float
    open_trades: int
    fees_paid: float
    ambiguous_bars: int
    buy_hold_return: float
    calmar: float
    omega: float
    max_drawdown_days: float
    avg_drawdown: float
    profit_factor: float
    expectancy: float
    sqn: float
    kelly: float
    avg_trade: float
    best_trade: float
    worst_trade: float
    slippage_paid: float
    alpha: float
    beta: float
    var_95: float
    cvar_95: float
    tail_ratio: float
    skew: float
    kurtosis: float
    turnover: float
    psr: float
    filled_bars: int
    rejected_orders: int
    large_fills: int
    borrow_paid: float


METRICS: tuple[str, ...] = Metrics._fields
# The fields of a result that hardly two runs of a grid share
OWN = frozenset(("run_key", "result_key", "params", "blocks", *METRICS))
LOWER_IS_BETTER = frozenset(
    {
        *("volatility_ann", "losing_trades", "open_trades", "ambiguous_bars", "filled_bars"),
        *("fees_paid", "slippage_paid", "borrow_paid", "turnover", "rejected_orders"),
        *("large_fills", "max_drawdown_days", "kurtosis"),
    }
)


class Blocks(NamedTuple):
    """The returns of a run over 16 equal blocks of its span: what CSCV needs instead of a curve.

    cells: 3 × 16 doubles, big-endian, row by row: of each block the sum of its returns, the sum of
        their squares, and how many they are
    """

    cells: bytes

    @classmethod
    def of(cls, rows: Any) -> Blocks:
        """Return the blocks of (3, 16) numbers: sums, squares, counts."""
        return cls(np.asarray(rows, dtype=_CELL).tobytes())

    @classmethod
    def unpacked(cls, text: str) -> Blocks:
        """Return the blocks that a result document has. Raises ValueError for other text."""
        return cls(base64.b64decode(text, validate=True))

    def packed(self) -> str:
        """Return what a result document says: the cells in base64, 512 characters.

        >>> Blocks.unpacked(Blocks.of([[0.25] * 16, [0.5] * 16, [3] * 16]).packed()).counts[15]
        3.0
        """
        return base64.b64encode(self.cells).decode()

    @property
    def rows(self) -> NDArray[np.float64]:
        """Return sums, squares and counts: (3, 16) float64."""
        return np.frombuffer(self.cells, dtype=_CELL).reshape(3, 16).astype(np.float64)

    @property
    def sums(self) -> list[float]:
        """Return the sum of each block's returns."""
        return self.rows[0].tolist()

    @property
    def squares(self) -> list[float]:
        """Return the sum of the squares of each block's returns."""
        return self.rows[1].tolist()

    @property
    def counts(self) -> list[float]:
        """Return how many returns each block has."""
        return self.rows[2].tolist()


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What the engine says of one run.

    metrics, blocks: None unless succeeded or ruined
    depends_from_ms: the first candle read, warm-up included; None where warm-up or candles were
        missing, so that any earlier candle would change the answer
    warmup_missing: how many warm-up candles there were too few
    error: (class, sentence) of a failed run
    """

    run: Run
    status: Status
    metrics: Metrics | None = None
    error: tuple[str, str] | None = None
    candles: int = 0
    first_candle_ms: int | None = None
    last_candle_ms: int | None = None
    depends_from_ms: int | None = None
    warmup_missing: int = 0
    periods_per_year: float | None = None
    warnings: tuple[str, ...] = ()
    blocks: Blocks | None = None
    curve: Curve | None = None


class Provenance(NamedTuple):
    """What a result was made with, besides its run.

    candles_revision: of the run's candle series; of several the sum, which grows with each of them
    revisions: of each series, in the order of the run's instruments; None where there is only one
    """

    strategy_digest: str
    engine_version: str
    metrics_version: str
    candles_revision: int | None
    revisions: tuple[int, ...] | None = None

    def on(self, revisions: Sequence[int]) -> Provenance:
        """Return the same, made with candles of these revisions, one for each series."""
        several = tuple(revisions) if len(revisions) > 1 else None
        return self._replace(candles_revision=sum(revisions), revisions=several)


class StrategyNamed(BaseModel):
    """Which strategy, and which source of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="as `mela strategies` lists it")
    digest: str = Field(description="hash of its source")


class ErrorSaid(BaseModel):
    """Why a run failed."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True
    )

    kind: str = Field(alias="class", description="the error's class")
    sentence: str = Field(description="what went wrong")


class Result(BaseModel):
    """A result as Kafka carries it, the warehouse stores it and `mela results --json` prints it.

    Metrics are fractions; what is undefined is null.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(default=1, description="of this schema")
    scene_id: str | None = Field(
        description="the scene that this answers; null outside the platform"
    )
    run_key: str = Field(
        pattern="^[0-9a-f]{64}$", description="what was asked: equal keys, equal questions"
    )
    result_key: str | None = Field(
        pattern="^[0-9a-f]{64}$",
        description="what answered: the question, candles and code; null outside the platform",
    )
    instruments: tuple[str, ...] = Field(
        min_length=1, description="one, or those that share an account"
    )
    interval: Interval = Field(description="length of a candle")
    start: AwareDatetime = Field(description="of the run's span, included")
    end: AwareDatetime = Field(description="of the run's span, not included")
    strategy: StrategyNamed = Field(description="name and source")
    params: dict[str, Any] = Field(
        description="all parameters of the strategy, its defaults filled in"
    )
    cash: float = Field(description="opening cash, in the quote currency")
    costs: Costs = Field(description="as the scene asked")
    sizing: Sizing = Field(description="as the scene asked")
    entry: Entry = Field(description="as the scene asked")
    exits: Exits = Field(description="as the scene asked")
    direction: str = Field(description="as the scene asked")
    prices: str = Field(description="as the scene asked")
    engine: str = Field(description="which engine answered")
    portfolio: Portfolio | None = Field(
        default=None, description="as the scene asked; null for a run of one instrument"
    )
    status: Status = Field(description="how the run ended")
    error: ErrorSaid | None = Field(description="why it failed; null where it did not")
    cached: bool = Field(description="it was stored already when the scene asked")
    engine_version: str = Field(description="of the rules of execution")
    metrics_version: str = Field(description="of the definitions of metrics")
    candles_revision: int | None = Field(
        description="of the candles that were read; of several series the sum"
    )
    revisions: tuple[int, ...] | None = Field(
        default=None, description="of each series, where there are several"
    )
    computed_at: AwareDatetime = Field(description="when the engine answered")
    candles: int = Field(description="how many candles the span held, warm-up not counted")
    first_candle_at: AwareDatetime | None = Field(description="the first of them opened")
    last_candle_at: AwareDatetime | None = Field(description="the last of them opened")
    depends_from: AwareDatetime | None = Field(
        description="the first candle that the answer rests on, warm-up included; null where "
        "some were missing"
    )
    warmup_missing: int = Field(description="how many warm-up candles there were too few")
    periods_per_year: float | None = Field(description="what annual numbers were scaled by")
    warnings: tuple[str, ...] = Field(description="what to know before believing the numbers")
    total_return: float | None
    final_equity: float | None
    cagr: float | None
    volatility_ann: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float | None
    exposure_time: float | None
    trades: int | None
    winning_trades: int | None
    losing_trades: int | None
    win_rate: float | None
    open_trades: int | None
    fees_paid: float | None
    ambiguous_bars: int | None
    buy_hold_return: float | None
    # a result of metrics version 1 lacks what follows
    calmar: float | None = None
    omega: float | None = None
    max_drawdown_days: float | None = None
    avg_drawdown: float | None = None
    profit_factor: float | None = None
    expectancy: float | None = None
    sqn: float | None = None
    kelly: float | None = None
    avg_trade: float | None = None
    best_trade: float | None = None
    worst_trade: float | None = None
    slippage_paid: float | None = None
    alpha: float | None = None
    beta: float | None = None
    var_95: float | None = None
    cvar_95: float | None = None
    tail_ratio: float | None = None
    skew: float | None = None
    kurtosis: float | None = None
    turnover: float | None = None
    psr: float | None = None
    filled_bars: int | None = None
    rejected_orders: int | None = None
    large_fills: int | None = None
    borrow_paid: float | None = None
    blocks: str | None = Field(
        default=None,
        pattern="^[A-Za-z0-9+/]{512}$",
        description="returns over 16 equal blocks of the span: sums, sums of squares and numbers, "
        "48 big-endian doubles in base64",
    )


def result_key(run_key: str, status: Status, made_with: Provenance, scene_id: str | None) -> str:
    """Return what names an answer: question, candles and code; failures are their scene's own."""
    asked, answered = parted(run_key), _answered_by(status, made_with, scene_id)
    return hashlib.sha256(asked + answered).hexdigest()


@lru_cache(maxsize=4096)
def _answered_by(status: Status, made_with: Provenance, scene_id: str | None) -> bytes:
    """Return what the result_keys of a scene's runs have in common."""
    parts = [
        str(made_with.candles_revision if made_with.revisions is None else made_with.revisions),
        made_with.strategy_digest,
        made_with.engine_version,
        made_with.metrics_version,
    ]
    if status in NEVER_REUSED:
        parts.append(f"{scene_id}:{status}")
    return parted(*parts)


def result_document(
    outcome: Outcome,
    made_with: Provenance,
    *,
    scene_id: str | None,
    computed_at: datetime | None = None,
) -> dict[str, Any]:
    """Return an outcome as a result document: JSON values only, undefined numbers as None.

    scene_id: None for a backtest outside the platform, whose result_key and revision are null too.
    """
    run, own = outcome.run, own_fields(outcome, made_with, scene_id)
    return {
        "schema_version": RESULT_SCHEMA_VERSION,
        "scene_id": scene_id,
        "run_key": own["run_key"],
        "result_key": own["result_key"],
        **run_fields(run, made_with.strategy_digest),
        "status": outcome.status.value,
        "error": dict(zip(("class", "sentence"), outcome.error, strict=True))
        if outcome.error
        else None,
        "cached": False,
        "engine_version": made_with.engine_version,
        "metrics_version": made_with.metrics_version,
        "candles_revision": made_with.candles_revision if scene_id else None,
        "revisions": list(made_with.revisions) if scene_id and made_with.revisions else None,
        "computed_at": _spelled(computed_at or datetime.now(UTC)),
        "candles": outcome.candles,
        "first_candle_at": _instant_or_none(outcome.first_candle_ms),
        "last_candle_at": _instant_or_none(outcome.last_candle_ms),
        "depends_from": _instant_or_none(outcome.depends_from_ms),
        "warmup_missing": outcome.warmup_missing,
        "periods_per_year": outcome.periods_per_year,
        "warnings": list(outcome.warnings),
        **own,
    }


def own_fields(outcome: Outcome, made_with: Provenance, scene_id: str | None) -> dict[str, Any]:
    """Return the fields of a result document that hardly two runs of a grid share: OWN."""
    run, metrics = outcome.run, outcome.metrics
    return {
        "run_key": run.run_key,
        "result_key": result_key(run.run_key, outcome.status, made_with, scene_id)
        if scene_id
        else None,
        "params": dict(run.params),
        **(_finite(metrics) if metrics else dict.fromkeys(METRICS)),
        "blocks": outcome.blocks.packed() if outcome.blocks else None,
    }


def run_fields(run: Run, strategy_digest: str) -> dict[str, Any]:
    """Return the fields of a result that say what was asked."""
    return {
        "instruments": list(run.instruments),
        "interval": run.interval.value,
        "start": _spelled(run.start),
        "end": _spelled(run.end),
        "strategy": {"name": run.strategy, "digest": strategy_digest},
        "params": dict(run.params),
        "cash": run.cash,
        "costs": {**run.costs.__dict__},  # frozen and flat; model_dump takes longer than the run
        "sizing": {**run.sizing.__dict__},
        "entry": {**run.entry.__dict__},
        "exits": {**run.exits.__dict__},
        "direction": run.direction,
        "prices": run.prices,
        "engine": run.engine,
        "portfolio": run.portfolio.model_dump(mode="json") if run.portfolio else None,
    }


def rank(results: Iterable[Mapping[str, Any]], by: str) -> list[Mapping[str, Any]]:
    """Return results best first by a metric: nulls last, ties by run_key.

    >>> rows = [{"run_key": "b", "sharpe": None}, {"run_key": "a", "sharpe": 1.0}]
    >>> [row["run_key"] for row in rank(rows, "sharpe")]
    ['a', 'b']
    """
    sign = 1.0 if by in LOWER_IS_BETTER else -1.0

    def place(result: Mapping[str, Any]) -> tuple[bool, float, str]:
        value = result[by]
        return value is None, 0.0 if value is None else sign * value, result["run_key"]

    return sorted(results, key=place)


def _finite(metrics: Metrics) -> Mapping[str, float | int | None]:
    said = dict(zip(METRICS, metrics, strict=True))
    if math.isfinite(sum(metrics)):  # nothing is undefined, which spares the look at each
        return said
    return {name: value if math.isfinite(value) else None for name, value in said.items()}


def _instant_or_none(ms: int | None) -> str | None:
    return None if ms is None else _spelled_ms(ms)


_spelled = lru_cache(maxsize=4096)(instant_text)  # the runs of a grid share their instants


@lru_cache(maxsize=4096)
def _spelled_ms(ms: int) -> str:
    return instant_text(from_ms(ms))
