"""Results as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

SHOWN = 10
PERCENT = frozenset({"total_return", "max_drawdown", "win_rate", "exposure_time"})
COLUMNS = {
    "total_return": "return",
    "buy_hold_return": "buy & hold",
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "max_drawdown": "max drawdown",
    "trades": "trades",
    "win_rate": "win rate",
    "final_equity": "final equity",
}


def results_table(
    rows: Sequence[Mapping[str, Any]], *, title: str | None = None, best: str | None = None
) -> Table:
    """Return a table of results in the order given; what differs between them has columns."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    varied = varied_fields(rows)
    for name in ["instrument", *varied, "status"]:
        table.add_column(name.removeprefix("params."))
    for metric, label in COLUMNS.items():
        table.add_column(f"{label} ▾" if metric == best else label, justify="right")
    table.add_column("answered")
    for row in rows:
        flat = _flat(row)
        table.add_row(
            row["instruments"][0],
            *(_value(flat.get(name)) for name in varied),
            _status(row),
            *(_metric(metric, row[metric]) for metric in COLUMNS),
            "from store" if row["cached"] else "computed",
        )
    return table


def varied_fields(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what tells the rows apart: all parameters, and other fields where they differ."""
    flats = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for flat in flats for name in flat))
    return [
        name
        for name in names
        if name.startswith("params.") or len({repr(flat.get(name)) for flat in flats}) > 1
    ]


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    parts = ("params", "exits", "sizing", "costs")
    flat = {f"{part}.{name}": value for part in parts for name, value in row[part].items()}
    return flat | {name: row[name] for name in ("interval", "start", "end", "cash", "prices")}


def _status(row: Mapping[str, Any]) -> str:
    if row["error"]:
        return f"[red]{row['status']}[/]: {row['error']['sentence']}"
    return row["status"] if row["status"] == "succeeded" else f"[yellow]{row['status']}[/]"


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _metric(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name in PERCENT or name.endswith("_return"):
        return f"{value:.1%}"
    return f"{value:,.0f}" if name in {"trades", "final_equity"} else f"{value:.2f}"
