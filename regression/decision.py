"""Figures that help to judge a change of numbers beyond the whole span.

A better number on candles that the author saw while writing the change proves little. So the report
also shows both halves of the span, and for a search the result on candles that did not choose its
winner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from backtests.statistics.sharpe import moments, probabilistic_sharpe
from mela.interval import DAY_MS
from regression.differences import RunMoved, SceneCompared
from regression.evidence import DetailedRun, Document

Pair = tuple[float | None, float | None]  # of BASE and HEAD
SEARCHED: tuple[tuple[str, str], ...] = (
    ("walk-forward, Sharpe", "walk_forward.sharpe"),
    ("walk-forward, return", "walk_forward.total_return"),
    ("walk-forward, drawdown", "walk_forward.max_drawdown"),
    ("holdout, Sharpe", "holdout.sharpe"),
    ("holdout, return", "holdout.total_return"),
    ("trials", "statistics.n_trials"),
    ("deflated Sharpe ratio", "statistics.dsr"),
    ("probability of overfitting", "statistics.pbo"),
    ("superior predictive ability, p", "statistics.spa_p"),
    ("permuted candles, p", "robustness.permuted.p_value"),
)


@dataclass(frozen=True, slots=True)
class Halves:
    """A metric over the whole span and over each half alone, for BASE and for HEAD.

    better: the probability that HEAD's true daily returns are higher; None if the two never differ
    """

    label: str
    whole: Pair
    first: Pair
    second: Pair
    better: float | None


def halves_of(name: str, run: RunMoved, metric: str = "sharpe") -> Halves | None:
    """Return a metric of a run over the halves of its span; None if the run has no details."""
    if run.drawn is None:
        return None
    base, head = run.drawn
    return Halves(
        name,
        (run.base.get(metric), run.head.get(metric)),
        (_half(base, 0, metric), _half(head, 0, metric)),
        (_half(base, 1, metric), _half(head, 1, metric)),
        chance_of_better(base, head),
    )


def searched(scene: SceneCompared) -> list[tuple[str, Pair]]:
    """Return a search's out-of-sample results, and how much of its winner is luck, by name."""
    found: list[tuple[str, Pair]] = []
    for label, path in SEARCHED:
        pair = tuple(_at(report, path) for report in scene.reports)
        if any(value is not None for value in pair):
            found.append((label, (pair[0], pair[1])))
    return found


def walked_forward(scene: SceneCompared) -> tuple[DetailedRun, DetailedRun] | None:
    """Return the out-of-sample equity of a scene's walk-forward on both sides; None without one."""
    found = [_chain(report) for report in scene.reports]
    base, head = found
    return None if base is None or head is None else (base, head)


def chance_of_better(base: DetailedRun, head: DetailedRun) -> float | None:
    """Return the probability that HEAD's true mean daily return is higher than BASE's.

    It is the probabilistic Sharpe ratio of the differences between both sides' daily returns, so it
    accounts for their skew and fat tails. None for curves that never differ, or of different
    candles.
    """
    curves = [(one.opened_ms, one.equity) for one in (base, head)]
    if any(at is None or equity is None for at, equity in curves):
        return None
    returns = [_daily(at, equity) for at, equity in curves]  # type: ignore[arg-type]
    if len(returns[0]) != len(returns[1]):
        return None
    chance = probabilistic_sharpe(moments(returns[1] - returns[0]))
    return chance if math.isfinite(chance) else None


def tally(halves: Sequence[Halves]) -> tuple[int, int, int]:
    """Return how many metrics are better, how many are worse in the second half, and the total."""
    pairs = [one.second for one in halves if None not in one.second]
    better = sum(head > base for base, head in pairs if base is not None and head is not None)
    worse = sum(head < base for base, head in pairs if base is not None and head is not None)
    return better, worse, len(pairs)


def _chain(report: Document | None) -> DetailedRun | None:
    equity = ((report or {}).get("walk_forward") or {}).get("equity") or {}
    if not equity.get("at") or None in equity["equity"]:
        return None
    at = [datetime.fromisoformat(text).timestamp() for text in equity["at"]]
    opened_ms = (1000 * np.array(at)).astype(np.int64)
    return DetailedRun("", (), (), opened_ms, np.array(equity["equity"]))


def _daily(opened_ms: Any, equity: Any) -> Any:
    days = opened_ms // DAY_MS
    last = np.append(np.flatnonzero(np.diff(days)), len(days) - 1)
    closes = equity[last]
    return closes[1:] / closes[:-1] - 1.0


def _half(drawn: DetailedRun, at: int, metric: str) -> float | None:
    half: Document | None = drawn.halves[at] if at < len(drawn.halves) else None
    return None if half is None else half.get(metric)


def _at(report: Document | None, path: str) -> float | None:
    found: Any = report
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) else None
