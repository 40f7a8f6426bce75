"""The web application as a service. `api/` defines what it answers."""

from __future__ import annotations

import sys

from mela.errors import StackFailed
from mela.settings import REPOSITORY, Settings
from stack import environment, guard, healthy, http, roles
from stack.service import Program, Service, Site, marked

NAME = "api"
PASSWORD = "MELA_STACK_API_PASSWORD"  # noqa: S105 - the name of a key: of the first account
# Secrets that other programs need, and the application does not.
_NOT_ITS_OWN = ("MELA_SPARK__SECRET", "MELA_ALPACA__KEY", "MELA_ALPACA__SECRET")


FIRST = "admin"  # the user of the first account


def sign_in(settings: Settings) -> str:
    """Return how one signs in: the first account and, until it is changed, its password."""
    from services.accounts import accounts  # loads SQLAlchemy, which most commands do without

    password = environment.read(settings.home).get(PASSWORD, "")
    if password and accounts.has_password(settings, FIRST, password):
        return f"{FIRST} / {password}"
    return f"`mela user list` says who may sign in, `mela user passwd {FIRST}` sets a password"


def service() -> Service:
    """Describe the application to the supervisor."""
    return Service(
        name=NAME,
        address=lambda settings: settings.api.public_url or settings.api.url,
        program=_program,
        needs=("postgres", "kafka"),
        probe=_probe,
    )


def _program(site: Site) -> Program:
    kept = {key: text for key, text in site.kept.items() if not key.startswith("MELA_STACK_")}
    known = {**environment.explicit_settings(site.settings), **kept}
    return Program(
        command=(sys.executable, "-m", "api", site.listen),
        environment={
            **{key: text for key, text in known.items() if key not in _NOT_ITS_OWN},
            "MELA_POSTGRES__USER": roles.API,
            "MELA_POSTGRES__PASSWORD": site.kept[roles.API_PASSWORD],
            **guard.api_variables(site),
            PASSWORD: site.kept[PASSWORD],
            **marked(site),
        },
        directory=REPOSITORY,
        stop_wait_s=15,
    )


def _probe(site: Site, _pid: int) -> str | None:
    try:
        answer = http.get(f"{site.settings.api.url}/api/v1/health")
    except StackFailed as error:
        return str(error)
    return healthy.api(answer)
