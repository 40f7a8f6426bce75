"""Choose the runs that a search hands on: the best of each training window, and its winner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mela.metrics import Ranking
from mela.outcome import WITH_METRICS
from mela.result import rank
from mela.run import from_ms, instant_text
from mela.scene import Scene
from mela.windows import Fold

Document = Mapping[str, Any]


def choice_of(scene: Scene, document: Document) -> dict[str, Any]:
    """Return what a search chose: path → value, or all parameters where it varied none of them."""
    if scene.search is None:
        return {f"strategy.params.{name}": value for name, value in document["params"].items()}
    return {path: _at(document, path) for path in sorted(scene.search.space)}


def chosen_by_window(
    scene: Scene, documents: Iterable[Document]
) -> dict[str, list[Document | None]]:
    """Return the best result of each instrument and training window, None where there is none."""
    by_window: dict[tuple[str, str, str], list[Document]] = {}
    for one in documents:
        if one["status"] in WITH_METRICS:
            by_window.setdefault((one["instruments"][0], one["start"], one["end"]), []).append(one)
    return {
        instrument: [
            _first(by_window.get((instrument, *training_window(fold)), ()), scene.ranking)
            for fold in scene.folds
        ]
        for instrument in scene.instruments
    }


def winner_of(
    scene: Scene, best: Document | None, chosen: Mapping[str, Sequence[Document | None]]
) -> Document | None:
    """Return the run that a search hands on: its best, or that of the last training window."""
    if scene.validation is None:
        return best
    last = [found[-1] for found in chosen.values() if found]
    return _first([one for one in last if one is not None], scene.ranking)


def training_window(fold: Fold) -> tuple[str, str]:
    """Return the start and the end of a fold's training window."""
    return instant_text(from_ms(fold.train_start_ms)), instant_text(from_ms(fold.train_end_ms))


def _first(documents: Sequence[Document], by: Ranking) -> Document | None:
    ranked = rank(documents, by)
    return ranked[0] if ranked else None


def _at(document: Document, path: str) -> Any:
    if path == "strategy.name":
        return document["strategy"]["name"]
    value: Any = document
    for part in path.replace("strategy.params.", "params.", 1).split("."):
        if value is None:
            break
        value = value[int(part)] if isinstance(value, list | tuple) else value.get(part)
    return value
