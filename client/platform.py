"""The protocol of a client's backend: a platform over HTTP, or the engine in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from api.models.catalogue import StrategyDetail, StrategyRow
from api.models.data import SeriesRow
from api.models.events import SceneEvent
from api.models.runs import CandleColumns, Comparison, RunCandles
from api.models.scene_runs import RunRow, SceneReport
from api.models.scenes import SceneDetail, SceneRow, Validation
from mela.interval import Interval

Kind = Literal["html", "png"]
ENDED = frozenset(("finished", "cancelled", "rejected"))
MOST_POINTS = 10_000  # of a run's candles in one answer


@dataclass(frozen=True, slots=True)
class About:
    """The tags, note and star that a publisher keeps with a scene."""

    name: str | None = None
    note: str = ""
    tags: Sequence[str] = ()
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class RunCurve:
    """Trades and equity of a run.

    trades: the fields of `mela.curve.Trade` as JSON values, the oldest first
    equity: columns t (milliseconds, UTC), equity, drawdown, buy_and_hold; a value for each candle
    """

    trades: Sequence[Mapping[str, Any]]
    equity: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, slots=True)
class SceneFilter:
    """A filter of listed scenes; an absent field does not filter.

    state: received, planned, finished, cancelled, rejected; text: in name, note and tags
    """

    state: Sequence[str] = ()
    strategy: str | None = None
    instrument: str | None = None
    interval: str | None = None
    tag: str | None = None
    text: str | None = None
    owner: str | None = None

    def query(self) -> dict[str, Any]:
        """Return the filter as the parameters of a request."""
        names = ("strategy", "instrument", "interval", "tag", "text", "owner")
        found = {name: getattr(self, name) for name in names}
        given = {name: value for name, value in found.items() if value is not None}
        return {**given, **({"state": list(self.state)} if self.state else {})}

    def fits(self, scene: SceneDetail) -> bool:
        """Tell whether a scene is wanted."""
        words = " ".join((scene.name or "", scene.note, *scene.tags)).casefold()
        return all(
            (
                not self.state or scene.state in self.state,
                self.strategy is None or self.strategy in scene.strategies,
                self.instrument is None or self.instrument in scene.instruments,
                self.interval is None or self.interval == scene.interval,
                self.tag is None or self.tag in scene.tags,
                self.text is None or self.text.casefold() in words,
                self.owner is None or self.owner == scene.owner,
            )
        )


class Platform(Protocol):
    """Answers a client's questions. Raises the errors of `mela.errors`."""

    def validate(self, document: Mapping[str, Any]) -> Validation:
        """Say what is wrong with a scene, and how many runs it has. Nothing is published."""
        ...

    def publish(self, document: Mapping[str, Any], about: About) -> UUID:
        """Publish a scene, once, and return its id. Raises SceneInvalid."""
        ...

    def follow(self, scene_id: UUID, wait_s: float | None = None) -> Iterator[SceneEvent]:
        """Yield how far a scene is now, then each step forward, until it has ended.

        wait_s: how long to wait for its end; None for as long as it takes
        """
        ...

    def scene(self, scene_id: UUID) -> SceneDetail:
        """Return a scene. Raises NotFound."""
        ...

    def scenes(self, wanted: SceneFilter) -> Iterator[SceneRow]:
        """Yield the scenes that fit, the newest first."""
        ...

    def runs(self, scene_id: UUID) -> Iterator[RunRow]:
        """Yield the runs of a scene, best first. Raises NotFound."""
        ...

    def report(self, scene_id: UUID) -> SceneReport:
        """Return what a scene's search has proved. Raises NotFound."""
        ...

    def curve(self, run_key: str) -> RunCurve:
        """Return trades and equity of a run. Raises NotFound, and Conflict where it has none."""
        ...

    def candles(self, run_key: str, points: int) -> RunCandles:
        """Return the candles of a run, merged to at most so many. Raises NotFound."""
        ...

    def picture(self, scene_id: UUID, run: RunRow, kind: Kind) -> bytes:
        """Draw a run: candles with its trades, equity against buy and hold, drawdown."""
        ...

    def compare(self, runs: Sequence[str], scenes: Sequence[UUID]) -> Comparison:
        """Return what differs between runs; a scene stands for its best one."""
        ...

    def cancel(self, scene_id: UUID) -> SceneDetail:
        """Cancel a scene. Raises NotFound, and Conflict for one that has ended."""
        ...

    def strategies(self) -> Sequence[StrategyRow]:
        """Return the strategies of the catalogue."""
        ...

    def strategy(self, name: str) -> StrategyDetail:
        """Return a strategy. Raises NotFound."""
        ...

    def series(self) -> Sequence[SeriesRow]:
        """Return which candles there are."""
        ...

    def stored(
        self, instrument: str, interval: Interval, start: datetime, end: datetime
    ) -> CandleColumns:
        """Return the candles of [start, end) as runs read them. Raises CandlesMissing, NotFound."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...
