"""`mela airflow`, `dbt`, `mlflow`, `psql`: run other programs with the addresses of this stack."""

from __future__ import annotations

import os
import subprocess

import typer

from cli.console import explains
from cli.panels import STACK, WAREHOUSE
from mela.settings import Settings
from stack import database, orchestration, tracking
from warehouse import dbt_project


def register(app: typer.Typer) -> None:
    """Add the commands of this file, which pass on every word after their name."""
    settings = {
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
    for command, panel in ((airflow, STACK), (mlflow, STACK), (dbt, WAREHOUSE), (psql, WAREHOUSE)):
        app.command(context_settings=settings, rich_help_panel=panel)(command)


@explains
def airflow(context: typer.Context) -> None:
    """Run Airflow's own command line on this stack. All further words are Airflow's.

    Example: mela airflow backfill create --dag-id ingest_candles --from-date 2023-05-01
    --to-date 2023-05-07
    """
    program, environment = orchestration.command_line(Settings())
    _run([program, *context.args], environment)


@explains
def dbt(context: typer.Context) -> None:
    """Run dbt's own command line on this warehouse. All further words are dbt's.

    dbt writes to MELA_HOME/dbt. Examples: mela dbt build --select marts,
    mela dbt docs generate --static
    """
    _run(*dbt_project.command(Settings(), *context.args))


@explains
def mlflow(context: typer.Context) -> None:
    """Run MLflow's own command line on this stack's store. All further words are MLflow's.

    Example: mela mlflow gc --older-than 1d
    """
    _run(*tracking.command_line(Settings(), *context.args))


@explains
def psql(context: typer.Context) -> None:
    """Open psql on the warehouse, as its owner. All further words are psql's.

    Example: mela psql -c 'select * from marts.dim_instrument'
    """
    where = Settings().postgres
    environment = {
        "PGHOST": where.host,
        "PGPORT": str(where.port),
        "PGDATABASE": where.database,
        "PGUSER": where.user,
        "PGPASSWORD": where.password.get_secret_value(),
    }
    _run([database.psql(), *context.args], os.environ | environment)


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, check=False)
    raise typer.Exit(done.returncode)
