"""`mela headlines`: news about some symbols."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.console import err, explains, out
from cli.instants import span
from cli.panels import CANDLES
from mela.settings import Settings

if TYPE_CHECKING:
    from sources.headlines import Headline


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=CANDLES)(headlines)


@explains
def headlines(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL…", help="AAPL, BTC/USD")],
    start: Annotated[str, typer.Option("--from", help="First change, UTC: 2022-01-01")],
    end: Annotated[str, typer.Option("--to", help="End, not included, UTC: 2022-02-01")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one array of headlines.")] = False,
) -> None:
    """Print Alpaca's headlines about some symbols, in the order of their last change.

    Needs MELA_ALPACA__KEY and MELA_ALPACA__SECRET, or a `mela replay`. Example:
    mela headlines AAPL BTC/USD --from 2022-01-01 --to 2022-02-01
    """
    from services.candles.headlines import find_headlines

    found = find_headlines(symbols, *span(start, end), Settings())
    if as_json:
        out.print(
            json.dumps([asdict(each) for each in found], indent=2, default=_text), markup=False
        )
        return
    if found:
        out.print(_table(found))
    else:
        err.print(f"no headlines about {', '.join(symbols)} in that span.", style="yellow")


def _table(found: list[Headline]) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("updated (UTC)", "symbols", "headline", "source"):
        table.add_column(name, no_wrap=name == "updated (UTC)")
    for each in found:
        at = f"{each.updated_at:%Y-%m-%d %H:%M}"
        table.add_row(at, " ".join(each.symbols), escape(each.headline), escape(each.source))
    return table


def _text(value: datetime) -> str:
    return value.isoformat()
