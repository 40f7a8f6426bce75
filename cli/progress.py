"""A bar that shows how far a scene is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from cli.console import err
from mela.messages import State

if TYPE_CHECKING:
    from mela.messages import Progress


def show_progress(steps: Iterable[Progress]) -> Progress | None:
    """Show the steps of a scene as they come; return the last one, or None if there is none."""
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    last: Progress | None = None
    batch = ""
    with Bar(*columns, console=err, transient=False) as bar:
        task = bar.add_task("waiting for the plan", total=None)
        for last in steps:
            if last.batch:
                batch = f", batch {last.batch} of {last.batches}"
            bar.update(
                task,
                description=last.state.value + (batch if last.state is State.RECORDED else ""),
                total=last.runs,
                completed=last.cached if last.state is State.PLANNED else last.recorded,
            )
    return last
