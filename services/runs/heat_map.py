"""A metric over two parameters of a scene."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mela.errors import InputInvalid
from mela.search import Steps
from mela.settings import Settings
from mela.values import values_of
from services.accounts.accounts import Caller
from services.answer_cache import KeptAnswers
from services.runs.run_conditions import metric_of
from services.scenes import scene_pages
from services.scenes.scene_facts import has_ended
from warehouse.database import transaction
from warehouse.results import scene_runs
from warehouse.results.scene_runs import Cell, Reduce
from warehouse.scenes.stored_scene import ranking_of

FEW_VALUES = 60  # of an axis; more numbers are gathered into ranges
KEPT_S = 60.0


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A metric over two parameters. values: a row for each of y_values.

    x_values, y_values: the value of each column and row, or the least of its range
    x_to, y_to: the greatest of each range; None for a single value
    """

    x: str
    y: str | None
    metric: str
    reduce: Reduce
    x_values: tuple[Any, ...]
    y_values: tuple[Any, ...]
    x_to: tuple[float | None, ...]
    y_to: tuple[float | None, ...]
    values: tuple[tuple[float | None, ...], ...]
    runs: tuple[tuple[int, ...], ...]


_maps: KeptAnswers[HeatMap] = KeptAnswers(256, KEPT_S)


def heat_map(
    settings: Settings,
    caller: Caller,
    scene_id: UUID,
    *,
    x: str,
    y: str | None,
    metric: str | None,
    reduce: Reduce,
) -> HeatMap:
    """Return a metric over one or two parameters of a scene. Raises NotFound, InputInvalid."""
    with transaction(settings) as connection:
        head, content = scene_pages.seen(connection, caller, scene_id)
    chosen = metric_of(metric or ranking_of(content).metric)
    ranges = {path: ends for path in (x, y) if path and (ends := _range_of(content, path))}

    def compute() -> HeatMap:
        with transaction(settings) as connection:
            try:
                found = scene_runs.cells(
                    connection, scene_id, x=x, y=y, metric=chosen, reduce=reduce, ranges=ranges
                )
            except ValueError as error:
                raise InputInvalid("x", f"{error}.") from error
        return _laid_out(found, x, y, chosen, reduce)

    key = (scene_id, head.finished_at, x, y, chosen, reduce)
    return _maps.of(key if has_ended(head) else None, compute)


def _range_of(content: Mapping[str, Any], path: str) -> tuple[float, float] | None:
    """Return the ends of an axis with more numbers than a map shows one by one, else None."""
    axis = ((content.get("search") or {}).get("space") or {}).get(path)
    if isinstance(axis, Mapping) and "low" in axis:
        low, high = float(axis["low"]), float(axis["high"])
        is_short = axis.get("integer") and high - low < FEW_VALUES
        return None if is_short else (low, high)
    if isinstance(axis, Mapping):
        values = values_of(Steps.model_validate(axis))
    else:
        values = axis if isinstance(axis, list) else []
    numbers = [
        float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)
    ]
    return (min(numbers), max(numbers)) if len(numbers) > FEW_VALUES else None


def _laid_out(found: Sequence[Cell], x: str, y: str | None, metric: str, reduce: Reduce) -> HeatMap:
    x_values, y_values = _in_order(one.x for one in found), _in_order(one.y for one in found)
    at = {(_hashable(one.x), _hashable(one.y)): one for one in found}
    cells = [[at.get((_hashable(a), _hashable(b))) for a in x_values] for b in y_values]
    across = _ends((one.x, one.x_ends) for one in found)
    along = _ends((one.y, one.y_ends) for one in found)
    return HeatMap(
        x=x,
        y=y,
        metric=metric,
        reduce=reduce,
        x_values=tuple(across.get(_hashable(one), (one, None))[0] for one in x_values),
        y_values=tuple(along.get(_hashable(one), (one, None))[0] for one in y_values) if y else (),
        x_to=tuple(across.get(_hashable(one), (one, None))[1] for one in x_values),
        y_to=tuple(along.get(_hashable(one), (one, None))[1] for one in y_values) if y else (),
        values=tuple(tuple(_finite(one and one.value) for one in row) for row in cells),
        runs=tuple(tuple(one.runs if one else 0 for one in row) for row in cells),
    )


def _ends(
    places: Iterable[tuple[Any, tuple[float, float] | None]],
) -> dict[Any, tuple[float, float]]:
    """Return the least and the greatest number of each range, whatever cells it is in."""
    found: dict[Any, tuple[float, float]] = {}
    for value, ends in places:
        if ends is not None:
            least, most = found.get(_hashable(value), ends)
            found[_hashable(value)] = (min(least, ends[0]), max(most, ends[1]))
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _in_order(values: Iterator[Any]) -> list[Any]:
    """Return distinct values: nothing first, then numbers, then words."""
    distinct = {_hashable(value): value for value in values}
    return sorted(
        distinct.values(),
        key=lambda value: (
            value is not None,
            isinstance(value, str),
            value if isinstance(value, int | float) else 0,
            str(value),
        ),
    )


def _hashable(value: Any) -> Any:
    return (type(value) is bool, value) if isinstance(value, int | float | str) else str(value)
