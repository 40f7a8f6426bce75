"""The values that a space stands for: spelled out for a grid, drawn for a random search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random

from mela.canonical import canonical_json
from mela.search import Drawn, Range, Scalar, Steps

DIGITS = 6  # of a drawn number: more mean nothing, and differ from one machine's log to another's


def step_count(axis: Steps) -> int:
    """Return how many values steps stand for.

    >>> step_count(Steps.model_validate({"from": 0.1, "to": 0.3, "step": 0.1}))
    3
    """
    first, last, step = (Decimal(repr(value)) for value in (axis.start, axis.stop, axis.step))
    return int((last - first) / step) + 1


def values_of(axis: Steps | Sequence[Scalar]) -> list[Scalar]:
    """Return the values of an axis, each once, in its order."""
    if isinstance(axis, Steps):
        return [step_at(axis, number) for number in range(step_count(axis))]
    return list({canonical_json(value): value for value in axis}.values())


def ends_of(axis: Drawn) -> list[Scalar]:
    """Return the values that tell whether all of an axis lie within a field's bounds."""
    if isinstance(axis, Range):
        return [axis.low, axis.high]
    if isinstance(axis, Steps):
        return [axis.start, step_at(axis, step_count(axis) - 1)]
    return values_of(axis)


def step_at(axis: Steps, number: int) -> float:
    """Return the value so many steps after the first, in decimals: 0.1 + 2 × 0.1 is 0.3."""
    return float(Decimal(repr(axis.start)) + number * Decimal(repr(axis.step)))


def draws(space: Mapping[str, Drawn], trials: int, seed: int) -> list[dict[str, Scalar]]:
    """Return parameter sets drawn from a space: path → value, the same for the same arguments.

    Paths are drawn in their alphabetical order, whatever the order of the space.
    """
    rng = Random(seed)  # noqa: S311  its `random()` is the same in every release of Python
    axes = sorted(space.items())
    return [{path: _drawn(axis, rng.random()) for path, axis in axes} for _ in range(trials)]


def _drawn(axis: Drawn, share: float) -> Scalar:
    """Return the value at a share in [0, 1) of an axis."""
    if isinstance(axis, Range):
        return _in_range(axis, share)
    if isinstance(axis, Steps):
        return step_at(axis, int(share * step_count(axis)))
    return axis[int(share * len(axis))]


def _in_range(axis: Range, share: float) -> float:
    low, high = axis.low, axis.high + (1.0 if axis.integer else 0.0)
    value = low * (high / low) ** share if axis.log else low + (high - low) * share
    return short(axis, math.floor(value) if axis.integer else value)


def short(axis: Range, value: float) -> float:
    """Return a number drawn from a range with six digits, or as it is where it is a whole one."""
    rounded = value if axis.integer else float(f"{value:.{DIGITS}g}")
    return float(min(max(rounded, axis.low), axis.high))
