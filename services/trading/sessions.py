"""Start sessions, list them and show them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from mela.errors import (
    Conflict,
    InputInvalid,
    NotAllowed,
    NotFound,
    RejectionCode,
    SceneInvalid,
)
from mela.inference import infer
from mela.instrument import parse_name
from mela.market_hours import has_hours_around
from mela.scene import StrategyChoice
from mela.session import Session, parse_session
from mela.settings import Settings
from services.accounts.accounts import Caller, Role, Scope
from services.cursors import cursor_of, place_of
from services.models.pinning import pinned_choice, pinned_scene, references_of
from services.models.process_models import models_of
from services.scenes.local_check import checked_scene
from services.scenes.scene_yaml import yaml_of
from services.scenes.stored_scenes import accepted_scene
from services.strategies.all_strategies import all_strategies
from services.trading import session_view
from services.trading.answers import (
    CommandRow,
    Fault,
    SessionCheck,
    SessionDetail,
    SessionRow,
)
from services.trading.answers import Page as SessionPage
from services.trading.command_rows import command_row
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.trading import commands as stored_commands
from warehouse.trading import latches
from warehouse.trading import sessions as stored
from warehouse.trading.sessions import NewSession

MOST_COMMANDS = 20
MOST_NAMED = 5
VENUE_AROUND = "alpaca"  # whose feed has the hours before and after the session
_PLACE = TypeAdapter(tuple[datetime, UUID])
# A session is checked as the scene that asks the same of some days; which days changes nothing.
_SOME_DAYS = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))


def start(
    settings: Settings,
    caller: Caller,
    document: Any,
    *,
    confirm: str | None,
    is_private: bool = False,
) -> SessionRow:
    """Start a session as the caller's; the process that trades takes it from there.

    confirm: the session's name, typed again, for one that trades money
    Raises SceneInvalid for the document, NotAllowed for the caller or for money that the settings
    do not allow, InputInvalid for the confirmation, Conflict while the kill switch of all is set or
    another session trades the same instrument in the same account of a broker.
    """
    if not caller.may(Scope.WRITE):
        raise NotAllowed(f"{caller.user} may not start sessions: that takes the role trader.")
    session = checked(document, settings)
    session = _pinned(session, settings)
    _check_money(session, settings, confirm)
    new = _new(session, caller, is_private)
    with transaction(settings) as connection:
        if any(one.session_id is None for one in latches.set_now(connection)):
            raise Conflict(
                "the kill switch of all sessions is set, so that none may start; a person releases "
                "it with `mela trade release --all`."
            )
        if session.broker.kind != "paper":
            other = stored.sharing(connection, new)
            if other is not None:
                raise Conflict(
                    f"the session {other!r} trades one of these instruments at {new.broker} "
                    "already, and an account has one position of each: stop that one first, or "
                    "take other instruments."
                )
        stored.add(connection, new)
        return session_view.row_of(
            connection, caller, session_view.found(connection, caller, new.session_id)
        )


def checked(document: Any, settings: Settings) -> Session:
    """Return a session that can be traded, with its strategy. Raises SceneInvalid."""
    session = document if isinstance(document, Session) else parse_session(document)
    if session.champion_of is not None:
        session = session.with_strategy(champion(session.champion_of, settings))
    catalogue = all_strategies(settings)
    pin = partial(pinned_scene, settings=settings)
    scene = session.scene(*_SOME_DAYS)
    checked_scene(scene, catalogue, max_runs=settings.max_runs, pin=pin)
    _check_hours(session)
    return session


def _check_hours(session: Session) -> None:
    """Refuse hours in which a session would hear nothing and send nothing. Raises SceneInvalid."""
    if session.sessions != "extended":
        return
    for name in session.instruments:
        if parse_name(name)[0] != VENUE_AROUND and has_hours_around(infer(name).calendar):
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                "sessions",
                f"sessions: extended needs instruments of {VENUE_AROUND}, whose feed alone has "
                f"candles from before and after the session, but found {name}. Take {VENUE_AROUND}:"
                f"{parse_name(name)[1]}, or sessions: regular.",
            )


def _pinned(session: Session, settings: Settings) -> Session:
    """Return a session whose model is pinned, with the model's file in the warehouse.

    So it has the same model after every restart, and the process that trades needs no MLflow.
    """
    if session.strategy is None:
        return session
    choice = pinned_choice(session.strategy, settings)
    scene = session.with_strategy(choice).scene(*_SOME_DAYS)
    for reference in references_of(scene):
        models_of(settings).keep(reference)
    return session if choice == session.strategy else session.with_strategy(choice)


def champion(scene_id: UUID, settings: Settings) -> StrategyChoice:
    """Return the strategy and the parameters of a scene's best run. Raises SceneInvalid."""
    field = "champion_of"
    try:
        with transaction(settings) as connection:
            scene = accepted_scene(connection, scene_id)
            best = finder.best_of(connection, scene_id, scene.ranking).overall
    except NotFound as error:
        raise SceneInvalid(RejectionCode.INVALID_FIELD, field, str(error)) from error
    if best is None:
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            field,
            f"the scene {scene_id} has no run that succeeded yet, so nothing can be its champion.",
        )
    return StrategyChoice(name=best["strategy"]["name"], params=best["params"])


