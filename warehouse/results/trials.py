"""Count and read the runs of a strategy family on some instruments, whichever scene asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.instrument import parse_name
from mela.metrics import Ranking
from warehouse.results.documents import best_first, document_sql
from warehouse.results.finder import read_documents

MOST_KNOWN = 20_000  # runs whose block sums are read; the others only count
_ROWS = np.dtype((">f8", (3, 16)))
_FAMILY = """
    q.instrument_id = ANY(:instruments) AND q.strategy = ANY(:strategies)
"""
_SUCCEEDED = "status IN ('succeeded', 'ruined')"
_IDS = text("""
    SELECT i.id FROM ops.instrument i JOIN unnest(CAST(:venues AS text[]), CAST(:symbols AS text[]))
        AS asked (venue, symbol) ON i.venue = asked.venue AND i.symbol = asked.symbol
""")
# A trial counts whether its result is stored or was pruned, and once if it was computed again.
_PRUNED = "ops.pruned_result gone JOIN ops.pruned_family q ON q.id = gone.family_id"
_COUNT = text(f"""
    SELECT (
        SELECT count(*) FROM ops.run q WHERE {_FAMILY} AND q.start_at < :end AND q.end_at > :start
          AND EXISTS (SELECT FROM ops.result r WHERE r.run_key = q.run_key AND r.{_SUCCEEDED})
    ) + (
        SELECT count(DISTINCT gone.run_key) FROM {_PRUNED}
        WHERE {_FAMILY} AND q.start_at < :end AND q.end_at > :start AND gone.{_SUCCEEDED}
          AND NOT EXISTS (SELECT FROM ops.result r
                          WHERE r.run_key = encode(gone.run_key, 'hex') AND r.{_SUCCEEDED})
    )
""")  # noqa: S608  made of the constants above
_SAME_SPAN = "q.interval = :interval AND q.start_at = :start AND q.end_at = :end"
_HAS = "SELECT FROM ops.scene_run a WHERE a.scene_id = CAST(:scene_id AS uuid) AND a.run_key ="
# Blocks come in the order of their runs, so that a seeded sample of them stays the same.
_OWN = text(f"""
    SELECT string_agg(coalesce(r.blocks, asked.blocks), '' ORDER BY asked.run_key) FROM (
        SELECT a.run_key, a.result_key, NULL::bytea AS blocks
        FROM ops.scene_run a JOIN ops.run q ON q.run_key = a.run_key
        WHERE a.scene_id = CAST(:scene_id AS uuid) AND {_FAMILY} AND {_SAME_SPAN}
        UNION ALL
        SELECT encode(gone.run_key, 'hex'), NULL, gone.blocks
        FROM ops.pruned_answer had JOIN {_PRUNED} ON gone.result_key = had.result_key
        WHERE had.scene_id = CAST(:scene_id AS uuid) AND {_FAMILY} AND {_SAME_SPAN}
          AND NOT EXISTS ({_HAS} encode(gone.run_key, 'hex'))
        ORDER BY run_key LIMIT :most
    ) AS asked LEFT JOIN ops.result r ON r.result_key = asked.result_key
    WHERE coalesce(r.blocks, asked.blocks) IS NOT NULL
""")  # noqa: S608
_OTHERS = text(f"""
    SELECT string_agg(known.blocks, '' ORDER BY known.run_key) FROM (
        SELECT tried.run_key, newest.blocks FROM (
            SELECT q.run_key FROM ops.run q WHERE {_FAMILY} AND {_SAME_SPAN}
            UNION ALL (
                SELECT DISTINCT encode(gone.run_key, 'hex') FROM {_PRUNED}
                WHERE {_FAMILY} AND {_SAME_SPAN} AND NOT EXISTS (
                    SELECT FROM ops.run still WHERE still.run_key = encode(gone.run_key, 'hex')))
        ) AS tried JOIN LATERAL (
            SELECT either.blocks FROM (
                SELECT r.blocks, r.computed_at FROM ops.result r
                WHERE r.run_key = tried.run_key AND r.{_SUCCEEDED} AND r.blocks IS NOT NULL
                UNION ALL
                SELECT gone.blocks, gone.computed_at FROM ops.pruned_result gone
                WHERE gone.run_key = decode(tried.run_key, 'hex') AND gone.{_SUCCEEDED}
                  AND gone.blocks IS NOT NULL
            ) AS either ORDER BY either.computed_at DESC LIMIT 1
        ) AS newest ON true
        WHERE NOT EXISTS ({_HAS} tried.run_key) AND NOT EXISTS (
            SELECT FROM ops.pruned_answer had
            JOIN ops.pruned_result gone ON gone.result_key = had.result_key
            WHERE had.scene_id = CAST(:scene_id AS uuid)
              AND gone.run_key = decode(tried.run_key, 'hex'))
        LIMIT :most
    ) AS known
