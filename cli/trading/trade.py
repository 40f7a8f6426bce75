"""`mela trade`: start sessions of paper or live trading, watch them, and stop them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.console import err, explains, out
from cli.panels import TRADING
from cli.scene_file import read_document
from cli.trading import trade_kill, trade_screen
from cli.trading.trade_callers import Why, answered, caller_of, note
from mela.settings import Settings

if TYPE_CHECKING:
    from services.trading.answers import SessionRow

trade = typer.Typer(help="Trade on paper, or live, candle by candle.", no_args_is_help=True)
SessionFile = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, metavar="SESSION.yaml", help="YAML or JSON."),
]
SessionName = Annotated[
    str, typer.Argument(metavar="SESSION", help="its name, its id, or the id's first digits")
]
User = Annotated[
    str | None, typer.Option(help="Owner of the session. Default: MELA_USER, else yours.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file, and of those beside it."""
    trade_screen.register(trade)
    trade_kill.register(trade)
    app.add_typer(trade, name="trade", rich_help_panel=TRADING)


@trade.command("start")
@explains
def start(
    file: SessionFile,
    confirm: Annotated[
        str | None, typer.Option(help="The session's name again, if it trades money.")
    ] = None,
    user: User = None,
    private: Annotated[bool, typer.Option("--private", help="Show it to nobody else.")] = False,
) -> None:
    """Start a session; the stack's process trades it from its next candle on.

    It is on paper unless the settings, the file and --confirm all say money.
    Example: mela trade start docs/sessions/first.yaml
    """
    from services.trading import sessions

    settings = Settings()
    caller = caller_of(settings, user)
    started = sessions.start(
        settings, caller, read_document(file), confirm=confirm, is_private=private
    )
    note(settings, caller, "start_session", started.session_id, {"money": started.money})
    err.print(
        f"{started.name} starts with its next candle; `mela trade show {started.name}` tells how "
        "it goes",
        markup=False,
    )
    out.print(str(started.session_id), markup=False, highlight=False)


@trade.command("list")
@explains
def list_all(
    state: Annotated[str | None, typer.Option(help="Only sessions in this state.")] = None,
    last: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, a line each.")] = False,
) -> None:
    """List the newest sessions: state, equity, positions, trades."""
    from services.trading import sessions

    settings = Settings()
    found = sessions.list_sessions(settings, caller_of(settings), state=state, limit=last).items
    if as_json:
        for one in found:
            out.print(_json(one), markup=False, highlight=False, soft_wrap=True)
        return
    out.print(trade_screen.sessions_table(found))
    if not found:
        err.print("no session was started yet; `mela trade start docs/sessions/first.yaml` does")


@trade.command("show")
@explains
def show(
    session: SessionName,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show a session: how it is, what it holds, its orders and its newest trades."""
    from services.trading import sessions

    settings = Settings()
    caller = caller_of(settings)
    session_id = sessions.meant(settings, caller, session)
    if as_json:
        found = sessions.get_session(settings, caller, session_id)
        out.print(_json(found), markup=False, highlight=False, soft_wrap=True)
        return
    out.print(trade_screen.details(settings, caller, session_id))


@trade.command("pause")
@explains
def pause(session: SessionName, why: Why = None) -> None:
    """Let a session enter nothing more; what it holds is kept, and left as its rules say."""
    _ask(session, "pause", why)


@trade.command("resume")
@explains
def resume(session: SessionName, why: Why = None) -> None:
    """Let a paused session enter again."""
    _ask(session, "resume", why)


@trade.command("stop")
@explains
def stop(session: SessionName, why: Why = None) -> None:
    """End a session for good.

    The session keeps its positions. `mela trade kill SESSION --flatten` closes them instead.
    """
    _ask(session, "stop", why)


@trade.command("log")
@explains
def log(
    session: SessionName,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many events.")] = 50,
    kind: Annotated[str | None, typer.Option(help="Only this kind, as CandleClosed.")] = None,
) -> None:
    """Print the newest events of a session's log, the newest last, a line of JSON each."""
    from services.trading import rows, sessions

    settings = Settings()
    caller = caller_of(settings)
    session_id = sessions.meant(settings, caller, session)
    found = rows.log(settings, caller, session_id, kind=kind, limit=last).items
    for one in reversed(found):
        out.print(_json(one), markup=False, highlight=False, soft_wrap=True)


def _ask(session: str, kind: str, why: str | None) -> None:
    from services.trading import commands, sessions

    settings = Settings()
    caller = caller_of(settings)
    session_id = sessions.meant(settings, caller, session)
    asked = commands.ask(settings, caller, session_id, kind, why=why)
    note(settings, caller, f"{kind}_session", session_id, {"why": why})
    answered(settings, caller, session_id, asked)


def _json(one: SessionRow | Any) -> str:
    return orjson.dumps(one).decode()
