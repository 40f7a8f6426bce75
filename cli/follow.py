"""Following scenes on `mela.progress`, with a bar."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import Self
from uuid import UUID

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import (
    Progress as Bar,
)

from cli.console import err
from mela.errors import SourceUnavailable
from mela.messages import PROGRESS, Progress, State
from mela.settings import Settings
from messaging.consumer import POLL_S, poll, tail

ENDS = frozenset({State.REJECTED, State.FINISHED, State.CANCELLED})
SILENCE_S = 300.0  # without any word on the scene for so long, something is wrong


class Follower:
    """Reads `mela.progress` from where it ended when this was made: make it before publishing."""

    def __init__(self, settings: Settings, scene_ids: Collection[UUID | None]) -> None:
        self._wanted = set(scene_ids)
        self._furthest: dict[UUID, Progress] = {}
        self.recorded_at: float | None = None  # time.monotonic() when all runs were recorded
        self._consumer = tail(settings, PROGRESS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def messages(self, silence_s: float = SILENCE_S) -> Iterator[Progress]:
        """Yield each step forward of the scenes, until all have ended. Raises SourceUnavailable."""
        heard_at = time.monotonic()
        while {scene for scene in self._wanted if not self._has_ended(scene)}:
            value = poll(self._consumer, POLL_S)
            if value is None:
                if time.monotonic() - heard_at > silence_s:
                    raise SourceUnavailable(
                        f"nothing was heard of the scene for {silence_s:.0f} s. "
                        "`mela status` tells whether the streaming job runs."
                    )
                continue
            progress = Progress.model_validate_json(value)
            before = self._furthest.get(progress.scene_id)
            if progress.scene_id in self._wanted and (
                before is None or before.place < progress.place
            ):
                heard_at = time.monotonic()
                self._furthest[progress.scene_id] = progress
                if progress.recorded is not None and progress.recorded == progress.runs:
                    self.recorded_at = self.recorded_at or heard_at
                yield progress

    def to_the_end(self) -> Progress:
        """Show a bar until the last scene ends; return its last message."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        last: Progress | None = None
        with Bar(*columns, console=err, transient=False) as bar:
            task = bar.add_task("waiting for the plan", total=None)
            for last in self.messages():
                bar.update(
                    task,
                    description=last.state.value,
                    total=last.runs,
                    completed=last.cached if last.state is State.PLANNED else last.recorded,
                )
        assert last is not None  # noqa: S101  messages() ends only after an end was heard
        return last

    def _has_ended(self, scene: UUID | None) -> bool:
        last = self._furthest.get(scene) if scene else None
        return last is not None and last.state in ENDS
