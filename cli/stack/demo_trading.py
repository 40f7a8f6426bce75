"""The step of `mela demo` that trades: half a minute at 600 times the speed, and its drift."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from rich.live import Live
from rich.table import Table

from cli.console import err, out
from mela.errors import MelaError
from mela.instants import from_ms, instant_text
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.trading import commands, drift, rows, sessions
from services.trading.answers import SessionRow, TradeRow
from services.trading.callers import at_this_machine

SESSION: dict[str, Any] = {
    "name": "demo on paper",
    "instruments": ["binance:BTCUSDT", "binance:ETHUSDT"],
    "interval": "1m",
    "strategy": {"name": "sma_cross", "params": {"fast": 5, "slow": 20}},
    "exits": {"stop_loss": 0.01},
    "risk": {"max_position_share": 1.0, "max_daily_loss": 0.05},
}
HOURS, SPEED = 5, 600
BEGIN_S, END_S, LOOK_S = 60.0, 30.0, 0.5
SHOWN = 5
Hold = Callable[[Any, str], None]


def show_trading(settings: Settings, hold: Hold) -> None:
    """Start a session on paper, watch it trade, stop it, and compare it with a backtest.

    hold: is told each claim, and whether it held
    """
    if settings.replay_url is None:
        out.print("The market data are the real services: a session would trade in real time.")
        out.print("Begin one on paper: [bold]mela trade start docs/sessions/first.yaml[/]")
        return
    caller = at_this_machine(settings)
    stands_ms = _play(settings)
    try:
        session_id = sessions.start(settings, caller, SESSION, confirm=None).session_id
        row = _watch(settings, caller, session_id, stands_ms)
        commands.ask(settings, caller, session_id, "stop")
        _until(settings, caller, session_id, "stopped", END_S)
    finally:
        _stand(settings, stands_ms)
    trades = rows.trades(settings, caller, session_id, limit=SHOWN).items
    out.print(_table(trades))
    out.print(
        f"{row.trades} round trips, equity {row.equity or 0.0:,.2f} {row.quote} after "
        f"{row.cash:,.0f}"
    )
    hold(row.trades > 0, "the session traded by itself")
    _compare(settings, caller, session_id, hold)


def _compare(settings: Settings, caller: Caller, session_id: UUID, hold: Hold) -> None:
    from live.drift import compare  # it compiles the engine, which the rest here need not

    compare(settings, session_id)
    report = drift.read_drift(settings, caller, session_id)
    hold(report is not None and report.state == "ok", "a backtest of its candles was made")
    if report is None:
        return
    differing = report.missed + report.extra + report.differing
    same = report.trades_ours == report.trades_backtest and report.profit_difference == 0.0
    hold(differing == 0 and same, "drift is zero: each trade and the equity are the backtest's")


def _play(settings: Settings) -> int:
    """Let the replay play its last hours again; return the instant at which it stood."""
    stands_ms = int(httpx.get(_address(settings, "clock"), timeout=10.0).json()["now_ms"])
    stands = from_ms(stands_ms)
    begins = stands - timedelta(hours=HOURS)
    _order(settings, "play", {"from": instant_text(begins), "speed": SPEED})
    out.print(f"The market plays from {begins:%Y-%m-%d %H:%M} UTC at {SPEED} times its speed.")
    return stands_ms


def _stand(settings: Settings, at_ms: int) -> None:
    """Let the replay stand where it stood before."""
    _order(settings, "play", {"from": instant_text(from_ms(at_ms)), "speed": 0.01})
    _order(settings, "pause", {})


def _order(settings: Settings, word: str, document: dict[str, Any]) -> None:
    httpx.post(_address(settings, word), json=document, timeout=10.0).raise_for_status()


def _address(settings: Settings, word: str) -> str:
    return f"{(settings.replay_url or '').rstrip('/')}/replay/{word}"


def _watch(settings: Settings, caller: Caller, session_id: UUID, until_ms: int) -> SessionRow:
    """Show the session until the market is where it stood; return how it is then."""
    begun = time.monotonic()
    with Live(console=err, refresh_per_second=4, transient=True) as live:
        while True:
            row = sessions.get_session(settings, caller, session_id).row
            live.update(_state(row))
            if row.state == "failed":
                raise MelaError(f"the session failed: {row.why}")
            last = row.last_candle_at
            if last is not None and last.timestamp() * 1000 >= until_ms - 60_000:
                return row
            if last is None and time.monotonic() - begun > BEGIN_S:
                raise MelaError(
                    f"the session decided on no candle within {BEGIN_S:.0f} s; `mela status` says "
                    "how the process is that trades, `mela logs live` what it did."
                )
            if time.monotonic() - begun > BEGIN_S + 2 * HOURS * 3600 / SPEED:
                raise MelaError(f"the session stood still at {last}; `mela logs live` says why.")
            time.sleep(LOOK_S)


def _until(
    settings: Settings, caller: Caller, session_id: UUID, state: str, patience_s: float
) -> None:
    until = time.monotonic() + patience_s
    while sessions.get_session(settings, caller, session_id).row.state != state:
        if time.monotonic() > until:
            raise MelaError(f"the session was not {state} within {patience_s:.0f} s.")
        time.sleep(LOOK_S)


def _state(row: SessionRow) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in (
        "session",
        "state",
        "risk",
        "last candle (UTC)",
        "equity",
        "positions",
        "trades",
    ):
        table.add_column(column)
    at = f"{row.last_candle_at:%H:%M}" if row.last_candle_at else "–"
    equity = f"{row.equity:,.2f}" if row.equity is not None else "–"
    numbers = (equity, str(row.positions), str(row.trades))
    table.add_row(row.name, row.state, row.risk_state, at, *numbers)
    return table


def _table(trades: tuple[TradeRow, ...]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, title=f"its last {len(trades)}")
    for column in ("instrument", "entry (UTC)", "exit (UTC)", "units", "entry", "exit", "profit"):
        table.add_column(column)
    for one in trades:
        table.add_row(
            one.instrument,
            f"{one.entered_at:%H:%M}",
            f"{one.exited_at:%H:%M}",
            f"{one.units:.6g}",
            f"{one.entry_price:,.2f}",
            f"{one.exit_price:,.2f}",
            f"{one.profit:+,.2f}",
        )
    return table
