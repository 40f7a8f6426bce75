"""MLflow as a mirror: a scene ends whatever MLflow does, and what it missed is made up for later.

A scene waits for MLflow for a bounded time. Where MLflow refuses, fails or is slow, the scene ends
without a run id, MLflow is left alone for a while, and `catch_up` writes the scene once it answers.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong
from typing import Any

import structlog
from mlflow.environment_variables import (
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)

from backtests.simulate import said
from mela.search_report import SceneEnding
from mela.settings import Settings
from streaming import tracking
from streaming.poison import is_away
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records as scenes

log = structlog.get_logger()
WAIT_S = 30.0  # what a scene's end waits for MLflow at most
REST_S = 30.0  # how long MLflow is left alone after it failed
REQUEST_S, RETRIES = 10, 1
MOST_AT_ONCE = 20  # scenes that one `catch_up` writes
MOST_KNOWN = 200  # scenes that it looks at
RAREST = 6  # a scene that keeps failing is tried in every 64th pass at least

_writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
_rests_until = 0.0
_failures: Counter[str] = Counter()  # of scenes that MLflow did not take in this process
_passes = itertools.count(1)


def log_scene(
    scene_id: str,
    scene: Mapping[str, Any],
    best: Sequence[Mapping[str, Any]],
    rank_by: str,
    settings: Settings,
    report: Mapping[str, Any] | None = None,
) -> str | None:
    """Write a concluded scene to MLflow; return its run id, or None where MLflow did not take it.

    Raises what says that the warehouse is away.
    """
    global _rests_until
    if time.monotonic() < _rests_until:
        return None
    work = _writer.submit(_write, scene_id, scene, best, rank_by, settings, report)
    try:
        return work.result(timeout=WAIT_S)
    except WaitedTooLong:
        work.cancel()
        why = "TimeoutError", f"it did not answer within {WAIT_S:g} s"
    except Exception as error:
        if is_away(error) and not _is_of_mlflow(error):
            raise
        why = said(error)
    _rests_until = time.monotonic() + REST_S
    log.warning("mlflow_left_out", scene_id=scene_id, why=why)
    return None


def catch_up(settings: Settings) -> int:
    """Write finished scenes that MLflow lacks, the newest first; return how many were written.

    Stops at the first scene that MLflow does not take. That one comes up rarer and rarer, so that a
    scene which MLflow refuses for its own sake does not stand before the others.
    """
    with transaction(settings) as connection:
        missing = scenes.without_mlflow(connection, MOST_KNOWN)
    written = 0
    for scene_id in due(missing, _failures, next(_passes))[:MOST_AT_ONCE]:
        with transaction(settings) as connection:
            scene = scenes.get(connection, scene_id)
            rank_by = str((scene or {}).get("content", {}).get("rank_by", "sharpe"))
            found = results.best_of(connection, scene_id, rank_by)
        if scene is None:
            continue
        best = [found.overall, *found.by_instrument.values()] if found.overall else []
        report = SceneEnding.model_validate(scene["best"] or {}).report_document()
        run_id = log_scene(scene_id, scene, best, rank_by, settings, report)
        if run_id is None:
            _failures[scene_id] += 1
            break
        _failures.pop(scene_id, None)
        with transaction(settings) as connection:
            scenes.set_mlflow_run(connection, scene_id, run_id)
        written += 1
    if written:
        log.info("mlflow_caught_up", scenes=written)
    return written


def due(missing: Sequence[str], failures: Mapping[str, int], number: int) -> list[str]:
    """Return the scenes to try in a pass, those that failed least first.

    number: of the pass, from 1; a scene that failed n times is due in every 2ⁿ-th one

    >>> due(["a", "b"], {"a": 1}, 1), due(["a", "b"], {"a": 1}, 2)
    (['b'], ['b', 'a'])
    """
    tried = [one for one in missing if number % 2 ** min(failures.get(one, 0), RAREST) == 0]
    return sorted(tried, key=lambda one: failures.get(one, 0))


def _write(
    scene_id: str,
    scene: Mapping[str, Any],
    best: Sequence[Mapping[str, Any]],
    rank_by: str,
    settings: Settings,
    report: Mapping[str, Any] | None,
) -> str:
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(REQUEST_S)
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(RETRIES)
    return tracking.log_scene(scene_id, scene, best, rank_by, settings, report)


def _is_of_mlflow(error: Exception) -> bool:
    """Tell whether a network error came from MLflow's client, which speaks through requests."""
    return type(error).__module__.partition(".")[0] in {"requests", "urllib3", "mlflow"}
