"""Complete arguments when somebody presses Tab: `mela --install-completion`.

If the warehouse does not answer, nothing is offered: a Tab prints no error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from mela.errors import MelaError
from mela.settings import Settings

MOST_SCENES = 30
SCENE_FILES = (".yaml", ".yml", ".json")
Offered = tuple[str, str]  # what is typed, and what the shell says of it
T = TypeVar("T")


def strategies(incomplete: str) -> list[Offered]:
    """Return the strategies whose names begin so."""
    from services.strategies.all_strategies import all_strategies  # loads the engine

    catalogue = all_strategies(Settings())
    return _beginning(((name, catalogue[name].doc) for name in sorted(catalogue)), incomplete)


def scene_files(incomplete: str) -> list[str]:
    """Return the folders, and the files that may hold a scene, whose paths begin so."""
    folder, _, beginning = incomplete.rpartition("/")
    place = Path(f"{folder}/" if folder or incomplete.startswith("/") else ".")
    if not place.is_dir():
        return []
    lead = incomplete[: len(incomplete) - len(beginning)]
    return [
        f"{lead}{one.name}/" if one.is_dir() else f"{lead}{one.name}"
        for one in sorted(place.iterdir())
        if one.name.startswith(beginning)
        and (beginning or not one.name.startswith("."))
        and (one.is_dir() or one.suffix in SCENE_FILES)
    ]


def scene_ids(incomplete: str) -> list[Offered]:
    """Return `last` and the newest scenes whose ids begin so."""
    from services.scenes.stored_scenes import list_scenes

    found = _answers(lambda: list_scenes(Settings(), most=MOST_SCENES))
    choices = (
        (str(one.scene_id), " ".join(filter(None, (one.state, one.name, *one.strategies))))
        for one in found
    )
    return _beginning([("last", "the newest scene"), *choices], incomplete)


def instruments(incomplete: str) -> list[Offered]:
    """Return the stored instruments whose names begin so."""
    from services.candles.storage import stored_candles

    found = _answers(lambda: stored_candles(Settings()))
    intervals: dict[str, list[str]] = {}
    for one in found:
        intervals.setdefault(one.instrument, []).append(one.interval)
    choices = ((name, " ".join(lengths)) for name, lengths in sorted(intervals.items()))
    return _beginning(choices, incomplete)


def questions(incomplete: str) -> list[Offered]:
    """Return the ready questions whose names begin so."""
    from services.questions import list_questions

    return _beginning(((one.name, "") for one in list_questions()), incomplete)


def _beginning(offered: Iterable[Offered], incomplete: str) -> list[Offered]:
    return [one for one in offered if one[0].startswith(incomplete)]


def _answers(question: Callable[[], list[T]]) -> list[T]:
    """Return what the warehouse answers, or nothing where it cannot be asked."""
    from sqlalchemy.exc import DBAPIError

    try:
        return question()
    except (MelaError, DBAPIError):
        return []
