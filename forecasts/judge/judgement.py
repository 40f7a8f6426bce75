"""The whole judgement of a training: its model beside what it has to beat."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtests.statistics.sharpe import deflated_sharpe, moments
from forecasts.dataset import Dataset
from forecasts.fitting import is_seeded, linear_choice, target_of
from forecasts.judge.checkpoint import Checkpoint, InMemory, Store
from forecasts.judge.folds import OutOfFold, out_of_fold
from forecasts.judge.money import Money, hold, money_of
from forecasts.judge.scores import CalibrationRow, calibration, icir
from forecasts.labels import is_class
from forecasts.splits import Split, split_count
from mela.candles import Candles
from mela.training import ModelChoice, PurgedWalkForward, Training

Float = NDArray[np.float64]
LIGHTGBM = ModelChoice(name="lightgbm")
CERTAIN = 2.0  # standard errors by which a model's rank IC has to be above the linear one's


@dataclass(frozen=True, eq=False)
class Judged:
    """One row of the report: a model, all its seeds.

    role: `model`, `linear`, `lightgbm` or `control`
    seeds: out of fold, one for each seed; money: one for each seed, none for combinatorial splits
    """

    role: str
    choice: ModelChoice
    seeds: tuple[OutOfFold, ...]
    money: tuple[Money, ...]

    def over_seeds(self, score: str) -> tuple[float, float]:
        """Return mean and deviation over seeds of a score's mean over folds; NaN for one seed."""
        return spread([one.mean(score) for one in self.seeds])

    def icir(self) -> float:
        """Return the mean over seeds of the rank IC's ratio over folds."""
        return float(np.mean([icir(self._folds(one)) for one in self.seeds]))

    def by_fold(self) -> Float:
        """Return the rank IC of each fold, the mean over seeds, (folds,) float64."""
        return np.mean([self._folds(one) for one in self.seeds], axis=0)

    def earned(self, name: str) -> tuple[float, float]:
        """Return mean and deviation over seeds of a number of `Money`."""
        return spread([float(getattr(one, name)) for one in self.money])

    def _folds(self, one: OutOfFold) -> Float:
        return np.array([fold.rank_ic for fold in one.folds])


@dataclass(frozen=True, eq=False)
class Judgement:
    """Judge the model of a training.

    model, linear, lightgbm, control: rows; hold: buy and hold, None for combinatorial splits
    trials, deflated: how many trainings were tried on such data, and the probability that the
        model's Sharpe ratio is above what the best of so many has by luck
    """

    model: Judged
    linear: Judged
    lightgbm: Judged
    control: Judged
    hold: Money | None
    trials: int
    deflated: float
    calibration: tuple[CalibrationRow, ...]
    importance: tuple[tuple[str, float], ...]

    @property
    def is_linear(self) -> bool:
        """Tell whether the model is the linear one itself."""
        return self.model.choice == self.linear.choice

    @property
    def ahead(self) -> tuple[float, float]:
        """Return by how much its rank IC is above the linear one's, and that mean's error."""
        differences = self.model.by_fold() - self.linear.by_fold()
        if len(differences) < 2:
            return float(differences.mean()), math.nan
        error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
        return float(differences.mean()), error

    @property
    def beats_linear(self) -> bool:
        """Tell whether it forecasts better by two standard errors, and earns more after costs."""
        ahead, error = self.ahead
        better = ahead > CERTAIN * error
        if not self.model.money:
            return better
        return better and self.model.earned("sharpe")[0] > self.linear.earned("sharpe")[0]


