"""The kill switch, carried out at the broker: cancel all, see that all is cancelled, flatten.

It needs nothing of the process that trades, which may hang. The switch is stored first, so that a
process that wakes up later gives no order. An account whose broker is away holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from live.broker_hub import is_of_kill, prefix_of
from live.broker_requests import patiently
from live.brokers.protocol import Broker, BrokerFill
from live.clearing import Clearing, Killed, stopped
from live.closing import NEAR, Closing
from live.events import Commanded, Input
from live.journal import Held, Journal
from mela.errors import MelaError
from mela.instants import from_ms, to_ms
from mela.settings import Settings
from warehouse.trading.latches import Latch
from warehouse.trading.locks import carrying_out
from warehouse.trading.sessions import StoredSession

__all__ = ["Killed", "Open", "cancel_resting", "carry_out", "halts", "is_outside"]

LOG = structlog.get_logger(__name__)
PATIENCE_S = 30.0  # for all that is asked of one account
Open = Callable[[str], Broker]


async def carry_out(
    settings: Settings,
    latch: Latch,
    sessions: Sequence[StoredSession],
    open_broker: Open,
    patience_s: float | None = None,
    *,
    even_if_another: bool = False,
) -> Killed | None:
    """Carry a kill switch out for some sessions, and store what was done.

    patience_s: for each account, PATIENCE_S if None
    even_if_another: whether to do so while another process is at it, which may hang
    Returns None where another process is at it.
    """
    with carrying_out(settings, latch.latch_id) as is_mine:
        if not (is_mine or even_if_another):
            return None
        journal, done = Journal(settings), Killed()
        longest_s = PATIENCE_S if patience_s is None else patience_s
        outside = [one for one in sessions if is_outside(one)]
        asked = [
            _Account(journal, latch, money, outside).clear(open_broker, longest_s)
            for money in sorted({one.money for one in outside})
        ]
        for one in await asyncio.gather(*asked):
            done.add(one)
        journal.report(latch.latch_id, done.words())
        ended = [one.session_id for one in outside if one.has_ended]
        if ended and done.is_done:
            journal.answer_kills(ended, done.sentence())
    LOG.warning("kill_switch", latch=latch.latch_id, report=done.sentence())
    return done


async def cancel_resting(
    session: StoredSession, open_broker: Open, patience_s: float = PATIENCE_S
) -> Killed:
    """Cancel what a session has open at its broker, for it ends; what it holds stays held.

    An order by which a kill switch closes a position stays, too.
    """
    try:
        broker = open_broker(session.money)
    except (ValueError, MelaError, OSError) as error:
        return Killed(unanswered=[f"the {session.money} account: {error}"])
    try:
        return await Clearing(broker, [session], spares_kills=True).clear(patience_s)
    finally:
        await stopped(broker)


def is_outside(session: StoredSession) -> bool:
    """Tell whether a session's orders are at a broker outside."""
    return not session.broker.startswith("paper")


def halts(by: str, why: str | None, is_flattening: bool, at_ms: int) -> list[Input]:
    """Return the events by which a session obeys the kill switch."""
    found: list[Input] = [Commanded("halt", by, at_ms, why or "the kill switch")]
    if is_flattening:
        found.append(Commanded("flatten", by, at_ms, why or "the kill switch"))
    return found


class _Account:
    """One account, and the sessions that a kill switch is for there."""

    def __init__(
        self, journal: Journal, latch: Latch, money: str, sessions: Sequence[StoredSession]
    ) -> None:
        self._journal, self._latch, self._money = journal, latch, money
        theirs = [one for one in sessions if one.money == money]
        self._going = [one for one in theirs if not one.has_ended]
        self._ended = [one for one in theirs if one.has_ended]

    async def clear(self, open_broker: Open, patience_s: float) -> Killed:
        """Clear it; sessions that have ended apart, so that none of them holds up those that go on.

        The report names each failure.
        """
        done = Killed()
        try:
            broker = open_broker(self._money)
        except (
            ValueError,
            MelaError,
            OSError,
        ) as error:  # its keys are missing, or of another kind
            done.unanswered.append(f"the {self._money} account: {error}")
            return done
        try:
            parts = await asyncio.gather(
                self._clear_going(broker, patience_s),
                self._clear_ended(broker, patience_s),
                return_exceptions=True,
            )
        finally:
            await stopped(broker)
        for part in parts:
            if isinstance(part, Killed):
                done.add(part)
            else:
                LOG.error("not_cleared", money=self._money, error=str(part), exc_info=part)
                done.unanswered.append(f"{type(part).__name__}: {part}")
        done.unanswered = [f"the {self._money} account: {one}" for one in done.unanswered]
        return done

    async def _clear_going(self, broker: Broker, patience_s: float) -> Killed:
        """Close what the account holds of their instruments; no other session of it has them."""
        if not self._going:
            return Killed()
        closings = [
            Closing(one, instrument)
            for one in (self._going if self._latch.is_flattening else [])
            for instrument in one.instruments
        ]
        return await Clearing(broker, self._going, closings).clear(patience_s)

    async def _clear_ended(self, broker: Broker, patience_s: float) -> Killed:
        """Close what they themselves hold, and no more: others may have it by now.

        A switch of all sessions closes nothing of a session that was stopped: what it holds was
        left to its owner.
        """
        if not self._ended:
            return Killed()
        closings, known = list[Closing](), Killed()
        if self._latch.is_flattening:
            for one in self._ended:
                if one.state == "failed" or self._latch.session_id is not None:
                    closings += await self._closings(broker, one, known, patience_s)
        done = await Clearing(broker, self._ended, closings).clear(patience_s)
        done.add(known)
        return done

    async def _closings(
        self, broker: Broker, session: StoredSession, known: Killed, patience_s: float
    ) -> list[Closing]:
        """Return what to close of a session that has ended; note what is not, and why."""
        held = self._journal.held(session.session_id)
        if held.since is None:
            return []
        since_ms = to_ms(held.since)
        try:
            ask = patiently(lambda: broker.fills(since_ms))
            fills = await asyncio.wait_for(ask, patience_s)
        except (TimeoutError, MelaError) as error:
            known.unanswered.append(f"what {session.name} holds: {error or 'no answer in time'}")
            return []
        traded = {
            name: one.name
            for one in self._journal.under_way()
            if one.money == session.money and is_outside(one)
            for name in one.instruments
        }
        closings: list[Closing] = []
        for instrument, units in _net(held, fills, session).items():
            if instrument not in traded:
                closings.append(Closing(session, instrument, units))
            elif abs(units) > NEAR:
                known.faults.append(
                    f"{instrument}: {units:g} of {session.name} are not closed, because "
                    f"{traded[instrument]} trades it in this account now"
                )
        return closings


def _net(held: Held, fills: Sequence[BrokerFill], session: StoredSession) -> dict[str, float]:
    """Return what an ended session holds: by its own fills, and those that it never heard of."""
    found = {one.instrument: one.units for one in held.net}
    adopted = {one.instrument: one.adopted_at for one in held.net}
    prefix = prefix_of(session.session_id)
    for fill in fills:
        number = fill.client_order_id
        if not number.startswith(prefix) or fill.fill_id in held.known:
            continue
        until = adopted.get(fill.instrument)
        if is_of_kill(number) and until is not None and from_ms(fill.at_ms) <= until:
            continue  # the session took it over while it went on
        signed = fill.units if fill.side == "buy" else -fill.units
        found[fill.instrument] = found.get(fill.instrument, 0.0) + signed
    return found