def validate(settings: Settings, caller: Caller, document: Any) -> SessionCheck:  # noqa: ARG001
    """Say what is wrong with a document. Nothing is started."""
    given: Mapping[str, Any] = document if isinstance(document, Mapping) else {}
    name, money = given.get("name"), given.get("money", "paper")
    faults: tuple[Fault, ...] = ()
    yaml: str | None = None
    try:
        yaml = yaml_of(checked(document, settings).content())
    except SceneInvalid as error:
        faults = tuple(
            Fault(one.code.value, one.field, one.sentence) for one in (error, *error.others)
        )
    return SessionCheck(
        is_valid=not faults,
        faults=faults,
        name=name if isinstance(name, str) else None,
        money=money if money in ("paper", "live") else None,
        yaml=yaml,
    )


def read_yaml(text: str) -> Any:
    """Return the document that YAML means. Raises SceneInvalid."""
    import yaml

    from mela.yaml_text import read_yaml as read

    try:
        return read(text)
    except yaml.YAMLError as error:
        sentence = f"expected a session as YAML, but {str(error).replace(chr(10), ' ')}"
        raise SceneInvalid(RejectionCode.NOT_JSON, "yaml", sentence) from error


def list_sessions(
    settings: Settings,
    caller: Caller,
    *,
    state: str | None = None,
    text: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> SessionPage[SessionRow]:
    """Return the sessions that a caller may see, the newest first."""
    viewer = None if caller.role is Role.ADMIN else caller.user_id
    with transaction(settings) as connection:
        known = stored.page(
            connection,
            viewer=viewer,
            state=state,
            words=text or None,
            before=place_of(cursor, _PLACE),
            most=limit + 1,
        )
        items = tuple(session_view.row_of(connection, caller, one) for one in known[:limit])
    is_over = len(known) <= limit
    last = known[limit - 1] if not is_over else None
    return SessionPage(items, last and cursor_of((last.created_at, last.session_id), _PLACE))


def get_session(settings: Settings, caller: Caller, session_id: UUID) -> SessionDetail:
    """Return a session, its document and what was asked of it last. Raises NotFound."""
    with transaction(settings) as connection:
        one = session_view.found(connection, caller, session_id)
        asked = stored_commands.newest(connection, session_id, MOST_COMMANDS)
        row = session_view.row_of(connection, caller, one)
    document: dict[str, Any] = json.loads(one.document)
    told: tuple[CommandRow, ...] = tuple(map(command_row, asked))
    return SessionDetail(row, document, yaml_of(document), told)


def meant(settings: Settings, caller: Caller, words: str) -> UUID:
    """Return the session that somebody means: by its id, its first digits, or its name.

    If several have this name, the one that has not ended. Raises NotFound, and InputInvalid where
    several fit.
    """
    with transaction(settings) as connection:
        known = [
            one for one in stored.meant(connection, words, 50) if session_view.may_see(caller, one)
        ]
    going = [one for one in known if not one.has_ended]
    if len(going) == 1 or (not going and len({one.name for one in known}) == 1):
        return (going or known)[0].session_id
    if not known:
        raise NotFound(f"there is no session {words!r}; `mela trade list` names them all.")
    named = ", ".join(str(one.session_id) for one in (going or known)[:MOST_NAMED])
    raise InputInvalid("session", f"{words} means several sessions: {named}. Take an id.")


def _check_money(session: Session, settings: Settings, confirm: str | None) -> None:
    if session.money != "live":
        return
    if not settings.trading.allow_live:
        raise NotAllowed(
            f"the session {session.name!r} asks for money: live, which this stack does not allow. "
            "Set MELA_TRADING__ALLOW_LIVE=true if it should trade money.",
            "live_not_allowed",
        )
    if confirm != session.name:
        raise InputInvalid(
            "confirm",
            f"expected the session's name typed again, {session.name!r}, because it trades money, "
            f"but found {confirm!r}.",
        )


def _new(session: Session, caller: Caller, is_private: bool) -> NewSession:
    strategy = session.strategy
    broker = session.broker
    is_hard = broker.kind == "paper" and not session.fills_plainly
    return NewSession(
        session_id=uuid4(),
        name=session.name,
        user_id=caller.user_id,
        is_private=is_private,
        document=json.dumps(session.content(), ensure_ascii=False),
        instruments=list(session.instruments),
        interval=session.interval.value,
        mode=session.mode,
        strategy=strategy.name if strategy else "",
        broker="paper, hard fills" if is_hard else broker.kind,
        feed=session.feed.kind,
        money=session.money,
        cash=session.cash,
    )
