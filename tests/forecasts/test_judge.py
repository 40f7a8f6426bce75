"""Forecasts as money, and a report that says plainly whether a model beats the linear one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from backtests.signals import Signals
from forecasts.dataset import make_dataset
from forecasts.judge.checkpoint import Checkpoint, InMemory
from forecasts.judge.folds import out_of_fold
from forecasts.judge.judgement import Judgement, judge
from forecasts.judge.money import hold, money_of
from forecasts.judge.report import report, verdict
from forecasts.judge.scores import auc, brier, calibration, ic, icir, rank_ic
from forecasts.signals import signals_of
from forecasts.splits import make_splits
from mela.candles import Candles
from mela.interval import Interval
from mela.training import Training
from tests.forecasts.made import BEGIN_MS, of
from tests.forecasts.trainings import training

HOURS = 4_000
FEW = [{"name": "returns", "params": {"span": span}} for span in (1, 3)]


def momentum(strength: float, seed: int = 3) -> Candles:
    """Return candles each of whose returns goes on with a share of the one before."""
    rng = np.random.default_rng(seed)
    noise = 0.005 * rng.standard_normal(HOURS)
    returns = np.empty(HOURS)
    returns[0] = 0.0
    for bar in range(1, HOURS):
        returns[bar] = strength * returns[bar - 1] + noise[bar]
    close = 100 * np.exp(np.cumsum(returns))
    opens = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opens, close) * 1.0001, np.minimum(opens, close) / 1.0001
    opened = BEGIN_MS + np.arange(HOURS, dtype=np.int64) * 3_600_000
    return of(Interval.H1, opened, opens, high, low, close, np.ones(HOURS))


def small(**changes: object) -> Training:
    given = {
        "instruments": ["test:A"],
        "features": FEW,
        "end": "2023-06-01",
        "label": {"kind": "forward_return", "horizon": 1},
        "costs": {"fee": 0.0, "slippage": 0.0},
        "model": {"name": "lightgbm", "params": {"trees": 20}},
        "seeds": [1, 2],
    }
    return training(**(given | changes))


def judged(
    training: Training, candles: Mapping[str, Candles], earlier: tuple[float, ...] = ()
) -> Judgement:
    dataset = make_dataset(training, candles)
    splits = make_splits(dataset, training.splits, training.interval)
    return judge(training, candles, dataset, splits, earlier=earlier)


@pytest.fixture(scope="module")
def with_signal() -> Judgement:
    return judged(small(), {"test:A": momentum(0.3)})


def test_what_can_be_forecast_earns_and_shuffled_labels_do_not(with_signal: Judgement) -> None:
    model, control = with_signal.model, with_signal.control

    assert model.over_seeds("rank_ic")[0] > 0.2
    assert abs(control.over_seeds("rank_ic")[0]) < 0.1
    assert with_signal.hold is not None
    assert model.earned("sharpe")[0] > with_signal.hold.sharpe + 3
    assert model.earned("sharpe")[0] > control.earned("sharpe")[0] + 3
    assert with_signal.deflated > 0.95


def test_the_first_sentence_says_whether_the_model_beats_the_linear_one(
    with_signal: Judgement,
) -> None:
    """Momentum of this kind is linear, so that trees cannot be better at it."""
    first = report(with_signal).partition("\n")[0]

    assert first == verdict(with_signal)
    assert first.startswith("lightgbm does not beat the linear model (ridge): rank IC 0.")
    assert "after costs a Sharpe ratio of" in first


def test_trees_beat_the_linear_model_where_the_law_is_not_linear() -> None:
    """What falls goes on as what rises does, by its size alone: no line through it has a slope."""
    candles = momentum(0.0)
    close = candles.close.copy()
    returns = np.diff(np.log(close), prepend=np.log(100.0))
    for bar in range(1, HOURS):
        returns[bar] += 0.6 * (abs(returns[bar - 1]) - 0.004)
    close = 100 * np.exp(np.cumsum(returns))
    opens = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    bent = replace(candles, open=opens, high=high, low=low, close=close)
    asked = small(features=[{"name": "returns", "params": {"span": 1}}], seeds=[1])

    found = judged(asked, {"test:A": bent})

    assert found.beats_linear
    assert verdict(found).startswith("lightgbm beats the linear model (ridge)")


def test_a_feature_that_decides_is_the_most_important_one(with_signal: Judgement) -> None:
    (name, fall), _ = with_signal.importance

    assert name == "returns(span=1)"
    assert fall > 0.1


def test_costs_are_paid() -> None:
    candles = {"test:A": momentum(0.3)}
    free = judged(small(seeds=[1]), candles)
    dear = judged(small(seeds=[1], costs={"fee": 0.002, "slippage": 0.001}), candles)

    assert dear.model.earned("total_return")[0] < free.model.earned("total_return")[0]


def test_every_training_that_was_tried_lowers_the_deflated_ratio() -> None:
    candles, asked = {"test:A": momentum(0.05)}, small(seeds=[1])
    alone = judged(asked, candles)
    among = judged(asked, candles, earlier=tuple(np.linspace(-0.3, 0.3, 50)))

    assert (alone.trials, among.trials) == (3, 53)  # with the linear one and LightGBM
    assert among.deflated < alone.deflated


def test_perfect_forecasts_trade_as_their_signals_do() -> None:
    """Of one position, in at the third open and out at the fifth, by hand."""
    candles = {"test:A": momentum(0.0)}
    asked = small()
    dataset = make_dataset(asked, candles)
    forecast = np.full(len(dataset), -1.0)
    forecast[1:3] = 1.0

    found = money_of(asked, candles, dataset, forecast)

    opens = candles["test:A"].open
    bars = dataset.bar
    assert found.trades == 1
    moved = opens[bars[3] + 1] / opens[bars[1] + 1] - 1
    assert found.total_return == pytest.approx(0.95 * moved)  # a scene's default size
    held = hold(asked, candles, dataset, forecast)
    assert held.trades == 0  # it is never closed
    assert abs(held.total_return) > 0.1


def test_no_forecast_gives_no_signal() -> None:
    line = np.array([0.2, np.nan, -0.2, 0.0])

    found = signals_of(line, 0.1, -0.1)

    assert isinstance(found, Signals)
    assert found.enter.tolist() == [True, False, False, False]
    assert found.exit.tolist() == [False, False, True, False]


def test_a_class_is_judged_by_its_probability() -> None:
    asked = small(label={"kind": "forward_sign", "horizon": 1}, model={"name": "logistic"})
    candles = {"test:A": momentum(0.3)}

    found = judged(asked, candles)

    assert found.is_linear
    assert verdict(found).startswith("This is the linear model itself (logistic)")
    assert found.model.over_seeds("auc")[0] > 0.55
    assert sum(row.samples for row in found.calibration) > 1_000
    assert "## Calibration" in report(found)


def test_combinatorial_splits_are_scored_and_not_traded() -> None:
    asked = small(
        splits={"kind": "combinatorial", "groups": 4, "test_groups": 2}, model={"name": "ridge"}
    )
    candles = {"test:A": momentum(0.3)}
    dataset = make_dataset(asked, candles)
    splits = make_splits(dataset, asked.splits, asked.interval)

    whole = out_of_fold(
        asked, dataset, splits, asked.model, 1, Checkpoint(InMemory(), asked, dataset)
    )
    found = judge(asked, candles, dataset, splits)

    assert not np.isnan(whole.forecast).any()
    assert found.model.money == ()
    assert found.hold is None
    assert "| – | – | – | – |" in report(found)


def test_scores_of_what_is_undefined_are_nan() -> None:
    still, moving = np.ones(5), np.arange(5.0)

    assert np.isnan(ic(still, moving))
    assert np.isnan(rank_ic(moving[:1], moving[:1]))
    assert np.isnan(icir(np.array([0.1])))
    assert np.isnan(auc(moving, still))
    assert np.isnan(brier(still[:0], still[:0]))
    assert calibration(still[:0], still[:0]) == []
