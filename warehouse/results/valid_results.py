"""The valid stored results of runs that scenes ask for, as the source of a statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mela.result import Provenance
from mela.run import Run
from warehouse.results.validity import TODAY, VALID, made_with_today

# The text after FROM; `question` gives its parameters. Of several valid results the newest counts.
VALID_RESULTS = f"""
    unnest(CAST(:scene_ids AS text[]), CAST(:keys AS text[])) AS wanted (scene_id, run_key)
    JOIN ops.run q ON q.run_key = wanted.run_key
    JOIN ops.instrument i ON i.id = q.instrument_id
    CROSS JOIN LATERAL (SELECT wanted.scene_id, true AS cached) AS answer
    JOIN {TODAY} ON today.strategy = q.strategy
    JOIN LATERAL (
        SELECT * FROM ops.result stored WHERE stored.run_key = q.run_key AND {VALID}
        ORDER BY CASE WHEN stored.revisions IS NULL THEN stored.candles_revision END DESC,
                 stored.revisions DESC, stored.computed_at DESC LIMIT 1
    ) AS r ON true
"""  # noqa: S608  made of constants


def question(
    wanted: Iterable[tuple[str, Run]], provenances: Mapping[str, Provenance]
) -> dict[str, Any]:
    """Return the parameters of VALID_RESULTS.

    wanted: ids of scenes, each with a run of it
    provenances: strategy name → what would be used today; the revision in it is ignored
    """
    once = list(dict.fromkeys((scene_id, run.run_key) for scene_id, run in wanted))
    return {
        "scene_ids": [scene_id for scene_id, _ in once],
        "keys": [run_key for _, run_key in once],
        **made_with_today(provenances),
    }
