"""Conditions on runs, and what a run has at a path of a space, as SQL.

The statements name ops.result `r`, ops.run `q` and ops.instrument `i`. Names are checked against
what is known, and paths and values travel as parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from mela.metrics import METRICS
from mela.run_terms import VARIABLE, default_of

OPERATORS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "="}
PARAMS = "strategy.params."


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that a run must fulfil.

    what: a metric, `status`, `instrument`, or a path that varies.

    value: None is what a path has that leads to nothing, as a stop loss that is not asked for
    """

    what: str
    operator: str
    value: float | str | bool | None


def where_sql(conditions: Sequence[Condition], values: dict[str, Any]) -> list[str]:
    """Return each condition as SQL; its value goes into `values`. Raises ValueError."""
    found: list[str] = []
    for place, one in enumerate(conditions):
        name = f"condition_{place}"
        if one.operator not in OPERATORS:
            raise ValueError(f"expected one of {', '.join(OPERATORS)}, but found {one.operator!r}")
        operator = OPERATORS[one.operator]
        values[name] = one.value
        if one.what in METRICS:
            found.append(f"r.{one.what} {operator} CAST(:{name} AS float8)")
        elif one.what == "status":
            found.append(f"r.status {operator} :{name}")
        elif one.what == "instrument":
            found.append(f"i.venue || ':' || i.symbol {operator} :{name}")
        else:
            value = value_sql(one.what, values, f"{name}_path")
            values[name] = orjson.dumps(one.value).decode()
            found.append(f"{value} {operator} CAST(:{name} AS jsonb)")
    return found


def needs_question(what: str) -> bool:
    """Tell whether a condition looks at what was asked, ops.run and ops.instrument."""
    return what not in METRICS and what != "status"


def value_sql(path: str, values: dict[str, Any], name: str) -> str:
    """Return what SQL finds at a path, as jsonb; the path itself becomes a parameter."""
    columns = {
        "strategy.name": "to_jsonb(q.strategy)",
        "instrument": "to_jsonb(i.venue || ':' || i.symbol)",
        "interval": "to_jsonb(q.interval)",
        "start": "to_jsonb(ops.instant_text(q.start_at))",
        "end": "to_jsonb(ops.instant_text(q.end_at))",
    }
    if path in columns:
        return columns[path]
    if path.startswith(PARAMS):
        values[name] = path.removeprefix(PARAMS).split(".")
        return f"coalesce(q.params #> CAST(:{name} AS text[]), 'null')"
    steps = path.split(".")
    if steps[0] not in VARIABLE:
        raise ValueError(f"expected a path that a space may vary, but found {path!r}")
    default = inside(term_default(steps[0]), steps[1:])
    values[name] = steps
    values[f"{name}_default"] = orjson.dumps(default).decode()
    return f"coalesce(q.settings #> CAST(:{name} AS text[]), CAST(:{name}_default AS jsonb))"


def inside(value: Any, steps: Sequence[str]) -> Any:
    """Return what lies at the end of some steps into a JSON value; None where they lead nowhere."""
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


term_default = lru_cache(maxsize=64)(default_of)
