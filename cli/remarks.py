"""What is said of results besides their numbers: why runs failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.console import counted, err

if TYPE_CHECKING:
    from mela.failures import Failure

MOST_REASONS = 5  # for which runs ended without numbers


def say_failures(failures: Sequence[Failure], runs: int) -> None:
    """Print why some of a scene's runs failed, if any did."""
    if not failures:
        return
    failed = sum(one.runs for one in failures)
    err.print(f"[bold red]{failed:,} of {counted(runs, 'run')} failed[/]")
    for one in failures[:MOST_REASONS]:
        err.print(one.said, markup=False)
