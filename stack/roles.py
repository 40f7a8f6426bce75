"""Access rights in Postgres: a role and a database for each program that stores data there."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, connection, cursor

from mela.errors import StackFailed
from stack.service import Site

ADMIN = "postgres"
ADMIN_PASSWORD = "MELA_STACK_POSTGRES_ADMIN_PASSWORD"  # noqa: S105 - the name of the key
AIRFLOW_PASSWORD = "MELA_STACK_AIRFLOW_DATABASE_PASSWORD"  # noqa: S105
MLFLOW_PASSWORD = "MELA_STACK_MLFLOW_DATABASE_PASSWORD"  # noqa: S105
TASKS = "mela_tasks"
TASKS_PASSWORD = "MELA_STACK_TASKS_DATABASE_PASSWORD"  # noqa: S105
JOB = "mela_job"
JOB_PASSWORD = "MELA_STACK_JOB_DATABASE_PASSWORD"  # noqa: S105
RUN = "mela_run"
RUN_PASSWORD = "MELA_STACK_RUN_DATABASE_PASSWORD"  # noqa: S105
API = "mela_api"
API_PASSWORD = "MELA_STACK_API_DATABASE_PASSWORD"  # noqa: S105
LIVE = "mela_live"
LIVE_PASSWORD = "MELA_STACK_LIVE_DATABASE_PASSWORD"  # noqa: S105
TRAINER = "mela_trainer"
TRAINER_PASSWORD = "MELA_STACK_TRAINER_DATABASE_PASSWORD"  # noqa: S105
READER = "mela_reader"
READER_PASSWORD = "MELA_STACK_READER_DATABASE_PASSWORD"  # noqa: S105
PASSWORDS = {
    TASKS: TASKS_PASSWORD,
    JOB: JOB_PASSWORD,
    RUN: RUN_PASSWORD,
    READER: READER_PASSWORD,
    API: API_PASSWORD,
    LIVE: LIVE_PASSWORD,
    TRAINER: TRAINER_PASSWORD,
}
MLFLOW_SIGN_IN = "mlflow_auth"  # the database of MLflow's users, which the role mlflow owns
MARTS = "mela_marts"
PRUNE = "mela_prune"  # may call what removes results and keeps their trials, and nothing else
_BUILT = ("staging", "history", "marts")
_LOADED = (
    "SELECT, INSERT, UPDATE, DELETE"  # for raw, where candles are added, changed and versioned
)
# Tables of ops that Airflow's tasks may write. They may read all of ops, and build the marts.
_WRITES = {
    "instrument": "INSERT, UPDATE",
    "instrument_version": "INSERT",
    "load_batch": "INSERT, UPDATE",
    "candle_revision": "INSERT",
    "rejected_candle": "INSERT",
    "quality_check": "INSERT",
    "quality_finding": "INSERT, UPDATE",
    "scene": "INSERT, UPDATE (user_id, rerun_of)",  # announced, before the planner reads it
    "scene_schedule": "UPDATE (last_scene_id, last_covered_until)",
    "session_drift": "INSERT, UPDATE, DELETE",
    "session_drift_line": "INSERT, UPDATE, DELETE",
    "alert_outbox": "INSERT, UPDATE",
}
# Tables of ops that the streaming job may write, besides reading raw and ops. It may store results
# and never change one.
_JOB_WRITES = {
    "user": "INSERT",  # who published straight to Kafka
    "scene": "INSERT, UPDATE",
    "scene_stage": "INSERT",
    "run": "INSERT",
    "run_instrument": "INSERT",
    "run_input": "INSERT",
    "result": "INSERT",
    "scene_run": "INSERT",
    "equity": "INSERT",
    "equity_packed": "INSERT",
    "trade": "INSERT",
    "holdout": "INSERT",
    "strategy_check": "INSERT, UPDATE",
    "chunk_mark": "INSERT, DELETE",
    "model_file": "INSERT, UPDATE (kept_at)",  # of models that scenes name
    "training": "INSERT",
}
# The web application reads all, and writes its own tables, of which it may only add to the audit
# log. Of ops it writes what `mela publish`, `cancel`, `schedule` and `watch` write.
_API_OWN = (
    *("account", "session", "browser", "token", "invitation", "attempt", "oidc_attempt"),
    *("scene_card", "idempotency", "quota"),
)
_API_WRITES = {
    "app.audit_entry": "INSERT",
    **dict.fromkeys((f"app.{table}" for table in _API_OWN), "INSERT, UPDATE, DELETE"),
    'ops."user"': "INSERT",
    "ops.scene": "INSERT, UPDATE (user_id, rerun_of, status, cancelled_at)",
    "ops.watch": "INSERT, DELETE",
    "ops.scene_schedule": "INSERT, UPDATE, DELETE",
    "ops.scene_schedule_instrument": "INSERT, UPDATE, DELETE",
    "ops.session": "INSERT",
    "ops.model_file": "INSERT, UPDATE (kept_at)",  # of models that sessions name
    "ops.session_command": "INSERT",
    "ops.kill_latch": "INSERT, UPDATE (released_at, released_by)",
}
# What the process may write that trades. It only adds to the log, and sets no kill switch free.
_LIVE_WRITES = {
    "session": "UPDATE (state, why, risk_state, risk_why, started_at, stopped_at)",
    "session_event": "INSERT",
    "session_series": "INSERT, UPDATE",
    "session_snapshot": "INSERT, DELETE",
    "session_snapshot_part": "INSERT",
    "session_order": "INSERT, UPDATE",
    "session_fill": "INSERT",
    "session_position": "INSERT, UPDATE, DELETE",
    "session_trade": "INSERT",
    "session_equity": "INSERT",
    "session_verdict": "INSERT",
    "session_command": "UPDATE (answered_at, outcome, answer)",
    "kill_latch": "UPDATE (report)",
    "alert_outbox": "INSERT, UPDATE, DELETE",
    "alert_receiver": "INSERT, UPDATE, DELETE",
    "headline": "INSERT",
    "live_beat": "INSERT, UPDATE",
    "session_published": "INSERT, UPDATE",
}
# What the process may write that trains: how its scenes end, and the record of models.
_TRAINER_WRITES = {
    "scene": "UPDATE (status, finished_at, best, mlflow_run_id)",
    "training": "UPDATE",
    "training_part": "INSERT, DELETE",
    "model_version": "INSERT",
    "model_alias": "INSERT, UPDATE",
    "model_file": "INSERT, UPDATE (kept_at)",
}
# And what the processes may write that execute strategies: that a chunk is being executed.
_RUN_WRITES = {"chunk_mark": "INSERT, DELETE"}
# Loads create their partitions through one function, which has the owner's rights.
_PARTITIONS = "raw.ensure_candle_years(text, integer[])"
_PRUNES = (
    "ops.begin_prune(integer, integer, integer), ops.end_prune(bigint),"
    " ops.prune_results(bigint, text[]), ops.prune_curves(bigint, text[]),"
    " ops.prune_model_files(integer)"
)


def ensure(site: Site) -> None:
    """Create missing roles and databases, and set the roles' passwords."""
    settings = site.settings.postgres
    owners = {
        settings.database: (settings.user, settings.password.get_secret_value()),
        "airflow": ("airflow", site.kept[AIRFLOW_PASSWORD]),
        "mlflow": ("mlflow", site.kept[MLFLOW_PASSWORD]),
        MLFLOW_SIGN_IN: ("mlflow", site.kept[MLFLOW_PASSWORD]),
    }
    try:
        session = _admin(site, "postgres")
    except psycopg2.OperationalError as error:
        raise StackFailed(
            f"Postgres does not accept the password in {site.home / 'stack.env'}: restore the "
            f"one that belongs to {site.home / 'postgres'}, or remove that folder to begin anew"
        ) from error
    with closing(session):
        session.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with session.cursor() as run:
            for database, (role, password) in owners.items():
                _ensure_role(run, role, password)
                _ensure_database(run, database, role)
            # The warehouse's owner may create scratch databases, as its tests do.
            run.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(settings.user)))
            for role, key in PASSWORDS.items():
                _ensure_role(run, role, site.kept[key])
            _ensure_role(run, MARTS, None)
            _ensure_role(run, PRUNE, None)


