"""Metrics and conditions as they are written in addresses: `trades:ge:30`."""

from __future__ import annotations

import math

from mela.errors import InputInvalid
from mela.metrics import METRICS
from mela.name_suggestions import did_you_mean
from warehouse.results.run_paths import OPERATORS, Condition


def metric_of(name: str) -> str:
    """Return the name of a metric. Raises InputInvalid for what is none."""
    if name not in METRICS:
        raise InputInvalid(
            "metric", f"{name!r} is no metric{did_you_mean(name, METRICS) or '.'}".rstrip()
        )
    return name


def condition_of(words: str) -> Condition:
    """Return the condition that is written so. Raises InputInvalid."""
    what, _, rest = words.partition(":")
    operator, colon, value = rest.partition(":")
    if not what or operator not in OPERATORS or not colon:
        raise InputInvalid(
            "where",
            f"expected `metric:op:value`, op one of {', '.join(OPERATORS)}, as `trades:ge:30`, "
            f"but found {words!r}.",
        )
    if what in METRICS:
        return Condition(what, operator, _number(what, value))
    if what in ("status", "instrument", "strategy.name", "interval"):
        return Condition(what, operator, value)
    return Condition(what, operator, _plain(value))


def _number(what: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise InputInvalid(
            "where", f"expected a number for {what}, but found {value!r}."
        ) from error
    if not math.isfinite(number):
        raise InputInvalid("where", f"expected a finite number for {what}, but found {value!r}.")
    return number


def _plain(value: str) -> float | str | bool | None:
    if value == "null":
        return None
    if value in ("true", "false"):
        return value == "true"
    try:
        number = float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) else value
