"""The report on a search whose runs are all recorded, with the warehouse as its store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from mela.errors import SourceUnavailable
from mela.scene import parse_scene
from mela.settings import Settings
from streaming import strategies
from warehouse.scenes.stored_scene import StoredScene

log = structlog.get_logger()


def report_on(
    stored: StoredScene, best: Mapping[str, Any] | None, settings: Settings
) -> dict[str, Any] | None:
    """Return the report on a scene's search, or None if it neither searched nor validated.

    best: its best result overall
    Raises if a service does not answer. Any other error becomes the report's `reason`, so that one
    unusual scene does not stop all others.
    """
    if not any(stored.content.get(name) for name in ("search", "validation", "holdout")):
        return None
    try:
        scene = parse_scene(stored.content)
        catalogue = strategies.current(settings)
        from backtests.search.evaluate import evaluate_search  # loads SciPy: not for every scene
        from streaming.search_store import WarehouseStore

        store = WarehouseStore(stored.scene_id, scene, best, settings)
        report = evaluate_search(scene, store, catalogue)
        document = None if report is None else report.document()
        return orjson.loads(orjson.dumps(document, default=float))
    except (SQLAlchemyError, SourceUnavailable):
        raise
    except Exception as error:
        log.exception("search_not_judged", scene_id=stored.scene_id)
        return {"recorded": True, "reason": f"it could not be judged: {error}"}


def short(report: Mapping[str, Any] | None, most_bytes: int) -> dict[str, Any] | None:
    """Return a report that fits into a message. The longest lists are left out first."""
    if report is None:
        return None
    shortened = dict(report)
    for path in ("equity", "instruments"):
        if len(orjson.dumps(shortened)) <= most_bytes:
            break
        whole = shortened.get("walk_forward", {})
        shortened["walk_forward"] = {name: part for name, part in whole.items() if name != path}
    return shortened
