"""Find what moved between two commits, and whether a change of version explains it.

A result's key names the strategy's digest, the engine's version and the metrics' version that made
it. If one of them changed, a stored number is not taken for a new one. If none did and a number
moved anyway, the platform would go on serving the old number: that fails a comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from pydantic_core import PydanticUndefined

from mela.run_terms import PARTS
from regression.evidence import DetailedRun, Document, SceneAnswer, Side
from regression.golden import GoldenScene

# fields of a result that are no numbers computed by a commit's code
NOT_FOUND = frozenset(
    {
        *("schema_version", "scene_id", "result_key", "cached", "computed_at", "revisions"),
        *("engine_version", "metrics_version", "candles_revision", "strategy"),
        "lookahead",  # what a check is known to have found
    }
)
OF_METRICS = "metrics"  # the fields that a new metrics version explains


class SceneStatus(StrEnum):
    """The outcome of a scene's comparison, from nothing to see to the worst."""

    SAME = "same"
    NEW = "new"
    GONE = "gone"
    REPAIRED = "repaired"
    FAILS_ON_BOTH = "fails on both"
    MOVED = "moved"
    UNEXPLAINED = "moved without a reason"
    NOT_REPRODUCIBLE = "not reproducible"
    FAILS = "fails"


FAILING = frozenset({SceneStatus.UNEXPLAINED, SceneStatus.NOT_REPRODUCIBLE, SceneStatus.FAILS})


@dataclass(frozen=True, slots=True)
class MovedNumber:
    """A number that differs in HEAD.

    name: the name in the result, or a path into a search's report
    """

    name: str
    base: Any
    head: Any


@dataclass(frozen=True, slots=True)
class TradeDifference:
    """The first difference between two lists of trades; None past the end of a list."""

    place: int
    base: Document | None
    head: Document | None
    base_count: int
    head_count: int


@dataclass(frozen=True, slots=True, eq=False)
class RunMoved:
    """A run that differs in HEAD.

    label: its instruments, and its parameters if the scene has several runs; or that it is the
        winner
    drawn: the details of both sides, if both have them
    """

    label: str
    base: Document
    head: Document
    moved: Sequence[MovedNumber]
    trades: TradeDifference | None = None
    equity_moved: bool = False
    drawn: tuple[DetailedRun, DetailedRun] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SceneCompared:
    """The comparison of a scene.

    reasons: the changes that may move its numbers; unexplained: what moved without such a reason
    report: the numbers of its search that moved; message: the error message of a failure
    """

    scene: GoldenScene
    status: SceneStatus
    runs: Sequence[RunMoved] = ()
    report: Sequence[MovedNumber] = ()
    reasons: Sequence[str] = ()
    unexplained: Sequence[str] = ()
    message: str | None = None
    reports: tuple[Document | None, Document | None] = (None, None)
    head: SceneAnswer | None = None


def compare_scenes(scenes: Sequence[GoldenScene], base: Side, head: Side) -> list[SceneCompared]:
    """Compare both sides' answers to each scene, in order."""
    return [_compare(scene, base, head) for scene in scenes]


def _compare(scene: GoldenScene, base: Side, head: Side) -> SceneCompared:
    was, now = base.answers[scene.name], head.answers[scene.name]
    status = _without_numbers(scene, base, head)
    if status is not None:
        message = now.failure or was.failure
        return SceneCompared(scene, status, message=message, head=now)
    if not now.again:
        message = "the same commit gave other numbers when it was asked again"
        return SceneCompared(scene, SceneStatus.NOT_REPRODUCIBLE, message=message, head=now)
    runs = list(_runs_moved(was, now))
    report = list(_report_moved(was.report, now.report))
    if not runs and not report:
        return SceneCompared(scene, SceneStatus.SAME, head=now)
    reasons = _reasons(scene, base, head)
    unexplained = _unexplained(runs, report, reasons)
    return SceneCompared(
        scene,
        SceneStatus.UNEXPLAINED if unexplained else SceneStatus.MOVED,
        runs,
        report,
        reasons,
        unexplained,
        reports=(was.report, now.report),
        head=now,
    )


def _without_numbers(scene: GoldenScene, base: Side, head: Side) -> SceneStatus | None:
    """Return the status of a scene that one side cannot answer; None if both can."""
    was, now = base.answers[scene.name].failure, head.answers[scene.name].failure
    if was is None and now is None:
        return None
    known = [
        scene.strategy in side.strategies or scene.strategy in side.broken for side in (base, head)
    ]
    if known == [True, False]:
        return SceneStatus.GONE
    if known == [False, True]:
        return SceneStatus.NEW if now is None else SceneStatus.FAILS
    if now is None:
        return SceneStatus.REPAIRED
    return SceneStatus.FAILS if was is None else SceneStatus.FAILS_ON_BOTH


