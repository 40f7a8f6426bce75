"""`mela publish`, `validate`, `follow`, `results`, `cancel`: scenes go in, results come out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from cli.console import err, explains, fail, out
from cli.panels import SCENES
from cli.progress import show_progress
from cli.scene_file import SceneFile, read_document
from cli.scenes.remarks import MOST_REASONS, ranked_by, say_failures, say_warnings
from cli.scenes.report import report_table
from cli.scenes.scene_ids import SceneId, scene_id_of
from cli.strategies.trainings import publish_training, show_training
from cli.tables import SHOWN, results_table
from mela.counts import counted
from mela.messages import State
from mela.run import instant_text
from mela.settings import Settings
from mela.training import is_training

if TYPE_CHECKING:
    from mela.messages import Progress
    from services.runs.results import SceneResults
    from services.scenes.follow import Follower
    from services.scenes.validate import Validation

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (publish, validate, follow, results, cancel):
        app.command(rich_help_panel=SCENES)(command)


@explains
def publish(
    scene_file: SceneFile,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the progress, then print the results.")
    ] = False,
    user: Annotated[
        str | None,
        typer.Option(help="Owner of the scene; a new name becomes a user. MELA_USER if left out."),
    ] = None,
) -> None:
    """Check a scene, publish it to Kafka and print its id.

    Exit 1 if the scene is rejected or no run gave any numbers.

    Example: mela publish docs/scenes/first.yaml --follow
    """
    from services.scenes.last_scene import note_published
    from services.scenes.publish import plan_scene, send_scene, with_id

    settings = Settings()
    document = read_document(scene_file)
    if is_training(document):
        publish_training(document, settings, follow=follow, user=user)
        return
    scene, plan = plan_scene(document, settings)
    scene = with_id(scene)
    with _follower(scene.scene_id, settings) if follow else nullcontext() as follower:
        published = send_scene(scene, plan, settings, user=user or settings.user)
        note_published(published.scene_id, settings)
        out.print(str(published.scene_id))
        err.print(f"published: {counted(plan.runs, 'run')}, {plan.skipped:,} skipped")
        if follower is None:
            return
        last = watched(follower.messages(), published.scene_id)
    _show_end(published.scene_id, last, settings)


@explains
def validate(
    scene_file: SceneFile,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Check without the stack: leave out stored candles."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object.")] = False,
) -> None:
    """Check a scene without publishing it: faults, number of runs, candles that are missing.

    Exit 1 if the scene would be rejected. Example: mela validate docs/scenes/first.yaml --offline
    """
    from services.scenes.validate import validate_scene

    found = validate_scene(read_document(scene_file), Settings(), offline=offline)
    if as_json:
        out.print(json.dumps(_validation(found), indent=2), markup=False)
    elif found.ok:
        stored = "" if found.stored is None else f", {found.stored:,} stored already"
        out.print(
            f"{scene_file}: accepted, {counted(found.runs, 'run')}, {found.skipped:,} skipped"
            f"{stored}",
            markup=False,
        )
    for fault in () if as_json else found.faults:
        where = f"{fault.path}: " if fault.path else ""
        err.print(f"[{fault.code}] {where}{fault.sentence}", markup=False)
    for gap in () if as_json else found.missing:
        err.print(
            f"{gap.instrument} has no {gap.interval} candles from {instant_text(gap.start)} to "
            f"{instant_text(gap.end)}. Load them: {gap.load}",
            markup=False,
        )
    if not found.ok:
        raise typer.Exit(1)


@explains
def follow(scene_id: SceneId) -> None:
    """Show how far a scene is until it ends, then print its results.

    Attaches to a scene at any time, also again. Exit 1 if the scene is rejected or no run
    gave any numbers.
    """
    from services.scenes.follow import follow_scene

    settings = Settings()
    scene_uuid = scene_id_of(scene_id, settings)
    _show_end(scene_uuid, watched(follow_scene(scene_uuid, settings), scene_uuid), settings)


@explains
def results(
    scene_id: SceneId,
    as_json: Annotated[bool, typer.Option("--json", help="Print one array of results.")] = False,
    top: Annotated[int, typer.Option(min=1, help="Number of rows in the table.")] = SHOWN,
    as_report: Annotated[
        bool,
        typer.Option("--report", help="Print the report on a search as one JSON object."),
    ] = False,
) -> None:
    """Print a scene's results from the warehouse, best first, and the report on its search."""
    from services.runs.results import pruned_of, report_of, result_rows

    settings = Settings()
    scene_uuid = scene_id_of(scene_id, settings)
    if as_report:
        out.print(json.dumps(report_of(scene_uuid, settings), indent=2), markup=False)
    elif as_json:
        rows = result_rows(scene_uuid, settings)
        if (gone := pruned_of(scene_uuid, settings)) is not None:
            err.print(gone.sentence, markup=False)
        out.print(json.dumps(rows, indent=2, default=str), markup=False)
    else:
        show(scene_uuid, settings, top)


