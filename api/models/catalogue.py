"""Strategies and metrics: what can be asked."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import AliasChoices, Field

from api.models.answers import Answer, Instant, JsonObject


class LookaheadCheck(Answer):
    """The last check of a strategy's source. verdict: `not_verified` where there was none."""

    verdict: str
    checked_at: Instant | None
    message: str
    coverage: tuple[JsonObject, ...] = Field(description="of each series that was checked")


class StrategyRow(Answer):
    """A strategy of the catalogue."""

    name: str
    summary: str = Field(description="the first sentence of its description")
    origin: str = Field(description="`mela`, or the package that registers it")
    digest: str
    params: tuple[str, ...]
    lookahead: str
    scenes: int = Field(description="scenes that ask for it, as far as the caller may see them")


class StrategyBest(Answer):
    """A scene of a strategy, and its best run."""

    scene_id: UUID
    name: str | None
    owner: str | None
    rank_by: str
    best: float | None
    instruments: tuple[str, ...]
    interval: str | None
    finished_at: Instant | None


class StrategyDetail(StrategyRow):
    """A strategy. schema_: the JSON Schema of its parameters."""

    description: str
    schema_: JsonObject = Field(
        validation_alias=AliasChoices("schema", "schema_"), serialization_alias="schema"
    )
    defaults: JsonObject
    warmup: int | None = Field(description="candles at its defaults; null: a parameter has none")
    inputs: str = Field(description="further series that it reads at its defaults, in words")
    source: str
    file: str = Field(description="the name of the file it is in")
    check: LookaheadCheck
    record: tuple[StrategyBest, ...] = Field(description="its newest finished scenes")
    runs: int = Field(description="stored results of this source")


class BrokenStrategy(Answer):
    """A file of strategies that could not be loaded, and why."""

    file: str
    names: tuple[str, ...]
    message: str


class Strategies(Answer):
    """The catalogue."""

    items: tuple[StrategyRow, ...]
    broken: tuple[BrokenStrategy, ...]


class MetricDefinition(Answer):
    """The definition of a metric. undefined: when it is null; empty for never."""

    name: str
    title: str
    unit: str
    better: Literal["higher", "lower"]
    definition: str
    undefined: str


class MetricList(Answer):
    """All metrics, in the order in which tables list them."""

    items: tuple[MetricDefinition, ...]


class SceneSchema(Answer):
    """The JSON Schema of a scene, for editors."""

    schema_: JsonObject = Field(
        validation_alias=AliasChoices("schema", "schema_"), serialization_alias="schema"
    )
