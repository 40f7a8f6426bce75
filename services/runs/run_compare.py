"""Several runs side by side: what was asked differently, what came of it, where trades part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from backtests.charts.view import telling_points
from mela.errors import InputInvalid, NotFound
from mela.metrics import LOWER_IS_BETTER, METRICS
from mela.run_terms import VARIABLE
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.runs.run_detail import head_in
from services.runs.run_series import WholeEquity, whole_equity
from services.runs.run_trades import TradeOfRun, of_run
from services.scenes import scene_pages
from warehouse.database import transaction
from warehouse.results import one_run

Float = NDArray[np.float64]
FEWEST, MOST = 2, 10
_QUESTION = ("instruments", "interval", "start", "end", "inputs", "portfolio")


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """A run of a comparison. label: what tells it from the others."""

    run_key: str
    label: str
    scene_id: UUID
    scene_name: str | None
    instruments: tuple[str, ...]
    interval: str
    strategy: str
    status: str
    has_curve: bool
    metrics: Mapping[str, float | None]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParamCompared:
    """A field of the question, and what each run has there."""

    path: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class MetricCompared:
    """A metric in each run. best: the places of the best ones."""

    name: str
    values: tuple[float | None, ...]
    best: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CommonCurves:
    """Equity over opening cash at common instants (UTC ms); None where a run has none there."""

    t: list[int]
    values: list[list[float | None]]


@dataclass(frozen=True, slots=True)
class DifferingTrade:
    """The first place at which the trades differ. trades: None where a run has none there."""

    seq: int
    trades: tuple[TradeOfRun | None, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several runs side by side."""

    runs: tuple[ComparedSide, ...]
    differences: tuple[ParamCompared, ...]
    metrics: tuple[MetricCompared, ...]
    curves: CommonCurves
    first_differing_trade: DifferingTrade | None


def compare(
    settings: Settings,
    caller: Caller,
    *,
    runs: Sequence[str] = (),
    scenes: Sequence[UUID] = (),
    points: int = 800,
) -> Comparison:
    """Compare two to ten runs. A scene stands for its best run.

    Raises NotFound for what the caller does not see, or a scene without a result, and InputInvalid
    for too few or too many.
    """
    with transaction(settings) as connection:
        keys = list(runs)
        for scene_id in scenes:
            best = scene_pages.best_run_of(connection, caller, scene_id)
            if best is None:
                raise NotFound(f"the scene {scene_id} has no result with metrics yet.")
            keys.append(best)
        keys = list(dict.fromkeys(keys))
        if not FEWEST <= len(keys) <= MOST:
            raise InputInvalid(
                "run", f"expected {FEWEST} to {MOST} different runs, but found {len(keys)}."
            )
        heads = [head_in(connection, caller, key) for key in keys]
        holders = [
            one_run.held_by(connection, caller.user_id, one.result_key, 1)[0] for one in heads
        ]
        trades = [
            one_run.all_trades(connection, one.result_key) if one.has_curve else None
            for one in heads
        ]
    return side_by_side(
        [
            RunToCompare(
                head.document,
                holder.scene_id,
                holder.name,
                rows,
                whole_equity(settings, head) if head.has_curve else None,
            )
            for head, holder, rows in zip(heads, holders, trades, strict=True)
        ],
        points,
    )


@dataclass(frozen=True, slots=True, eq=False)
class RunToCompare:
    """A run with all that is compared of it. trades, curve: None where they are not stored."""

    document: Mapping[str, Any]
    scene_id: UUID
    scene_name: str | None
    trades: Sequence[one_run.TradeRead] | None
    curve: WholeEquity | None


def side_by_side(runs: Sequence[RunToCompare], points: int) -> Comparison:
    """Return what differs between runs, whose curves are reduced to some points."""
    differences = tuple(_differences(runs))
    sides = tuple(_side(run, differences, place) for place, run in enumerate(runs))
    return Comparison(
        runs=sides,
        differences=differences,
        metrics=tuple(_metric(name, sides) for name in METRICS),
        curves=_common(runs, points),
        first_differing_trade=_first_differing(runs),
    )