def grant(site: Site) -> None:
    """Grant each role the minimum rights on the migrated warehouse.

    Airflow's tasks read raw and ops, write the tables of loads, checks and schedules, and own only
    the marts. The streaming job reads the same and stores what it computes. The processes that
    execute strategies only read. The reader reads ops and the marts. The web application reads all
    and writes what its users may. The process that trades reads raw and ops, and adds to the logs
    of its sessions. The process that trains reads the same, and adds to the record of models.
    """
    settings = site.settings.postgres
    names = {
        "owner": sql.Identifier(settings.user),
        "tasks": sql.Identifier(TASKS),
        "marts": sql.Identifier(MARTS),
        "job": sql.Identifier(JOB),
        "run": sql.Identifier(RUN),
        "reader": sql.Identifier(READER),
        "api": sql.Identifier(API),
        "live": sql.Identifier(LIVE),
        "trainer": sql.Identifier(TRAINER),
        "prune": sql.Identifier(PRUNE),
        "database": sql.Identifier(settings.database),
    }
    statements = [
        *_readable("raw, ops", "{owner}", "{job}, {run}, {live}, {trainer}"),
        *_readable("raw, ops, app", "{owner}", "{api}"),
        *_readable("marts", "{marts}", "{api}"),
        "ALTER ROLE {api} SET statement_timeout = '15s'",
        "ALTER ROLE {api} SET idle_in_transaction_session_timeout = '60s'",
        *(f"GRANT {rights} ON {table} TO {{api}}" for table, rights in _API_WRITES.items()),
        # the planner asks what a user may ask for
        "GRANT USAGE ON SCHEMA app TO {job}",
        "GRANT SELECT ON app.quota TO {job}",
        # a schedule that is private publishes scenes that are
        "GRANT USAGE ON SCHEMA app TO {tasks}",
        "GRANT INSERT ON app.scene_card TO {tasks}",
        *_readable("ops", "{owner}", "{reader}"),
        *_readable("marts", "{marts}", "{reader}"),
        "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {job}",
        "GRANT CONNECT ON DATABASE {database} TO {run}, {reader}, {api}, {live}, {trainer}",
        "ALTER ROLE {reader} SET default_transaction_read_only = on",
        *(f"GRANT {rights} ON ops.{table} TO {{job}}" for table, rights in _JOB_WRITES.items()),
        *(f"GRANT {rights} ON ops.{table} TO {{run}}" for table, rights in _RUN_WRITES.items()),
        *(f"GRANT {rights} ON ops.{table} TO {{live}}" for table, rights in _LIVE_WRITES.items()),
        *(
            f"GRANT {rights} ON ops.{table} TO {{trainer}}"
            for table, rights in _TRAINER_WRITES.items()
        ),
        "GRANT USAGE ON SCHEMA raw, ops TO {marts}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA raw, ops TO {marts}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA raw, ops GRANT SELECT ON TABLES "
        "TO {marts}",
        f"GRANT {_LOADED} ON ALL TABLES IN SCHEMA raw TO {{tasks}}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {{owner}} IN SCHEMA raw GRANT {_LOADED} ON TABLES "
        "TO {tasks}",
        f"ALTER FUNCTION {_PARTITIONS} SECURITY DEFINER SET search_path = pg_catalog, pg_temp",
        f"REVOKE ALL ON FUNCTION {_PARTITIONS} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {_PARTITIONS} TO {{tasks}}",
        "GRANT USAGE ON SCHEMA ops TO {prune}",
        f"GRANT EXECUTE ON FUNCTION {_PRUNES} TO {{prune}}",
        "GRANT {prune} TO {tasks}",
        *(f"GRANT {rights} ON ops.{table} TO {{tasks}}" for table, rights in _WRITES.items()),
    ]
    with closing(_admin(site, settings.database)) as session:
        with session.cursor() as run:
            _let_build(run, settings.user, settings.database)
            for statement in statements:
                run.execute(sql.SQL(statement).format(**names))
        session.commit()


