"""What the stream of events tells of trading sessions, and to whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from api import trading_events
from api.events import Gone, Stream
from api.trading_events import TradingChanges
from services.accounts.accounts import Caller, Role, scopes_of
from services.trading.answers import SessionTold
from tests.api.conftest import Callers
from tests.api.test_trading import started
from tests.api.trading import traded

ME = uuid4()
FIRST = SessionTold(
    session_id=ME,
    version=5,
    state="running",
    why=None,
    risk_state="active",
    risk_why=None,
    equity=10_000.0,
    day_profit=0.0,
    positions=0,
    open_orders=0,
    trades=0,
    last_candle_at=None,
    heard_at=None,
    beat_at=None,
    user_id=1,
    is_private=False,
    has_ended=False,
)


def caller(user_id: int, role: Role = Role.TRADER) -> Caller:
    return Caller(user_id, user_id, f"user {user_id}", role, scopes_of(role), "session")


async def heard(by: Caller, told: Iterable[SessionTold]) -> list[object]:
    """Return what a stream takes after each of some news."""
    stream = Stream(by, (), all_=False, trading=True, loop=asyncio.get_running_loop())
    found: list[object] = []
    for one in told:
        stream.offer(one)
        found += [news for _, news in stream.take()]
    return found


def test_versions_only_rise_and_what_is_not_news_is_not_told() -> None:
    newer = replace(FIRST, version=7, equity=10_100.0)
    older = replace(FIRST, version=6, equity=9_000.0)

    assert asyncio.run(heard(caller(2), [FIRST, FIRST, newer, older])) == [FIRST, newer]


def test_a_session_that_becomes_private_is_gone_for_others_and_stays_for_admins() -> None:
    hidden = replace(FIRST, version=6, is_private=True)

    assert asyncio.run(heard(caller(2), [FIRST, hidden])) == [FIRST, Gone(is_session=True)]
    assert asyncio.run(heard(caller(3), [hidden])) == []
    assert asyncio.run(heard(caller(1), [FIRST, hidden])) == [FIRST, hidden]
    assert asyncio.run(heard(caller(9, Role.ADMIN), [FIRST, hidden])) == [FIRST, hidden]


class Interrupted(UUID):
    """A key at whose hash another thread goes on for a while, as threads may at any call."""

    turn, done = threading.Event(), threading.Event()

    def __hash__(self) -> int:
        self.done.clear()
        self.turn.set()
        self.done.wait(0.2)
        return super().__hash__()


def test_no_news_is_lost_while_a_stream_takes_what_there_is() -> None:
    """The hub's threads tell while the stream's own loop takes."""
    loop = asyncio.new_event_loop()
    stream = Stream(caller(2), (), all_=False, trading=True, loop=loop)
    taken: list[object] = []
    is_over = threading.Event()

    def take() -> None:
        while not is_over.is_set():
            if Interrupted.turn.wait(0.05):
                Interrupted.turn.clear()
                taken.extend(stream.take())
                Interrupted.done.set()

    taker = threading.Thread(target=take)
    taker.start()
    stream.offer(replace(FIRST, session_id=Interrupted(int=1)))
    is_over.set()
    taker.join()
    loop.close()
    assert len(taken) + len(stream.take()) == 1


@pytest.mark.integration
def test_a_session_that_changed_is_read_once_and_told_as_it_is(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trading_events, "READ_S", 0.0)
    me = UUID(started(callers.trader)["session_id"])
    told: list[SessionTold] = []
    changes = TradingChanges(callers.settings, told.extend)
    before = changes.show(caller(1))
    traded(callers.settings, me)
    changes.changed(me)
    changes.changed(me)
    changes.read()
    mine = [one for one in told if one.session_id == me]

    assert [one.state for one in before if one.session_id == me] == ["starting"]
    assert len(mine) == 1
    assert (mine[0].state, mine[0].equity) == ("running", 10_003.0)
    assert mine[0].version > next(one.version for one in before if one.session_id == me)
