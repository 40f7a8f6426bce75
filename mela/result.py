"""The result document: the answer to a run as Kafka carries it and the warehouse stores it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, create_model

from mela.curve import Curve, ExitReason, Trade, Trades
from mela.fields import field_values, plain
from mela.inputs import Input
from mela.instants import from_ms, instant_text
from mela.interval import Interval
from mela.metrics import (
    DEFINITIONS,
    LOWER_IS_BETTER,
    METRICS,
    TYPES,
    Metrics,
    finite_or_none,
    rank,
)
from mela.outcome import NEVER_REUSED, Outcome, Provenance, Status, result_key
from mela.run import Run
from mela.run_terms import PARTS, TERM_TYPES, VARIABLE, RunTerms
from mela.verdict import Verdict

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "NEVER_REUSED",
    "OWN",
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
    "own_fields",
    "rank",
    "result_document",
    "result_key",
    "run_fields",
]

RESULT_SCHEMA_VERSION = 1
# The fields of a result that hardly two runs of a grid share
OWN = frozenset(("run_key", "result_key", "params", "blocks", *METRICS))


class StrategyNamed(BaseModel):
    """A strategy, and the digest of its source."""

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
    file: str | None = Field(
        default=None, description="of the strategy's code where it arose; null where not known"
    )
    line: int | None = Field(default=None, ge=1, description="of that file")


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Question(_Document):
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
    inputs: dict[str, Input] | None = Field(
        default=None, description="further series that the strategy read; null where it read none"
    )


class _Answer(_Document):
    status: Status = Field(description="how the run ended")
    error: ErrorSaid | None = Field(description="why it failed; null where it did not")
    lookahead: Verdict | None = Field(
        default=None,
        description="whether the strategy looks ahead, as far as a check is known of this source: "
        "to the platform's warehouse or, of `mela backtest`, to this machine",
    )
    cached: bool = Field(description="it was stored already when the scene asked")
    engine_version: str = Field(description="of the rules of execution")
    metrics_version: str = Field(description="of the definitions of metrics")
    candles_revision: int | None = Field(
        description="of the candles that were read; null where several series were"
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


_BLOCKS = Field(
    default=None,
    pattern="^[A-Za-z0-9+/]{512}$",
    description="returns over 16 equal blocks of the span: sums, sums of squares and numbers, "
    "48 big-endian doubles in base64",
)
# Results that still wait in Kafka when a newer release is installed lack its new terms and metrics
_FIRST_TERMS = frozenset(
    ("cash", "costs", "sizing", "entry", "exits", "direction", "prices", "engine")
)


def _terms() -> dict[str, Any]:
    return {
        name: (
            TERM_TYPES[name],
            Field(... if name in _FIRST_TERMS else field.default, description=field.description),
        )
        for name, field in RunTerms.model_fields.items()
    }


def _metrics() -> dict[str, Any]:
    return {
        name: (kind | None, ... if DEFINITIONS[name].since == 1 else None) for name, kind in TYPES
    }


if TYPE_CHECKING:

    class Result(_Answer, _Question):
        """A result; its terms are those of `RunTerms`, its metrics those of `Metrics`."""

        blocks: str | None

else:
    Result = create_model(
        "Result",
        __base__=(_Answer, create_model("_Terms", __base__=_Document, **_terms()), _Question),
        __module__=__name__,
        __doc__="A result as Kafka carries it, the warehouse stores it and `mela results --json` "
        "prints it.\n\nMetrics are fractions; what is undefined is null.",
        **_metrics(),
        blocks=(str | None, _BLOCKS),
    )


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
        "error": _error(outcome),
        "lookahead": (made_with.lookahead or Verdict.NOT_VERIFIED).value,
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


_terms_of = attrgetter(*VARIABLE)


def own_fields(outcome: Outcome, made_with: Provenance, scene_id: str | None) -> dict[str, Any]:
    """Return the fields of a result document that hardly two runs of a grid share: OWN."""
    run, metrics = outcome.run, outcome.metrics
    return {
        "run_key": run.run_key,
        "result_key": result_key(run.run_key, outcome.status, made_with, scene_id)
        if scene_id
        else None,
        "params": dict(run.params),
        **(finite_or_none(metrics) if metrics else dict.fromkeys(METRICS)),
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
        "inputs": {name: one.model_dump(mode="json") for name, one in run.inputs.items()} or None,
        **{
            name: field_values(one, "json") if name in PARTS else plain(one)
            for name, one in zip(VARIABLE, _terms_of(run), strict=True)
        },
        "portfolio": run.portfolio.model_dump(mode="json") if run.portfolio else None,
    }


def _error(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.error is None:
        return None
    kind, sentence = outcome.error
    file, line = outcome.error_at or (None, None)
    return {"class": kind, "sentence": sentence, "file": file, "line": line}


def _instant_or_none(ms: int | None) -> str | None:
    return None if ms is None else _spelled_ms(ms)


_spelled = lru_cache(maxsize=4096)(instant_text)  # the runs of a grid share their instants


@lru_cache(maxsize=4096)
def _spelled_ms(ms: int) -> str:
    return instant_text(from_ms(ms))
