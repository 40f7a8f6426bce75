"""MLflow's tracking server: its store in Postgres, its artifacts under MELA_HOME."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from mela.errors import StackFailed
from mela.settings import REPOSITORY, Settings
from stack import environment, guard, healthy, http, roles, schemas, tracking_users
from stack.ports import LOOPBACK, listened_on
from stack.service import Program, Service, Site

_SERVER_ENV = REPOSITORY / "mlflow" / "server.env"
_HOSTS = "MLFLOW_SERVER_ALLOWED_HOSTS"
_ROLE = "mlflow"


def service() -> Service:
    """Describe MLflow to the supervisor."""
    return Service(
        name="mlflow",
        address=lambda settings: settings.mlflow.url,
        program=_program,
        needs=("postgres",),
        prepare=prepare,
        probe=_probe,
        finish=lambda site: tracking_users.ensure(site) if guard.is_on(site) else None,
    )


def prepare(site: Site) -> None:
    """Create the folder of artifacts, and migrate the tables of an older MLflow.

    The server creates missing tables, but refuses to start on older ones.
    """
    _artifacts(site).mkdir(mode=0o700, parents=True, exist_ok=True)
    if guard.is_on(site):
        tracking_users.write_configuration(site)
    done = site.home / "mlflow-migrated"
    state = _schema(site)
    if state.endswith(schemas.EMPTY) or (done.exists() and done.read_text("utf-8") == state):
        return
    schemas.migrate(
        (_mlflow(), "db", "upgrade", _store(site)),
        {**os.environ, "PGPASSWORD": site.kept[roles.MLFLOW_PASSWORD]},
        site.home,
    )
    done.write_text(_schema(site), encoding="utf-8")


def command_line(settings: Settings, *words: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that runs MLflow's own command line on this stack, and its environment.

    `gc` works on the store itself, whose password is in the environment and not in an argument.
    Raises StackFailed before the first `up`.
    """
    site = Site(environment.fresh(settings), environment.read(settings.home.resolve()))
    password = site.kept.get(roles.MLFLOW_PASSWORD)
    if password is None:
        raise StackFailed(f"there is no stack in {settings.home} yet; `mela up` makes it")
    account = tracking_users.as_admin(site.settings).mlflow
    signed = {
        "MLFLOW_TRACKING_USERNAME": account.user,
        "MLFLOW_TRACKING_PASSWORD": account.password.get_secret_value(),
    }
    store = ("--backend-store-uri", _store(site)) if words[:1] == ("gc",) else ()
    return [_mlflow(), *words[:1], *store, *words[1:]], {
        **os.environ,
        **(signed if account.user else {}),
        "PGPASSWORD": password,
        "MLFLOW_TRACKING_URI": account.url,
    }


def _schema(site: Site) -> str:
    return schemas.state(site, _ROLE, site.kept[roles.MLFLOW_PASSWORD], "mlflow")


def _store(site: Site) -> str:
    """Return the address of the store, without the password."""
    where = site.settings.postgres
    return f"postgresql://{_ROLE}@{where.host}:{where.port}/{_ROLE}"


def _mlflow() -> str:
    return str(Path(sys.executable).with_name("mlflow"))


def _program(site: Site) -> Program:
    port = listened_on(site.kept, "mlflow", urlsplit(site.settings.mlflow.url).port)
    store = roles.url(site, _ROLE, site.kept[roles.MLFLOW_PASSWORD])
    static = dotenv_values(_SERVER_ENV, interpolate=False)
    return Program(
        command=(
            _mlflow(),
            "server",
            *("--host", site.listen, "--port", port, "--workers", "1"),
            *("--serve-artifacts", "--artifacts-destination", _artifacts(site).as_uri()),
            *(("--app-name", "basic-auth") if guard.is_on(site) else ()),
        ),
        environment={
            **{key: value for key, value in static.items() if value is not None},
            **_names(site, static[_HOSTS] or ""),
            "MLFLOW_BACKEND_STORE_URI": store,  # not an argument: it holds a password
            **(tracking_users.environment(site) if guard.is_on(site) else {}),
        },
        directory=site.home,  # not the repository, whose mlflow/ is no package
        stop_wait_s=15,
        niceness=5,
    )


def _names(site: Site, usual: str) -> dict[str, str]:
    """Allow the hostname by which other services call this one, if it is not this machine's."""
    name = urlsplit(site.settings.mlflow.url).hostname
    return {} if site.listen == LOOPBACK else {_HOSTS: f"{usual},{name}:*"}


def _probe(site: Site, _pid: int) -> str | None:
    try:
        answer = http.get(f"{site.settings.mlflow.url}/health")
    except StackFailed as error:
        return str(error)
    return healthy.mlflow(answer)


def _artifacts(site: Site) -> Path:
    return site.home / "mlflow-artifacts"
