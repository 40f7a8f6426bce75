"""The steps of `mela demo`: each shows a part of the pipeline and checks what it did."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

import stack
from cli.console import err, out
from cli.progress import show_progress
from cli.scene_file import read_scene
from cli.stack.airflow import Airflow
from cli.stack.demo_trading import show_trading
from cli.stack.services import print_addresses, say
from cli.tables import SHOWN, results_table
from mela.counts import counted
from mela.errors import MelaError
from mela.messages import SCENES, Progress, State
from mela.scene import Scene
from mela.settings import Settings
from messaging.publisher import Publisher
from services.scenes.follow import Follower
from services.scenes.rejected import Letters
from services.tracking.mlflow_pages import compared
from warehouse import dbt_project, reports
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records as scenes

SCENE = Path(__file__).with_name("demo_grid.yaml")
SERIES = ("binance:BTCUSDT 1h", "binance:ETHUSDT 1h", "yahoo:AAPL 1d", "yahoo:SPY 1d")
START, END = datetime(2019, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
EXCHANGE = "https://api.binance.com/api/v3/ping"
DAG_S, INGEST_S = 180.0, 1200.0


@dataclass
class Tour:
    """The state that the steps of the demo share."""

    settings: Settings
    offline: bool
    computed_s: float = 0.0
    scene_ids: list[UUID] = field(default_factory=list)
    mlflow_run_id: str | None = None


def run_tour(settings: Settings, *, offline: bool, stop_at_end: bool) -> None:
    """Run every step. Raises MelaError for the first that does not hold.

    offline: serve packaged candles; they are served too if the exchange does not answer
    """
    tour = Tour(settings, offline or not _exchange_answers())
    steps: list[tuple[str, Callable[[Tour], None]]] = [
        ("Start the stack", _start),
        ("Ingest real candles with Airflow", _ingest),
        ("Build the star with dbt", _build),
        ("Publish a grid to Kafka and run it on Spark", _publish),
        ("Publish the same again", _publish_again),
        ("Publish what cannot be run", _publish_bad),
        ("Trade on paper, candle by candle", _trade),
        ("Where to look", _show_places),
    ]
    try:
        for number, (title, step) in enumerate(steps, start=1):
            out.rule(f"[bold]{number}. {title}", align="left")
            started_at = time.monotonic()
            step(tour)
            out.print(f"[green]✓[/] {time.monotonic() - started_at:.1f} s\n")
    finally:
        if stop_at_end:
            out.rule("[bold]Stop everything", align="left")
            stack.down(tour.settings, on_event=say)
    out.print("[green]every step held[/]")


def _exchange_answers() -> bool:
    try:
        return httpx.get(EXCHANGE, timeout=5.0).is_success
    except httpx.HTTPError:
        return False


def _start(tour: Tour) -> None:
    if tour.offline:
        out.print("Market data: [bold]packaged real candles[/], served by `mela replay`.")
    else:
        out.print("Market data: [bold]the real services[/] (Binance, Yahoo).")
    tour.settings = stack.up(tour.settings, offline=tour.offline, on_event=say)
    print_addresses(tour.settings)


def _ingest(tour: Tour) -> None:
    with transaction(tour.settings) as connection:
        since = reports.clock(connection)
    with Airflow(tour.settings.airflow) as airflow:
        airflow.wait_for_dag(DAG_S)
        run_id = airflow.ingest(SERIES, START, END, announce=False)  # the next step builds the star
        out.print(f"DAG ingest_candles, run {run_id!r}, {START:%Y-%m-%d} to {END:%Y-%m-%d}:")
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
        )
        state = "queued"
        with Bar(*columns, console=err) as bar:
            task = bar.add_task("queued", total=len(SERIES))
            for state, instances in airflow.tasks(run_id, INGEST_S):
                loads = [one for one in instances if one["task_id"].endswith(".load_series")]
                done = sum(one["state"] == "success" for one in loads)
                bar.update(task, description=state, completed=done)
    if state != "success":
        raise MelaError(
            f"the ingestion run ended {state}; its task logs are in the Airflow UI, "
            f"{tour.settings.airflow.url}/dags/ingest_candles/runs/{run_id}"
        )
    with transaction(tour.settings) as connection:
        series = [_series(one) for one in SERIES]
        loads = reports.loads_within(connection, series, START, END, since)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in (
        "instrument",
        "interval",
        "from the",
        "inserted",
        "updated",
        "unchanged",
        "rejected",
    ):
        table.add_column(column)
    for load in loads:
        counts = (load.inserted, load.updated, load.unchanged, load.rejected)
        table.add_row(load.instrument, load.interval, load.origin, *(f"{n:,}" for n in counts))
    out.print(table)
    whole = [load for load in loads if (load.start, load.end) == (START, END)]
    _hold(len(whole) == len(SERIES), "this run loaded each series over the whole span")
    _hold(
        all(load.inserted + load.updated + load.unchanged for load in loads),
        "each series has candles",
    )
    wanted = "replay" if tour.offline else "internet"
    _hold(all(load.origin == wanted for load in loads), f"every load came from the {wanted}")


def _series(line: str) -> tuple[str, str]:
    instrument, interval = line.split()
    return instrument, interval


def _build(tour: Tour) -> None:
    out.print(dbt_project.build(tour.settings), markup=False)
    with transaction(tour.settings) as connection:
        rows = reports.mart_rows(connection)
    out.print(", ".join(f"marts.{name}: {counted(count, 'row')}" for name, count in rows.items()))
    _hold(rows["fct_candle"] > 0, "marts.fct_candle has rows")


def _publish(tour: Tour) -> None:
    scene, plan = read_scene(SCENE, tour.settings)
    with transaction(tour.settings) as connection:
        earlier = reports.count_scenes(connection, scene.name or "")
    # a new question each time the demo runs, so that there is something to compute
    scene = scene.model_copy(update={"cash": scene.cash + earlier})
    out.print(f"{counted(plan.runs, 'run')}: {scene.name}, opening cash {scene.cash:,.0f}")
    last, recorded_s, took_s = _run(scene, tour)
    tour.computed_s = recorded_s
    tour.mlflow_run_id = last.mlflow_run_id
    _show_best(tour, f"best of {plan.runs} by {scene.rank_by}")
    out.print(
        f"publish → recorded [bold]{recorded_s:.1f} s[/], "
        f"[bold]{plan.runs / recorded_s:,.0f} runs/s[/] · "
        f"publish → finished [bold]{took_s:.1f} s[/], with curves and MLflow"
    )
    _hold(last.recorded == plan.runs, f"recorded: {counted(plan.runs, 'run')}")
    _hold(last.cached == 0, "none of them was stored before")


def _publish_again(tour: Tour) -> None:
    with transaction(tour.settings) as connection:
        before = reports.count_results(connection)
        stored = scenes.get(connection, tour.scene_ids[-1])
    scene = Scene.model_validate(stored.content if stored else {})
    last, recorded_s, took_s = _run(scene, tour)
    with transaction(tour.settings) as connection:
        after = reports.count_results(connection)
    _show_best(tour, "the same, answered from stored results", top=3)
    out.print(
        f"publish → recorded [bold]{recorded_s:.1f} s[/] instead of {tour.computed_s:.1f} s "
        f"(finished after {took_s:.1f} s); {last.cached} of {last.runs} from store"
    )
    _hold(last.cached == last.runs, "every answer came from the store (cached: true)")
    _hold(after == before, "nothing was computed twice")


def _publish_bad(tour: Tour) -> None:
    good = {
        "schema_version": 1,
        "instruments": ["binance:BTCUSDT"],
        "interval": "1h",
        "start": "2023-01-01T00:00:00Z",
        "end": "2024-01-01T00:00:00Z",
    }
    impossible_id = uuid4()
    impossible = {
        **good,
        "scene_id": str(impossible_id),
        "strategy": {"name": "sma_cross", "params": {"fast": 50, "slow": 20}},
    }
    whole = json.dumps(impossible).encode()
    malformed = json.dumps({**good, "scene_id": str(uuid4())})[:-20].encode()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("published", "code", "field", "reason"):
        table.add_column(column)
    with Letters(tour.settings) as letters:
        with Publisher(tour.settings.kafka) as publisher:
            publisher.send(SCENES, "malformed", malformed)
            publisher.send(SCENES, str(impossible_id), whole)
        for label, original in (
            ("malformed", malformed),
            ("impossible", whole),
        ):
            letter = letters.about(original)
            table.add_row(label, letter.code, letter.field or "–", letter.sentence)
    out.print(table)
    with transaction(tour.settings) as connection:
        scene = scenes.get(connection, impossible_id)
    _hold(scene is not None and scene.status == "rejected", "the warehouse knows the refusal")


def _trade(tour: Tour) -> None:
    show_trading(tour.settings, _hold)


def _show_places(tour: Tour) -> None:
    print_addresses(tour.settings)
    if (pages := compared(tour.mlflow_run_id, tour.settings)) is not None:
        out.print(f"its runs in MLflow:  {pages.table}", markup=False)
    out.print(f"its results:         .venv/bin/mela results {tour.scene_ids[0]}")
    out.print(f"in a browser:        {tour.settings.api.public_url or tour.settings.api.url}")
    out.print("a scene of your own: .venv/bin/mela publish docs/scenes/first.yaml --follow")
    out.print("stop it all:         .venv/bin/mela down")


def _run(scene: Scene, tour: Tour) -> tuple[Progress, float, float]:
    """Publish and follow; return the last message, and the seconds to recorded and to finished."""
    scene_id = uuid4()
    scene = scene.model_copy(update={"scene_id": scene_id})
    tour.scene_ids.append(scene_id)
    with Follower(tour.settings, [scene_id]) as follower:
        started_at = time.monotonic()
        with Publisher(tour.settings.kafka) as publisher:
            publisher.scene(scene)
        last = show_progress(follower.messages())
        took_s = time.monotonic() - started_at
        recorded_s = (follower.recorded_at or time.monotonic()) - started_at
    assert last is not None  # noqa: S101  messages() ends only after an end was heard
    _hold(last.state is State.FINISHED, f"the scene finished ({last.sentence or last.state})")
    return last, recorded_s, took_s


def _show_best(tour: Tour, title: str, top: int = SHOWN) -> None:
    with transaction(tour.settings) as connection:
        scene_id = tour.scene_ids[-1]
        rows = results.of_scene(connection, scene_id, order_by="sharpe", limit=top)
    out.print(results_table(rows, title=title, best="sharpe", width=out.width))


def _hold(held: Any, claim: str) -> None:
    if not held:
        raise MelaError(f"this step did not hold: {claim}")
    out.print(f"  [green]✓[/] {claim}")
