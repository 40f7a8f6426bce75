"""services.trading: who may start and change sessions, what is refused, and the kill switch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from mela.errors import Conflict, InputInvalid, NotAllowed, NotFound, SceneInvalid
from mela.settings import Settings
from services.accounts import accounts
from services.accounts.accounts import Caller, Role, scopes_of
from services.trading import commands, sessions
from services.trading.callers import at_this_machine
from tests.warehouse.given import a_document, a_run, a_scene, answer, load
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.trading import beats, latches, locks, log
from warehouse.trading import sessions as stored
from warehouse.trading.log import Entry, KillSwitchSet, Rows

pytestmark = pytest.mark.integration
PAPER: dict[str, Any] = {
    "name": "first",
    "instruments": ["binance:BTCUSDT"],
    "interval": "1m",
    "strategy": {"name": "sma_cross", "params": {"fast": 5, "slow": 20}},
}
MONEY = {**PAPER, "instruments": ["alpaca:BTC/USD"], "broker": {"kind": "alpaca"}, "money": "live"}


def caller(settings: Settings, user: str, role: Role = Role.TRADER) -> Caller:
    return replace(at_this_machine(settings, user), role=role, scopes=scopes_of(role))


def started(settings: Settings, who: Caller, document: Any = PAPER, **more: Any) -> UUID:
    return sessions.start(settings, who, document, confirm=None, **more).session_id


def test_a_session_is_stored_as_its_owners_and_starts(warehouse: Settings) -> None:
    ann = caller(warehouse, "ann")
    row = sessions.start(warehouse, ann, PAPER, confirm=None)

    assert (row.state, row.money, row.broker, row.is_mine) == ("starting", "paper", "paper", True)
    assert sessions.list_sessions(warehouse, ann).items == (row,)
    assert sessions.meant(warehouse, ann, "first") == row.session_id
    assert sessions.meant(warehouse, ann, str(row.session_id)[:8]) == row.session_id
    assert sessions.get_session(warehouse, ann, row.session_id).document["strategy"] == {
        "name": "sma_cross",
        "params": {"fast": 5, "slow": 20},
    }


def test_only_traders_start(warehouse: Settings) -> None:
    with pytest.raises(NotAllowed, match="role trader"):
        started(warehouse, caller(warehouse, "vic", Role.VIEWER))


def test_others_see_a_session_and_may_not_change_it_but_admins_may(warehouse: Settings) -> None:
    session_id = started(warehouse, caller(warehouse, "ann"))
    bob = caller(warehouse, "bob")

    assert not sessions.get_session(warehouse, bob, session_id).row.is_mine
    with pytest.raises(NotAllowed, match="belongs to ann"):
        commands.ask(warehouse, bob, session_id, "stop")
    asked = commands.ask(warehouse, caller(warehouse, "root", Role.ADMIN), session_id, "stop")
    assert (asked.kind, asked.by, asked.outcome) == ("stop", "root", None)


def test_a_private_session_is_absent_for_others(warehouse: Settings) -> None:
    session_id = started(warehouse, caller(warehouse, "ann"), is_private=True)
    bob = caller(warehouse, "bob")

    assert sessions.list_sessions(warehouse, bob).items == ()
    for word in ("first", str(session_id)):
        with pytest.raises(NotFound):
            sessions.meant(warehouse, bob, word)
    with pytest.raises(NotFound):
        sessions.get_session(warehouse, bob, session_id)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"strategy": {"name": "sma_crss"}}, "strategy.name"),
        ({"strategy": {"name": "sma_cross", "params": {"fast": 0}}}, "strategy.params.fast"),
        ({"interval": "7m"}, "interval"),
        ({"instruments": []}, "instruments"),
        ({"colour": "red"}, "colour"),
        ({"champion_of": "0192f0c1-2222-7333-8444-555555555555", "strategy": None}, "champion_of"),
    ],
)
def test_a_wrong_document_is_refused_by_its_field(
    warehouse: Settings, changes: dict[str, Any], field: str
) -> None:
    ann = caller(warehouse, "ann")
    with pytest.raises(SceneInvalid) as refused:
        started(warehouse, ann, {**PAPER, **changes})
    assert refused.value.field == field
    check = sessions.validate(warehouse, ann, {**PAPER, **changes})
    assert [fault.field for fault in check.faults][:1] == [field]


STOCK = {**PAPER, "instruments": ["binance:BTCUSDT", "alpaca:AAPL"]}


def test_hours_of_which_nothing_is_heard_are_refused(warehouse: Settings) -> None:
    ann = caller(warehouse, "ann")
    asked = {**STOCK, "sessions": "extended"}
    with pytest.raises(SceneInvalid, match=r"Take alpaca:AAPL, or sessions: regular") as no:
        started(warehouse, ann, {**asked, "instruments": ["alpaca:AAPL", "yahoo:AAPL"]})
    assert (no.value.field, "found yahoo:AAPL" in str(no.value)) == ("sessions", True)
    for hours in ("regular", "extended", None):
        assert sessions.validate(warehouse, ann, {**asked, "sessions": hours}).is_valid
    started(warehouse, ann, {**PAPER, "sessions": "extended"})  # a market that is always open


def test_extended_hours_need_candles_of_one_part_of_a_day(warehouse: Settings) -> None:
    asked = {**STOCK, "sessions": "extended"}
    for interval in ("1m", "30m", "1d"):
        assert sessions.validate(
            warehouse, caller(warehouse, "ann"), {**asked, "interval": interval}
        ).is_valid
    found = sessions.validate(warehouse, caller(warehouse, "ann"), {**asked, "interval": "1h"})
    assert "needs candles of at most 30m, but found 1h" in str(found.faults[0])


def test_the_champion_of_a_scene_is_traded(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse)
    load(warehouse, answer([1.0]))
    with transaction(warehouse) as connection:
        assert finder.save(connection, [a_document(a_run(5), scene_id)]) == []
    champion = a_run(5)
    ann = caller(warehouse, "ann")

    document = {**PAPER, "strategy": None, "champion_of": str(scene_id)}
    session_id = started(warehouse, ann, document)

    taken = sessions.get_session(warehouse, ann, session_id).document
    assert taken["strategy"] == {"name": champion.strategy, "params": dict(champion.params)}
    assert taken["champion_of"] is None


def test_money_needs_settings_document_and_name(warehouse: Settings) -> None:
    ann = caller(warehouse, "ann")
    trading = warehouse.trading.model_copy(update={"allow_live": True})
    allowed = warehouse.model_copy(update={"trading": trading})

    with pytest.raises(NotAllowed, match="MELA_TRADING__ALLOW_LIVE"):
        sessions.start(warehouse, ann, MONEY, confirm="first")
    with pytest.raises(InputInvalid, match="typed again"):
        sessions.start(allowed, ann, MONEY, confirm=None)
    with pytest.raises(InputInvalid, match="typed again"):
        sessions.start(allowed, ann, MONEY, confirm="First")
    assert sessions.start(allowed, ann, PAPER, confirm=None).money == "paper"
    assert sessions.start(allowed, ann, MONEY, confirm="first").money == "live"


def test_two_sessions_do_not_share_a_position_at_a_broker(warehouse: Settings) -> None:
    ann = caller(warehouse, "ann")
    document = {**MONEY, "money": "paper"}
    started(warehouse, ann, document)
    with pytest.raises(Conflict, match="'first' trades one of these instruments"):
        started(warehouse, ann, {**document, "name": "second"})
    started(warehouse, ann, {**document, "name": "other", "instruments": ["alpaca:ETH/USD"]})


def test_the_kill_switch_needs_the_name_holds_and_is_released_by_a_person(
    warehouse: Settings,
) -> None:
    ann = caller(warehouse, "ann")
    session_id = started(warehouse, ann)
    with pytest.raises(InputInvalid, match="session's name"):
        commands.kill(warehouse, ann, session_id, confirm="frst", flatten=False)
    commands.kill(warehouse, ann, session_id, confirm="first", flatten=True)

    entry = [Entry("Ticked", True, '{"at_ms":0}')]
    with pytest.raises(KillSwitchSet), transaction(warehouse) as connection:
        log.append(connection, session_id, 0, entry, Rows(), is_halted=False)
    with transaction(warehouse) as connection:
        assert log.last(connection, session_id) == 0
        [latch] = latches.set_now(connection, session_id)
        assert (latch.by, latch.is_flattening) == ("ann", True)
        log.append(connection, session_id, 0, entry, Rows(), is_halted=True)
    commands.ask(warehouse, ann, session_id, "release")
    with transaction(warehouse) as connection:
        assert latches.set_now(connection, session_id) == []
        log.append(connection, session_id, 1, entry, Rows(), is_halted=False)


def test_a_kill_says_where_the_process_that_trades_does_not_hear_of_it(
    warehouse: Settings,
) -> None:
    ann = caller(warehouse, "ann")
    document = {**MONEY, "money": "paper"}
    session_id = started(warehouse, ann, document)

    def killed() -> str | None:
        row = commands.kill(warehouse, ann, session_id, confirm="first", flatten=False)
        assert row.outcome is None
        return row.answer

    with transaction(warehouse) as connection:
        connection.execute(text("DELETE FROM ops.live_beat"))  # of processes that others ran
    assert "NOTHING IS CANCELLED" in str(killed())
    assert "mela trade kill first" in str(killed())
    now = datetime.now(UTC)
    counted: dict[str, Any] = {"candles": 0, "decisions": 0, "decision_s": 0.0, "waiting": 0}
    with transaction(warehouse) as connection:
        beats.beat(connection, "live", now, started_at=now, **counted)
    assert killed() is None
    with transaction(warehouse) as connection:
        beats.beat(connection, "live", now - timedelta(minutes=2), started_at=now, **counted)
    assert "silent since" in str(killed())


def test_one_that_ended_at_a_broker_is_killed_and_released_and_nothing_else(
    warehouse: Settings,
) -> None:
    ann = caller(warehouse, "ann")
    session_id = started(warehouse, ann, {**MONEY, "money": "paper"})
    with transaction(warehouse) as connection:
        stored.move(connection, session_id, "failed", "for the test")
    commands.kill(warehouse, ann, session_id, confirm="first", flatten=True)
    with transaction(warehouse) as connection:
        assert [one.is_flattening for one in latches.set_now(connection, session_id)] == [True]
    commands.ask(warehouse, ann, session_id, "release")
    with transaction(warehouse) as connection:
        assert latches.set_now(connection, session_id) == []
    for kind in ("pause", "resume", "stop"):
        with pytest.raises(Conflict, match="has ended"):
            commands.ask(warehouse, ann, session_id, kind)


def test_a_switch_is_set_anew_only_where_it_asks_for_more_or_was_carried_out(
    warehouse: Settings,
) -> None:
    ann = caller(warehouse, "ann")
    session_id = started(warehouse, ann)

    def killed(*, flatten: bool) -> list[bool]:
        commands.kill(warehouse, ann, session_id, confirm="first", flatten=flatten)
        with transaction(warehouse) as connection:
            return [one.is_flattening for one in latches.set_now(connection, session_id)]

    assert killed(flatten=False) == killed(flatten=False) == [False]
    assert killed(flatten=True) == killed(flatten=True) == killed(flatten=False) == [False, True]
    with transaction(warehouse) as connection:
        for one in latches.set_now(connection, session_id):
            latches.report(connection, one.latch_id, "{}")
    assert killed(flatten=False) == [False, True, False]


def test_the_switch_of_all_sessions_is_for_admins_and_lets_none_start(warehouse: Settings) -> None:
    ann, root = caller(warehouse, "ann"), caller(warehouse, "root", Role.ADMIN)
    session_id = started(warehouse, ann)
    with pytest.raises(NotAllowed, match="takes an admin"):
        commands.set_all(warehouse, ann, flatten=False, why=None)
    commands.set_all(warehouse, root, flatten=False, why="a fire")

    with pytest.raises(Conflict, match="release --all"):
        started(warehouse, ann, {**PAPER, "name": "second"})
    with pytest.raises(Conflict, match="release --all"):
        commands.ask(warehouse, ann, session_id, "release")
    assert commands.release_all(warehouse, root)
    assert not commands.release_all(warehouse, root)
    assert started(warehouse, ann, {**PAPER, "name": "second"})


def test_nobody_changes_a_log_and_a_number_is_given_once(warehouse: Settings) -> None:
    session_id = started(warehouse, caller(warehouse, "ann"))
    entry = [Entry("Ticked", True, '{"at_ms":0}')]
    with transaction(warehouse) as connection:
        log.append(connection, session_id, 0, entry, Rows(), is_halted=False)
    for statement in (
        "UPDATE ops.session_event SET kind = 'Started'",
        "DELETE FROM ops.session_event",
    ):
        with pytest.raises(IntegrityError), transaction(warehouse) as connection:
            connection.execute(text(statement))
    with pytest.raises(Conflict, match="has gone on"), transaction(warehouse) as connection:
        log.append(connection, session_id, 0, entry, Rows(), is_halted=False)


def test_one_process_has_a_session_at_a_time(warehouse: Settings) -> None:
    session_id = started(warehouse, caller(warehouse, "ann"))
    with locks.locks(warehouse) as first, locks.locks(warehouse) as second:
        assert first.take(session_id)
        assert first.take(session_id)
        assert not second.take(session_id)
        first.let(session_id)
        assert second.take(session_id)
    with locks.locks(warehouse) as third:
        assert third.take(session_id)  # the connection that had it has ended


AT_ALPACA = {**PAPER, "instruments": ["alpaca:BTC/USD", "alpaca:ETH/USD"]}
AT_ALPACA["broker"] = {"kind": "alpaca"}


def test_two_sessions_do_not_share_an_instrument_of_one_account(warehouse: Settings) -> None:
    ann, bob = caller(warehouse, "ann"), caller(warehouse, "bob")
    session_id = started(warehouse, ann, AT_ALPACA)
    shared = {**AT_ALPACA, "name": "second", "instruments": ["alpaca:ETH/USD", "alpaca:LTC/USD"]}

    with pytest.raises(Conflict, match=r"'first' trades one of these instruments at alpaca"):
        started(warehouse, bob, shared)
    assert len(sessions.list_sessions(warehouse, ann).items) == 1

    started(warehouse, bob, {**shared, "instruments": ["alpaca:LTC/USD"]})
    started(warehouse, bob, {**shared, "broker": {"kind": "paper"}})
    with transaction(warehouse) as connection:
        assert stored.move(connection, session_id, "stopped", None)
    started(warehouse, bob, {**shared, "instruments": ["alpaca:ETH/USD"]})


def test_of_sessions_that_are_started_at_once_one_gets_the_instrument(warehouse: Settings) -> None:
    who = caller(warehouse, "ann")
    at_once, many = Barrier(8), 8

    def one(number: int) -> str:
        at_once.wait(20)
        try:
            started(warehouse, who, {**AT_ALPACA, "name": f"number {number}"})
        except Conflict as refused:
            return str(refused)
        return "started"

    with ThreadPoolExecutor(many) as threads:
        found = list(threads.map(one, range(many)))
    assert found.count("started") == 1
    assert len([words for words in found if "trades one of these instruments" in words]) == many - 1


def test_at_this_machine_who_has_no_account_is_its_administrator(warehouse: Settings) -> None:
    assert at_this_machine(warehouse, "nobody").role is Role.ADMIN
    accounts.add(warehouse, "tess", "a long password of hers", Role.TRADER)
    assert at_this_machine(warehouse, "Tess").role is Role.TRADER
    accounts.change(warehouse, "tess", is_disabled=True)
    with pytest.raises(NotAllowed, match="the account tess is disabled"):
        at_this_machine(warehouse, "tess")
