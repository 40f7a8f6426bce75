"""A scene says what is asked; what is wrong is named by code, field and sentence."""

from __future__ import annotations

from typing import Any

import pytest

from mela.errors import RejectionCode, SceneInvalid
from mela.grid import plan_runs
from mela.scene import Scene, parse_scene
from tests.mela.catalogue import CATALOGUE, SCENE, with_space


def refusal(document: Any) -> SceneInvalid:
    with pytest.raises(SceneInvalid) as caught:
        plan_runs(parse_scene(document), CATALOGUE, max_runs=1000)
    return caught.value


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cash": 0}, "cash"),
        ({"cash": -1}, "cash"),
        ({"cash": "10000"}, "cash"),
        ({"cash": True}, "cash"),
        ({"cash": float("nan")}, "cash"),
        ({"cash": float("inf")}, "cash"),
        ({"start": "2023-01-01T00:00:00"}, "start"),
        ({"start": "2023-01-01T00:00"}, "start"),
        ({"start": 1672531200}, "start"),
        ({"end": "2023-01-01T00:00:00Z"}, "end"),
        ({"end": "2022-01-01T00:00:00Z"}, "end"),
        ({"interval": "7h"}, "interval"),
        ({"instruments": []}, "instruments"),
        ({"instruments": ["BTCUSDT"]}, "instruments"),
        ({"instruments": "binance:BTCUSDT"}, "instruments"),
        ({"mode": "apart"}, "mode"),
        ({"rank_by": "luck"}, "rank_by"),
        ({"scene_id": "seven"}, "scene_id"),
        ({"surprise": 1}, "surprise"),
        ({"costs": {"fee": 1}}, "costs.fee"),
        ({"costs": {"slippage": -0.1}}, "costs.slippage"),
        ({"costs": {"kind": "tiered"}}, "costs.kind"),
        ({"sizing": {"fraction": 0}}, "sizing.fraction"),
        ({"sizing": {"fraction": 1.01}}, "sizing.fraction"),
        ({"exits": {"stop_loss": 1}}, "exits.stop_loss"),
        ({"exits": {"take_profit": 0}}, "exits.take_profit"),
        ({"exits": {"cooldown_bars": -1}}, "exits.cooldown_bars"),
        ({"exits": {"cooldown_bars": 1.5}}, "exits.cooldown_bars"),
        ({"exits": {"protect_from": "later"}}, "exits.protect_from"),
        ({"strategy": {"name": "sma_cross", "params": {"fast": 0}}}, "strategy.params.fast"),
        ({"strategy": {"name": "sma_cross", "params": {"fast": "10"}}}, "strategy.params.fast"),
        ({"strategy": {"name": "sma_cross", "params": {"fast": True}}}, "strategy.params.fast"),
        ({"strategy": {"name": "sma_cross", "params": {"fast": 30}}}, "strategy.params"),
        ({"strategy": {"name": "sma_cross", "params": {"quick": 5}}}, "strategy.params.quick"),
        ({"strategy": {"name": "sma_cross", "params": {"slow": 2**40}}}, "strategy.params"),
        ({"strategy": {"name": "sma_cross", "params": {"slow": 1e300}}}, "strategy.params.slow"),
        ({"exits": {"cooldown_bars": 1e300}}, "exits.cooldown_bars"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "start"),
        ({"search": {"kind": "genetic", "space": {"cash": [1]}}}, "search.kind"),
    ],
)
def test_a_fault_names_its_field(change: dict[str, Any], field: str) -> None:
    refused = refusal({**SCENE, **change})
    assert (refused.code, refused.field) == (RejectionCode.INVALID_FIELD, field)
    assert len(refused.sentence) > 10


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"instruments": 3}, "instruments", "expected a list, but found a number."),
        (
            {"instruments": "binance:BTCUSDT"},
            "instruments",
            "expected a list, but found text.",
        ),
        ({"instruments": {"a": 1}}, "instruments", "expected a list, but found an object."),
        ({"costs": [1]}, "costs", "expected an object with fields, but found a list."),
        ({"costs": "free"}, "costs", "expected an object with fields, but found text."),
        ({"exits": None}, "exits", "expected an object with fields, but found null."),
        ({"strategy": 7}, "strategy", "expected an object with fields, but found a number."),
    ],
)
def test_a_value_of_another_shape_is_told_in_the_words_of_json(
    change: dict[str, Any], field: str, sentence: str
) -> None:
    """Nobody who writes YAML knows what a tuple or a dictionary is."""
    refused = refusal({**SCENE, **change})
    assert (refused.field, refused.sentence) == (field, sentence)


@pytest.mark.parametrize("document", [None, [], 7, "scene", True])
def test_what_is_no_object_is_refused(document: Any) -> None:
    assert refusal(document).code is RejectionCode.INVALID_FIELD


@pytest.mark.parametrize("version", [0, 2, "1", True, None])
def test_another_schema_version_is_refused_before_anything_else(version: Any) -> None:
    refused = refusal({"schema_version": version, "surprise": 1})
    assert refused.code is RejectionCode.UNSUPPORTED_VERSION


def test_an_unknown_strategy_is_told_which_there_are() -> None:
    refused = refusal({**SCENE, "strategy": {"name": "hunch"}})
    assert (refused.code, refused.field) == (RejectionCode.UNKNOWN_STRATEGY, "strategy.name")
    assert "sma_cross" in refused.sentence


def test_a_long_wrong_value_is_not_repeated_whole() -> None:
    assert len(refusal({**SCENE, "cash": "9" * 100_000}).sentence) < 300


def test_a_missing_field_is_named() -> None:
    document = {name: value for name, value in SCENE.items() if name != "interval"}
    assert refusal(document).field == "interval"


def test_instants_are_kept_in_utc() -> None:
    scene = parse_scene({**SCENE, "start": "2023-01-01T02:00:00+02:00"})
    assert scene.content()["start"] == "2023-01-01T00:00:00Z"


def test_equal_scenes_have_equal_content_however_they_are_written() -> None:
    plain = parse_scene(SCENE)
    spelled = parse_scene(
        {
            **SCENE,
            "schema_version": 1,
            "scene_id": "0b6f0000-0000-4000-8000-000000000000",
            "cash": 10000,
            "costs": {"fee": 0.001, "kind": "flat"},
            "start": "2023-01-01T01:00:00+01:00",
            "instruments": ["binance:BTCUSDT", "binance:BTCUSDT"],
        }
    )
    assert spelled.content_hash() == plain.content_hash()
    assert parse_scene({**SCENE, "name": "other"}).content_hash() != plain.content_hash()


def test_a_scene_survives_the_wire() -> None:
    scene = parse_scene(with_space(strategy__params__fast={"from": 5, "to": 9, "step": 2}))
    assert Scene.model_validate_json(scene.model_dump_json(by_alias=True)) == scene


@pytest.mark.parametrize("weights", [{"kind": "equal"}, {"kind": "inverse_volatility"}])
@pytest.mark.parametrize("rebalance", [{"kind": "signals"}, {"kind": "drift", "threshold": 0.1}])
def test_the_content_of_a_portfolio_scene_is_read_again_as_it_was(
    weights: dict[str, Any], rebalance: dict[str, Any]
) -> None:
    scene = parse_scene(
        {
            **SCENE,
            "instruments": ["binance:BTCUSDT", "binance:ETHUSDT"],
            "mode": "together",
            "portfolio": {"weights": weights, "rebalance": rebalance},
        }
    )

    assert parse_scene(scene.content()) == scene
    assert parse_scene(scene.content()).content_hash() == scene.content_hash()
