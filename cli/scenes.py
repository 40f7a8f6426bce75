"""`mela publish`, `results`, `cancel`: scenes in, results out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from cli.console import err, explains, fail, out
from cli.follow import Follower
from cli.report import report_table
from cli.scene_file import read_scene, with_id
from cli.tables import SHOWN, results_table
from mela.grid import Plan
from mela.messages import SCENES, Progress, State
from mela.scene import Scene
from mela.settings import Settings
from messaging.consumer import check_broker
from messaging.publisher import Publisher
from warehouse.database import transaction
from warehouse.results import finder as stored
from warehouse.scenes import records as scenes
from warehouse.scenes import users


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(publish)
    app.command()(results)
    app.command()(cancel)


@explains
def publish(
    scene_file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="SCENE.yaml")],
    follow: Annotated[
        bool, typer.Option("--follow", help="Show progress, then the results.")
    ] = False,
    user: Annotated[
        str | None, typer.Option(help="Who publishes it; known from the first time on.")
    ] = None,
) -> None:
    """Check a scene, mint its id, publish it to Kafka and print the id.

    Exit 1 where the scene is refused. Example: mela publish docs/scenes/first.yaml --follow
    """
    settings = Settings()
    scene, plan = read_scene(scene_file, settings)
    scene = with_id(scene)
    check_broker(settings, SCENES)  # says at once where there is no stack
    if user is not None:
        announce(scene, plan, user, settings)
    follower = Follower(settings, [scene.scene_id]) if follow else None
    with Publisher(settings.kafka) as publisher:
        publisher.scene(scene)
    out.print(str(scene.scene_id))
    err.print(f"published: {plan.runs:,} runs, {plan.skipped:,} skipped")
    if follower is None:
        return
    with follower:
        last = follower.to_the_end()
    if last.state is State.REJECTED:
        raise fail(f"[{last.code}] {last.field}: {last.sentence}")
    show(str(scene.scene_id), settings)


@explains
def results(
    scene_id: Annotated[UUID, typer.Argument(metavar="SCENE_ID")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one array of results.")] = False,
    top: Annotated[int, typer.Option(min=1, help="How many rows the table shows.")] = SHOWN,
    as_report: Annotated[
        bool,
        typer.Option("--report", help="Print what a search has proved, as one JSON object."),
    ] = False,
) -> None:
    """Print a scene's results from the warehouse, best first, and what its search has proved."""
    settings = Settings()
    if not as_json and not as_report:
        show(str(scene_id), settings, top)
        return
    with transaction(settings) as connection:
        scene = _known(scenes.get(connection, scene_id), scene_id)
        if as_report:
            report = (scene["best"] or {}).get("report")
            out.print(json.dumps(report, indent=2), markup=False)
            return
        content = scene["content"] or {}
        rows = stored.of_scene(connection, scene_id, order_by=content.get("rank_by", "sharpe"))
    out.print(json.dumps(rows, indent=2, default=str), markup=False)


@explains
def cancel(scene_id: Annotated[UUID, typer.Argument(metavar="SCENE_ID")]) -> None:
    """Stop a scene: runs that were not executed yet are recorded as cancelled."""
    settings = Settings()
    with transaction(settings) as connection:
        _known(scenes.get(connection, scene_id), scene_id)
        is_cancelled = scenes.cancel(connection, scene_id)
    if not is_cancelled:
        raise fail(f"the scene {scene_id} has ended already, so there is nothing to cancel.")
    with Publisher(settings.kafka) as publisher:
        publisher.progress(Progress(scene_id=scene_id, state=State.CANCELLED, at=datetime.now(UTC)))
    err.print(f"cancelled {scene_id}")


def announce(scene: Scene, plan: Plan, user: str, settings: Settings) -> None:
    """Record whose a scene is, before it is sent."""
    try:
        with transaction(settings) as connection:
            scenes.announce(
                connection,
                scene,
                runs=plan.runs,
                skipped=plan.skipped,
                user_id=users.ensure(connection, user),
            )
    except ValueError as error:
        raise fail(f"{error}.") from error


def show(scene_id: str, settings: Settings, top: int = SHOWN) -> None:
    """Print a scene's state and its best results as a table."""
    with transaction(settings) as connection:
        scene = _known(scenes.get(connection, UUID(scene_id)), scene_id)
        if scene["status"] == "rejected":
            raise fail(
                f"the scene was rejected: [{scene['rejection_code']}] "
                f"{scene['rejection_field']}: {scene['rejection_sentence']}"
            )
        rank_by = scene["content"].get("rank_by", "sharpe")
        counted = stored.progress(connection, [scene_id])[0]
        rows = stored.of_scene(connection, UUID(scene_id), order_by=rank_by, limit=top)
    title = (
        f"{scene['name'] or scene_id}: {scene['status']}, {counted.recorded:,} of "
        f"{counted.runs:,} runs recorded, {counted.cached:,} from store, "
        f"{scene['skipped']:,} skipped; best {len(rows)} by {rank_by}"
    )
    out.print(results_table(rows, title=title, best=rank_by, width=out.width))
    report = (scene["best"] or {}).get("report")
    if report is not None:
        out.print(report_table(report))
    warned = sorted({warning for row in rows for warning in row["warnings"]})
    if warned:
        err.print(f"warnings: {', '.join(warned)}")
    ending = (scene["best"] or {}).get("warnings", ())
    for code, sentence in sorted({(said["code"], said["sentence"]) for said in ending}):
        err.print(f"{code}: {sentence}")


def _known(scene: dict[str, Any] | None, scene_id: object) -> dict[str, Any]:
    if scene is None:
        raise fail(
            f"no scene has the id {scene_id}. If it was published a moment ago, it may not be "
            "planned yet; `mela status` tells whether the streaming job runs."
        )
    return scene
