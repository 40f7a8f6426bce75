"""`mela up`, `down`, `status`, `logs`: the stack on this machine."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer
from rich.table import Table

import stack
from cli.console import err, explains, out
from cli.panels import STACK
from mela.settings import Settings
from services.tracking.mlflow_pages import front_page, sign_in
from stack.api import sign_in as sign_in_to_api


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (up, down, status, logs, home):
        app.command(rich_help_panel=STACK)(command)


@explains
def up(
    offline: Annotated[
        bool | None,
        typer.Option(
            "--offline/--online",
            help="Serve packaged candles with `mela replay`, or ask the services on the internet. "
            "Without either, as the last start chose; the first start asks the services.",
            show_default=False,
        ),
    ] = None,
    secure: Annotated[
        bool | None,
        typer.Option(
            "--secure/--open",
            help="Have clients of Kafka and MLflow sign in, over TLS and each with the rights of "
            "its role, or let everybody on this machine in. Without either, as the last start "
            "chose; the first start is open.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[
        bool | None,
        typer.Option(
            "--cluster/--single",
            help="Run three Kafka brokers and Spark's master with two workers, of which one each "
            "may die, or one of each. Without either, as the last start chose; the first start "
            "has one of each. Kafka's topics cannot change from one to the other.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Start Postgres, Kafka, MLflow, Airflow, the streaming job and the web application.

    Waits until all are healthy. Starts only services that do not run yet. Data survive `mela down`
    and `mela up`.
    """
    settings = stack.up(Settings(), offline=offline, secure=secure, cluster=cluster, on_event=say)
    print_addresses(settings)


@explains
def down() -> None:
    """Stop the stack. No process is left running; data stay."""
    stack.down(Settings(), on_event=say)


@explains
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show whether each service runs and is healthy, and its address. Exit 1 if one is not."""
    settings = Settings()
    found = [one for one in stack.status(settings) if one.name != "replay" or settings.replay_url]
    if as_json:
        body = [dataclasses.asdict(service) for service in found]
        out.print(json.dumps(body, indent=2, default=str), markup=False)
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("service", "state", "healthy", "pid", "up", "restarts", "address"):
            table.add_column(column)
        for service in found:
            table.add_row(
                service.name,
                service.state,
                "[green]yes[/]" if service.healthy else "[red]no[/]",
                str(service.pid or "–"),
                f"{service.uptime_s:.0f} s" if service.uptime_s is not None else "–",
                str(service.restarts),
                service.address or "–",
            )
        out.print(table)
        for service in found:
            if service.missing and service.state != "stopped":
                err.print(f"{service.name}: {service.missing}", markup=False)
            if service.note:
                err.print(f"{service.name}: {service.note}", markup=False)
    if not all(service.healthy for service in found):
        raise typer.Exit(1)


@explains
def logs(
    service: Annotated[str, typer.Argument(help="A name that `mela status` prints.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new lines as they come.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0)] = 50,
) -> None:
    """Print the last lines of a service's log."""
    for line in stack.logs(Settings(), service, follow=follow, lines=lines):
        out.print(line, markup=False)


@explains
def home() -> None:
    """Print the folder where this stack keeps its files: MELA_HOME, or its default.

    Example: pip install --target "$(mela home)/packages" .
    """
    print(Settings().home)


def say(service: str, state: str) -> None:
    """Print one event of the stack."""
    err.print(f"  {service:<24}{state}", markup=False)


def print_addresses(settings: Settings) -> None:
    """Print where the services are, and how to sign in."""
    table = Table(box=None, show_header=False, pad_edge=False)
    postgres, airflow = settings.postgres, settings.airflow
    warehouse = f"postgresql://{postgres.user}@{postgres.host}:{postgres.port}/{postgres.database}"
    api = settings.api.public_url or settings.api.url
    table.add_row("Mela", f"{api}  ({sign_in_to_api(settings)})")
    table.add_row("Kafka", settings.kafka.brokers)
    table.add_row(
        "warehouse",
        f"{warehouse}  (password: MELA_POSTGRES__PASSWORD in {settings.home}/stack.env)",
    )
    account = sign_in(settings)
    table.add_row("MLflow", front_page(settings) + (f"  ({account})" if account else ""))
    table.add_row(
        "Airflow", f"{airflow.url}  ({airflow.user} / {airflow.password.get_secret_value()})"
    )
    if settings.replay_url:
        table.add_row("replay", f"{settings.replay_url}  (packaged candles, no exchange is asked)")
    out.print(table)
