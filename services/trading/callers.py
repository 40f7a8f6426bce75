"""The caller at this machine's command line."""

from __future__ import annotations

import getpass

from mela.errors import NotAllowed
from mela.settings import Settings
from services.accounts.accounts import Caller, Role, scopes_of
from warehouse.accounts import accounts as stored
from warehouse.database import transaction
from warehouse.scenes import users


def at_this_machine(settings: Settings, user: str | None = None) -> Caller:
    """Return the caller of a command: a user by name, with the role of the account, if any.

    user: None means `settings.user`, and else whoever is signed in to this machine
    Whoever runs a command reads this stack's secrets, and with them its whole database: no role
    could keep that person from anything. So a name without an account is the administrator's, and
    the role of an account saves its owner from mistakes, as on the pages. Raises NotAllowed for an
    account that somebody has disabled.
    """
    name = (user or settings.user or getpass.getuser()).strip().lower()
    with transaction(settings) as connection:
        account = stored.by_name(connection, name)
        user_id = users.ensure(connection, name)
        if account is not None and account.is_disabled:
            raise NotAllowed(
                f"the account {name} is disabled, and trades no more. An administrator enables it "
                f"with `mela user enable {name}`; whoever owns this machine commands under another "
                "name, with MELA_USER=NAME.",
                "account_disabled",
            )
        role = Role(account.role) if account is not None else Role.ADMIN
    return Caller(
        account_id=account.id if account else 0,
        user_id=user_id,
        user=name,
        role=role,
        scopes=scopes_of(role),
        via="session",
    )
