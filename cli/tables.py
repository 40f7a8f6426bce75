"""Results as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

SHOWN = 10
PERCENT = frozenset(
    {
        *("total_return", "buy_hold_return", "cagr", "volatility_ann", "alpha", "exposure_time"),
        *("max_drawdown", "avg_drawdown", "var_95", "cvar_95", "win_rate", "kelly", "psr"),
        *("avg_trade", "best_trade", "worst_trade"),
    }
)
COLUMNS = {
    "total_return": "return",
    "sharpe": "Sharpe",
    "max_drawdown": "drawdown",
    "trades": "trades",
}
MORE = {
    "buy_hold_return": "buy & hold",
    "sortino": "Sortino",
    "win_rate": "win rate",
    "final_equity": "final equity",
}


def results_table(
    rows: Sequence[Mapping[str, Any]], *, width: int, title: str | None = None, best: str = ""
) -> Table:
    """Return a table of results in the order given; what differs between them has columns.

    width: of the screen, in characters; what matters least is left out until the rest has room
    best: the metric that the rows are ordered by
    """
    from mela.result import METRICS  # loads NumPy

    metrics = COLUMNS | MORE
    if best in METRICS and best not in metrics:
        metrics = {best: best, **metrics}
    table = _results_table(rows, metrics, title, best)
    for metric in reversed([*COLUMNS, *MORE]):
        if width_of(table) <= width:
            break
        if metric != best:
            del metrics[metric]
            table = _results_table(rows, metrics, title, best)
    return table


def width_of(table: Table) -> int:
    """Return how many characters a table needs if no word of it is broken."""
    console = Console(width=10_000)
    return Measurement.get(console, console.options, table).minimum


def _results_table(
    rows: Sequence[Mapping[str, Any]], metrics: Mapping[str, str], title: str | None, best: str
) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    varied = varied_fields(rows)
    has_status = any(row["status"] != "succeeded" for row in rows)
    for name in ["instrument", *varied]:
        label = name.rpartition(".")[2]
        # a column without a least width disappears where the screen is too narrow for all
        table.add_column(label, no_wrap=name == "instrument", min_width=len(label))
    for metric, label in metrics.items():
        marked = f"{label} ▾" if metric == best else label
        table.add_column(marked, justify="right", no_wrap=True)
    table.add_column("answer", no_wrap=True)
    if has_status:
        table.add_column("status")
    for row in rows:
        flat = _flat(row)
        table.add_row(
            " + ".join(row["instruments"]),
            *(_value(flat.get(name)) for name in varied),
            *(metric_text(metric, row[metric]) for metric in metrics),
            "stored" if row["cached"] else "computed",
            *([_status(row)] if has_status else []),
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
    parts = ("params", "exits", "entry", "sizing", "costs")
    flat = {f"{part}.{name}": value for part in parts for name, value in row[part].items()}
    return flat | {name: row[name] for name in ("interval", "start", "end", "cash", "prices")}


def _status(row: Mapping[str, Any]) -> str:
    if row["error"]:
        return f"[red]{row['status']}[/]: {row['error']['sentence']}"
    return row["status"] if row["status"] == "succeeded" else f"[yellow]{row['status']}[/]"


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def metric_text(name: str, value: float | None) -> str:
    """Return the value of a metric in its unit, as people read it."""
    if value is None:
        return "–"
    if name in PERCENT:
        return f"{value:.1%}"
    is_whole = isinstance(value, int) or name == "final_equity"
    return f"{value:,.0f}" if is_whole else f"{value:,.2f}"