""")  # noqa: S608


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Recorded trials.

    n_trials: the number of trials whose dates overlap
    blocks: (known, 3, 16) float64: sums, squares and counts of the trials over one span
    own: (known,) whether the asking scene has the run
    """

    n_trials: int
    blocks: NDArray[np.float64]
    own: NDArray[np.bool_]


def known(
    connection: Connection,
    scene_id: str | UUID,
    *,
    instruments: Sequence[str],
    strategies: Sequence[str],
    dates: tuple[datetime, datetime],
    interval: str,
    span: tuple[datetime, datetime],
) -> Known:
    """Return the recorded trials of a strategy family on some instruments.

    dates: runs that overlap these dates count
    span: runs over exactly this span give their block sums
    """
    venues, symbols = zip(*map(parse_name, instruments), strict=True)
    ids = connection.scalars(_IDS, {"venues": list(venues), "symbols": list(symbols)})
    family = {"instruments": list(ids), "strategies": list(strategies)}
    n_trials = connection.scalar(_COUNT, {**family, "start": dates[0], "end": dates[1]})
    same = {"scene_id": str(scene_id), "interval": interval, "start": span[0], "end": span[1]}
    own = _blocks(connection.scalar(_OWN, {**family, **same, "most": MOST_KNOWN}))
    most = MOST_KNOWN - len(own)
    others = _blocks(connection.scalar(_OTHERS, {**family, **same, "most": most}))
    is_own = np.arange(len(own) + len(others)) < len(own)
    return Known(int(n_trials or 0), np.concatenate([own, others]), is_own)


def best_in_span(
    connection: Connection,
    scene_id: str | UUID,
    winner: Mapping[str, Any],
    rank_by: str | Ranking,
    limit: int,
) -> list[dict[str, Any]]:
    """Return a scene's best results of the winner's own instrument and span, best first."""
    source = f"""
        ops.scene_run answer
        JOIN ops.result r ON r.result_key = answer.result_key
        JOIN ops.run q ON q.run_key = answer.run_key
        JOIN ops.instrument i ON i.id = q.instrument_id
        WHERE answer.scene_id = CAST(:scene_id AS uuid) AND r.{_SUCCEEDED} AND {_SAME_SPAN}
          AND i.venue || ':' || i.symbol = :instrument
        ORDER BY {best_first(rank_by)} LIMIT :limit
    """
    values = {name: winner[name] for name in ("interval", "start", "end")}
    values |= {"scene_id": str(scene_id), "instrument": winner["instruments"][0], "limit": limit}
    return read_documents(connection, text(document_sql(source)), values)


def best_by_window(
    connection: Connection, scene_id: str | UUID, rank_by: str | Ranking
) -> list[dict[str, Any]]:
    """Return a scene's best result of each instrument and span."""
    order = best_first(rank_by)
    source = f"""(
        SELECT DISTINCT ON (q.instrument_id, q.start_at, q.end_at)
               answer.scene_id, answer.cached, r.result_key
        FROM ops.scene_run answer
        JOIN ops.result r ON r.result_key = answer.result_key
        JOIN ops.run q ON q.run_key = answer.run_key
        WHERE answer.scene_id = CAST(:scene_id AS uuid) AND r.{_SUCCEEDED}
        ORDER BY q.instrument_id, q.start_at, q.end_at, {order}
    ) AS answer
    JOIN ops.result r ON r.result_key = answer.result_key
    JOIN ops.run q ON q.run_key = r.run_key
    JOIN ops.instrument i ON i.id = q.instrument_id"""  # noqa: S608
    return read_documents(connection, text(document_sql(source)), {"scene_id": str(scene_id)})


def _blocks(sent: Any) -> NDArray[np.float64]:
    return np.frombuffer(b"" if sent is None else bytes(sent), dtype=_ROWS).astype(np.float64)
