"""`mela trade kill` and `release`: the kill switch, which needs nothing of the process that trades.

It is set in the warehouse first, so that nobody gives an order any more who asks there. Then this
command cancels and flattens at the broker itself, whether or not that process answers.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import err, explains, fail, out
from cli.trading.trade_callers import Why, answered, caller_of, note
from mela.settings import Settings

if TYPE_CHECKING:
    from uuid import UUID

    from live.journal import Journal
    from live.kill import Killed

OTHERS_S = 10.0
HALT_S = 5.0
Every = Annotated[bool, typer.Option("--all", help="All sessions, also those to come.")]
Flatten = Annotated[
    bool, typer.Option("--flatten/--keep", help="Close what is held, or keep it (default).")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask back.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("kill")(kill)
    app.command("release")(release)


@explains
def kill(
    session: Annotated[str | None, typer.Argument(metavar="[SESSION]")] = None,
    every: Every = False,
    flatten: Flatten = False,
    why: Why = None,
    yes: Yes = False,
) -> None:
    """Cancel all orders of a session, see that they are cancelled, and let it order nothing more.

    It works while the process that trades hangs, and holds until `mela trade release`. It also
    clears a session that has failed or stopped and left something at its broker.
    Example: mela trade kill first --flatten
    """
    from services.trading import commands, sessions

    settings = Settings()
    caller = caller_of(settings)
    session_id = _meant(settings, session, every)
    if not yes and not typer.confirm(f"kill {session or 'all sessions'}?"):
        raise fail("nothing was done")
    if session_id is None:
        commands.set_all(settings, caller, flatten=flatten, why=why)
    else:
        name = sessions.get_session(settings, caller, session_id).row.name
        commands.kill(settings, caller, session_id, confirm=name, flatten=flatten, why=why)
    note(settings, caller, "kill", session_id or "all", {"flatten": flatten, "why": why})
    err.print("the kill switch is set: no order leaves any more", markup=False)
    is_done = carry_out(settings, session_id)
    await_halts(settings, session_id)
    if not is_done:
        raise fail(
            "not all is done: the switch is set, and no order leaves; run the command again, and "
            "look at the broker's own page"
        )


@explains
def release(
    session: Annotated[str | None, typer.Argument(metavar="[SESSION]")] = None,
    every: Every = False,
    why: Why = None,
) -> None:
    """Let a session order again after the kill switch. After --all, release each session too."""
    from services.trading import commands

    settings = Settings()
    caller = caller_of(settings)
    session_id = _meant(settings, session, every)
    note(settings, caller, "release", session_id or "all", {"why": why})
    if session_id is None:
        was_set = commands.release_all(settings, caller)
        err.print(
            "the kill switch of all sessions is released; each session stays halted until it is "
            "released itself"
            if was_set
            else "it was not set",
            markup=False,
        )
        return
    asked = commands.ask(settings, caller, session_id, "release", why=why)
    answered(settings, caller, session_id, asked)


def _meant(settings: Settings, session: str | None, every: bool) -> UUID | None:
    from services.trading import sessions

    if (session is None) != every:
        raise fail("name a session, or say --all", 2)
    return None if session is None else sessions.meant(settings, caller_of(settings), session)


def carry_out(settings: Settings, session_id: UUID | None) -> bool:
    """Do at the broker what the switch asks for, tell what was done, and whether it is all."""
    from live import kill as killing
    from live.brokers import Broker, open_broker
    from live.clock import clock_of
    from live.journal import Journal

    journal = Journal(settings)
    clock = clock_of(settings)

    def opened(money: str) -> Broker:
        return open_broker(settings, clock, "live" if money == "live" else "paper")

    is_done = True
    for latch in journal.latches(session_id):
        meant = journal.meant(latch)
        if session_id is not None:
            meant = [one for one in meant if one.session_id == session_id]
        done = asyncio.run(killing.carry_out(settings, latch, meant, opened))
        if done is None:
            err.print("the process that trades carries it out", markup=False)
            done = _reported(journal, latch.latch_id)
        if done is None:
            again = killing.carry_out(settings, latch, meant, opened, even_if_another=True)
            done = asyncio.run(again)
        if done is not None:
            out.print(done.sentence(), markup=False)
            is_done = is_done and done.is_done
    return is_done


def await_halts(settings: Settings, session_id: UUID | None) -> None:
    """Wait a few seconds until each session says that it is halted; tell which have not said it."""
    from live.journal import Journal

    told: set[UUID] = set()
    journal, until = Journal(settings), time.monotonic() + HALT_S
    while True:
        meant = [one for one in journal.under_way() if session_id in (None, one.session_id)]
        waiting = [one for one in meant if one.risk_state != "halted"]
        for one in meant:
            if one not in waiting and one.session_id not in told:
                err.print(f"{one.name} is halted", markup=False)
                told.add(one.session_id)
        if not waiting or time.monotonic() >= until:
            break
        time.sleep(0.1)
    for one in waiting:
        when = "begins" if one.state == "starting" else "is reached"
        err.print(
            f"{one.name} has NOT SAID that it is halted. The switch holds all the same: nothing it "
            f"decides is stored or sent, and it halts as soon as it {when}. `mela status` tells "
            "whether the process that trades runs.",
            markup=False,
        )


def _reported(journal: Journal, latch_id: int) -> Killed | None:
    """Wait a while for another process to have carried a switch out; return what it did."""
    from live.kill import Killed

    until = time.monotonic() + OTHERS_S
    while time.monotonic() < until:
        known = [one for one in journal.latches() if one.latch_id == latch_id]
        if not known:
            return Killed(faults=["the switch was released meanwhile"])
        if known[0].report is not None:
            return Killed.read(known[0].report)
        time.sleep(0.2)
    return None
