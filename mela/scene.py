"""The scene: what somebody asks for, validated (docs/contract/scene.md)."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from mela.canonical import canonical_json, digest
from mela.errors import RejectionCode, SceneInvalid
from mela.fields import Instant, Part, Whole, one_of
from mela.inputs import SeriesChoice
from mela.instants import instant_text, to_ms
from mela.instrument import parse_name
from mela.interval import Interval
from mela.metrics import Ranking
from mela.name_suggestions import (
    did_you_mean,
    ended,
    field_meant,
    interval_meant,
    options_in,
    suggestion_of,
)
from mela.params import Json
from mela.portfolio import Portfolio
from mela.result import METRICS
from mela.risk_limits import RiskLimits, not_empty
from mela.run_terms import RunTerms
from mela.search import GridSearch, RandomSearch, TpeSearch
from mela.windows import Fold, Holdout, WalkForward, folds_of

SCHEMA_VERSION = 1


class StrategyChoice(Part):
    """A registered strategy by name, and those of its parameters that differ from its defaults."""

    name: str = Field(
        min_length=1,
        examples=["sma_cross"],
        description="one of those that `mela strategies` lists",
    )
    params: dict[str, Json] = Field(
        default_factory=dict,
        examples=[{"fast": 10, "slow": 30}],
        description="its parameters by name; what is left out is at the strategy's default",
    )


if TYPE_CHECKING:
    Search = GridSearch | RandomSearch | TpeSearch
else:
    Search = one_of(GridSearch, RandomSearch, TpeSearch)


class _Question(Part):
    schema_version: Literal[1] = Field(default=1, description="of this schema")
    scene_id: UUID | None = Field(
        default=None, description="one publication; minted where it is missing"
    )
    name: str | None = Field(
        default=None, max_length=200, description="what people call it; changes nothing"
    )
    instruments: tuple[str, ...] = Field(
        min_length=1,
        max_length=10_000,
        examples=[["binance:BTCUSDT", "binance:ETHUSDT"]],
        description="each as venue:symbol; named twice counts once",
    )
    mode: Literal["each", "together"] = Field(
        default="each",
        description="each: a run per instrument; together: one account for all of them",
    )
    interval: Interval = Field(description="length of a candle")
    start: Instant = Field(
        examples=["2023-01-01T00:00:00Z"],
        description="the first candle opens here or later; a day, or an instant with its zone",
    )
    end: Instant = Field(
        examples=["2024-01-01T00:00:00Z"],
        description="the last candle opens before; a day, or an instant with its zone",
    )
    strategy: StrategyChoice = Field(description="what decides on each close")
    search: Search | None = Field(default=None, description="without it, one parameter set")
    holdout: Holdout | None = Field(
        default=None, description="candles that the search does not see: its winner runs there once"
    )
    validation: WalkForward | None = Field(
        default=None, description="choose on training windows, test on the windows after them"
    )
    rank_by: str = Field(
        default="sharpe",
        json_schema_extra={"enum": list(METRICS)},
        description="the metric that decides the best run; nulls last",
    )
    min_trades: Whole = Field(
        default=0,
        ge=0,
        description="runs with fewer round trips rank behind the others; all of them count as "
        "trials",
    )


class Scene(RunTerms, _Question):
    """Ask for one strategy, or a search of its parameters, on instruments over [start, end)."""

    inputs: dict[str, SeriesChoice] = Field(
        default_factory=dict,
        examples=[{"benchmark": {"instrument": "binance:ETHUSDT"}}],
        description="other series for inputs that the strategy declares, by name; what is left "
        "out is read as declared",
    )

    @field_validator("instruments")
    @classmethod
    def _are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            parse_name(name)
        return tuple(dict.fromkeys(names))

    @field_validator("rank_by")
    @classmethod
    def _is_metric(cls, name: str) -> str:
        if name not in METRICS:
            suggestion = did_you_mean(name, METRICS)
            raise ValueError(
                f"expected one of {', '.join(METRICS)}, but found {name!r}{suggestion}"
            )
        return name

    @field_validator("end")
    @classmethod
    def _is_after_start(cls, end: datetime, info: ValidationInfo) -> datetime:
        start: datetime | None = info.data.get("start")
        if start is not None and end <= start:
            raise ValueError(
                f"a scene ends after its start {instant_text(start)}, "
                f"but this one ends {instant_text(end)}"
            )
        return end

    @field_validator("risk")
    @classmethod
    def _limits_something(cls, risk: RiskLimits | None) -> RiskLimits | None:
        return not_empty(risk)

    @field_validator("portfolio")
    @classmethod
    def _is_of_together(cls, portfolio: Portfolio | None, info: ValidationInfo) -> Portfolio | None:
        if portfolio is not None and info.data.get("mode") == "each":
            raise ValueError("a portfolio needs mode together, but this scene's mode is each")
        return portfolio

    @field_validator("holdout")
    @classmethod
    def _leaves_candles_on_both_sides(
        cls, holdout: Holdout | None, info: ValidationInfo
    ) -> Holdout | None:
        start, end = info.data.get("start"), info.data.get("end")
        if holdout and start and end and not start < holdout.start < end:
            raise ValueError(
                f"a holdout starts within the scene, after {instant_text(start)} and before "
                f"{instant_text(end)}, but this one starts {instant_text(holdout.start)}"
            )
        return holdout

    @field_validator("validation")
    @classmethod
    def _fits_the_span(
        cls, validation: WalkForward | None, info: ValidationInfo
    ) -> WalkForward | None:
        given, known = info.data, {"interval", "start", "end", "holdout"}
        if validation and known <= given.keys():
            holdout: Holdout | None = given["holdout"]
            end = holdout.start if holdout else given["end"]
            folds_of(validation, to_ms(given["start"]), to_ms(end), given["interval"])
        return validation

    @property
    def ranking(self) -> Ranking:
        """Return what decides the best run."""
        return Ranking(self.rank_by, self.min_trades)

    @property
    def searched_until(self) -> datetime:
        """Return where the candles end that the search may see: the holdout's start, or the end."""
        return self.holdout.start if self.holdout else self.end

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Return the windows of the walk-forward; none without one."""
        if self.validation is None:
            return ()
        span = to_ms(self.start), to_ms(self.searched_until)
        return folds_of(self.validation, *span, self.interval)

    def content(self) -> dict[str, Any]:
        """Return the scene as JSON values without its id, fields at their default left out."""
        content = self.model_dump(
            mode="json", by_alias=True, exclude={"scene_id"}, exclude_defaults=True
        )
        for name in _WITH_ALTERNATIVES & content.keys():
            kind = getattr(self, name).kind  # a default of its own kind, but not the first kind
            if kind != _FIRST_KINDS[name]:
                content[name] = {"kind": kind, **content[name]}
        if self.portfolio is not None:  # whole, as alternatives stand within it
            content["portfolio"] = self.portfolio.model_dump(mode="json", by_alias=True)
        return content

    def content_hash(self) -> str:
        """Return the hash that tells whether two scenes of one id are the same."""
        return digest(canonical_json(self.content()))


_FIRST_KINDS = {"search": "grid", "sizing": "fraction", "entry": "market"}
_WITH_ALTERNATIVES = _FIRST_KINDS.keys()


def parse_scene(document: Any) -> Scene:
    """Return a validated scene. Raises SceneInvalid with the first fault."""
    if not isinstance(document, Mapping):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            None,
            f"expected an object with a scene's fields, but found {_kind(document)}",
        )
    version = document.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, bool) or version != SCHEMA_VERSION:
        raise SceneInvalid(
            RejectionCode.UNSUPPORTED_VERSION,
            "schema_version",
            f"this release reads schema_version {SCHEMA_VERSION}, but found {version!r}. "
            "Write the scene in that version, or upgrade Mela.",
        )
    try:
        return Scene.model_validate(document)
    except ValidationError as error:
        raise _refusals(error)[0] from error


def scene_faults(document: Any) -> list[SceneInvalid]:
    """Return all faults of a document, one for each field; none for a valid scene."""
    try:
        parse_scene(document)
    except SceneInvalid as first:
        cause = first.__cause__
        found = _refusals(cause) if isinstance(cause, ValidationError) else [first]
        return list({fault.field: fault for fault in reversed(found)}.values())[::-1]
    return []


def _refusals(error: ValidationError) -> list[SceneInvalid]:
    return [
        SceneInvalid(RejectionCode.INVALID_FIELD, field_path(fault), fault_sentence(fault))
        for fault in error.errors(include_url=False, include_context=False)
    ]


def field_path(fault: ErrorDetails, prefix: str = "") -> str | None:
    """Return the path of a validation fault without union branches, as `exits.stop_loss`."""
    parts = [str(part) for part in fault["loc"] if not _is_branch(str(part))]
    if fault["type"] == "unknown_kind":
        parts.append("kind")
    return ".".join(([prefix] if prefix else []) + parts) or None


# Pydantic names these by their Python types, which JSON and YAML do not have.
_SHAPES = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), "a list"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"),
        "an object with fields",
    ),
}


def fault_sentence(fault: ErrorDetails) -> str:
    """Return what a validation fault expected and what it found, as one sentence."""
    message = fault["msg"].removeprefix("Value error, ").rstrip(".")
    found = fault["input"]
    if fault["type"] == "missing":
        return "this field is required, but it is missing."
    if fault["type"] == "extra_forbidden":
        suggestion = field_meant(field_path(fault) or "", Scene)
        return f"no such field{suggestion or ';'} `mela schema scene` lists those there are."
    if shape := _SHAPES.get(fault["type"]):
        return f"expected {shape}, but found {_kind(found)}."
    if isinstance(found, Mapping | list | tuple) or fault["type"] == "value_error":
        return ended(message)
    if fault["type"] == "timezone_aware":  # YAML makes a datetime of a time with seconds
        written = found.isoformat() if isinstance(found, datetime) else found
        return f"{message}, but found {written}. Write it with a Z, as that of UTC."
    return ended(f"{message}, but found {_written(found)}{_suggestion(fault)}")


def _written(value: Any) -> str:
    """Return a value as a file has it: null, true, a date."""
    if value is None or isinstance(value, bool):
        return str(json.dumps(value))
    if isinstance(value, date):
        return value.isoformat()
    return reprlib.repr(value)


def _suggestion(fault: ErrorDetails) -> str:
    """Return which of the listed values somebody may have meant, as a question."""
    if fault["type"] not in {"enum", "literal_error"}:
        return ""
    options = options_in(fault["msg"])
    if fault["loc"] and fault["loc"][-1] == "interval":
        return suggestion_of(interval_meant(str(fault["input"]), options))
    return did_you_mean(fault["input"], options)


def _is_branch(part: str) -> bool:
    return part in {"Steps", "Range", "float", "bool", "str", "none"} or part.startswith(
        ("tuple[", "constrained-", "function-", "kind=")
    )


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", int: "a number", float: "a number", bool: "a truth value"}
    names |= {tuple: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
