"""Trades as a table for people, as CSV for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from rich.table import Table

SHOWN = ("entry_at", "exit_at", "size", "entry_price", "exit_price", "profit", "exit_reason")


def trades_csv(rows: Sequence[Mapping[str, Any]], *first: str) -> str:
    """Return trades as CSV with a header, each number with all its digits.

    first: further columns, in front of the trades' own
    """
    from mela.curve import Trade  # loads NumPy

    text = StringIO()
    columns = [*first, "instrument", *(name for name in Trade._fields if name != "instrument")]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def trades_table(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Return trades as a table, the oldest first."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    is_account = len({row["instrument"] for row in rows}) > 1
    shown = (*(("instrument",) if is_account else ()), *SHOWN)
    for name in shown:
        is_number = name in {"size", "entry_price", "exit_price", "profit"}
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in shown))
    return table


def _cell(value: Any) -> str:
    return f"{value:,.8g}" if isinstance(value, float) else str(value)
