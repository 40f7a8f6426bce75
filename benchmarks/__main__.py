"""`python -m benchmarks [--only PART …]`: measure, print the table and store it."""

from __future__ import annotations

import argparse
import logging
import sys

import structlog
from rich.console import Console

from benchmarks import (
    cluster,
    engine,
    forecasts,
    ingestion,
    live,
    million,
    path,
    quality,
    scaling,
    star,
    validation,
    warehouse,
    web,
)
from benchmarks.rows import Row, keep, show


def _warehouse(console: Console) -> list[Row]:
    parts = (warehouse, ingestion, quality, star)
    return [row for part in parts for row in part.measure(console)]


PARTS = {
    "cluster": cluster.measure,
    "engine": engine.measure,
    "forecasts": forecasts.measure,
    "live": live.measure,
    "million": million.measure,
    "path": path.measure,
    "scaling": scaling.measure,
    "validation": validation.measure,
    "warehouse": _warehouse,
    "web": web.measure,
}


def main() -> int:
    """Measure the requested parts; return 1 if a minimum is not met."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=sorted(PARTS), help="parts to measure")
    chosen = parser.parse_args().only or sorted(PARTS)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console(highlight=False, soft_wrap=True, width=140)
    rows: list[Row] = []
    for part in chosen:
        rows += PARTS[part](console)
    show(keep(rows, chosen), console)
    return 0 if all(one.met for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
