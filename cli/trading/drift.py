"""`mela drift`: what a session did, beside the backtest of the same candles."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.console import err, explains, out
from cli.panels import TRADING
from mela.counts import counted
from mela.instants import instant_text
from mela.settings import Settings

if TYPE_CHECKING:
    from warehouse.trading.drift import StoredDrift, StoredLine

SHOWN = 40
BASES = {
    "decided": "the candles that it decided on",
    "stored": "the candles of the warehouse now",
}
BEYOND = 1  # the exit code where a session differs by more than the bound


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=TRADING)(drift)


@explains
def drift(
    session: Annotated[
        str, typer.Argument(metavar="SESSION", help="Its id, its first digits, or its name.")
    ],
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Until the end of this day (UTC), not until now."),
    ] = None,
    stored: Annotated[
        bool, typer.Option("--stored", help="Show the last comparison, and make none.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one array.")] = False,
) -> None:
    """Compare a session with backtests of its candles, trade by trade, and say why they differ.

    The scene is the session's own. It is run on the candles that the session decided on, where a
    session with plain fills on paper must equal it bit for bit, and on those that the warehouse has
    now. The comparison is stored; one a day is made anyway.

    Exits with 1 where a comparison goes beyond the bound, MELA_ALERTS__DRIFT_BOUND.
    """
    from services.trading.callers import at_this_machine
    from services.trading.sessions import meant
    from warehouse.database import transaction
    from warehouse.trading import drift as kept

    settings = Settings()
    session_id = meant(settings, at_this_machine(settings), session)
    if not stored:
        from live.drift import compare

        if not compare(settings, session_id, day.date() if day else None):
            err.print("this session has not seen a candle yet: there is nothing to compare.")
            return
    with transaction(settings) as connection:
        newest = [kept.newest(connection, session_id, basis) for basis in ("decided", "stored")]
        found = [(one, kept.lines_of(connection, one, 10_000)) for one in newest if one]
    if as_json:
        print(json.dumps([_document(*one) for one in found], indent=2))
    else:
        for one in found:
            _show(*one)
        if not found:
            err.print("no comparison is stored yet: leave out --stored.")
    if any(one.state == "beyond" and one.candles == "decided" for one, _ in found):
        raise typer.Exit(BEYOND)


def _show(one: StoredDrift, lines: list[StoredLine]) -> None:
    out.print(
        f"on {BASES[one.candles]}, {instant_text(one.start_at)} to {instant_text(one.end_at)}: "
        f"{one.state}{f', {one.why}' if one.why else ''}",
        markup=False,
    )
    if one.drift is None:
        return
    out.print(
        f"  {counted(one.trades, 'trade')}, {one.trades_backtest:,} in the backtest; "
        f"{one.missed:,} missed, {one.extra:,} extra, {one.differing:,} differ; "
        f"equity {one.equity:,.2f} and {one.equity_backtest:,.2f}, drift {one.drift:+.4%}",
        markup=False,
    )
    if not lines:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what", "instrument", "entry", "ours", "backtest", "cause"):
        table.add_column(name, no_wrap=name != "cause")
    for line in lines[:SHOWN]:
        table.add_row(
            f"{line.kind}: {line.what}",
            line.instrument,
            instant_text(line.entry_at)[:16],
            _number(line.ours),
            _number(line.backtest),
            f"{line.cause}: {line.why}" if line.why else line.cause,
        )
    out.print(table)
    if len(lines) > SHOWN:
        err.print(f"and {len(lines) - SHOWN:,} more: --json prints them all")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.10g}"


def _document(one: StoredDrift, lines: list[StoredLine]) -> dict[str, Any]:
    plain = {name: value for name, value in asdict(one).items() if name != "curve"}
    return {**_texts(plain), "lines": [_texts(asdict(line)) for line in lines]}


def _texts(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: instant_text(value)
        if isinstance(value, datetime)
        else value
        if isinstance(value, int | float | None)
        else str(value)
        for name, value in values.items()
    }
