"""MLflow as a mirror: a scene ends whatever MLflow does, and what it missed is made up for later.

A scene waits for MLflow for a bounded time, and only for its best runs. If MLflow refuses, fails or
is slow, the scene ends without a run id, MLflow is left alone for a while, and `catch_up` writes
the scene once it answers. `catch_up` also writes what no scene's end waits for: the other runs and
the picture, in slices between which the scenes that end have their turn.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong
from functools import partial
from typing import TypeVar

import structlog
from mlflow.environment_variables import (
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)

from backtests.simulate import error_message
from mela.settings import Settings
from streaming import tracking
from streaming.poison import is_away
from streaming.tracking import Concluded
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records as scenes
from warehouse.scenes import stages

T = TypeVar("T")
log = structlog.get_logger()
WAIT_S = 30.0  # what a scene's end waits for MLflow at most
REST_S = 30.0  # how long MLflow is left alone after it failed
SLICE_S = 5.0  # what is written at once while scenes may be ending
PASS_S = 120.0  # how long one `catch_up` writes what is left of scenes
REQUEST_S, RETRIES = 10, 1
MOST_AT_ONCE = 20  # scenes that one `catch_up` writes
MOST_KNOWN = 200  # scenes that it looks at
RAREST = 6  # a scene that keeps failing is tried in every 64th pass at least

_writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
_rests_until = 0.0
_failures: Counter[str] = Counter()  # of scenes that MLflow did not take in this process
_passes = itertools.count(1)
_in_part: dict[str, None] = {}  # scenes of which MLflow lacks some runs, the oldest first
_part_lock = threading.Lock()
_has_missed = False  # whether MLflow did not take a scene since `catch_up` looked last
_has_read_unfinished = False  # whether MLflow said what an earlier process left in part


def log_scene(concluded: Concluded, settings: Settings) -> str | None:
    """Write a concluded scene to MLflow; return its run id, or None where MLflow did not take it.

    Its further runs and its picture are left to `continue_later`.
    Raises what says that the warehouse is away.
    """
    return _tried(partial(tracking.log_scene, concluded, settings), concluded.scene_id)


def continue_later(scene_id: str) -> None:
    """Have `catch_up` write what MLflow lacks of a finished scene that `log_scene` wrote."""
    with _part_lock:
        _in_part[scene_id] = None


def is_behind() -> bool:
    """Tell whether `catch_up` has something to write now."""
    with _part_lock:
        is_waiting = any(not _failures[scene_id] for scene_id in _in_part)
    return (is_waiting or _has_missed) and time.monotonic() >= _rests_until


def catch_up(settings: Settings) -> int:
    """Write finished scenes that MLflow lacks, then what it lacks of others; return how many.

    Stops at the first scene that MLflow does not take. Such a scene is tried less and less often,
    so that a scene which MLflow always refuses does not hold up the others.
    """
    global _has_missed
    number, _has_missed = next(_passes), False
    with transaction(settings) as connection:
        missing = scenes.without_mlflow(connection, MOST_KNOWN)
    written = 0
    for scene_id in due(missing, _failures, number)[:MOST_AT_ONCE]:
        concluded = _concluded(scene_id, settings)
        if concluded is None:
            continue
        run_id = log_scene(concluded, settings)
        if run_id is None:
            _failures[scene_id] += 1
            break
        _failures.pop(scene_id, None)
        with transaction(settings) as connection:
            scenes.set_mlflow_run(connection, scene_id, run_id)
            stages.reached(connection, [scene_id], {stages.Stage.MIRRORED: None})
        continue_later(scene_id)
        written += 1
    if written:
        log.info("mlflow_caught_up", scenes=written)
    return written + _write_rest(settings, number)


def _write_rest(settings: Settings, number: int) -> int:
    """Write what MLflow lacks of scenes, a slice of each in turn; return how many are whole now."""
    global _has_read_unfinished
    if not _has_read_unfinished:
        left = _tried(partial(tracking.unfinished, settings))
        if left is None:
            return 0
        with _part_lock:
            _in_part.update(dict.fromkeys(sorted(left)))
        _has_read_unfinished = True
    ends_at, whole = time.monotonic() + PASS_S, 0
    with _part_lock:
        waiting = due(list(_in_part), _failures, number)
    children: dict[str, tracking.Children] = {scene_id: {} for scene_id in waiting}
    while waiting and time.monotonic() < ends_at:
        scene_id = waiting.pop(0)
        concluded = _concluded(scene_id, settings)
        is_whole = concluded is None or _tried(
            partial(_slice, concluded, settings, children[scene_id]), scene_id
        )
        if is_whole is None:
            _failures[scene_id] += 1
            break
        if not is_whole:
            waiting.append(scene_id)
            continue
        _failures.pop(scene_id, None)
        with _part_lock:
            _in_part.pop(scene_id, None)
        whole += 1
    return whole


def _slice(concluded: Concluded, settings: Settings, children: tracking.Children) -> bool:
    return tracking.log_rest(concluded, settings, time.monotonic() + SLICE_S, children)


def _concluded(scene_id: str, settings: Settings) -> Concluded | None:
    """Return a finished scene as the warehouse has it; None for an unknown or unfinished one."""
    with transaction(settings) as connection:
        scene = scenes.get(connection, scene_id)
        if scene is None or scene.status != "finished":
            return None
        found = results.best_of(connection, scene_id, scene.ranking)
    best = [found.overall, *found.by_instrument.values()] if found.overall else []
    ending = scene.ending
    return Concluded(scene_id, scene, best, ending.warnings, ending.report_document())


def due(missing: Sequence[str], failures: Mapping[str, int], number: int) -> list[str]:
    """Return the scenes to try in a pass, those that failed least first.

    number: of the pass, from 1; a scene that failed n times is due in every 2ⁿ-th one

    >>> due(["a", "b"], {"a": 1}, 1), due(["a", "b"], {"a": 1}, 2)
    (['b'], ['b', 'a'])
    """
    tried = [one for one in missing if number % 2 ** min(failures.get(one, 0), RAREST) == 0]
    return sorted(tried, key=lambda one: failures.get(one, 0))


def _tried(work: Callable[[], T], scene_id: str | None = None) -> T | None:
    """Return what MLflow's thread answers in time, or None; where it fails MLflow is left alone.

    Raises what says that the warehouse is away.
    """
    global _has_missed, _rests_until
    if time.monotonic() < _rests_until:
        _has_missed = True
        return None
    task = _writer.submit(_bounded, work)
    try:
        return task.result(timeout=WAIT_S)
    except WaitedTooLong:
        task.cancel()
        why = "TimeoutError", f"it did not answer within {WAIT_S:g} s"
    except Exception as error:
        if is_away(error) and not _is_of_mlflow(error):
            raise
        why = error_message(error)
    _rests_until, _has_missed = time.monotonic() + REST_S, True
    log.warning("mlflow_left_out", scene_id=scene_id, why=why)
    return None


def _bounded(work: Callable[[], T]) -> T:
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(REQUEST_S)
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(RETRIES)
    return work()


def _is_of_mlflow(error: Exception) -> bool:
    """Tell whether a network error came from MLflow's client, which speaks through requests."""
    return type(error).__module__.partition(".")[0] in {"requests", "urllib3", "mlflow"}
