"""The SQL predicate that decides whether a stored result is valid, written once.

`finder.find` applies it to runs. `stale` asks which part of it a result fails. In these fragments
`q` is a row of ops.run, `stored` is a row of ops.result, and `today` is what would be used now.
`made_with_today` gives their parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

from mela.result import NEVER_REUSED, Provenance

TODAY = """
    unnest(CAST(:strategies AS text[]), CAST(:digests AS text[]),
           CAST(:engines AS text[]), CAST(:metrics AS text[]))
        AS today (strategy, digest, engine, metrics)
"""
REUSABLE = """
    (stored.status <> ALL(:never_reused)
     AND (stored.candles_revision IS NOT NULL OR stored.revisions IS NOT NULL))
"""
SAME_STRATEGY = "stored.strategy_digest = today.digest"
SAME_ENGINE = "stored.engine_version = today.engine"
SAME_METRICS = "stored.metrics_version = today.metrics"
# A later revision makes the result stale if it touches what the run read: [depends_from, end). If
# candles were missing, that is everything before the end, because they may have come since.
_TOUCHES = """
    later.first_opened_at < q.end_at
    AND (stored.depends_from IS NULL OR later.last_opened_at >= stored.depends_from)
"""
# A run that reads several series (instruments of one account, inputs of its strategy) has a
# revision for each in `revisions`, and no candles_revision. Older rows have the sum there: a
# revision of the first series above the sum is above its own too.
SPOILT_BY_ONE = f"""
    SELECT later.* FROM ops.candle_revision later
    WHERE later.instrument_id = q.instrument_id AND later.interval = q.interval
      AND later.revision > stored.candles_revision
      AND {_TOUCHES}
"""  # noqa: S608  made of constants
SPOILT_BY_ONE_OF_SEVERAL = f"""
    SELECT later.* FROM (
        SELECT 0 AS place, q.instrument_id, q.interval
        UNION ALL SELECT more.place, more.instrument_id, q.interval FROM ops.run_instrument more
        WHERE more.run_key = q.run_key
        UNION ALL SELECT input.place, input.instrument_id, input.interval FROM ops.run_input input
        WHERE input.run_key = q.run_key
    ) AS series
    JOIN ops.candle_revision later
      ON later.instrument_id = series.instrument_id AND later.interval = series.interval
    WHERE later.revision > stored.revisions[series.place + 1] AND {_TOUCHES}
"""  # noqa: S608  made of constants
SAME_CANDLES = f"""
    (NOT EXISTS ({SPOILT_BY_ONE})
     AND (stored.revisions IS NULL OR NOT EXISTS ({SPOILT_BY_ONE_OF_SEVERAL})))
"""
VALID = f"""
    {REUSABLE} AND {SAME_STRATEGY} AND {SAME_ENGINE} AND {SAME_METRICS} AND {SAME_CANDLES}
"""


def made_with_today(provenances: Mapping[str, Provenance]) -> dict[str, list[str]]:
    """Return the parameters of the fragments: strategy name → what would be used today."""
    today = list(provenances.items())
    return {
        "strategies": [strategy for strategy, _ in today],
        "digests": [made_with.strategy_digest for _, made_with in today],
        "engines": [made_with.engine_version for _, made_with in today],
        "metrics": [made_with.metrics_version for _, made_with in today],
        "never_reused": [status.value for status in NEVER_REUSED],
    }
