"""The valid stored results of runs that scenes ask for, as the source of a statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mela.result import Provenance
from mela.run import Run
from warehouse.results.validity import TODAY, VALID, made_with_today

# Joins the run (q) of `wanted.run_key` and its result (r): of several valid ones the newest.
# OFFSET 0: each is looked up by its key. A join was planned as a scan of all runs of the strategy.
NEWEST_VALID = f"""
    JOIN LATERAL (
        SELECT * FROM ops.run asked WHERE asked.run_key = wanted.run_key OFFSET 0
    ) AS q ON true
    JOIN {TODAY} ON today.strategy = q.strategy
    JOIN LATERAL (
        SELECT * FROM ops.result stored WHERE stored.run_key = q.run_key AND {VALID}
        ORDER BY CASE WHEN stored.revisions IS NULL THEN stored.candles_revision END DESC,
                 stored.revisions DESC, stored.computed_at DESC LIMIT 1
    ) AS r ON true
"""  # noqa: S608  made of constants
# The text after FROM; `question` gives its parameters.
VALID_RESULTS = f"""
    unnest(CAST(:scene_ids AS text[]), CAST(:keys AS text[])) AS wanted (scene_id, run_key)
    {NEWEST_VALID}
    JOIN ops.instrument i ON i.id = q.instrument_id
    CROSS JOIN LATERAL (SELECT wanted.scene_id, true AS cached) AS answer
"""


def question(
    wanted: Iterable[tuple[str, Run]], provenances: Mapping[str, Provenance]
) -> dict[str, Any]:
    """Return the parameters of VALID_RESULTS.

    wanted: ids of scenes, each with a run of it
    provenances: strategy name → what would be used today; the revision in it is ignored
    """
    once = list(dict.fromkeys((scene_id, run.run_key) for scene_id, run in wanted))
    return {
        "scene_ids": array([scene_id for scene_id, _ in once]),
        "keys": array([run_key for _, run_key in once]),
        **made_with_today(provenances),
    }


def array(texts: Iterable[str]) -> str:
    """Return the array of texts without special characters (keys, ids) as one literal.

    Postgres reads thousands of values in it faster than as many expressions.
    """
    return f"{{{','.join(texts)}}}"
