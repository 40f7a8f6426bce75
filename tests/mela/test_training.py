"""The training file: strict as a scene, and the same question has the same hash."""

from __future__ import annotations

from typing import Any

import pytest

from mela.errors import SceneInvalid
from mela.training import CombinatorialPurged, TripleBarrier, parse_training

FILE: dict[str, Any] = {
    "name": "first",
    "instruments": ["binance:BTCUSDT", "binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01",
    "end": "2024-01-01",
    "features": [{"name": "returns", "params": {"span": 24}}],
    "label": {"kind": "triple_barrier", "horizon": 12},
    "splits": {"kind": "combinatorial", "groups": 6, "test_groups": 2, "embargo": "1d"},
    "model": {"name": "ridge"},
}


def test_a_file_is_read_with_its_alternatives() -> None:
    found = parse_training(FILE)
    assert found.instruments == ("binance:BTCUSDT",)
    assert found.label == TripleBarrier(horizon=12)
    assert found.splits == CombinatorialPurged(embargo="1d")
    assert found.seeds == (1,)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"end": "2022-01-01"}, "end"),
        ({"label": {"kind": "forward"}}, "label.kind"),
        ({"label": {"kind": "forward_return", "horizon": 0}}, "label.horizon"),
        ({"label": {"horizon": 3, "upper": 2}}, "label.upper"),
        (
            {"splits": {"kind": "combinatorial", "groups": 3, "test_groups": 3}},
            "splits.test_groups",
        ),
        ({"splits": {"embargo": "soon"}}, "splits.embargo"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"features": []}, "features"),
        ({"name": "First!"}, "name"),
        ({"instruments": ["BTCUSDT"]}, "instruments"),
        ({"cash": 10_000}, "cash"),
        ({"costs": {"fee": 1.5}}, "costs.fee"),
        ({"preparation": {"clip": 0}}, "preparation.clip"),
    ],
)
def test_a_fault_names_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(SceneInvalid) as refused:
        parse_training(FILE | change)
    assert refused.value.field == field


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(SceneInvalid, match="an object with a training's fields"):
        parse_training(["name"])


def test_a_name_changes_no_hash_and_a_default_none() -> None:
    first = parse_training(FILE).content_hash()
    assert parse_training(FILE | {"name": "second"}).content_hash() == first
    assert parse_training(FILE | {"seeds": [1], "costs": {"fee": 0.001}}).content_hash() == first
    assert parse_training(FILE | {"seeds": [2]}).content_hash() != first
