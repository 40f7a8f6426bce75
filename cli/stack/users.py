"""`mela user`: who may sign in to the web application."""

from __future__ import annotations

import getpass
import secrets
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.console import err, explains, out
from cli.panels import STACK
from mela.run import instant_text
from mela.settings import Settings

users = typer.Typer(help="Say who may sign in to the web application.", no_args_is_help=True)
User = Annotated[str, typer.Argument(metavar="USER", help="a name in small letters")]
Role = Annotated[
    str,
    typer.Option(help="viewer: reads; trader: publishes scenes too; admin: manages users too."),
]
Ask = Annotated[
    bool,
    typer.Option("--ask", help="Ask for the password here, instead of making one at random."),
]
CHARS = 18  # of a password made at random: 108 bits


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(users, name="user", rich_help_panel=STACK)


@users.command("add")
@explains
def add(user: User, role: Role = "trader", ask: Ask = False) -> None:
    """Make an account, or give one to somebody who published scenes before.

    Without --ask it prints a random password, which must be changed at the first sign-in.
    Example: mela user add ada --role trader
    """
    from services.accounts import accounts

    password, is_random = _password(ask)
    made = accounts.add(
        Settings(),
        user,
        password,
        accounts.role_named(role),
        must_change_password=is_random,
        may_adopt=True,
    )
    _note("add_user", made.user, {"role": made.role.value})
    err.print(f"{made.user} may sign in as {made.role.value}", markup=False)
    _show(password, is_random)


@users.command("passwd")
@explains
def passwd(user: User, ask: Ask = False) -> None:
    """Give an account a new password; its sessions end.

    Without --ask it prints a random one, which must be changed at the next sign-in.
    """
    from services.accounts import accounts

    password, is_random = _password(ask)
    accounts.set_password(Settings(), user, password, must_change=is_random)
    _note("set_password", user)
    _show(password, is_random)


@users.command("disable")
@explains
def disable(user: User) -> None:
    """Let somebody sign in no more. Sessions and tokens end; scenes stay."""
    _change(user, is_disabled=True)


@users.command("enable")
@explains
def enable(user: User) -> None:
    """Let somebody sign in again."""
    _change(user, is_disabled=False)


@users.command("role")
@explains
def role(user: User, role: Annotated[str, typer.Argument(help="viewer, trader or admin")]) -> None:
    """Give an account another role; its sessions end."""
    from services.accounts import accounts

    _change(user, role=accounts.role_named(role))


@users.command("quota")
@explains
def quota(
    user: User,
    runs_per_day: Annotated[
        int | None, typer.Option(min=0, help="Runs in a day of UTC; 0 for any number.")
    ] = None,
    scenes_at_once: Annotated[
        int | None, typer.Option(min=0, help="Scenes under way at once; 0 for any number.")
    ] = None,
) -> None:
    """Limit what a user may ask for. An absent option falls back to the default of the settings."""
    from services.accounts import quotas

    settings = Settings()
    quotas.set_quota(settings, user, runs_per_day=runs_per_day, scenes_at_once=scenes_at_once)
    detail = {"runs_per_day": runs_per_day, "scenes_at_once": scenes_at_once}
    _note("set_quota", user, detail)


@users.command("list")
@explains
def list_all() -> None:
    """Show all accounts."""
    from services.accounts import accounts

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("user", "role", "may sign in", "last sign-in", "runs a day", "scenes at once"):
        table.add_column(column)
    for one in accounts.every(Settings()):
        table.add_row(
            one.user,
            one.role.value,
            "no" if one.is_disabled else "yes",
            instant_text(one.signed_in_at) if one.signed_in_at else "–",
            _limit(one.runs_per_day),
            _limit(one.scenes_at_once),
        )
    out.print(table)


def _limit(number: int | None) -> str:
    return "default" if number is None else "any" if number == 0 else str(number)


def _password(ask: bool) -> tuple[str, bool]:
    """Return a password, and whether it was made at random."""
    if not ask:
        return secrets.token_urlsafe(CHARS), True
    return typer.prompt("password", hide_input=True, confirmation_prompt=True), False


def _show(password: str, is_random: bool) -> None:
    if is_random:
        out.print(password, markup=False, highlight=False)


def _change(user: str, **changes: Any) -> None:
    from services.accounts import accounts

    changed = accounts.change(Settings(), user, **changes)
    _note("change_user", changed.user, {key: str(value) for key, value in changes.items()})


def _note(action: str, user: str, detail: dict[str, Any] | None = None) -> None:
    """Write into the audit log who did it at this machine's command line."""
    from services.accounts import audit

    audit.note(
        Settings(),
        user=getpass.getuser(),
        via="command",
        action=action,
        subject=user,
        detail=detail,
    )
