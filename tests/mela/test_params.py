"""Nested parameters: what a scene may write, and the one spelling of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import Field

from mela.errors import SceneInvalid
from mela.params import at_path, canonical_params
from mela.run import Part, Real, Whole
from mela.scene import parse_scene
from tests.mela.catalogue import SCENE


class Inner(Part):
    size: Whole = 3
    name: str = "a"


class Outer(Part):
    width: Real = 1.5
    parts: tuple[Inner, ...] = (Inner(),)
    table: dict[str, Any] = Field(default_factory=dict)
    must: Whole


def params(value: Any) -> dict[str, Any]:
    return parse_scene({**SCENE, "strategy": {"name": "x", "params": value}}).strategy.params


def test_values_may_be_nested_and_numbers_are_doubles() -> None:
    found = params({"parts": [{"fast": 5, "on": True}, None, "x"], "a": {"b": [1]}})

    assert found == {"parts": [{"fast": 5.0, "on": True}, None, "x"], "a": {"b": [1.0]}}
    assert isinstance(found["parts"][0]["fast"], float)
    assert found["parts"][0]["on"] is True


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": math.nan}, "a"),
        ({"a": [1, {"b": math.inf}]}, "a.1.b"),
        ({"a": [b"x"]}, "a.0"),
        ({"a": {1: 2}}, "a"),
        ({"a": 10**400}, "a"),
    ],
)
def test_what_is_no_json_is_told_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(SceneInvalid) as refused:
        params(value)

    assert refused.value.field == f"strategy.params.{path}"
    assert "expected" in refused.value.sentence


def test_depth_is_bounded() -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]

    with pytest.raises(SceneInvalid, match="at most 16 levels"):
        params({"a": deep})


def test_defaults_are_left_out_however_deep() -> None:
    assert canonical_params(Outer(must=1)) == {"must": b"1"}
    assert canonical_params(Outer(must=1, parts=(Inner(size=3.0),), width=1.5)) == {"must": b"1"}
    found = canonical_params(
        Outer(must=1, width=2, parts=(Inner(size=4), Inner()), table={"b": 1, "a": [2]})
    )
    assert found == {
        "must": b"1",
        "width": b"2",
        "parts": b'[{"size":4},{}]',
        "table": b'{"a":[2],"b":1}',
    }


def test_a_path_changes_one_value_and_not_what_was_given() -> None:
    given = {"parts": [{"params": {"fast": 1}}, {"params": {}}], "rule": "all"}

    found = at_path(given, "parts.0.params.fast", 9)

    assert found == {"parts": [{"params": {"fast": 9}}, {"params": {}}], "rule": "all"}
    assert given["parts"][0]["params"]["fast"] == 1
    assert at_path(given, "rule", "any")["rule"] == "any"


@pytest.mark.parametrize("path", ["parts.2.name", "parts.x.name", "rule.0", "nothing.0.name"])
def test_a_path_into_nothing_is_refused(path: str) -> None:
    with pytest.raises(KeyError):
        at_path({"parts": [{}, {}], "rule": "all"}, path, 1)
