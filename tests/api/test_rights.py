"""Who may ask for what: every route of the OpenAPI document, as everybody.

A route that is missing from the table fails, and so does one that lets in more than the table says.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from api.app import PREFIX, create_app
from mela.settings import Settings
from services.accounts import accounts
from services.accounts.accounts import Role
from tests.api.conftest import Browser, browser
from tests.api.lived_in import Team, team  # noqa: F401  a fixture
from warehouse.database import transaction

pytestmark = pytest.mark.integration
PUBLIC, ANYBODY, READER, TRADER, ADMIN = "public", "anybody", "reader", "trader", "admin"
# Who may: nobody too; whoever signed in; reader, trader, admin: by role and scope.
ALLOWED = {
    PUBLIC: (
        *("get_about", "get_health", "sign_in", "register", "check_invitation"),
        *("begin_oidc", "end_oidc"),
    ),
    ANYBODY: (  # also while the password must be changed first
        *("get_session", "sign_out", "list_sessions", "sign_out_everywhere", "end_session"),
        *("change_password",),
    ),
    READER: (
        *("list_tokens", "make_token", "end_token"),
        *("validate_scene", "parse_scene", "list_scenes", "get_scene", "get_scene_schema"),
        *("list_runs", "download_runs", "get_report", "get_heatmap", "get_curves"),
        *("get_run", "get_lineage", "get_candles", "get_equity", "list_trades", "get_trade_marks"),
        *("get_analysis", "export_run", "download_trades", "compare_runs"),
        *("list_strategies", "get_strategy", "list_metrics", "list_instruments", "list_series"),
        *("get_coverage", "get_quality", "list_stale", "get_watchlist", "list_schedules"),
        *("list_backfills", "get_backfill", "get_job", "read_candles"),
        *("stream_events", "watch_events"),
        *("list_trading_sessions", "get_trading_session", "validate_trading_session"),
        *("list_positions", "list_orders", "list_fills", "list_session_trades", "list_verdicts"),
        *("get_session_log", "get_session_equity", "get_session_drift"),
    ),
    TRADER: (
        *("publish_scene", "change_scene", "cancel_scene", "rerun_scene"),
        *("add_schedule", "change_schedule", "remove_schedule", "put_watchlist"),
        *("start_backfill", "start_trading_session"),
        *("command_trading_session", "kill_trading_session"),
    ),
    ADMIN: (
        *("list_users", "change_user", "list_invitations", "make_invitation", "end_invitation"),
        *("list_publishers", "change_publisher", "list_audit"),
    ),
}
RIGHT = {name: right for right, names in ALLOWED.items() for name in names}
# Who gets into an account is decided by a person who signed in, and by no token.
IN_PERSON = frozenset(
    {
        *("sign_out", "list_sessions", "sign_out_everywhere", "end_session", "change_password"),
        *("list_tokens", "make_token", "end_token"),
    }
)
ORDER = (PUBLIC, ANYBODY, READER, TRADER, ADMIN)
AS = {"nobody": PUBLIC, "viewer": READER, "trader": TRADER, "admin": ADMIN}
BODIES: dict[str, Any] = {"change_scene": {"note": "mine"}, "rerun_scene": {}}
SERIES = {"instrument": "binance:BTCUSDT", "interval": "1h"}
QUERIES: dict[str, dict[str, Any]] = {
    "get_heatmap": {"x": "strategy.params.fast", "y": "strategy.params.slow", "metric": "sharpe"},
    "get_coverage": SERIES,
    "read_candles": {**SERIES, "start": "2023-01-01T00:00:00Z", "end": "2023-01-02T00:00:00Z"},
}
NOWHERE = {"stream_events": {"scene": "no id"}}  # a stream that opens would not end


class Operation(NamedTuple):
    """A route as the document has it."""

    name: str
    method: str
    path: str

    def ask(self, by: Browser, **values: str) -> httpx.Response:
        path = self.path.removeprefix(PREFIX)
        if "/trading/" in path:  # a session of trading, and not one of somebody signed in
            path = path.replace("{session_id}", values.get("trading_id", "unknown"))
        for part in ("scene_id", "run_key", "name", "user", "stream", "backfill_id"):
            path = path.replace(f"{{{part}}}", values.get(part, "unknown"))
        for part in ("session_id", "token_id", "invitation_id"):
            path = path.replace(f"{{{part}}}", "999999")
        assert "{" not in path, path
        query = NOWHERE.get(self.name) or QUERIES.get(self.name)
        body = BODIES.get(self.name)
        return by.request(self.method, path, params=query, json=body, follow_redirects=False)


def operations() -> list[Operation]:
    paths = create_app(Settings()).openapi()["paths"]
    return [
        Operation(found["operationId"], method.upper(), path)
        for path, methods in paths.items()
        for method, found in methods.items()
    ]


EVERY = operations()


def test_every_route_is_in_the_table_and_the_table_has_no_other() -> None:
    assert {one.name for one in EVERY} == set(RIGHT)


@pytest.mark.parametrize("who", AS)
@pytest.mark.parametrize("operation", EVERY, ids=lambda one: one.name)
def test_a_route_lets_in_whom_the_table_names_and_nobody_else(
    team: Team,  # noqa: F811
    operation: Operation,
    who: str,
) -> None:
    by: Browser = getattr(team, who)
    if operation.name in ("sign_out", "sign_out_everywhere") and who != "nobody":
        by = leaver(team, who)
    answer = operation.ask(by)

    if ORDER.index(AS[who]) >= ORDER.index(RIGHT[operation.name]):
        check_let_in(answer)
    else:
        assert answer.status_code == (401 if who == "nobody" else 403), answer.text
        code = answer.json()["code"]
        assert code == ("not_signed_in" if who == "nobody" else "not_allowed")


def check_let_in(answer: httpx.Response) -> None:
    """Check that nobody was refused; and that the route did its work, or said why not."""
    assert answer.status_code != 500, answer.text
    if answer.headers.get("Content-Type") == "application/problem+json":
        refused = {"not_signed_in", "not_allowed", "csrf", "must_change_password"}
        assert answer.json()["code"] not in refused, answer.text
    else:
        assert answer.status_code < 400, answer.text


SCOPES = (("read",), ("read", "write"), ("read", "write", "admin"), ("read", "admin"))
LETS_IN = {"read": {ANYBODY, READER}, "write": {TRADER}, "admin": {ADMIN}}


@pytest.fixture(scope="module")
def secrets(team: Team) -> dict[tuple[str, ...], str]:  # noqa: F811
    """Return a token of the administrator for each set of scopes."""
    found: dict[tuple[str, ...], str] = {}
    for scopes in SCOPES:
        asked = {"name": " ".join(scopes), "scopes": scopes, "days": 1}
        found[scopes] = team.admin.post("/tokens", json=asked).json()["secret"]
    return found


@pytest.mark.parametrize("scopes", SCOPES, ids=" ".join)
@pytest.mark.parametrize("operation", EVERY, ids=lambda one: one.name)
def test_a_token_does_what_its_scopes_say_and_changes_nothing_of_its_account(
    team: Team,  # noqa: F811
    secrets: dict[tuple[str, ...], str],
    operation: Operation,
    scopes: tuple[str, ...],
) -> None:
    program = browser(team.settings)
    program.headers["Authorization"] = f"Bearer {secrets[scopes]}"
    answer = operation.ask(program)

    right = RIGHT[operation.name]
    allowed = {PUBLIC}.union(*(LETS_IN[scope] for scope in scopes))
    if right in allowed and operation.name not in IN_PERSON:
        check_let_in(answer)
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), answer.text
        assert team.admin.get("/session").status_code == 200


def leaver(team: Team, who: str) -> Browser:  # noqa: F811
    """Return somebody of the same role, who signs out."""
    name = f"{who}-{uuid4()}"
    with transaction(team.settings) as connection:
        accounts.stored_new(connection, name, Role(who), None)
    return entered(team, name)


def entered(team: Team, who: str) -> Browser:  # noqa: F811
    found = browser(team.settings)
    found.enter(team.settings, who)
    return found


@pytest.mark.parametrize("operation", EVERY, ids=lambda one: one.name)
def test_a_change_by_a_session_needs_the_csrf_token(team: Team, operation: Operation) -> None:  # noqa: F811
    if operation.method == "GET" or RIGHT[operation.name] == PUBLIC:
        return
    by = entered(team, "admin")
    del by.headers["X-CSRF-Token"]
    answer = operation.ask(by)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


OF_SCENES = [one for one in EVERY if "{scene_id}" in one.path]
OF_RUNS = [one for one in EVERY if "{run_key}" in one.path]


@pytest.mark.parametrize("operation", OF_SCENES, ids=lambda one: one.name)
def test_a_private_scene_is_absent_for_all_but_its_owner(team: Team, operation: Operation) -> None:  # noqa: F811
    private = team.scene("stocks")
    unknown = str(uuid4())
    for by in (team.other, team.admin):
        hidden, absent = (operation.ask(by, scene_id=one) for one in (private, unknown))
        assert hidden.status_code == absent.status_code == 404, hidden.text
        same = hidden.text.replace(private, "?") == absent.text.replace(unknown, "?")
        assert same, (hidden.text, absent.text)
    assert operation.ask(team.trader, scene_id=private).status_code not in (401, 403, 404)


@pytest.mark.parametrize("operation", OF_RUNS, ids=lambda one: one.name)
def test_a_run_of_a_private_scene_is_absent_for_all_but_its_owner(
    team: Team,  # noqa: F811
    operation: Operation,
) -> None:
    key = team.runs("stocks")[0]["run_key"]
    unknown = "0" * 64
    for by in (team.other, team.viewer, team.admin):
        hidden, absent = (operation.ask(by, run_key=one) for one in (key, unknown))
        assert hidden.status_code == absent.status_code == 404, hidden.text
        assert hidden.text.replace(key, "?") == absent.text.replace(unknown, "?")
    assert operation.ask(team.trader, run_key=key).status_code not in (401, 403, 404)


@pytest.mark.parametrize(
    "operation", [one for one in OF_SCENES if one.method != "GET"], ids=lambda one: one.name
)
def test_another_users_scene_is_read_and_not_changed(team: Team, operation: Operation) -> None:  # noqa: F811
    if operation.name == "rerun_scene":
        return  # makes a scene of one's own
    answer = operation.ask(team.other, scene_id=team.scene("grid"))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_yours")
    answer = operation.ask(team.admin, scene_id=team.scene("grid"))
    code = "conflict" if operation.name == "cancel_scene" else "not_yours"  # may, had it not ended
    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    "operation",
    [one for one in EVERY if one.method == "GET" and "{" not in one.path],
    ids=lambda one: one.name,
)
def test_no_list_shows_what_is_private_of_another(
    team: Team,  # noqa: F811
    operation: Operation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if operation.name == "stream_events":
        return  # it does not end; tests/integration/test_api_events.py reads it
    if RIGHT[operation.name] == PUBLIC or operation.name == "list_audit":
        return  # the log says to administrators who did something to which scene, and no more
    hidden = {team.scene("stocks"), *(row["run_key"] for row in team.runs("stocks"))}
    assert len(hidden) > 1
    shown = [row["run_key"] for row in team.runs("grid")[:2]]
    monkeypatch.setitem(QUERIES, "compare_runs", {"run": shown})
    for by in (team.other, team.admin):
        answer = operation.ask(by)
        if operation.name == "list_backfills":  # Airflow, which knows no scene, is away here
            assert answer.status_code == 503, answer.text
        elif RIGHT[operation.name] == ADMIN and by is not team.admin:
            assert answer.status_code == 403, answer.text
        else:
            assert answer.status_code == 200, answer.text
        assert not [one for one in hidden if one in answer.text]


@pytest.mark.parametrize("asked", [{"tag": "secret"}, {"owner": "trader"}, {"state": "finished"}])
def test_no_filter_finds_what_is_private_of_another(team: Team, asked: dict[str, str]) -> None:  # noqa: F811
    private = team.scene("stocks")
    found = team.other.get("/scenes", params={**asked, "limit": 200})
    assert found.status_code == 200
    assert private not in found.text
    assert private in team.trader.get("/scenes", params={**asked, "limit": 200}).text


def test_a_strategys_record_shows_no_scene_that_is_private_of_another(team: Team) -> None:  # noqa: F811
    found = team.other.get("/strategies/rsi_reversion")
    assert found.status_code == 200
    assert team.scene("stocks") not in found.text
