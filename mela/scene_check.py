"""All that is wrong with a scene at once, so that its author mends it in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mela.errors import SceneInvalid
from mela.scene import Scene, parse_scene, scene_faults

MOST = 20
Check = Callable[[Scene], object]  # raises SceneInvalid with the first fault that planning finds
_SPACE, _PARAMS = "search.space.", "strategy.params."
# what stands in for a field that is wrong, so that the others can be looked at
_STAND_IN: Mapping[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2000-01-01T00:00:00Z",
    "end": "2001-01-01T00:00:00Z",
}
_OF_THE_SPAN = ("start", "end", "holdout", "validation")


def faults_of(document: Any, check: Check) -> list[SceneInvalid]:
    """Return the faults of a document, each field's once; none for a scene that can be run.

    If a field is wrong, rules that join it with others are not checked; its strategy, its
    parameters and the paths of its space are.
    check: plans the scene, or what stands for that
    """
    faults = scene_faults(document)
    if not faults:
        return list(_planned(document, check))
    others = _mended(document, faults)
    if others is not None and not scene_faults(others):
        faults += [one for one in _planned(others, check) if _stands_alone(one)]
    return list({one.field: one for one in reversed(faults)}.values())[::-1]


def with_others(first: SceneInvalid, document: Any, check: Check) -> SceneInvalid:
    """Return the first fault of a document, and what else is wrong with it as its `others`."""
    others = (one for one in faults_of(document, check) if one.field != first.field)
    first.others = tuple(others)
    return first


def _planned(document: Mapping[str, Any], check: Check) -> Iterator[SceneInvalid]:
    """Yield what planning finds, one after another: each fault is left out of the next plan."""
    rest: Mapping[str, Any] | None = document
    for _ in range(MOST):
        if rest is None or scene_faults(rest):
            return
        try:
            check(parse_scene(rest))
        except SceneInvalid as fault:
            yield fault
            rest = _without(rest, fault.field or "")
        else:
            return


def _without(document: Mapping[str, Any], field: str) -> dict[str, Any] | None:
    """Return a document without a parameter or an axis; None where it has none of that path."""
    path = field.removeprefix(_SPACE)
    search, strategy = document.get("search"), document.get("strategy")
    left = dict(document)
    if isinstance(search, Mapping) and path in search.get("space", {}):
        space = {name: axis for name, axis in search["space"].items() if name != path}
        left["search"] = {**search, "space": space}
        if not space:
            del left["search"]
        return left
    name = path.removeprefix(_PARAMS)
    if path.startswith(_PARAMS) and isinstance(strategy, Mapping):
        params = strategy.get("params", {})
        if name in params:
            kept = {one: value for one, value in params.items() if one != name}
            left["strategy"] = {**strategy, "params": kept}
            return left
    return None


def _mended(document: Any, faults: list[SceneInvalid]) -> dict[str, Any] | None:
    """Return a document whose faulty fields are at their defaults; None where that cannot be."""
    if not isinstance(document, Mapping):
        return None
    left = dict(document)
    for fault in faults:
        name = (fault.field or "strategy").partition(".")[0]
        if name == "strategy":
            return None
        for each in _OF_THE_SPAN if name in _OF_THE_SPAN else (name,):
            left.pop(each, None)
    return {**{name: value for name, value in _STAND_IN.items() if name not in left}, **left}


def _stands_alone(fault: SceneInvalid) -> bool:
    return (fault.field or "").startswith(("strategy.", _SPACE))
