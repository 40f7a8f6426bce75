"""Show how far a scene is: a bar in a terminal, a line of text from time to time elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable
from typing import Literal, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.models.events import SceneEvent
from client.platform import ENDED

ProgressKind = Literal["auto", "bar", "text", "none"]
SAID_EVERY_S = 2.0


def shown(events: Iterable[SceneEvent], kind: ProgressKind = "auto") -> SceneEvent | None:
    """Show a scene's events as they come; return the last one, None where none came.

    kind: auto is a bar where standard error is a terminal, else text
    """
    screen = sys.stderr
    if kind == "none":
        return _last(events)
    if kind == "bar" or (kind == "auto" and screen.isatty()):
        return _with_bar(events, screen)
    return _with_text(events, screen)


def sentence_of(event: SceneEvent) -> str:
    """Return how far a scene is, in words."""
    best = "" if event.best is None else f", best {event.best:.4g}"
    failed = "" if not event.failed else f", {event.failed:,} failed"
    return f"{event.state}: {event.recorded:,} of {event.runs:,} runs{failed}{best}"


def _last(events: Iterable[SceneEvent]) -> SceneEvent | None:
    return next(iter(deque(events, maxlen=1)), None)


def _with_bar(events: Iterable[SceneEvent], screen: TextIO) -> SceneEvent | None:
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    last: SceneEvent | None = None
    with Progress(*columns, console=Console(file=screen), transient=False) as bar:
        task = bar.add_task("waiting for the plan", total=None)
        for last in events:
            best = "" if last.best is None else f", best {last.best:.4g}"
            is_planned = last.state != "received"
            bar.update(
                task,
                description=f"{last.state}{best}" if is_planned else "waiting for the plan",
                total=last.runs if is_planned else None,
                completed=last.recorded,
            )
    return last


def _with_text(events: Iterable[SceneEvent], screen: TextIO) -> SceneEvent | None:
    said, said_at = "", -SAID_EVERY_S
    last: SceneEvent | None = None
    for last in events:
        sentence, now = sentence_of(last), time.monotonic()
        is_due = now - said_at >= SAID_EVERY_S or last.state in ENDED
        if sentence != said and is_due:
            print(sentence, file=screen, flush=True)
            said, said_at = sentence, now
    return last
