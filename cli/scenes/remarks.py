"""Remarks on results: why runs failed, and which numbers to doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cli.console import err
from mela.counts import counted

if TYPE_CHECKING:
    from mela.failures import Failure
    from mela.metrics import Ranking

MOST_REASONS = 5  # for which runs ended without numbers


def ranked_by(ranking: Ranking) -> str:
    """Return what ranked the runs of a table."""
    if not ranking.min_trades:
        return ranking.metric
    return f"{ranking.metric} among runs with {counted(ranking.min_trades, 'trade')} or more"


def say_warnings(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the warnings of some results, each with its sentence."""
    from mela.warning_words import warnings_in

    for code, sentence, runs in warnings_in(rows):
        where = f" ({runs:,} of {counted(len(rows), 'run')})" if len(rows) > 1 else ""
        err.print(f"{code}: {sentence}{where}", markup=False)


def say_failures(failures: Sequence[Failure], runs: int) -> None:
    """Print why some of a scene's runs failed, if any did."""
    if not failures:
        return
    failed = sum(one.runs for one in failures)
    err.print(f"[bold red]{failed:,} of {counted(runs, 'run')} failed[/]")
    for one in failures[:MOST_REASONS]:
        err.print(one.summary, markup=False)
