"""Searches in which each trial learns from those before it: ask for a set, tell how it did.

Pure: nothing is stored or logged, and the same seed and answers give the same questions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial, TrialState

from mela.canonical import canonical_json
from mela.grid import choose, make_run
from mela.result import LOWER_IS_BETTER
from mela.run import Catalogue, Run
from mela.scene import Scene
from mela.search import Drawn, Range, Scalar, Steps, TpeSearch
from mela.values import short, step_at, step_count, values_of
from mela.variant_list import Variant

# Its own handler writes to stderr; what a trial is, is told by its result.
optuna.logging.disable_default_handler()

ASKED_PER_TRIAL = 10  # so many questions without a valid new run end a search


class Tpe:
    """Ask for parameter sets, and tell what each was worth, in turn.

    Source: Bergstra, Bardenet, Bengio & Kégl, "Algorithms for Hyper-Parameter Optimization",
    NeurIPS 24 (2011), by the package Optuna.
    """

    def __init__(self, space: Mapping[str, Drawn], *, seed: int = 0, lower: bool = False) -> None:
        """Prepare a search; lower: whether a lower value is better."""
        self._space = dict(sorted(space.items()))
        self._axes = {path: _distribution(axis) for path, axis in self._space.items()}
        self._study = optuna.create_study(
            direction="minimize" if lower else "maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
        )
        self._pending: Trial | None = None

    def ask(self) -> dict[str, Scalar]:
        """Return the next parameter set to try: path → value."""
        if self._pending is not None:
            raise RuntimeError("expected to be told about the last parameter set before the next")
        self._pending = self._study.ask(self._axes)
        return {
            path: _value(axis, self._pending.params[path]) for path, axis in self._space.items()
        }

    def tell(self, value: float | None) -> None:
        """Say what the last set was worth; None or NaN where it gave nothing to learn from."""
        if self._pending is None:
            raise RuntimeError("expected `ask` before `tell`")
        trial, self._pending = self._pending, None
        if value is None or not math.isfinite(value):
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, value)


def tpe_runs(
    scene: Scene,
    instrument: str,
    window: Variant,
    catalogue: Catalogue,
    answer: Callable[[Run], dict[str, Any]],
) -> tuple[list[dict[str, Any]], int]:
    """Return the answers to a scene's TPE trials on one instrument and window, and how many failed.

    window: the variant of the span, as `mela.grid.window_variants` gives it
    answer: executes a run and returns its result document
    returns: one answer for each distinct run; sets against a strategy's rule count as skipped
    """
    search = scene.search
    if not isinstance(search, TpeSearch):
        raise TypeError(f"expected a search of kind tpe, but found {search!r:.100}")
    study = Tpe(search.space, seed=search.seed, lower=scene.rank_by in LOWER_IS_BETTER)
    known: dict[str, dict[str, Any]] = {}
    refused: set[bytes] = set()
    for _ in range(search.trials * ASKED_PER_TRIAL):
        if len(known) == search.trials:
            break
        choice = study.ask()
        groups = choose(scene, catalogue, choice)
        if groups is None:
            refused.add(canonical_json(choice))
            study.tell(None)
            continue
        run = make_run(instrument, [*groups, window])
        if run.run_key not in known:
            known[run.run_key] = answer(run)
        found = known[run.run_key]
        competes = (found["trades"] or 0) >= scene.min_trades
        study.tell(found[scene.rank_by] if competes else None)
    return list(known.values()), len(refused)


def _distribution(axis: Drawn) -> BaseDistribution:
    if isinstance(axis, Steps):
        return IntDistribution(0, step_count(axis) - 1)
    if not isinstance(axis, Range):
        return CategoricalDistribution(range(len(values_of(axis))))
    if axis.integer:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _value(axis: Drawn, drawn: Any) -> Scalar:
    if isinstance(axis, Steps):
        return step_at(axis, drawn)
    return short(axis, drawn) if isinstance(axis, Range) else values_of(axis)[drawn]
