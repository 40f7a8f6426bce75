"""Trades as a table for people, as CSV for spreadsheets, as JSON."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import StringIO
from typing import TYPE_CHECKING, Any

from rich.table import Table

from mela.instants import instant_text

if TYPE_CHECKING:
    from mela.curve import Trade

SHOWN = ("entry_at", "exit_at", "size", "entry_price", "exit_price", "profit", "exit_reason")


def trade_documents(trades: Iterable[Trade], instrument: str) -> list[dict[str, Any]]:
    """Return trades as JSON values, the instrument in front.

    instrument: of trades that name none, as their run has only one
    """
    return [
        {
            "instrument": trade.instrument or instrument,
            **{
                name: _plain(value)
                for name, value in zip(trade._fields, trade, strict=True)
                if name != "instrument"
            },
        }
        for trade in trades
    ]


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


def _plain(value: Any) -> Any:
    """Return a field as JSON has it; what early engines did not know is stored as NaN."""
    if isinstance(value, datetime):
        return instant_text(value)
    return None if isinstance(value, float) and math.isnan(value) else value
