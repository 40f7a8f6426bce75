"""What is prepared knows its training part alone, and is the same after it was written down."""

from __future__ import annotations

import json

import numpy as np
import pytest

from forecasts.dataset import Dataset, make_dataset
from forecasts.pipeline import fit, fit_whole, from_document
from forecasts.splits import make_splits
from mela.training import Preparation
from tests.forecasts.made import market
from tests.forecasts.trainings import training


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make_dataset(training(), market(400))


def test_the_training_part_has_mean_0_and_deviation_1(dataset: Dataset) -> None:
    asked = training()
    for split in make_splits(dataset, asked.splits, asked.interval):
        prepared = fit(Preparation(clip=None), dataset, split)
        part = dataset.take(split.train)
        found = prepared.apply(part.x, part.instrument)
        np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-9)
        assert prepared.trained_through_ms == part.until_ms.max()
        assert prepared.trained_through_ms < dataset.closed_ms[split.test].min()


def test_what_lies_far_out_is_cut_off(dataset: Dataset) -> None:
    prepared = fit_whole(Preparation(clip=2.0), dataset)
    assert np.abs(prepared.apply(dataset.x * 1e3, dataset.instrument)).max() == 2.0
    missing = np.full((1, dataset.x.shape[1]), np.nan)
    assert np.isnan(prepared.apply(missing, np.array([0]))).all()


def test_the_features_of_the_highest_rank_ic_stay(dataset: Dataset) -> None:
    x = dataset.x.copy()
    x[:, 4] = -(dataset.y**3)  # the highest, of the other sign
    x[:, 1] = dataset.y + np.random.default_rng(1).normal(0, dataset.y.std(), len(dataset))
    changed = Dataset(**{**vars(dataset), "x": x})
    prepared = fit_whole(Preparation(select=2), changed)
    assert prepared.kept.tolist() == [1, 4]
    assert prepared.names == (dataset.names[1], dataset.names[4])


def test_an_instrument_becomes_flags_or_its_mean_label(dataset: Dataset) -> None:
    flags = fit_whole(Preparation(instrument="one_hot"), dataset)
    found = flags.apply(dataset.x[:3], np.array([0, 1, -1]))[:, -2:]
    assert found.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert flags.names[-2:] == ("is test:A", "is test:B")

    means = fit_whole(Preparation(instrument="target"), dataset)
    column = means.apply(dataset.x[:3], np.array([0, 1, -1]))[:, -1]
    y = [dataset.y[dataset.instrument == place] for place in (0, 1)]
    whole = dataset.y.mean()
    expected = [
        ((one.sum() + 100 * whole) / (len(one) + 100) - whole) / dataset.y.std() for one in y
    ]
    np.testing.assert_allclose(column, [*expected, 0.0], rtol=1e-12, atol=1e-15)
    assert [means.place_of(name) for name in ("test:B", "test:C")] == [1, -1]


@pytest.mark.parametrize("encoding", ["none", "one_hot", "target"])
def test_it_is_the_same_after_it_was_written_down(dataset: Dataset, encoding: str) -> None:
    prepared = fit_whole(Preparation.model_validate({"select": 4, "instrument": encoding}), dataset)
    again = from_document(json.loads(json.dumps(prepared.document())))
    np.testing.assert_array_equal(
        again.apply(dataset.x, dataset.instrument), prepared.apply(dataset.x, dataset.instrument)
    )
    assert again.document() == prepared.document()


def test_a_constant_feature_stays_finite(dataset: Dataset) -> None:
    x = dataset.x.copy()
    x[:, 0] = 0.1
    prepared = fit_whole(Preparation(), Dataset(**{**vars(dataset), "x": x}))
    assert np.abs(prepared.apply(x, dataset.instrument)[:, 0]).max() < 1e-9
