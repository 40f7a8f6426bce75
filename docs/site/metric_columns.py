"""Write what dbt knows of the metrics: the columns of fct_run and their list as a macro.

dbt reads SQL, Jinja and YAML, and not Python: its part is written from the registry,
`mela.metrics`, by docs/site/reference.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from mela.metrics import DEFINITIONS, TYPES

DBT = Path(__file__).resolve().parents[2] / "dbt"
MACRO, CONTRACT = "macros/metric_columns.sql", "models/marts/fct_run.yml"
FIRST = "      # The metrics: written by docs/site/reference.py, from mela/metrics.py\n"
LAST = "      # The end of what is written\n"


def files() -> dict[str, str]:
    """Return the name below dbt/ and the text of every file that lists metrics."""
    contract = (DBT / CONTRACT).read_text(encoding="utf-8")
    before, found, rest = contract.partition(FIRST)
    _, ends, after = rest.partition(LAST)
    if not (found and ends):
        raise ValueError(f"expected the lines {FIRST!r} and {LAST!r} in dbt/{CONTRACT}")
    columns = "".join(f"{line}\n" for line in _columns())
    return {
        MACRO: "".join(f"{line}\n" for line in _macro()),
        CONTRACT: f"{before}{FIRST}{columns}{LAST}{after}",
    }


def _macro() -> Iterator[str]:
    yield "{# The metrics of a result, as columns of a relation, in the order of the registry."
    yield "   Written by docs/site/reference.py, from mela/metrics.py. #}"
    yield "{% macro metric_columns(relation) -%}"
    yield "    {%- set names = ["
    for name, _ in TYPES:
        yield f"        '{name}',"
    yield "    ] -%}"
    yield "    {%- for name in names %}"
    yield "    {{ relation }}.{{ name }}{{ ',' if not loop.last }}"
    yield "    {%- endfor %}"
    yield "{%- endmacro %}"


def _columns() -> Iterator[str]:
    for name, kind in TYPES:
        yield f"      - name: {name}"
        yield f"        description: {json.dumps(DEFINITIONS[name].meaning, ensure_ascii=False)}"
        yield f"        data_type: {'integer' if kind is int else 'double precision'}"