def _readable(schemas: str, maker: str, readers: str) -> tuple[str, ...]:
    """Return what lets roles read the tables of some schemas, today's and later ones."""
    return (
        f"GRANT USAGE ON SCHEMA {schemas} TO {readers}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schemas} TO {readers}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {maker} IN SCHEMA {schemas} "
        f"GRANT SELECT ON TABLES TO {readers}",
    )


def _let_build(run: cursor, owner: str, database: str) -> None:
    """Make one role the owner of everything dbt builds, whoever runs dbt."""
    marts, name = sql.Identifier(MARTS), sql.Identifier(database)
    for member in (owner, TASKS):
        run.execute(sql.SQL("GRANT {} TO {}").format(marts, sql.Identifier(member)))
    rights = "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}"
    run.execute(sql.SQL(rights).format(name, marts))
    for schema in _BUILT:
        statement = sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}")
        run.execute(statement.format(sql.Identifier(schema), marts))
        run.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(sql.Identifier(schema), marts))
    run.execute(
        """SELECT relnamespace::regnamespace::text, relname FROM pg_class
           WHERE relnamespace = ANY (SELECT oid FROM pg_namespace WHERE nspname = ANY (%s))
             AND relkind IN ('r', 'p', 'v', 'm') AND relowner <> %s::regrole""",
        (list(_BUILT), MARTS),
    )
    for found in run.fetchall():  # dbt built these before the role existed
        run.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(*found), marts))
    run.execute(
        """SELECT oid::regprocedure::text FROM pg_proc
           WHERE pronamespace = ANY (SELECT oid FROM pg_namespace WHERE nspname = ANY (%s))
             AND proowner <> %s::regrole""",
        (list(_BUILT), MARTS),
    )
    for [function] in run.fetchall():  # already quoted for SQL by Postgres
        run.execute(sql.SQL("ALTER ROUTINE {} OWNER TO {}").format(sql.SQL(function), marts))


def _admin(site: Site, database: str) -> connection:
    return psycopg2.connect(
        host=site.settings.postgres.host,
        port=site.settings.postgres.port,
        dbname=database,
        user=ADMIN,
        password=site.kept[ADMIN_PASSWORD],
    )


def _ensure_role(run: cursor, role: str, password: str | None) -> None:
    """Create or update a role. A role without a password cannot log in."""
    run.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    verb = "ALTER" if run.fetchone() else "CREATE"
    login = "LOGIN" if password else "NOLOGIN"
    statement = f"{verb} ROLE {{}} {login} NOSUPERUSER NOCREATEROLE NOREPLICATION PASSWORD {{}}"
    run.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(password)))


def _ensure_database(run: cursor, database: str, owner: str) -> None:
    run.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
    if run.fetchone():
        return
    name, holder = sql.Identifier(database), sql.Identifier(owner)
    run.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, holder))
    run.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))


def url(site: Site, role: str, password: str, database: str | None = None) -> str:
    """Return the SQLAlchemy URL of a role's own database, or of another one."""
    settings = site.settings.postgres
    address = f"{settings.host}:{settings.port}/{database or role}"
    return f"postgresql+psycopg2://{role}:{password}@{address}"
