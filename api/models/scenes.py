"""Scenes as the API shows them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from api.models.answers import Answer, Asked, Instant, JsonObject
from api.models.problem import Fault

SceneStateName = Literal["received", "planned", "finished", "cancelled", "rejected"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Note = Annotated[str, StringConstraints(max_length=10_000)]
Tag = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[^\x00-\x1f,]+$"
    ),
]
Tags = Annotated[tuple[Tag, ...], Field(max_length=20)]

EXAMPLE_SCENE: JsonObject = {
    "schema_version": 1,
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2024-01-01T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"fast": 20, "slow": 100}},
    "cash": 10000,
}
EXAMPLE_YAML = """\
schema_version: 1
instruments: [binance:BTCUSDT]
interval: 1h
start: 2023-01-01T00:00:00Z
end: 2024-01-01T00:00:00Z
strategy: {name: sma_cross, params: {fast: 20, slow: 100}}
cash: 10000
"""


class SceneToCheck(Asked):
    """A scene to look at, which may be wrong."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"scene": EXAMPLE_SCENE}]})

    scene: JsonObject = Field(description="JSON values; docs/scenes.md describes the fields")


class YamlToParse(Asked):
    """A scene as YAML."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"yaml": EXAMPLE_YAML}]})

    yaml: str = Field(max_length=1_000_000)


class SceneToPublish(Asked):
    """A scene to publish, and what the application keeps of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"scene": EXAMPLE_SCENE, "name": "a first look", "tags": ["btc"]}]
        }
    )

    scene: JsonObject = Field(description="JSON values; docs/scenes.md describes the fields")
    name: Name | None = Field(default=None, description="replaces the name in the scene")
    note: Note = ""
    tags: Tags = ()
    is_private: bool = Field(default=False, description="whether only its owner sees it")


class SceneChange(Asked):
    """Changes that the owner of a scene makes. Absent fields stay as they are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"note": "too good to be true", "tags": ["btc", "check"]}]}
    )

    name: Name | None = None
    note: Note | None = None
    tags: Tags | None = None
    is_private: bool | None = None


class MissingCandles(Answer):
    """A part of the scene's span, [start, end), of which no candles are stored."""

    instrument: str
    interval: str
    start: Instant
    end: Instant


class Validation(Answer):
    """The outcome of a dry run. Nothing is published."""

    is_valid: bool
    faults: tuple[Fault, ...] = Field(description="why it would be rejected; empty if it is valid")
    runs: int = Field(description="how many runs it asks for; 0 while it is not valid")
    skipped: int = Field(description="combinations that its strategy does not accept")
    stored_runs: int | None = Field(
        description="runs that are answered from the store; null where they were not looked up"
    )
    expected_seconds: float | None = Field(
        description="by the speed of scenes that finished lately; null before the first"
    )
    missing_candles: tuple[MissingCandles, ...] = Field(
        description="such a scene is accepted all the same"
    )
    warnings: tuple[str, ...] = Field(description="sentences on what else to know")
    yaml: str | None = Field(description="the scene as YAML; null where it is no scene")


class Parsed(Answer):
    """The content of a text in YAML."""

    scene: JsonObject | None = Field(description="JSON values; null where it is no mapping")
    faults: tuple[Fault, ...]


class Rejection(Answer):
    """Why a scene was rejected."""

    code: str
    field: str | None
    message: str


class BestMetrics(Answer):
    """The best run's numbers; null where undefined."""

    sharpe: float | None
    total_return: float | None
    max_drawdown: float | None
    trades: int | None


class SceneRow(Answer):
    """A scene of a list."""

    scene_id: UUID
    name: str | None
    kind: Literal["backtest", "train"] = Field(description="a training's runs are its fits")
    state: SceneStateName
    version: int = Field(description="rises with whatever is shown of the scene's progress")
    owner: str | None = Field(description="null for a scene without a user")
    is_mine: bool
    is_private: bool
    tags: tuple[str, ...]
    strategies: tuple[str, ...] = Field(description="none of a training")
    instruments: tuple[str, ...]
    interval: str | None
    start: str | None = Field(description="as the scene says it; null where a rejected one did not")
    end: str | None
    mode: Literal["each", "together"]
    runs: int
    skipped: int
    recorded: int = Field(description="runs that are answered")
    cached: int = Field(description="of those: answered from the store")
    failed: int = Field(description="of those: without metrics")
    cancelled: int = Field(description="runs that were not executed, as it was cancelled")
    rank_by: str
    best: float | None = Field(description="the best run's `rank_by`")
    best_run_key: str | None
    best_metrics: BestMetrics | None
    received_at: Instant
    planned_at: Instant | None
    finished_at: Instant | None
    cancelled_at: Instant | None
    rejection: Rejection | None


class ScenePage(Answer):
    """A page of scenes, the newest first. next_cursor: null on the last one."""

    items: tuple[SceneRow, ...]
    next_cursor: str | None


class Varied(Answer):
    """A parameter that varies among the runs of a scene. values: those it takes, up to 200."""

    path: str = Field(examples=["strategy.params.fast"])
    values: tuple[int | float | str | bool | None, ...]


class StatusCount(Answer):
    """The number of runs that ended with a status."""

    status: str
    runs: int


class Failure(Answer):
    """A reason for which runs of a scene failed."""

    runs: int
    kind: str
    message: str
    file: str | None
    line: int | None


class Warned(Answer):
    """A warning: its code, and what it means. runs: how many have it; null: of the whole."""

    code: str
    message: str
    runs: int | None = None
    run_key: str | None = None


class TrainingAnswer(Answer):
    """How far a training is, and the model that came of it, or why none did."""

    model: str
    doing: str | None = Field(description="while it is trained", examples=["model: lightgbm"])
    version: int | None = Field(description="of the model that came of it")
    report: str | None = Field(description="Markdown")
    error: str | None = Field(description="a class of error")
    sentence: str | None


class SceneDetail(SceneRow):
    """A scene."""

    scene: JsonObject = Field(description="as it was published")
    yaml: str
    note: str
    varied: tuple[Varied, ...]
    rate_per_s: float | None = Field(
        description="runs a second since it was planned; null before the first and after the end"
    )
    remaining_s: float | None
    statuses: tuple[StatusCount, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[Warned, ...]
    rerun_of: UUID | None
    mlflow_url: str | None
    pruned: str | None = Field(description="which of its results are stored no more; null: none")
    training: TrainingAnswer | None = Field(description="null for a backtest")


class Rerun(Answer):
    """A scene that was published again."""

    scene_id: UUID
    is_new: bool = Field(description="false if it had been published again before")