def _side(run: RunToCompare, differences: Sequence[ParamCompared], place: int) -> ComparedSide:
    document = run.document
    told = [f"{one.path.rpartition('.')[2]}={_short(one.values[place])}" for one in differences[:4]]
    return ComparedSide(
        run_key=document["run_key"],
        label=", ".join(told) or document["run_key"][:8],
        scene_id=run.scene_id,
        scene_name=run.scene_name,
        instruments=tuple(document["instruments"]),
        interval=document["interval"],
        strategy=document["strategy"]["name"],
        status=document["status"],
        has_curve=run.curve is not None,
        metrics={name: document.get(name) for name in METRICS},
        warnings=tuple(document["warnings"]),
    )


def _short(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _differences(runs: Sequence[RunToCompare]) -> list[ParamCompared]:
    flat = [_flat(one.document) for one in runs]
    paths = list(dict.fromkeys(path for one in flat for path in one))
    found: list[ParamCompared] = []
    for path in paths:
        values = tuple(one.get(path) for one in flat)
        if any(value != values[0] or type(value) is not type(values[0]) for value in values[1:]):
            found.append(ParamCompared(path, values))
    return found


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the question of a run: path → a number, a text, a truth value or nothing."""
    question: dict[str, Any] = {
        "strategy": {
            "name": document["strategy"]["name"],
            "source": document["strategy"]["digest"][:12],
            "params": document["params"],
        }
    }
    question |= {name: document.get(name) for name in (*_QUESTION, *VARIABLE)}
    found: dict[str, Any] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, part in value.items():
                walk(f"{path}.{name}" if path else str(name), part)
        elif isinstance(value, list | tuple):
            found[path] = ", ".join(map(str, value))
        else:
            found[path] = value

    walk("", question)
    return found


def _metric(name: str, sides: Sequence[ComparedSide]) -> MetricCompared:
    values = tuple(side.metrics[name] for side in sides)
    known = [value for value in values if value is not None]
    if not known or len(set(known)) == 1:
        return MetricCompared(name, values, ())
    best = min(known) if name in LOWER_IS_BETTER else max(known)
    return MetricCompared(
        name, values, tuple(place for place, value in enumerate(values) if value == best)
    )


def _common(runs: Sequence[RunToCompare], points: int) -> CommonCurves:
    """Return the curves at the instants that tell most of any of them.

    Between two candles of a run its equity is that of the earlier one.
    """
    chosen: list[NDArray[np.int64]] = []
    curves = [one.curve for one in runs]
    for curve in curves:
        if curve is not None and len(curve.equity):
            most = max(1, points // (2 * len(curves)))
            chosen.append(curve.opened_ms[telling_points([curve.equity], most)])
    if not chosen:
        return CommonCurves([], [[] for _ in curves])
    t = np.unique(np.concatenate(chosen))
    values: list[list[float | None]] = []
    for run, curve in zip(runs, curves, strict=True):
        if curve is None or not len(curve.equity):
            values.append([None] * len(t))
            continue
        place = np.searchsorted(curve.opened_ms, t, side="right") - 1
        inside = (t >= curve.opened_ms[0]) & (t <= curve.opened_ms[-1])
        shown = curve.equity[np.maximum(place, 0)] / float(run.document["cash"])
        values.append(
            [float(one) if is_in else None for one, is_in in zip(shown, inside, strict=True)]
        )
    return CommonCurves(t.tolist(), values)


def _first_differing(runs: Sequence[RunToCompare]) -> DifferingTrade | None:
    lists = [one.trades for one in runs if one.trades is not None]
    if len(lists) < len(runs):
        return None
    for seq in range(max(map(len, lists))):
        there = [one[seq] if seq < len(one) else None for one in lists]
        told = {
            one and (one.instrument, one.entry_at, one.exit_at, one.entry_price, one.exit_price)
            for one in there
        }
        if len(told) > 1:
            shown = [
                None if one is None or curve is None else of_run(one, curve)
                for one, curve in zip(there, (run.curve for run in runs), strict=True)
            ]
            return DifferingTrade(seq, tuple(shown))
    return None
