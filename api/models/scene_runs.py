"""The runs of a scene, and what its search found."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.models.answers import Answer, JsonObject, Milliseconds
from mela.search_report import SearchReport

Scalar = int | float | str | bool | None
Reduce = Literal["max", "mean", "median"]
Order = Literal["asc", "desc", "best"]


class RunRow(Answer):
    """A run of a scene, with its answer."""

    run_key: str
    rank: int | None = Field(description="by the scene's `rank_by`, from 1; null: no metrics")
    is_best: bool
    instruments: tuple[str, ...]
    interval: str
    start: str
    end: str
    strategy: str
    params: dict[str, Scalar] = Field(
        description="by path what varies in the scene (`strategy.params.fast`)"
    )
    strategy_params: JsonObject = Field(description="all of the strategy's, defaults filled in")
    status: str
    cached: bool
    has_curve: bool
    metrics: dict[str, int | float | None] = Field(description="all metrics; null where undefined")
    warnings: tuple[str, ...] = Field(description="codes")
    error: str | None


class RunPage(Answer):
    """A page of runs. total: those that fit the filter; null where it was not counted."""

    items: tuple[RunRow, ...]
    next_cursor: str | None
    total: int | None


class Heatmap(Answer):
    """A metric over two parameters of a scene, the others folded.

    x_values, y_values: the value of each column and row; of an axis with too many numbers to show
    one by one, the least that runs in its range have
    x_to, y_to: the greatest that runs in its range have; null where it is no range
    values: a row for each of y_values, with a number for each of x_values; null: no run
    runs: how many runs lie in each cell
    """

    x: str
    y: str | None
    metric: str
    reduce: Reduce
    x_values: tuple[Scalar, ...]
    y_values: tuple[Scalar, ...]
    x_to: tuple[float | None, ...]
    y_to: tuple[float | None, ...]
    values: tuple[tuple[float | None, ...], ...]
    runs: tuple[tuple[int, ...], ...]


class SceneCurve(Answer):
    """The equity curve of a run, reduced; the extremes are kept."""

    run_key: str
    rank: int
    label: str
    params: dict[str, Scalar]
    t: tuple[Milliseconds, ...] = Field(description="milliseconds since 1970, UTC")
    equity: tuple[float, ...]


class SceneCurves(Answer):
    """The equity of the best runs that have a stored curve."""

    rank_by: str
    cash: float
    curves: tuple[SceneCurve, ...]


class SceneReport(Answer):
    """The evidence of a search.

    words: sentences for a trader, the most important first
    luck_chance: probability that the best of as many tries looks this good by luck; null: unknown
    expected_best_sharpe: the Sharpe ratio per year of the best of as many tries by luck alone
    """

    is_finished: bool
    trials: int | None
    words: tuple[str, ...]
    luck_chance: float | None
    expected_best_sharpe: float | None
    report: SearchReport | None = Field(description="docs/search.md; null: it has searched nothing")
