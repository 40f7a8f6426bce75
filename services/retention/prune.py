"""Thin what is old: results, curves, runs in MLflow, files that a killed job left."""

from __future__ import annotations

from dataclasses import dataclass

from mela.settings import Settings
from warehouse import model_files
from warehouse.database import transaction
from warehouse.retention.thinning import Thinned, measure, thin


@dataclass(frozen=True, slots=True)
class Removal:
    """A line of the report. bytes: None where only their owner knows; note: what hindered it."""

    what: str
    rule: str
    count: int = 0
    bytes: int | None = None
    note: str | None = None


def prune(settings: Settings, *, dry_run: bool = False) -> list[Removal]:
    """Remove what the rules of `settings.prune` no longer keep, or only say what would go.

    May run beside the job, and again after it was killed. A refusal by MLflow becomes a note, not
    an error, because the warehouse is the truth. Raises StackFailed.
    """
    from services.tracking.mlflow_thinning import thin_mlflow

    rules = settings.prune
    in_mlflow, why = thin_mlflow(settings, dry_run=dry_run)  # while the best are known
    thinned = measure(settings) if dry_run else thin(settings)
    with transaction(settings) as connection:  # after results, which name files
        kept, kept_size = model_files.prune(connection, rules.scene_days, dry_run=dry_run)
    files, size = leftovers(settings, remove=not dry_run)
    best = f"but the best {rules.keep_best} of each"
    return [
        *_of_the_warehouse(thinned, settings),
        Removal(
            "runs in MLflow",
            f"of scenes that ended more than {rules.mlflow_days} days ago, {best}",
            in_mlflow,
            note=why,
        ),
        Removal(
            "files of models",
            f"that no alias, stored run, scene under way or session has named for "
            f"{rules.scene_days} days",
            kept,
            kept_size,
        ),
        Removal("files of checkpoints", "half-written before yesterday", files, size),
    ]


def _of_the_warehouse(thinned: Thinned, settings: Settings) -> list[Removal]:
    rules = settings.prune
    results = f"of scenes that ended more than {rules.scene_days} days ago, but the best "
    results += f"{rules.keep_best} of each"
    return [
        Removal(
            "curves",
            f"of scenes that ended more than {rules.curve_days} days ago",
            thinned.curves,
            thinned.curve_bytes,
        ),
        Removal("results", results, thinned.results, thinned.result_bytes),
        Removal("runs", "of which no result is left", thinned.runs),
    ]


def leftovers(settings: Settings, *, remove: bool) -> tuple[int, int]:
    """Count, and remove, what a killed job left half-written in its checkpoints, and the bytes.

    Spark writes a file of a checkpoint under another name (`.7.UUID.tmp`) and renames it.
    """
    import time

    from services.monitoring.query_progress import checkpoints

    yesterday, count, size = time.time() - 86_400, 0, 0
    for path in checkpoints(settings.home).rglob(".*.tmp*"):
        try:
            about = path.stat()
            if not path.is_file() or about.st_mtime > yesterday:
                continue
            if remove:
                path.unlink()
        except FileNotFoundError:  # the job was faster
            continue
        count, size = count + 1, size + about.st_size
    return count, size