def _reasons(scene: GoldenScene, base: Side, head: Side) -> list[str]:
    found: list[str] = []
    name = scene.strategy
    if base.strategies.get(name) != head.strategies.get(name):
        found.append(f"strategy {name}")
    if base.engine_version != head.engine_version:
        found.append("engine version")
    if base.metrics_version != head.metrics_version:
        found.append("metrics version")
    return found


def _unexplained(
    runs: Sequence[RunMoved], report: Sequence[MovedNumber], reasons: Sequence[str]
) -> list[str]:
    """Return the names of what moved without a reason.

    A new version of the metrics alone does not explain other trades or another equity curve.
    """
    if any(reason != "metrics version" for reason in reasons):
        return []
    found: dict[str, None] = {}
    for run in runs:
        if run.trades is not None:
            found["trades"] = None
        if run.equity_moved:
            found["equity"] = None
    if not reasons:
        found |= {one.name: None for run in runs for one in run.moved}
        found |= {one.name: None for one in report}
    return list(found)


def _runs_moved(was: SceneAnswer, now: SceneAnswer) -> Iterator[RunMoved]:
    """Yield the runs that moved; for a search, first its winner, whichever run that is."""
    is_search = now.report is not None or len(now.documents) > len(now.drawn)
    if is_search and was.drawn and now.drawn:
        old, new = ((_document_of(one, one.drawn[0]), one.drawn[0]) for one in (was, now))
        yield from _run_moved("the winner", *old, *new)
    for at in range(max(len(was.documents), len(now.documents))):
        old, new = (one.documents[at] if at < len(one.documents) else None for one in (was, now))
        looked = (None, None) if is_search else (_drawn_at(was, at), _drawn_at(now, at))
        label = _label(new or old or {}, len(now.documents) > 1)
        yield from _run_moved(label, old or {}, looked[0], new or {}, looked[1])


def _run_moved(
    label: str, old: Document, was: DetailedRun | None, new: Document, now: DetailedRun | None
) -> Iterator[RunMoved]:
    moved = list(_moved(old, new))
    both = (was, now) if was is not None and now is not None else None
    trades = first_trade_difference(both[0].trades, both[1].trades) if both else None
    equity = both is not None and not _same_equity(*both)
    if moved or trades or equity:
        yield RunMoved(label, old, new, moved, trades, equity, both)


def _document_of(answer: SceneAnswer, drawn: DetailedRun) -> Document:
    return next(one for one in answer.documents if one["run_key"] == drawn.run_key)


def _drawn_at(answer: SceneAnswer, at: int) -> DetailedRun | None:
    return answer.drawn[at] if at < len(answer.drawn) else None


def _moved(old: Document, new: Document) -> Iterator[MovedNumber]:
    names = [name for name in {**new, **old} if name not in NOT_FOUND]
    for name in names:
        if not _same(*(_with_defaults(name, one.get(name)) for one in (old, new))):
            yield MovedNumber(name, old.get(name), new.get(name))


def _with_defaults(name: str, value: Any) -> Any:
    """Return a part of a run's terms with all its fields: the unknown ones have their defaults."""
    if name not in PARTS or not isinstance(value, Mapping):
        return value
    fields: dict[str, Any] = {}
    for part in PARTS[name]:
        kind = part.model_fields.get("kind")
        if kind is None or kind.default == value.get("kind"):
            fields = {key: one.default for key, one in part.model_fields.items()}
    return {key: one for key, one in fields.items() if one is not PydanticUndefined} | {**value}


def _same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal to the last bit; 1 and 1.0 are equal."""
    return one == other and (one is None) == (other is None)


def first_trade_difference(
    base: Sequence[Document], head: Sequence[Document]
) -> TradeDifference | None:
    """Return the first difference between two lists of trades; None if they are equal.

    >>> first_trade_difference([{"size": 1.0}], [{"size": 1.0}, {"size": 2.0}]).place
    1
    """
    shared = set(base[0]) & set(head[0]) if base and head else set[str]()
    for place in range(max(len(base), len(head))):
        old = base[place] if place < len(base) else None
        new = head[place] if place < len(head) else None
        if old is None or new is None or any(old[name] != new[name] for name in shared):
            return TradeDifference(place, old, new, len(base), len(head))
    return None


def _same_equity(was: DetailedRun, now: DetailedRun) -> bool:
    if was.equity is None or now.equity is None:
        return was.equity is now.equity
    return np.array_equal(was.equity, now.equity)


def _label(document: Document, several: bool) -> str:
    label = " + ".join(document["instruments"])
    if not several:
        return label
    params = ", ".join(f"{name} {value}" for name, value in sorted(document["params"].items()))
    return f"{label} ({params})" if params else label


def _report_moved(
    was: Document | None, now: Document | None, path: str = ""
) -> Iterator[MovedNumber]:
    """Yield the numbers of a search's report that moved, named by their paths."""
    for name in {**(was or {}), **(now or {})}:
        old, new = (was or {}).get(name), (now or {}).get(name)
        here = f"{path}{name}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _report_moved(old, new, f"{here}.")
        elif not _same(old, new):
            yield MovedNumber(here, old, new)
