"""Searches in which each trial learns from those before it: ask for a set, tell how it did.

Pure: nothing is stored or logged, and the same seed and answers give the same questions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
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
    """Ask for parameter sets, and tell what each was worth.

    Source: Bergstra, Bardenet, Bengio & Kégl, "Algorithms for Hyper-Parameter Optimization",
    NeurIPS 24 (2011), by the package Optuna.
    """

    def __init__(
        self, space: Mapping[str, Drawn], *, seed: int = 0, lower: bool = False, at_once: int = 1
    ) -> None:
        """Prepare a search.

        lower: whether a lower value is better
        at_once: how many sets may be asked for before the first of them is told. With several,
            those that are not told yet count as bad ones, so that a batch does not repeat itself
        """
        self._space = dict(sorted(space.items()))
        self._axes = {path: _distribution(axis) for path, axis in self._space.items()}
        self._study = optuna.create_study(
            direction="minimize" if lower else "maximize",
            sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=at_once > 1),
        )
        self._at_once = at_once
        self._pending: list[Trial] = []

    def ask(self) -> dict[str, Scalar]:
        """Return the next parameter set to try: path → value."""
        if len(self._pending) >= self._at_once:
            raise RuntimeError("expected to be told about the last parameter set before the next")
        trial = self._study.ask(self._axes)
        self._pending.append(trial)
        return {path: _value(axis, trial.params[path]) for path, axis in self._space.items()}

    def tell(self, value: float | None, *, newest: bool = False) -> None:
        """Say what a set was worth; None or NaN where it gave nothing to learn from.

        newest: of the set that was asked for last; else of the first that was not told yet
        """
        if not self._pending:
            raise RuntimeError("expected `ask` before `tell`")
        trial = self._pending.pop(-1 if newest else 0)
        if value is None or not math.isfinite(value):
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, value)


class Study:
    """The search of a scene on one instrument and window: ask for runs, tell what they were worth.

    It is the same search wherever its runs are executed: the scene and the answers decide all. So
    one that was lost is rebuilt by asking again, and telling what was answered before.
    waiting: the runs that were asked for and not told yet, by run_key
    told: how many runs were
    """

    def __init__(self, scene: Scene, instrument: str, window: Variant) -> None:
        """Begin. window: the variant of the span, as `mela.grid.window_variants` gives it."""
        search = scene.search
        if not isinstance(search, TpeSearch):
            raise TypeError(f"expected a search of kind tpe, but found {search!r:.100}")
        self._scene, self._search, self._instrument = scene, search, instrument
        self._window = [window] if scene.validation else []  # else the choice has the span
        lower = scene.rank_by in LOWER_IS_BETTER
        self._tpe = Tpe(search.space, seed=search.seed, lower=lower, at_once=search.batch)
        self._left = search.trials * ASKED_PER_TRIAL
        self._worth: dict[str, float | None] = {}
        self._refused: set[bytes] = set()
        self.waiting: dict[str, Run] = {}

    @property
    def told(self) -> int:
        """Return how many runs were told."""
        return len(self._worth)

    @property
    def refused(self) -> int:
        """Return how many sets broke a rule of the strategy."""
        return len(self._refused)

    @property
    def keys(self) -> Collection[str]:
        """Return the run_keys of all runs that were asked for."""
        return self._worth.keys() | self.waiting.keys()

    def ask(self, catalogue: Catalogue) -> Sequence[Run]:
        """Return the runs of the next batch, none twice; none at the end.

        Raises RuntimeError before those of the last batch were told.
        """
        if self.waiting:
            raise RuntimeError("expected to be told about the last batch before the next")
        most = min(self._search.batch, self._search.trials - self.told)
        while len(self.waiting) < most and self._left:
            self._left -= 1
            run = self._run(self._tpe.ask(), catalogue)
            if run is None or run.run_key in self.waiting:
                self._tpe.tell(None, newest=True)
            elif run.run_key in self._worth:
                self._tpe.tell(self._worth[run.run_key], newest=True)
            else:
                self.waiting[run.run_key] = run
        return tuple(self.waiting.values())

    def tell(self, worth: Mapping[str, float | None]) -> None:
        """Say what each run of the last batch was worth, by run_key: `worth_of` knows."""
        for run_key in self.waiting:
            self._tpe.tell(worth[run_key])
            self._worth[run_key] = worth[run_key]
        self.waiting = {}

    def _run(self, choice: Mapping[str, Scalar], catalogue: Catalogue) -> Run | None:
        groups = choose(self._scene, catalogue, choice)
        if groups is None:
            self._refused.add(canonical_json(choice))
            return None
        return make_run(self._instrument, [*groups, *self._window])


def worth_of(scene: Scene, value: float | None, trades: int | None) -> float | None:
    """Return what a run's result tells a search of a scene; None where it gives nothing to learn.

    value: of the metric that ranks the scene's runs
    """
    return value if (trades or 0) >= scene.min_trades else None


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
    study = Study(scene, instrument, window)
    answers: list[dict[str, Any]] = []
    while runs := study.ask(catalogue):
        found = [answer(run) for run in runs]
        study.tell(
            {one["run_key"]: worth_of(scene, one[scene.rank_by], one["trades"]) for one in found}
        )
        answers += found
    return answers, study.refused


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
