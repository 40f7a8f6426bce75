"""Airflow: four components that share one configuration, each a service of its own."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from mela.errors import StackFailed
from mela.settings import REPOSITORY, Settings
from stack import healthy, http, pools, roles, schemas
from stack.environment import explicit_settings, fresh, read
from stack.service import Program, Service, Site, marked
from warehouse import dbt_project

JWT_SECRET = "MELA_STACK_AIRFLOW_JWT_SECRET"  # noqa: S105 - names of keys
SECRET_KEY = "MELA_STACK_AIRFLOW_SECRET_KEY"  # noqa: S105
FERNET_KEY = "MELA_STACK_AIRFLOW_FERNET_KEY"
PUBLIC_URL = "MELA_STACK_AIRFLOW_PUBLIC_URL"  # the address for browsers, if it differs
_migrating = threading.Lock()
_API_SERVER = healthy.API_SERVER
# Log servers would listen on all interfaces; on one machine, logs are read as files. No task of
# ours defers itself, so that there is no triggerer (docs/decisions/0041-no-triggerer.md).
_COMPONENTS = {
    _API_SERVER: ("api-server",),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dag-processor": ("dag-processor",),
}


def services() -> tuple[Service, ...]:
    """Describe Airflow's components to the supervisor."""
    return tuple(_service(name, words) for name, words in _COMPONENTS.items())


def command_line(settings: Settings) -> tuple[str, dict[str, str]]:
    """Return the path of Airflow's program and the environment to use it with this stack.

    Raises StackFailed before the first `up`.
    """
    site = Site(fresh(settings), read(settings.home.resolve()))
    if FERNET_KEY not in site.kept or roles.TASKS_PASSWORD not in site.kept:
        raise StackFailed(
            f"there is no stack of this version in {settings.home} yet; `mela up` makes it"
        )
    return _airflow(), {**os.environ, **_environment(site)}


def _service(name: str, words: tuple[str, ...]) -> Service:
    return Service(
        name=name,
        address=lambda settings: settings.airflow.url if name.endswith("server") else "",
        program=lambda site: Program(
            command=(_airflow(), *words),
            environment=_environment(site),
            directory=_home(site),
            niceness=5,
        ),
        needs=("postgres",),
        asks=() if name == _API_SERVER else (_API_SERVER,),
        prepare=_prepare,
        probe=lambda site, pid: _probe(site.settings, name, pid),
        finish=lambda site: pools.ensure(site) if name == _API_SERVER else None,
    )


def _environment(site: Site) -> dict[str, str]:
    settings, kept, home = site.settings, site.kept, _home(site)
    address = urlsplit(settings.airflow.url)
    options = {
        "CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{settings.airflow.user}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords(site)),
        "CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGBAG_IMPORT_TIMEOUT": "120",  # s; cosmos reads a project for 30 on a busy machine
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": "4",
        "CORE__FERNET_KEY": kept[FERNET_KEY],
        "CORE__EXECUTION_API_SERVER_URL": f"{settings.airflow.url}/execution/",
        "CORE__DEFAULT_TIMEZONE": "utc",
        "API__HOST": site.listen,
        "API__PORT": str(address.port),
        "API__BASE_URL": kept.get(PUBLIC_URL, settings.airflow.url),
        "API__WORKERS": "1",
        "API__SECRET_KEY": kept[SECRET_KEY],
        "API_AUTH__JWT_SECRET": kept[JWT_SECRET],
        "DATABASE__SQL_ALCHEMY_CONN": roles.url(site, "airflow", kept[roles.AIRFLOW_PASSWORD]),
        "DATABASE__SQL_ALCHEMY_POOL_SIZE": "5",
        # A Postgres that restarts is away for seconds. After 3 tries the scheduler gives up, and
        # then waits without a heartbeat for all its running tasks before it ends.
        "DATABASE__MAX_DB_RETRIES": "10",
        "LOGGING__BASE_LOG_FOLDER": str(site.home / "logs" / "airflow"),
        "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(
            site.home / "logs" / "airflow" / "dag_processor"
        ),
        "LOGGING__COLORED_CONSOLE_LOG": "False",
        "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "150",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",  # a changed file is read at once
        "DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
        "COSMOS__CACHE_DIR": str(home / "cosmos"),
        "COSMOS__ENABLE_TELEMETRY": "False",
    }
    return {
        **{f"AIRFLOW__{key}": value for key, value in options.items()},
        "AIRFLOW_HOME": str(home),
        "SCARF_NO_ANALYTICS": "true",
        **explicit_settings(settings),  # tasks build their Settings from these
        **_warehouse(site),
        **marked(site),
    }


def _warehouse(site: Site) -> dict[str, str]:
    """Return how tasks connect to the warehouse: with an account of few rights (see `roles`)."""
    return {
        **dbt_project.environment(site.settings),
        "MELA_POSTGRES__USER": roles.TASKS,
        "MELA_POSTGRES__PASSWORD": site.kept[roles.TASKS_PASSWORD],
    }


def _prepare(site: Site) -> None:
    """Write the login file, migrate the database, and build dbt's manifest.

    The first component to start does this for all.
    """
    with _migrating:
        dbt_project.manifest(site.settings)
        _home(site).mkdir(mode=0o700, parents=True, exist_ok=True)
        user, password = site.settings.airflow.user, site.settings.airflow.password
        passwords = _passwords(site)
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({user: password.get_secret_value()}), encoding="utf-8")
        done = _home(site) / "migrated"
        if not done.exists() or done.read_text(encoding="utf-8") != _schema(site):
            _migrate(site)
            done.write_text(_schema(site), encoding="utf-8")


def _migrate(site: Site) -> None:
    environment = {**os.environ, **_environment(site)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the components start faster from bytecode
    schemas.migrate((_airflow(), "db", "migrate"), environment, _home(site))


def _schema(site: Site) -> str:
    return schemas.state(site, "airflow", site.kept[roles.AIRFLOW_PASSWORD], "apache-airflow")


def _probe(settings: Settings, name: str, pid: int) -> str | None:
    try:
        health = json.loads(http.get(f"{settings.airflow.url}/api/v2/monitor/health"))
        started_at = psutil.Process(pid).create_time()
    except (StackFailed, ValueError, psutil.NoSuchProcess) as error:
        return str(error)
    return healthy.airflow(health, name, started_at)


def _airflow() -> str:
    return str(Path(sys.executable).with_name("airflow"))


def _home(site: Site) -> Path:
    return site.home / "airflow"


def _passwords(site: Site) -> Path:
    return _home(site) / "passwords.json"
