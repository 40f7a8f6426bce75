"""Show sessions for `mela trade`: as tables, and as a screen that renews itself."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.console import explains, out
from mela.settings import Settings

if TYPE_CHECKING:
    from uuid import UUID

    from services.accounts.accounts import Caller
    from services.trading.answers import SessionRow

COLOURS = {
    "running": "green",
    "starting": "cyan",
    "paused": "yellow",
    "stopping": "yellow",
    "stopped": "dim",
    "failed": "bold red",
    "active": "green",
    "reducing": "yellow",
    "halted": "bold red",
}
SHOWN = 10  # rows of each table of a session


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("top")(top)


@explains
def top(
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
    every_s: Annotated[
        float, typer.Option("--every", min=0.2, help="Seconds between two frames.")
    ] = 1.0,
) -> None:
    """Watch all sessions: state, risk, equity, positions, orders. Ctrl-C ends it."""
    from rich.live import Live

    from cli.trading.trade_callers import caller_of

    settings = Settings()
    caller = caller_of(settings)
    if once:
        out.print(_frame(settings, caller))
        return
    with Live(_frame(settings, caller), console=out, screen=True, auto_refresh=False) as screen:
        try:
            while True:
                time.sleep(every_s)
                screen.update(_frame(settings, caller), refresh=True)
        except KeyboardInterrupt:
            pass


def sessions_table(found: Iterable[SessionRow]) -> Table:
    """Return sessions as a table."""
    columns = (">equity", ">today", ">held", ">orders", ">trades", "last candle", "owner")
    table = _table("session", "strategy", "broker", "state", "risk", *columns)
    for one in found:
        table.add_row(
            Text(one.name),
            one.strategy,
            f"{one.broker}{' [bold red]MONEY[/]' if one.money == 'live' else ''}",
            _coloured(one.state),
            _coloured(one.risk_state),
            _money(one.equity),
            _money(one.day_profit, signed=True),
            str(one.positions),
            str(one.open_orders),
            str(one.trades),
            _at(one.last_candle_at),
            one.owner or "–",
        )
    return table


def details(settings: Settings, caller: Caller, session_id: UUID) -> RenderableType:
    """Return all that matters of one session now."""
    from services.trading import rows, sessions

    one = sessions.get_session(settings, caller, session_id)
    row = one.row
    parts: list[RenderableType] = [
        sessions_table([row]),
        Text(f"{', '.join(row.instruments)} {row.interval} · {row.session_id}", style="dim"),
    ]
    parts += [
        Text(f"{what}: {why}")
        for what, why in ((row.state, row.why), (row.risk_state, row.risk_why))
        if why
    ]
    held = _table("holds", ">units", ">bought at", ">price", ">profit")
    for each in rows.positions(settings, caller, session_id).items:
        held.add_row(
            each.instrument,
            f"{each.units:g}",
            _money(each.average_price),
            _money(each.price),
            _money(each.profit, signed=True),
        )
    orders = _table("order", "instrument", "side", ">units", ">filled", "state", "why")
    for each in rows.orders(settings, caller, session_id, limit=SHOWN).items:
        numbers = (f"{each.units:g}", f"{each.filled_units:g}")
        words = (each.client_order_id, each.instrument, each.side)
        orders.add_row(*words, *numbers, each.state, Text(each.why or ""))
    trades = _table("traded", "instrument", ">units", ">in", ">out", ">profit", "reason")
    for each in rows.trades(settings, caller, session_id, limit=SHOWN).items:
        trades.add_row(
            _at(each.exited_at),
            each.instrument,
            f"{each.units if each.direction == 'long' else -each.units:g}",
            _money(each.entry_price),
            _money(each.exit_price),
            _money(each.profit, signed=True),
            each.reason,
        )
    parts += [
        part for table in (held, orders, trades) if table.row_count for part in (Text(), table)
    ]
    return Group(*parts)


def _frame(settings: Settings, caller: Caller) -> RenderableType:
    from services.trading import sessions

    found = sessions.list_sessions(settings, caller, limit=50).items
    beats = [one.beat_at for one in found if one.beat_at]
    if beats:
        age_s = (datetime.now(UTC) - max(beats)).total_seconds()
        head = f"the process that trades said so {age_s:.0f} s ago"
    else:
        head = "the process that trades has not begun; `mela status` tells why"
    return Group(Text(head, style="dim"), sessions_table(found))


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        is_number = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if is_number else "left")
    return table


def _coloured(word: str) -> str:
    return f"[{COLOURS.get(word, 'default')}]{word}[/]"


def _money(amount: float | None, *, signed: bool = False) -> str:
    if amount is None:
        return "–"
    return f"{amount:+,.2f}" if signed else f"{amount:,.2f}"


def _at(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else "–"
