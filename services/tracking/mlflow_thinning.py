"""Remove from MLflow the runs of old scenes that are not among their best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import text

from mela.settings import Settings
from services.tracking.mlflow_client import client_of
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.scenes.stored_scene import ranking_of

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SCENES = text("""
    SELECT s.scene_id::text, s.mlflow_run_id, s.content FROM ops.scene s
    WHERE s.mlflow_run_id IS NOT NULL AND s.runs > :keep AND ops.may_thin(s.scene_id, :days)
    ORDER BY s.finished_at, s.scene_id
""")
_RUN_TAG, _PARENT_TAG = "mela.run_key", "mlflow.parentRunId"  # as streaming.tracking writes them
_PAGE = 1_000


def thin_mlflow(settings: Settings, *, dry_run: bool) -> tuple[int, str | None]:
    """Delete the runs, or count them. Returns how many, and why not all where MLflow hindered it.

    Deleted runs no longer show; `mlflow gc` frees their bytes. May be repeated.
    """
    from mlflow.exceptions import MlflowException

    rules, count = settings.prune, 0
    values = {"keep": rules.keep_best, "days": rules.mlflow_days}
    with transaction(settings) as connection:
        scenes = [tuple(row) for row in connection.execute(_SCENES, values)]
    if not scenes:
        return 0, None
    client = client_of(settings)
    for scene_id, parent, content in scenes:
        with transaction(settings) as connection:
            ranked = finder.ranked_keys(connection, scene_id, ranking_of(content))
        best = frozenset(ranked[: rules.keep_best])
        try:
            for run_id, run_key in list(_children(client, parent)):
                if run_key in best:
                    continue
                if not dry_run:
                    client.delete_run(run_id)
                count += 1
        except MlflowException as error:
            why = str(error).splitlines()[0]
            return count, f"MLflow at {settings.mlflow.url} refused the scene {scene_id}: {why}"
    return count, None


def _children(client: MlflowClient, parent: str) -> Iterator[tuple[str, str | None]]:
    experiment, token = client.get_run(parent).info.experiment_id, None
    while True:
        page = client.search_runs(
            [experiment],
            f"tags.`{_PARENT_TAG}` = '{parent}'",
            max_results=_PAGE,
            page_token=token,
        )
        yield from ((run.info.run_id, run.data.tags.get(_RUN_TAG)) for run in page)
        token = page.token
        if not token:
            return
