"""Models that scenes and sessions ask for by alias or version: which file is meant is said once.

Runs, results and their keys hold the pinned reference: name, version and SHA-256. A later champion
changes no stored result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from forecasts.reference import is_pinned, parse_asked
from forecasts.strategy import NAME
from mela.errors import InputInvalid, NotFound, RejectionCode, SceneInvalid
from mela.scene import Scene, StrategyChoice
from mela.settings import Settings

PARAM = "model"
PATH = f"strategy.params.{PARAM}"
Pin = Callable[[str], str]


def pinned_reference(reference: str, settings: Settings) -> str:
    """Return a reference with version and SHA-256; a pinned one stays as it is.

    Raises InputInvalid and NotFound.
    """
    if is_pinned(reference):
        return reference
    asked = parse_asked(reference)
    from services.models.model_record import find  # loads SQLAlchemy, and only models need it

    return find(settings, asked.name, asked.which).reference


def pinned_scene(scene: Scene, settings: Settings) -> Scene:
    """Return a scene whose models are pinned; the scene itself where they are, or it has none.

    Raises SceneInvalid for a model that is not there.
    """
    if not is_unpinned(scene):
        return scene
    return scene_with(scene, partial(pinned_reference, settings=settings))


def pinned_choice(choice: StrategyChoice, settings: Settings) -> StrategyChoice:
    """Return a session's strategy, its model pinned. Raises as `pinned_scene` does."""
    if choice.name != NAME or PARAM not in choice.params:
        return choice
    return _choice_with(choice, partial(pinned_reference, settings=settings))


def references_of(scene: Scene) -> dict[str, str]:
    """Return the models that the runs of a scene may ask, pinned or not, each with its path."""
    return {reference: path for path, reference in _references(scene)}


def is_unpinned(scene: Scene) -> bool:
    """Tell whether a scene leaves it open which file a model is."""
    return not all(map(is_pinned, references_of(scene)))


def scene_with(scene: Scene, pin: Pin) -> Scene:
    """Return a scene with another reference in the place of each."""
    changed: dict[str, Any] = {}
    if PARAM in scene.strategy.params:
        changed["strategy"] = _choice_with(scene.strategy, pin)
    search = scene.search
    axis = search.space.get(PATH) if search else None
    if search is not None and isinstance(axis, tuple):
        path = f"search.space.{PATH}"
        values = [_pin(one, pin, path) if isinstance(one, str) else one for one in axis]
        space = {**search.space, PATH: tuple(dict.fromkeys(values))}  # two may mean the same
        changed["search"] = search.model_copy(update={"space": space})
    return scene.model_copy(update=changed)


def scene_asking(scene: Scene, reference: str) -> Scene:
    """Return a scene that asks one model, whatever it asked before."""
    params = {**scene.strategy.params, PARAM: reference}
    choice = scene.strategy.model_copy(update={"params": params})
    return scene_with(scene.model_copy(update={"strategy": choice}), lambda _: reference)


def asks_forecasts(scene: Scene) -> bool:
    """Tell whether runs of a scene may ask a model."""
    names = scene.search.space.get("strategy.name", ()) if scene.search else ()
    return scene.strategy.name == NAME or (isinstance(names, tuple) and NAME in names)


def _choice_with(choice: StrategyChoice, pin: Pin) -> StrategyChoice:
    given = choice.params.get(PARAM)
    if not isinstance(given, str):  # the strategy says what is wrong with it
        return choice
    params = {**choice.params, PARAM: _pin(given, pin, PATH)}
    return choice.model_copy(update={"params": params})


def _pin(reference: str, pin: Pin, path: str) -> str:
    try:
        return pin(reference)
    except (InputInvalid, NotFound) as error:
        raise SceneInvalid(RejectionCode.INVALID_FIELD, path, str(error)) from error


def _references(scene: Scene) -> Iterator[tuple[str, str]]:
    """Yield the path and the value of each reference of a scene that may run `forecast`."""
    if not asks_forecasts(scene):
        return
    space = scene.search.space if scene.search else {}
    given = scene.strategy.params.get(PARAM)
    if isinstance(given, str):
        yield PATH, given
    axis = space.get(PATH)
    if isinstance(axis, tuple):
        yield from ((f"search.space.{PATH}", one) for one in axis if isinstance(one, str))