def judge(
    training: Training,
    candles: Mapping[str, Candles],
    dataset: Dataset,
    splits: Sequence[Split],
    *,
    earlier: Sequence[float] = (),
    store: Store | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Judgement:
    """Judge a training's model out of fold.

    store: has the parts of this training that were done before, and keeps those that are done now
    earlier: Sharpe ratios per day of trainings that were tried on such data before; every one
        counts as a trial, and so do the model of this training and its baselines
    say: is told what is being done
    """
    trades = isinstance(training.splits, PurgedWalkForward)
    checkpoint = Checkpoint(store or InMemory(), training, dataset)

    def row(role: str, choice: ModelChoice, *, shuffled: bool = False) -> Judged:
        say(f"{role}: {choice.name}")
        seeds = training.seeds if is_seeded(choice) or shuffled else training.seeds[:1]
        found = tuple(
            out_of_fold(
                training,
                dataset,
                splits,
                choice,
                seed,
                checkpoint,
                shuffled=shuffled,
                with_importance=role == "model" and seed == seeds[0],
            )
            for seed in seeds
        )
        traded = found if trades else ()
        money = tuple(money_of(training, candles, dataset, one.forecast) for one in traded)
        return Judged(role, choice, found, money)

    model = row("model", training.model)
    linear = _same(model, "linear", linear_choice(training)) or row(
        "linear", linear_choice(training)
    )
    boosted = _same(model, "lightgbm", LIGHTGBM) or row("lightgbm", LIGHTGBM)
    control = row("control", training.model, shuffled=True)
    first = model.seeds[0]
    held = hold(training, candles, dataset, first.forecast) if trades else None
    trials, deflated = _deflated((model, linear, boosted), earlier)
    return Judgement(
        model,
        linear,
        boosted,
        control,
        held,
        trials,
        deflated,
        _calibration(training, dataset, first),
        _importance(dataset, first),
    )


def parts_of(training: Training) -> int:
    """Return how many models a judgement fits: one for each fold, of each seed, of each row."""
    linear = linear_choice(training)
    rows = {(choice.model_dump_json(), False): choice for choice in (training.model, linear)}
    rows[LIGHTGBM.model_dump_json(), False] = LIGHTGBM
    rows[training.model.model_dump_json(), True] = training.model
    seeds = [
        len(training.seeds) if shuffled or is_seeded(choice) else 1
        for (_, shuffled), choice in rows.items()
    ]
    return int(np.sum(seeds)) * split_count(training.splits)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the deviation (ddof 1), which is NaN for one value.

    >>> spread([1.0, 3.0])[0]
    2.0
    """
    mean = float(np.mean(values))
    return mean, float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _same(model: Judged, role: str, choice: ModelChoice) -> Judged | None:
    if model.choice != choice:
        return None
    return Judged(role, choice, model.seeds, model.money)


def _deflated(rows: Sequence[Judged], earlier: Sequence[float]) -> tuple[int, float]:
    """Return the trials and the deflated Sharpe ratio of the first row, its mean seed's."""
    ratios = [*earlier]
    for place, one in enumerate(rows):
        if place == 0 or one.choice != rows[0].choice:
            ratios += [moments(money.returns).sharpe for money in one.money]
    known = np.array([ratio for ratio in ratios if math.isfinite(ratio)])
    if not rows[0].money or not len(known):
        return len(ratios), math.nan
    ranked = sorted(rows[0].money, key=lambda money: money.sharpe)
    middle = moments(ranked[len(ranked) // 2].returns)
    variance = float(known.var(ddof=1)) if len(known) > 1 else 0.0
    return len(ratios), deflated_sharpe(middle, len(ratios), variance)


def _calibration(
    training: Training, dataset: Dataset, found: OutOfFold
) -> tuple[CalibrationRow, ...]:
    if not is_class(training.label):
        return ()
    tested = ~np.isnan(found.forecast)
    happened = target_of(training, dataset.y)
    return tuple(calibration(found.forecast[tested], happened[tested]))


def _importance(dataset: Dataset, found: OutOfFold) -> tuple[tuple[str, float], ...]:
    if found.importance is None:
        return ()
    pairs = zip(dataset.names, found.importance.tolist(), strict=True)
    return tuple(sorted(pairs, key=lambda pair: -pair[1]))
