"""The client: ask a scene, follow it to the end, and read what it found."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from api.models.catalogue import StrategyDetail
from api.models.data import SeriesRow
from api.models.events import SceneEvent
from api.models.runs import Comparison
from api.models.scenes import SceneRow, Validation
from client.documents import SceneGiven, document_of
from client.frames import FRAME_KINDS, FrameKind, as_kind, candles_frame, records_frame
from client.given import CandlesGiven, given_candles
from client.platform import About, Platform, SceneFilter
from client.progress import ProgressKind, shown
from client.results import SceneResult
from mela.errors import InputInvalid, NotFound, RejectionCode, SceneInvalid
from mela.interval import Interval
from sources.files.options import NO_OPTIONS, FileOptions

SCENE_COLUMNS = (
    *("scene_id", "name", "state", "owner", "is_private", "tags", "strategies", "instruments"),
    *("interval", "start", "end", "mode", "runs", "recorded", "failed", "rank_by", "best"),
    *("received_at", "finished_at"),
)
STRATEGY_COLUMNS = ("name", "summary", "params", "lookahead", "origin", "digest")
SERIES_COLUMNS = ("instrument", "interval", "first_opened_at", "last_opened_at", "gaps")


class Client:
    """Asks scenes of a platform, by its API and a personal token.

    `Client.local(candles)` is the same, with the engine in this process: same methods, same frames.

    url: as http://127.0.0.1:8000; left out, MELA_API__URL. https unless it is this machine
    token: mela_…; left out, MELA_API__TOKEN
    frame: pandas, or polars where it is installed
    progress: how `run` shows how far it is: auto, bar, text or none
    patience_s: how long an API that does not answer is asked again
    Raises InputInvalid for an address to which a token must not be sent.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        frame: FrameKind = "pandas",
        progress: ProgressKind = "auto",
        patience_s: float = 120.0,
    ) -> None:
        from client.remote import HttpPlatform
        from mela.settings import Settings

        api = Settings().api
        token = api.token.get_secret_value() if token is None else token
        self._begin(HttpPlatform(url or api.url, token, patience_s=patience_s), frame, progress)

    @classmethod
    def local(
        cls,
        candles: CandlesGiven,
        *,
        strategies: str | Path | None = None,
        options: FileOptions = NO_OPTIONS,
        frame: FrameKind = "pandas",
        progress: ProgressKind = "auto",
    ) -> Self:
        """Return a client whose scenes run in this process; nothing is stored.

        candles: as `client.given.given_candles` takes them: a folder, a file, a frame, or a
            mapping of instruments to files and frames
        strategies: a file or folder of your own strategies, as `mela check FILE.py` reads
        options: what the files do not say themselves: time zone, columns, facts of instruments
        Raises InputInvalid for candles or strategies that cannot be read.
        """
        from client.local import LocalPlatform  # loads the engine

        made = cls.__new__(cls)
        made._begin(
            LocalPlatform(
                given_candles(candles),
                options,
                Path(strategies) if strategies is not None else None,
                say=None if progress == "none" else _say,
            ),
            frame,
            progress,
        )
        return made

    def _begin(self, platform: Platform, frame: FrameKind, progress: ProgressKind) -> None:
        if frame not in FRAME_KINDS:
            sentence = f"expected one of {', '.join(FRAME_KINDS)}, but found {frame!r}."
            raise InputInvalid("frame", sentence)
        self.platform = platform
        self._frame: FrameKind = frame
        self._progress: ProgressKind = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.platform.close()

    def validate(self, scene: SceneGiven) -> Validation:
        """Say what is wrong with a scene, and how many runs it has. Nothing is published.

        scene: a mapping, YAML text, the path of a file, or a `mela.scene.Scene`
        """
        return self.platform.validate(document_of(scene))

    def run(
        self,
        scene: SceneGiven,
        *,
        name: str | None = None,
        note: str = "",
        tags: Sequence[str] = (),
        is_private: bool = False,
    ) -> SceneResult:
        """Publish a scene, follow it to the end, and return what it found.

        scene: as `validate` takes it. name, note, tags, is_private: as the application shows it
        Raises SceneInvalid with all that is wrong with it, NotAllowed for a token that may not
        publish, SourceUnavailable where the platform does not answer.
        """
        return self.wait(
            self.publish(scene, name=name, note=note, tags=tags, is_private=is_private)
        )

    def publish(
        self,
        scene: SceneGiven,
        *,
        name: str | None = None,
        note: str = "",
        tags: Sequence[str] = (),
        is_private: bool = False,
    ) -> UUID:
        """Publish a scene and return its id, without waiting. Raises as `run` does."""
        about = About(name, note, tuple(tags), is_private)
        return self.platform.publish(document_of(scene), about)

    def follow(self, scene_id: UUID | str, *, wait_s: float | None = None) -> Iterator[SceneEvent]:
        """Yield how far a scene is now, then each step forward, until it has ended.

        wait_s: how long to wait for its end; None for as long as it takes
        A stream that is cut, or an API that starts again, is asked again. Raises NotFound.
        """
        return self.platform.follow(_id(scene_id), wait_s)

    def wait(self, scene_id: UUID | str) -> SceneResult:
        """Follow a scene to its end, showing how far it is, and return what it found.

        Raises SceneInvalid for a scene that the platform rejected.
        """
        found = _id(scene_id)
        last = shown(self.platform.follow(found), self._progress)
        if last is not None and last.state == "rejected":
            raise self._rejected(found)
        return self.result(found)

    def result(self, scene_id: UUID | str) -> SceneResult:
        """Return what a scene has found so far. Raises NotFound when somebody looks at it."""
        return SceneResult(self.platform, _id(scene_id), self._frame)

    scene = result

    def scenes(
        self,
        *,
        limit: int = 50,
        state: str | Sequence[str] = (),
        strategy: str | None = None,
        instrument: str | None = None,
        interval: str | None = None,
        tag: str | None = None,
        text: str | None = None,
        owner: str | None = None,
    ) -> Any:
        """Return the newest scenes that fit as a frame, a scene in a row."""
        states = (state,) if isinstance(state, str) else tuple(state)
        wanted = SceneFilter(states, strategy, instrument, interval, tag, text, owner)
        rows: list[SceneRow] = []
        for row in self.platform.scenes(wanted):
            if len(rows) >= limit:
                break
            rows.append(row)
        return self._listed([row.model_dump() for row in rows], SCENE_COLUMNS)

    def cancel(self, scene_id: UUID | str) -> SceneResult:
        """Cancel a scene: runs that are not executed yet will not be. Raises Conflict."""
        found = _id(scene_id)
        self.platform.cancel(found)
        return self.result(found)

    def compare(self, *, runs: Sequence[str] = (), scenes: Sequence[UUID | str] = ()) -> Comparison:
        """Return what differs between two to ten runs; a scene stands for its best one."""
        return self.platform.compare(runs, [_id(one) for one in scenes])

    def strategies(self) -> Any:
        """Return the strategies that a scene can name as a frame."""
        rows = [row.model_dump() for row in self.platform.strategies()]
        return self._listed(rows, STRATEGY_COLUMNS)

    def strategy(self, name: str) -> StrategyDetail:
        """Return a strategy: its parameters, its source, its last lookahead check."""
        return self.platform.strategy(name)

    def series(self) -> Any:
        """Return which candles there are as a frame: a series in a row, from first to last."""
        rows = [row.model_dump() for row in self.platform.series()]
        return self._listed(rows, SERIES_COLUMNS)

    def candles(
        self,
        instrument: str,
        interval: str,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> Any:
        """Return candles as runs read them as a frame: opened_at, open, high, low, close, volume.

        start, end: of the candles' openings, end not included; without a zone they are UTC; left
            out, all that there are
        Raises NotFound for a series that is not there, InputInvalid for what is no instant.
        """
        length = _interval(interval)
        first, last = start, end
        if first is None or last is None:
            row = self._series_of(instrument, length)
            first = first or row.first_opened_at
            last = last or row.last_opened_at + timedelta(milliseconds=1)
        columns = self.platform.stored(instrument, length, _at("start", first), _at("end", last))
        return as_kind(candles_frame(columns), self._frame)

    def _series_of(self, instrument: str, interval: Interval) -> SeriesRow:
        rows = [row for row in self.platform.series() if row.instrument == instrument]
        found = next((row for row in rows if row.interval == interval.value), None)
        if found is None:
            there = ", ".join(row.interval for row in rows) or "none"
            sentence = f"there are no {interval} candles of {instrument}; there are {there}."
            raise NotFound(sentence)
        return found

    def _listed(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Any:
        return as_kind(records_frame(rows, columns), self._frame)

    def _rejected(self, scene_id: UUID) -> SceneInvalid:
        why = self.platform.scene(scene_id).rejection
        if why is None:
            return SceneInvalid(RejectionCode.INVALID_FIELD, None, "the scene was rejected.")
        return SceneInvalid(RejectionCode(why.code), why.field, why.message)


def _id(scene_id: UUID | str) -> UUID:
    if isinstance(scene_id, UUID):
        return scene_id
    try:
        return UUID(scene_id)
    except ValueError as error:
        sentence = f"expected a scene's id, but found {scene_id!r}."
        raise InputInvalid("scene_id", sentence) from error


def _interval(word: str) -> Interval:
    try:
        return Interval(word)
    except ValueError as error:
        sentence = f"expected one of {', '.join(Interval)}, but found {word!r}."
        raise InputInvalid("interval", sentence) from error


def _at(field: str, given: datetime | str) -> datetime:
    try:
        at = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError as error:
        raise InputInvalid(field, f"expected an instant, but found {given!r}.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201 - a notebook shows it
