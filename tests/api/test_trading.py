"""Trading sessions through the API: who starts, sees and stops them, and what is said of them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from tests.api.conftest import Browser, Callers
from tests.api.trading import BTC, SESSION, traded
from warehouse.database import transaction

pytestmark = pytest.mark.integration
LISTS = ("positions", "orders", "fills", "trades", "verdicts", "log")
EMPTY = text("TRUNCATE ops.session, ops.kill_latch CASCADE")


@pytest.fixture(autouse=True)
def _no_sessions(callers: Callers) -> None:
    with transaction(callers.settings) as connection:
        connection.execute(EMPTY)


def started(by: Browser, session: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    answer = by.post("/trading/sessions", json={"session": session or SESSION, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def problem(answer: Any) -> tuple[int, str, str | None]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    said = answer.json()
    return answer.status_code, said["code"], said["field"]


def test_a_session_is_started_and_listed_with_what_it_is(callers: Callers) -> None:
    row = started(callers.trader)

    assert (row["name"], row["owner"], row["is_mine"]) == ("btc on paper", "trader", True)
    assert (row["state"], row["risk_state"], row["money"]) == ("starting", "active", "paper")
    assert (row["broker"], row["quote"], row["cash"]) == ("paper", "USDT", 10_000.0)
    listed = callers.viewer.get("/trading/sessions").json()["items"]
    assert [one["session_id"] for one in listed] == [row["session_id"]]
    assert listed[0]["is_mine"] is False


def test_what_a_session_did_is_read_in_full(callers: Callers) -> None:
    me = started(callers.trader)["session_id"]
    traded(callers.settings, UUID(me))
    found = {
        name: callers.viewer.get(f"/trading/sessions/{me}/{name}").json()["items"] for name in LISTS
    }

    assert [one["client_order_id"] for one in found["orders"]] == ["o-2", "o-1"]  # newest first
    assert found["fills"][0]["price"] == 42_000.0
    assert found["positions"][0]["profit"] == pytest.approx(0.2 * 50)
    assert found["trades"][0]["profit"] == 3.2
    refused = [one for one in found["verdicts"] if not one["is_allowed"]]
    assert [one["code"] for one in refused] == ["daily_loss"]
    assert refused[0]["saw"] == {"loss": None, "limit": 0.05}  # what is no number is null
    assert [one["seq"] for one in found["log"]] == [4, 3, 2, 1]
    row = callers.viewer.get(f"/trading/sessions/{me}").json()["session"]
    assert (row["state"], row["risk_state"]) == ("running", "reducing")
    assert (row["positions"], row["open_orders"], row["trades"]) == (1, 1, 1)
    assert row["equity"] == 10_003.0
    assert row["last_candle_at"] == "2024-01-01T00:04:00Z"
    equity = callers.viewer.get(f"/trading/sessions/{me}/equity").json()
    assert equity["equity"] == [10_000.0, 10_001.0, 10_002.0, 10_003.0]
    assert len(equity["t"]) == len(equity["backtest"]) == 4


def test_lists_are_narrowed_and_paged(callers: Callers) -> None:
    me = started(callers.trader)["session_id"]
    traded(callers.settings, UUID(me))
    of = f"/trading/sessions/{me}"
    only = callers.trader.get(f"{of}/orders", params={"only_open": True}).json()["items"]
    refused = callers.trader.get(f"{of}/verdicts", params={"only_refused": True}).json()["items"]
    pages: list[int] = []
    cursor = None
    while True:
        asked = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = callers.trader.get(f"{of}/log", params=asked).json()
        pages += [one["seq"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert [one["client_order_id"] for one in only] == ["o-2"]
    assert [one["code"] for one in refused] == ["daily_loss"]
    assert pages == [4, 3, 2, 1]
    assert problem(callers.trader.get(f"{of}/log", params={"cursor": "no"}))[2] == "cursor"


def test_a_private_session_is_absent_for_all_but_its_owner_and_admins(callers: Callers) -> None:
    me = started(callers.trader, is_private=True)["session_id"]
    nobody = str(uuid4())
    for by in (callers.other, callers.viewer):
        for path in ("", *(f"/{name}" for name in LISTS), "/equity", "/drift"):
            hidden, absent = (by.get(f"/trading/sessions/{one}{path}") for one in (me, nobody))
            assert hidden.status_code == absent.status_code == 404, path
            assert hidden.text.replace(me, "?") == absent.text.replace(nobody, "?")
        assert by.get("/trading/sessions").json()["items"] == []
        assert me not in by.get("/trading/sessions", params={"text": "btc"}).text
    hidden = callers.other.post(f"/trading/sessions/{me}/commands", json={"kind": "stop"})
    assert hidden.status_code == 404
    assert callers.admin.get(f"/trading/sessions/{me}").status_code == 200
    assert callers.trader.get(f"/trading/sessions/{me}").status_code == 200


def test_only_its_owner_and_admins_command_a_session(callers: Callers) -> None:
    me = started(callers.trader)["session_id"]
    of = f"/trading/sessions/{me}"
    kill = {"confirm": SESSION["name"], "flatten": True}
    assert problem(callers.other.post(f"{of}/commands", json={"kind": "stop"}))[1] == "not_yours"
    assert problem(callers.other.post(f"{of}/kill", json=kill))[1] == "not_yours"

    asked = callers.trader.post(f"{of}/commands", json={"kind": "pause", "why": "lunch"})
    assert asked.status_code == 202, asked.text
    told = asked.json()
    assert (told["kind"], told["by"], told["why"]) == ("pause", "trader", "lunch")
    assert told["outcome"] is told["answered_at"] is None
    assert callers.admin.post(f"{of}/kill", json=kill).status_code == 202
    newest = callers.viewer.get(of).json()["commands"]
    assert [one["kind"] for one in newest] == ["kill", "pause"]


def test_the_kill_switch_wants_the_name_typed(callers: Callers) -> None:
    me = started(callers.trader)["session_id"]
    of = f"/trading/sessions/{me}/kill"
    wrong = callers.trader.post(of, json={"confirm": "btc", "flatten": False})
    assert problem(wrong) == (422, "invalid_field", "confirm")
    assert callers.trader.post(of, json={}).status_code == 422
    right = callers.trader.post(of, json={"confirm": SESSION["name"], "flatten": False})
    assert right.status_code == 202


@pytest.mark.parametrize("text", ["\x14A", "a: [1", "a: 1\na: 2", "- - ? : {"])
def test_a_session_that_is_not_yaml_is_refused(callers: Callers, text: str) -> None:
    answer = callers.trader.post("/trading/sessions", json={"yaml": text})
    assert problem(answer) == (422, "not_json", "yaml")


def test_a_command_that_does_not_fit_its_state_is_a_conflict(callers: Callers) -> None:
    me = started(callers.trader)["session_id"]
    answer = callers.trader.post(f"/trading/sessions/{me}/commands", json={"kind": "resume"})

    assert problem(answer)[:2] == (409, "conflict")


def test_money_is_refused_unless_the_settings_allow_it_and_the_name_is_typed(
    callers: Callers,
) -> None:
    live = {**SESSION, "instruments": ["alpaca:BTC/USD"], "money": "live"}
    live["broker"] = {"kind": "alpaca"}
    asked = {"session": live, "confirm": live["name"]}
    refused = callers.trader.post("/trading/sessions", json=asked)
    assert problem(refused)[:2] == (403, "live_not_allowed")

    trading = callers.settings.trading.model_copy(update={"allow_live": True})
    allowing = callers.browser(callers.settings.model_copy(update={"trading": trading}))
    allowing.enter(callers.settings, "trader")
    for confirm in (None, "", "BTC on paper"):
        wrong = allowing.post("/trading/sessions", json={"session": live, "confirm": confirm})
        assert problem(wrong) == (422, "invalid_field", "confirm")
    assert started(allowing, live, confirm=live["name"])["money"] == "live"


def test_a_document_is_checked_without_being_started(callers: Callers) -> None:
    wrong = {**SESSION, "strategy": {"name": "sma_cross", "params": {"fast": 50, "slow": 20}}}
    said = callers.viewer.post("/trading/sessions/validate", json={"session": wrong}).json()
    assert (said["is_valid"], said["name"]) == (False, "btc on paper")
    assert said["faults"]
    text_ = json.dumps(SESSION)  # JSON is YAML
    good = callers.viewer.post("/trading/sessions/validate", json={"yaml": text_}).json()
    assert (good["is_valid"], good["faults"], good["money"]) == (True, [], "paper")
    assert "sma_cross" in good["yaml"]
    for body in ({}, {"session": SESSION, "yaml": text_}):
        answer = callers.viewer.post("/trading/sessions/validate", json=body)
        assert problem(answer) == (422, "invalid_field", "session")
    assert callers.viewer.get("/trading/sessions").json()["items"] == []


def test_a_document_with_a_fault_is_not_started_and_says_where(callers: Callers) -> None:
    wrong = {**SESSION, "cash": -1}
    answer = callers.trader.post("/trading/sessions", json={"session": wrong})

    assert problem(answer)[0] == 422
    assert answer.json()["faults"][0]["field"] == "cash"


def test_starts_and_kills_are_in_the_audit_log(callers: Callers) -> None:
    me = started(callers.trader)["session_id"]
    kill = {"confirm": SESSION["name"]}
    callers.trader.post(f"/trading/sessions/{me}/kill", json=kill)
    callers.other.post(f"/trading/sessions/{me}/kill", json=kill)
    found = callers.admin.get("/audit").json()["items"]
    noted = [(one["user"], one["action"], one["outcome"], one["subject"]) for one in found]

    assert ("trader", "start_trading_session", "done", me) in noted
    assert ("trader", "kill_trading_session", "done", me) in noted
    assert ("other", "kill_trading_session", "refused", me) in noted


def test_sessions_are_found_by_state_and_words(callers: Callers) -> None:
    first = started(callers.trader)["session_id"]
    second = started(callers.trader, {**SESSION, "name": "the other one"})["session_id"]
    traded(callers.settings, UUID(first))

    def ids(**asked: str) -> list[str]:
        items = callers.viewer.get("/trading/sessions", params=asked).json()["items"]
        return [one["session_id"] for one in items]

    assert ids() == [second, first]
    assert ids(state="running") == [first]
    assert ids(text="other") == [second]
    assert ids(text=BTC.partition(":")[2]) == [second, first]
    assert ids(text="100%") == []
