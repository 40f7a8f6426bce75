"""The training file: strict as a scene, and the same question has the same hash."""

from __future__ import annotations

from typing import Any

import pytest

from mela.errors import SceneInvalid
from mela.training import CombinatorialPurged, TripleBarrier, check_kind, parse_training

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
    first = parse_training(FILE).training_hash()
    assert parse_training(FILE | {"name": "second"}).training_hash() == first
    assert parse_training(FILE | {"seeds": [1], "costs": {"fee": 0.001}}).training_hash() == first
    assert parse_training(FILE | {"seeds": [2]}).training_hash() != first


def test_a_publication_is_the_same_however_it_is_spelled_and_whichever_id_it_has() -> None:
    plain = parse_training(FILE)
    scene_id = "0b6f1c1e-3c55-4f0a-9a60-0d5fb1a3ac01"
    named = parse_training(FILE | {"scene_id": scene_id, "seeds": [1], "kind": "train"})
    assert named.content_hash() == plain.content_hash()
    assert named.facts == plain.facts
    assert parse_training(FILE | {"name": "second"}).content_hash() != plain.content_hash()


def test_what_is_stored_of_a_publication_is_read_as_the_same_training() -> None:
    """`clip: null` is no default: to leave it out would mean 5."""
    unclipped = parse_training(FILE | {"preparation": {"clip": None}})
    for training in (parse_training(FILE), unclipped):
        content = training.content()
        assert content["kind"] == "train"
        assert content["label"] == {"kind": "triple_barrier", "horizon": 12}
        assert parse_training(content) == training


@pytest.mark.parametrize("version", [2, "1", True])
def test_another_version_of_the_schema_has_its_own_code(version: Any) -> None:
    with pytest.raises(SceneInvalid) as refused:
        parse_training(FILE | {"schema_version": version})
    assert (refused.value.code, refused.value.field) == ("unsupported_version", "schema_version")


@pytest.mark.parametrize("kind", ["trian", None, 3])
def test_an_unknown_kind_is_refused_by_its_field(kind: Any) -> None:
    with pytest.raises(SceneInvalid, match="expected 'train', or no kind") as refused:
        check_kind({"kind": kind})
    assert refused.value.field == "kind"
    check_kind({"kind": "train"})
    check_kind({"instruments": []})
