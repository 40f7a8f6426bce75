"""`mela stale`: stored results that no longer hold, and their scenes published again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.table import Table

from cli.console import err, explains, out
from mela.grid import plan_runs
from mela.run import instant_text
from mela.scene import parse_scene
from mela.settings import Settings

if TYPE_CHECKING:
    from warehouse.results.stale import StaleResult, StaleScene

SHOWN = 40
SAID = {
    "candles": "candles changed",
    "strategy": "strategy changed",
    "strategy_gone": "strategy is gone",
    "engine": "engine changed",
    "metrics": "metrics changed",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(stale)


@explains
def stale(
    scene_id: Annotated[
        UUID | None, typer.Option("--scene", help="Only what this scene answers with.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the scenes that hold them again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object.")] = False,
) -> None:
    """List stored results that no longer hold, and why: candles, strategy, engine or metrics.

    `--publish` sends their scenes again under new ids, marked as re-runs; what still holds is
    answered from store, and the old results stay beside the new ones.
    """
    from backtests.simulate import provenance
    from backtests.strategies import refresh
    from warehouse.database import transaction
    from warehouse.results.stale import stale_results, stale_scenes

    settings = Settings()
    catalogue = refresh(settings.packages)
    today = {name: provenance(name, None, catalogue) for name in catalogue}
    with transaction(settings) as connection:
        results = stale_results(connection, today, scene_id=scene_id)
        scenes = stale_scenes(connection, results, today, scene_id=scene_id)
    if as_json:
        print(json.dumps(_document(results, scenes), indent=2))
    else:
        _show(results, scenes)
    if publish:
        sent = [republish(settings, one) for one in scenes if one.can_rerun]
        for one in scenes:
            if not one.can_rerun:
                why = "its strategy is gone" if one.status == "finished" else f"it is {one.status}"
                err.print(f"not published again: {one.scene_id}, as {why}", style="yellow")
        err.print(f"published {sum(sent):,} scenes again; {len(sent) - sum(sent):,} were already")


def republish(settings: Settings, stale_scene: StaleScene) -> bool:
    """Publish a scene again, its content the same, its id new, marked as a re-run.

    Twice is once: the id comes from the scene and from what made its results stale. Returns False
    where the re-run was planned already. Raises SceneInvalid where the scene no longer holds.
    """
    from backtests.strategies import refresh
    from messaging.publisher import Publisher
    from warehouse.database import transaction
    from warehouse.scenes import records as scenes

    content = {**stale_scene.content, "scene_id": str(stale_scene.rerun_id)}
    scene = parse_scene(content)
    plan = plan_runs(scene, refresh(settings.packages), max_runs=settings.max_runs)
    with transaction(settings) as connection:
        receipt = scenes.announce(
            connection,
            scene,
            runs=plan.runs,
            skipped=plan.skipped,
            user_id=stale_scene.user_id,
            rerun_of=stale_scene.scene_id,
        )
    if receipt.outcome is scenes.PublicationStatus.REPEATED:
        return False
    with Publisher(settings.kafka) as publisher:
        publisher.scene(scene)
    out.print(f"{scene.scene_id} again for {stale_scene.scene_id}", markup=False)
    return True


def _show(results: Sequence[StaleResult], scenes: Sequence[StaleScene]) -> None:
    if not results:
        err.print("all stored results hold: nothing is stale.")
        return
    for reason, count in Counter(why for one in results for why in one.reasons).items():
        err.print(f"{count:,} results: {SAID[reason]}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("result", "instrument", "interval", "strategy", "computed", "revision", "why"):
        table.add_column(name, no_wrap=name != "why")
    for one in results[:SHOWN]:
        spoilt = f"{one.candles_revision} → {one.spoilt_by}" if one.spoilt_by else "–"
        table.add_row(
            *(one.result_key[:16], one.instrument, one.interval, one.strategy),
            *(instant_text(one.computed_at)[:19], spoilt),
            ", ".join(SAID[reason] for reason in one.reasons),
        )
    out.print(table)
    if len(results) > SHOWN:
        err.print(f"and {len(results) - SHOWN:,} more: --json prints them all")
    for scene in scenes:
        name = f" {scene.name}" if scene.name else ""
        out.print(
            f"scene {scene.scene_id}{name}: {len(scene.results):,} stale, {scene.status}",
            markup=False,
        )


def _document(
    results: Sequence[StaleResult], scenes: Sequence[StaleScene]
) -> dict[str, list[dict[str, object]]]:
    return {
        "results": [
            {
                "result_key": one.result_key,
                "run_key": one.run_key,
                "instrument": one.instrument,
                "interval": one.interval,
                "strategy": one.strategy,
                "start": instant_text(one.start),
                "end": instant_text(one.end),
                "computed_at": instant_text(one.computed_at),
                "candles_revision": one.candles_revision,
                "spoilt_by": one.spoilt_by,
                "reasons": list(one.reasons),
            }
            for one in results
        ],
        "scenes": [
            {
                "scene_id": str(one.scene_id),
                "name": one.name,
                "status": one.status,
                "stale": len(one.results),
                "rerun_id": str(one.rerun_id) if one.can_rerun else None,
            }
            for one in scenes
        ],
    }
