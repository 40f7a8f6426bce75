"""The table of measured speeds, printed and stored in `benchmarks/results/latest.json`."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

LATEST = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One speed. `value` is the median of the runs; `met` is true if there is no minimum."""

    name: str
    value: float
    unit: str
    better: Literal["higher", "lower"]
    minimum: float | None
    aim: float | None
    met: bool
    lowest: float
    highest: float
    runs: int
    note: str = ""

    @property
    def part(self) -> str:
        """Return the part of the benchmarks that measures this row: the name up to the dot."""
        return self.name.partition(".")[0]


def row(
    name: str,
    values: Sequence[float],
    unit: str,
    better: Literal["higher", "lower"],
    *,
    minimum: float | None = None,
    aim: float | None = None,
    note: str = "",
) -> Row:
    """Return the row of some measured values; their median is compared with the minimum."""
    value = statistics.median(values)
    reached = minimum is None or (value >= minimum if better == "higher" else value <= minimum)
    ends = min(values), max(values)
    return Row(name, value, unit, better, minimum, aim, reached, *ends, len(values), note)


def keep(rows: Sequence[Row], replaced_parts: Sequence[str]) -> list[dict[str, object]]:
    """Store the rows of the measured parts and keep the others; return all rows."""
    before = json.loads(LATEST.read_text(encoding="utf-8")) if LATEST.exists() else []
    others = [old for old in before if str(old["name"]).partition(".")[0] not in replaced_parts]
    every = others + [asdict(one) for one in rows]
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps(every, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return every


def show(rows: Sequence[dict[str, object]], console: Console) -> None:
    """Print the table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "value", "spread", "unit", "minimum", "aim", "met"):
        right = column not in {"name", "unit", "met"}
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for one in rows:
        table.add_row(
            str(one["name"]),
            _number(one["value"]),
            f"{_number(one['lowest'])} – {_number(one['highest'])}",
            str(one["unit"]),
            _number(one["minimum"]),
            _number(one["aim"]),
            "[green]yes[/]" if one["met"] else "[red]no[/]",
        )
    console.print(table)
    for one in rows:
        if one["note"]:
            console.print(f"  {one['name']}: {one['note']}", highlight=False)


def _number(value: object) -> str:
    if not isinstance(value, int | float):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
