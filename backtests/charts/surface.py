"""The picture of a search: the ranking metric over one or two varied parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mela.result import LOWER_IS_BETTER

Float = NDArray[np.float64]
MOST_VALUES = 60  # of an axis; more are gathered into ranges
RANGES = 24
_PARAMS = "strategy.params."


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing varied: its short name and its values, as the picture labels them, in order."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A metric over one axis or two.

    values: (len(y), len(x)) float64, or (1, len(x)) where y is None; NaN where no run has a value
    runs: how many results went in; best: the place (row, column) of the best value
    drawn: the place of the run that the picture shows, which the median may put behind others
    """

    metric: str
    x: Axis
    y: Axis | None
    values: Float
    runs: int
    best: tuple[int, int] | None
    notes: tuple[str, ...]
    drawn: tuple[int, int] | None = None


def surface_of(
    rows: Iterable[Mapping[str, Any]],
    paths: Sequence[str],
    metric: str,
    drawn: Mapping[str, Any] | None = None,
) -> Surface | None:
    """Return a metric over the two of `paths` with most values; None where nothing varies.

    rows: result documents; paths: of the search's space, as `strategy.params.fast`
    drawn: the one of them whose run the picture shows
    Where more runs share a place, the median of theirs stands for them, nulls left out.
    """
    rows = list(rows)
    varied = {path: _distinct(value_at(row, path) for row in rows) for path in paths}
    varied = {path: values for path, values in varied.items() if len(values) > 1}
    chosen = sorted(varied, key=lambda path: -len(varied[path]))[:2]  # stable: the scene's order
    chosen = [path for path in paths if path in chosen]
    if not chosen:
        return None
    binned = {path: _axis(path, varied[path]) for path in chosen}
    x_path, y_path = chosen[0], chosen[1] if len(chosen) > 1 else None
    x, x_places = binned[x_path]
    y, y_places = binned[y_path] if y_path else (None, {})
    gathered: dict[tuple[int, int], list[float]] = {}

    def place_of(row: Mapping[str, Any]) -> tuple[int, int]:
        row_place = y_places[_key(value_at(row, y_path))] if y_path else 0
        return row_place, x_places[_key(value_at(row, x_path))]

    for row in rows:
        place = place_of(row)
        if row[metric] is not None:
            gathered.setdefault(place, []).append(float(row[metric]))
    values = np.full((len(y.labels) if y else 1, len(x.labels)), np.nan)
    for place, found in gathered.items():
        values[place] = np.median(found)
    left = [path for path in varied if path not in chosen]
    others = [path.removeprefix(_PARAMS) for path in left]
    instruments = {row["instruments"][0] for row in rows}
    others += ["instrument"] if len(instruments) > 1 else []
    notes = _notes(others, binned, varied)
    best = _best(values, metric)
    if drawn is None:
        return Surface(metric, x, y, values, len(rows), best, notes)
    star_note = _says_where(drawn, metric, left, len(instruments) > 1)
    return Surface(metric, x, y, values, len(rows), best, (*notes, star_note), place_of(drawn))


def limits(values: Float) -> tuple[float, float]:
    """Return the ends of the colours: symmetric around 0 where values lie on both sides of it."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return -1.0, 1.0
    low, high = float(known.min()), float(known.max())
    if low < 0.0 < high:
        return -max(-low, high), max(-low, high)
    return low, high if high > low else low + 1.0


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """Return what a result document says at a path of a space.

    >>> value_at({"params": {"fast": 3}, "exits": {"stop_loss": None}}, "strategy.params.fast")
    3
    """
    if path.startswith(_PARAMS):
        return row["params"].get(path.removeprefix(_PARAMS))
    found: Any = row
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _best(values: Float, metric: str) -> tuple[int, int] | None:
    if np.isnan(values).all():
        return None
    flat = np.nanargmin(values) if metric in LOWER_IS_BETTER else np.nanargmax(values)
    row, column = np.unravel_index(int(flat), values.shape)
    return int(row), int(column)


def _distinct(values: Iterable[Any]) -> list[Any]:
    distinct = {_key(value): value for value in values}
    if all(_is_number(value) for value in distinct.values() if value is not None):
        return sorted(distinct.values(), key=lambda value: (value is not None, value or 0.0))
    return list(distinct.values())


def _axis(path: str, values: Sequence[Any]) -> tuple[Axis, dict[Any, int]]:
    """Return an axis and the place of each value on it."""
    name = path.removeprefix(_PARAMS)
    numbers = [value for value in values if _is_number(value)]
    if len(values) <= MOST_VALUES or len(numbers) < len(values):
        labels = tuple(_label(value) for value in values)
        return Axis(name, labels), {_key(value): place for place, value in enumerate(values)}
    edges = np.linspace(min(numbers), max(numbers), RANGES + 1)
    places = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, RANGES - 1)
    labels = tuple(_label(float(middle)) for middle in (edges[:-1] + edges[1:]) / 2)
    return Axis(name, labels), {
        _key(value): int(place) for value, place in zip(numbers, places, strict=True)
    }


def _notes(
    others: Sequence[str],
    binned: Mapping[str, tuple[Axis, Mapping[Any, int]]],
    varied: Mapping[str, Sequence[Any]],
) -> tuple[str, ...]:
    notes: list[str] = []
    if others:
        notes.append(f"each place: the median over {' and '.join(others)}")
    if len(binned) > 1:
        notes.append("the best place is framed")
    for path, (axis, _) in binned.items():
        if len(axis.labels) < len(varied[path]):
            notes.append(
                f"{axis.name}: {len(varied[path]):,} values in {len(axis.labels)} equal ranges, "
                "labelled by their middle, the median of each"
            )
    return tuple(notes)


def _says_where(drawn: Mapping[str, Any], metric: str, left: Sequence[str], several: bool) -> str:
    """Return what the star is, and where the run lies on what has no axis."""
    value = drawn[metric]
    with_these = [f"{path.removeprefix(_PARAMS)} {_label(value_at(drawn, path))}" for path in left]
    with_these += [drawn["instruments"][0]] if several else []
    note = f"the star is the run drawn below, {metric} {'–' if value is None else f'{value:.2f}'}"
    return note + (f" with {', '.join(with_these)}" if with_these else "")


def _key(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _label(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.6g}" if _is_number(value) else str(value)
