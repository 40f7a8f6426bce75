"""Sign-in at MLflow, if it is required: its configuration, its users, their rights.

`mela` reads everything and registers models, the streaming job writes what it logs, `mela-admin`
may do everything.
"""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr

from mela.errors import StackFailed
from mela.settings import Settings
from stack import environment as kept
from stack import guard, http, roles
from stack.service import Site

_CONFIG = """\
[mlflow]
default_permission = READ
database_uri = {store}
admin_username = {admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
grant_default_workspace_access = false
# A password is hashed slowly: once in this many seconds, not with each of a scene's requests.
auth_cache_ttl_seconds = 300
"""
_EVERY, _EDIT, _MANAGE = "*", "EDIT", "MANAGE"
_MODELS = {"filter": "name = 'mela.models'", "max_results": 1}  # as forecasts.registry names it


def write_configuration(site: Site) -> None:
    """Write the configuration of MLflow's sign-in, which holds the password of its database."""
    store = roles.url(
        site, "mlflow", site.kept[roles.MLFLOW_PASSWORD], database=roles.MLFLOW_SIGN_IN
    )
    path = _file(site)
    new = path.with_name(f".{path.name}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        text = _CONFIG.format(store=store.replace("%", "%%"), admin=guard.MLFLOW_ADMIN)
        handle.write(text)
    new.replace(path)


def environment(site: Site) -> dict[str, str]:
    """Return the variables of a server that asks who its clients are."""
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(_file(site)),
        "MLFLOW_AUTH_ADMIN_USERNAME": guard.MLFLOW_ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": site.kept[guard.MLFLOW_PASSWORDS[guard.MLFLOW_ADMIN]],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": site.kept[guard.MLFLOW_SECRET],
    }


def ensure(site: Site) -> None:
    """Create the users that are missing, and set passwords and rights. Raises StackFailed.

    MLflow takes the administrator's password when it starts first, and keeps it.
    """
    for user in (guard.MLFLOW_USER, guard.MLFLOW_JOB):
        password = site.kept[guard.MLFLOW_PASSWORDS[user]]
        if _signs_in(site, user, password):
            continue
        body = {"username": user, "password": password}
        try:
            _ask(site, "POST", "2.0/mlflow/users/create", body)
        except http.NoAnswer:
            raise
        except StackFailed:  # it is there, with another password
            _ask(site, "PATCH", "2.0/mlflow/users/update-password", body)
    for kind in ("experiment", "run", "logged_model"):
        _let_edit(site, guard.MLFLOW_JOB, kind, _EVERY)
    # Whoever makes a model or its experiment manages it. Before clients signed in, that was nobody.
    _let_edit(site, guard.MLFLOW_USER, "registered_model", _EVERY)
    found = _ask(site, "POST", "2.0/mlflow/experiments/search", _MODELS).get("experiments", [])
    for one in found:
        _let_edit(site, guard.MLFLOW_USER, "experiment", one["experiment_id"])


def _let_edit(site: Site, user: str, kind: str, which: str) -> None:
    asked = {"username": user, "resource_type": kind, "resource_id": which}
    has = _ask(site, "GET", f"3.0/mlflow/users/permissions/get?{urlencode(asked)}", None)
    if has["permission"] not in (_EDIT, _MANAGE):
        body = {**asked, "permission": _EDIT}
        _ask(site, "POST", "3.0/mlflow/users/permissions/grant", body)


def as_admin(settings: Settings) -> Settings:
    """Return settings whose MLflow account may delete runs, where this machine has its password."""
    password = kept.read(settings.home).get(guard.MLFLOW_PASSWORDS[guard.MLFLOW_ADMIN])
    if not settings.mlflow.user or password is None:
        return settings
    account = {"user": guard.MLFLOW_ADMIN, "password": SecretStr(password)}
    return settings.model_copy(update={"mlflow": settings.mlflow.model_copy(update=account)})


def _signs_in(site: Site, user: str, password: str) -> bool:
    try:
        _ask(site, "GET", "2.0/mlflow/users/current", None, (user, password))
    except http.NoAnswer:
        raise
    except StackFailed:
        return False
    return True


def _ask(
    site: Site, method: str, path: str, body: Any, account: tuple[str, str] | None = None
) -> Any:
    admin = (guard.MLFLOW_ADMIN, site.kept[guard.MLFLOW_PASSWORDS[guard.MLFLOW_ADMIN]])
    words = ":".join(account or admin).encode()
    signed = {"Authorization": f"Basic {b64encode(words).decode()}"}
    return http.ask(method, f"{site.settings.mlflow.url}/api/{path}", body, signed)


def _file(site: Site) -> Path:
    return site.home / "mlflow-sign-in.ini"
