"""Who asks at this machine's command line."""

from __future__ import annotations

import getpass

from mela.settings import Settings
from services.accounts import Caller, Role, scopes_of
from warehouse.accounts import accounts as stored
from warehouse.database import transaction
from warehouse.scenes import users


def at_this_machine(settings: Settings, user: str | None = None) -> Caller:
    """Return the caller of a command: a user by name, with the role of the account, if any.

    user: None means `settings.user`, and else whoever is signed in to this machine
    Whoever may read this stack's secrets and has no account of that name is its administrator.
    """
    name = (user or settings.user or getpass.getuser()).strip().lower()
    with transaction(settings) as connection:
        account = stored.by_name(connection, name)
        user_id = users.ensure(connection, name)
    role = Role(account.role) if account and not account.is_disabled else Role.ADMIN
    return Caller(
        account_id=account.id if account else 0,
        user_id=user_id,
        user=name,
        role=role,
        scopes=scopes_of(role),
        via="session",
    )