@explains
def cancel(scene_id: SceneId) -> None:
    """Stop a scene: runs that have not been executed are recorded as cancelled."""
    from services.scenes.cancel import cancel_scene

    settings = Settings()
    scene_uuid = scene_id_of(scene_id, settings)
    cancel_scene(scene_uuid, settings)
    err.print(f"cancelled {scene_uuid}")


def _follower(scene_id: UUID | None, settings: Settings) -> Follower:
    from services.scenes.follow import Follower  # loads SQLAlchemy

    return Follower(settings, [scene_id])


def show(scene_id: UUID, settings: Settings, top: int = SHOWN) -> None:
    """Print a scene's state, its best results as a table, and its warnings.

    A scene that ended without any numbers says so first, with the reasons, and exits with 1.
    """
    from mela.errors import SceneInvalid
    from services.runs.results import results_of
    from services.tracking.mlflow_pages import compared

    if show_training(scene_id, settings):
        return
    try:
        found = results_of(scene_id, settings, top=top)
    except SceneInvalid as refused:
        raise fail(
            f"the scene was rejected: [{refused.code}] {refused.field}: {refused.sentence}"
        ) from refused
    if found.is_without_numbers:
        ended = ", ".join(f"{count:,} {status}" for status, count in found.statuses.items())
        err.print(f"[bold red]no run gave any numbers[/]: {ended}")
        for sentence in found.why_without_numbers()[:MOST_REASONS]:
            err.print(sentence, markup=False)
    else:
        say_failures(found.failures, found.runs)
    title = f"{found.name or scene_id}: {found.status}, {_counts(found)}"
    title += f"; best {len(found.rows)} by {ranked_by(found.ranking)}"
    table: Table = results_table(found.rows, title=title, best=found.rank_by, width=out.width)
    out.print(table)
    if found.report is not None:
        out.print(report_table(found.report))
    say_warnings(found.rows)
    for warning in found.warnings:
        err.print(f"{warning.code}: {warning.sentence}")
    if found.pruned is not None:
        err.print(found.pruned.sentence, markup=False)
    if (pages := compared(found.mlflow_run_id, settings)) is not None:
        err.print(f"MLflow: {pages.table}", markup=False)
        if pages.best is not None:
            err.print(f"charts: {pages.charts}\nthe best side by side: {pages.best}", markup=False)
    if found.is_without_numbers:
        raise typer.Exit(1)


def watched(steps: Iterable[Progress], scene_id: UUID) -> Progress | None:
    """Show a scene's steps and return the last; who interrupts is told that the scene goes on."""
    try:
        return show_progress(steps)
    except KeyboardInterrupt:
        err.print(
            f"the scene goes on. Come back with: mela follow {scene_id}\n"
            f"or stop it with: mela cancel {scene_id}",
            markup=False,
        )
        raise typer.Exit(INTERRUPTED) from None


def _show_end(scene_id: UUID, last: Progress | None, settings: Settings) -> None:
    if last is not None and last.state is State.REJECTED:
        raise fail(f"[{last.code}] {last.field}: {last.sentence}")
    show(scene_id, settings)


def _counts(found: SceneResults) -> str:
    """Return how many runs a scene has, and what became of them."""
    counts = [f"{found.recorded:,} of {counted(found.runs, 'run')} recorded"]
    if found.status == "cancelled":
        counts += [f"{found.cancelled:,} cancelled", f"{found.not_run:,} not run"]
    return ", ".join([*counts, f"{found.cached:,} from store", f"{found.skipped:,} skipped"])


def _validation(found: Validation) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "faults": [
            {"path": one.path, "code": one.code.value, "sentence": one.sentence}
            for one in found.faults
        ],
        "runs": found.runs,
        "skipped": found.skipped,
        "stored": found.stored,
        "missing": [
            {
                "instrument": one.instrument,
                "interval": one.interval,
                "start": instant_text(one.start),
                "end": instant_text(one.end),
                "load": one.load,
            }
            for one in found.missing
        ],
    }
