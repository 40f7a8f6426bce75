"""Samples: one for each candle with features and a label, in the order of decision."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.context import candle_closes_ms
from forecasts.dataset import make_dataset
from forecasts.features import FeatureSet
from forecasts.labels import label
from mela.errors import CandlesMissing, SceneInvalid
from mela.instants import to_ms
from mela.training import FeatureChoice
from tests.forecasts.made import market
from tests.forecasts.trainings import training


def test_samples_are_in_the_order_of_decision_and_tell_their_candles() -> None:
    candles, asked = market(300, gaps=True), training()
    dataset = make_dataset(asked, candles)
    assert (np.diff(dataset.closed_ms) >= 0).all()
    assert np.isfinite(dataset.x).all()
    assert set(dataset.instrument.tolist()) == {0, 1}
    for place, name in enumerate(asked.instruments):
        own = dataset.take(np.flatnonzero(dataset.instrument == place))
        features = FeatureSet(asked.features).compute(candles[name], name)
        labels = label(candles[name], asked.label, asked.costs)
        np.testing.assert_array_equal(own.x, features[own.bar])
        np.testing.assert_array_equal(own.y, labels.y[own.bar])
        np.testing.assert_array_equal(own.closed_ms, candle_closes_ms(candles[name])[own.bar])
        assert candles[name].opened_ms[own.bar].min() >= to_ms(asked.start)
        within = int((candles[name].opened_ms >= to_ms(asked.start)).sum())
        assert dataset.left_out[name] == within - len(own) == 5  # the last ones have no label yet


def test_candles_from_the_end_on_are_not_looked_at() -> None:
    candles = market(300)
    asked = training(end="2023-01-08")
    dataset = make_dataset(asked, candles)
    assert dataset.until_ms.max() < to_ms(asked.end)
    assert to_ms(asked.end) - dataset.until_ms.max() == 3_600_000  # the last open before it


def test_missing_candles_are_named() -> None:
    candles = market(300, names=("a", "b"))
    with pytest.raises(CandlesMissing, match="test:C"):
        make_dataset(training(instruments=["test:A", "test:C"]), candles)
    with pytest.raises(CandlesMissing, match="longer span"):
        make_dataset(training(start="2023-12-01"), candles)


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        ({"name": "return"}, "features.0.name"),
        ({"name": "returns", "params": {"spam": 3}}, "features.0.params.spam"),
        ({"name": "returns", "params": {"span": 0}}, "features.0.params.span"),
        ({"name": "volatility_ratio", "params": {"short": 9, "long": 9}}, "features.0.params"),
        ({"name": "indicator", "params": {"name": "smaa"}}, "features.0.params"),
        (
            {"name": "indicator", "params": {"name": "sma", "parameters": [1.5]}},
            "features.0.params",
        ),
        ({"name": "indicator", "params": {"name": "obv"}}, "features.0.params"),
    ],
)
def test_a_fault_of_a_feature_names_its_field(choice: dict, field: str) -> None:
    with pytest.raises(SceneInvalid) as refused:
        FeatureSet([FeatureChoice.model_validate(choice)])
    assert refused.value.field == field


def test_a_feature_is_chosen_once() -> None:
    with pytest.raises(SceneInvalid, match="once"):
        FeatureSet([FeatureChoice(name="returns"), FeatureChoice(name="returns")])


def test_a_digest_tells_parameters_apart_and_not_defaults() -> None:
    digests = [
        FeatureSet([FeatureChoice(name="returns", params=params)]).digest
        for params in ({}, {"span": 24}, {"span": 25})
    ]
    assert digests[0] == digests[1] != digests[2]
