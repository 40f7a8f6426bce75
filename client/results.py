"""The results of a scene, as frames and pictures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd

from api.models.scene_runs import RunRow, SceneReport
from api.models.scenes import SceneDetail
from client.frames import FrameKind, as_kind, candles_frame, equity_frame, runs_frame, trades_frame
from client.platform import MOST_POINTS, Kind, Platform, RunCurve
from mela.errors import InputInvalid, NotFound

RunGiven = str | int | None
RANK_DIGITS = 7  # a longer number is the beginning of a run_key


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a run. A notebook shows it; `save` writes it into a file."""

    kind: Kind
    content: bytes

    def save(self, path: str | Path) -> Path:
        """Write the picture into a file, and return its path."""
        path = Path(path)
        path.write_bytes(self.content)
        return path

    def _repr_png_(self) -> bytes | None:
        return self.content if self.kind == "png" else None

    def _repr_html_(self) -> str | None:
        if self.kind != "html":
            return None
        # in a frame of its own: the page's styles and script stay away from the notebook's
        text = self.content.decode().replace("&", "&amp;").replace('"', "&quot;")
        return f'<iframe srcdoc="{text}" width="100%" height="900" style="border:0"></iframe>'


class SceneResult:
    """The results of a scene. They are read when somebody looks at them, and kept.

    A run is named by its rank, by the first digits of its run_key, or is the best one.
    """

    def __init__(self, platform: Platform, scene_id: UUID, frame: FrameKind) -> None:
        self._platform = platform
        self._frame: FrameKind = frame
        self._curves: dict[str, RunCurve] = {}
        self.scene_id = scene_id

    def __repr__(self) -> str:
        scene = self.scene
        found = f"{scene.recorded:,} of {scene.runs:,} runs"
        best = "" if scene.best is None else f", best {scene.rank_by} {scene.best:.6g}"
        return f"<SceneResult {self.scene_id}: {scene.state}, {found}{best}>"

    @cached_property
    def scene(self) -> SceneDetail:
        """Return the scene: its content, state, counts and warnings."""
        return self._platform.scene(self.scene_id)

    @cached_property
    def runs(self) -> Any:
        """Return the runs as a frame, best first: `client.frames.runs_frame` lists its columns."""
        frame = runs_frame(self._rows, self._paths)
        return as_kind(frame, self._frame)

    @property
    def best(self) -> pd.Series | None:
        """Return the best run as a row of `runs`; None where no run has the metric that ranks."""
        if not self._rows or self._rows[0].metrics.get(self.scene.rank_by) is None:
            return None
        frame = runs_frame(self._rows[:1], self._paths)
        return frame.iloc[0]

    @cached_property
    def report(self) -> SceneReport:
        """Return what the search has proved; its `report` is None where nothing was searched."""
        return self._platform.report(self.scene_id)

    def trades(self, run: RunGiven = None) -> Any:
        """Return the trades of a run as a frame, the oldest first.

        Raises NotFound for a run that is not there, Conflict for one whose trades are not stored.
        """
        return as_kind(trades_frame(self._curve(run).trades), self._frame)

    def equity(self, run: RunGiven = None) -> Any:
        """Return equity, drawdown and buy and hold of a run as a frame, at each candle's close.

        Raises as `trades` does.
        """
        return as_kind(equity_frame(self._curve(run).equity), self._frame)

    def candles(self, run: RunGiven = None, *, points: int = MOST_POINTS) -> Any:
        """Return the candles of a run's span as a frame.

        points: more candles are merged, open, high, low, close and volume kept right
        """
        found = self._platform.candles(self.row(run).run_key, points)
        return as_kind(candles_frame(found.candles), self._frame)

    def plot(self, run: RunGiven = None, *, kind: Kind = "png") -> Picture:
        """Return a picture: candles with entries and exits, equity against buy and hold, drawdown.

        kind: png, or html for a page that can be zoomed
        Raises NotFound and Conflict as `trades` does, InputInvalid for a run
        of several instruments.
        """
        if kind not in ("png", "html"):
            raise InputInvalid("kind", f"expected png or html, but found {kind!r}.")
        return Picture(kind, self._platform.picture(self.scene_id, self.row(run), kind))

    def to_polars(self) -> SceneResult:
        """Return the same results with frames of polars. Raises InputInvalid without polars."""
        return self.with_frames("polars")

    def with_frames(self, frame: FrameKind) -> SceneResult:
        """Return the same results with frames of pandas or polars. Raises InputInvalid."""
        as_kind(pd.DataFrame(), frame)
        return SceneResult(self._platform, self.scene_id, frame)

    def first_rows(self, most: int) -> list[RunRow]:
        """Return the best runs, at most so many, without reading all others."""
        known = self.__dict__.get("_rows")
        if known is not None:
            return known[:most]
        return list(itertools.islice(self._platform.runs(self.scene_id), most))

    def row(self, run: RunGiven = None) -> RunRow:
        """Return a run. Raises NotFound, and InputInvalid for digits that several runs begin with.

        run: its rank, the first digits of its run_key, or None for the best
        """
        rows = self._rows
        if not rows:
            raise NotFound(f"the scene {self.scene_id} has no results.")
        if run is None:
            return rows[0]
        word = str(run)
        if word.isdecimal() and len(word) <= RANK_DIGITS:
            found = [row for row in rows if row.rank == int(word)]
            if not found:
                sentence = f"the scene {self.scene_id} has no run of rank {word}."
                raise NotFound(sentence)
            return found[0]
        fitting = [row for row in rows if row.run_key.startswith(word.lower())]
        if not fitting:
            raise NotFound(f"no run of the scene {self.scene_id} begins with {word}.")
        if len(fitting) > 1:
            raise InputInvalid("run", f"{word} is the beginning of {len(fitting)} run_keys.")
        return fitting[0]

    @property
    def _paths(self) -> list[str]:
        return [one.path for one in self.scene.varied]

    @cached_property
    def _rows(self) -> list[RunRow]:
        return list(self._platform.runs(self.scene_id))

    def _curve(self, run: RunGiven) -> RunCurve:
        key = self.row(run).run_key
        if key not in self._curves:
            self._curves[key] = self._platform.curve(key)
        return self._curves[key]
