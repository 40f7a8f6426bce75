"""Answer runs from stored results, as columns: what they share is spelled once, not once a result.

A document that Postgres builds for each result costs as much as computing the result again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.metrics import METRICS
from mela.result import Provenance
from mela.result_columns import ResultColumns
from mela.run import Run
from warehouse.binary import HEADER, TRAILER
from warehouse.database import copy_out
from warehouse.pruning_lock import keep_pruning_out
from warehouse.results.documents import shared_sql
from warehouse.results.valid_results import VALID_RESULTS, question

# of a result and its run: what the results of a scene may have in common
_OF_RESULT = (
    *("status", "strategy_digest", "engine_version", "metrics_version", "candles_revision"),
    *("revisions", "computed_at", "candles", "first_candle_at", "last_candle_at", "depends_from"),
    *("warmup_missing", "periods_per_year", "warnings", "error_class", "error_sentence"),
    *("error_file", "error_line"),
)
_OF_RUN = ("instrument_id", "interval", "start_at", "end_at", "strategy", "settings")
_OWN = ("run_key", "result_key", "blocks", *METRICS)
_FOUND = ", ".join(
    (
        *(f"r.{name}" for name in (*_OWN, *_OF_RESULT)),
        "q.params",
        *(f"q.{name}" for name in _OF_RUN),
    )
)
_STAGE = text(f"""
    CREATE TEMP TABLE IF NOT EXISTS found_answer ON COMMIT DELETE ROWS AS
    SELECT 0 AS seq, a.scene_id, {_FOUND} FROM ops.scene_run a, ops.result r, ops.run q
    WITH NO DATA;
    DELETE FROM found_answer
""")  # noqa: S608  made of the names of columns
_FIND = text(f"""
    INSERT INTO found_answer
    SELECT row_number() OVER () - 1, CAST(answer.scene_id AS uuid), {_FOUND} FROM {VALID_RESULTS}
""")  # noqa: S608
# By key order, as in `writer`, so that savers cannot deadlock.
_RECORD = text("""
    INSERT INTO ops.scene_run (scene_id, run_key, result_key, cached)
    SELECT scene_id, run_key, result_key, true FROM found_answer
    ORDER BY scene_id, run_key ON CONFLICT DO NOTHING
""")
_NO_BLOCKS = bytes(384)
_NUMBERS = ", ".join(f"coalesce({name}, 'NaN'::float8)" for name in METRICS)
_COPY = f"""
    SELECT decode(run_key, 'hex'), decode(result_key, 'hex'),
           coalesce(blocks, decode('{_NO_BLOCKS.hex()}', 'hex')), {_NUMBERS}
    FROM found_answer ORDER BY seq
"""  # noqa: S608
_PARAMS = text("SELECT params::text, blocks IS NULL AS is_bare FROM found_answer ORDER BY seq")
_SHARED = text(
    f"""
    WITH alike AS MATERIALIZED (
        SELECT array_agg(seq) AS places, min(seq) AS first FROM found_answer f
        GROUP BY scene_id, {", ".join((*_OF_RESULT, *_OF_RUN))},
                 CASE WHEN settings->'portfolio' IS NOT NULL THEN (
                     SELECT array_agg(m.instrument_id ORDER BY m.place)
                     FROM ops.run_instrument m WHERE m.run_key = f.run_key) END
    )
    """  # noqa: S608
    + shared_sql(
        "alike.places",
        """
        alike JOIN found_answer f ON f.seq = alike.first
        JOIN ops.instrument i ON i.id = f.instrument_id
        CROSS JOIN LATERAL (SELECT f.*) AS r
        CROSS JOIN LATERAL (SELECT f.*) AS q
        CROSS JOIN LATERAL (SELECT f.scene_id, true AS cached) AS answer
        """,
    )
)
_LAYOUT = np.dtype(
    [
        ("fields", ">i2"),
        *(("run_key size", ">i4"), ("run_key", "u1", 32)),
        *(("result_key size", ">i4"), ("result_key", "u1", 32)),
        *(("blocks size", ">i4"), ("blocks", "V384")),
        ("metrics", [("size", ">i4"), ("value", ">f8")], len(METRICS)),
    ]
)


def answer(
    connection: Connection,
    wanted: Iterable[tuple[str, Run]],
    provenances: Mapping[str, Provenance],
) -> list[ResultColumns]:
    """Find as `finder.find` does, and record what is found as the scenes' answers.

    If a scene already has an answer to a run, that one stays.
    wanted: ids of stored scenes, each with a run of it
    returns: for each scene the results that were found, if there are any
    """
    keep_pruning_out(connection)
    connection.execute(_STAGE)
    if not connection.execute(_FIND, question(wanted, provenances)).rowcount:
        return []
    connection.execute(_RECORD)
    content = copy_out(connection, _COPY, {})
    rows = np.frombuffer(content[len(HEADER) : -len(TRAILER)], dtype=_LAYOUT)
    own = connection.execute(_PARAMS).all()
    params, without_blocks = [one.params.encode() for one in own], [one.is_bare for one in own]
    shared = [(places, orjson.loads(text)) for places, text in connection.execute(_SHARED)]
    return _by_scene(rows, params, without_blocks, shared)


def _by_scene(
    rows: NDArray[Any],
    params: Sequence[bytes],
    without_blocks: Sequence[bool],
    shared: Sequence[tuple[list[int], dict[str, Any]]],
) -> list[ResultColumns]:
    """Return the rows of each scene as columns.

    shared: the places of rows, and what they share; each row's place stands in one of them
    """
    groups = np.empty(len(rows), np.int32)
    scenes: dict[str, list[tuple[list[int], dict[str, Any]]]] = {}
    for places, document in shared:
        mine = scenes.setdefault(document["scene_id"], [])
        groups[places] = len(mine)
        mine.append((places, document))
    metrics = rows["metrics"]["value"].astype(np.float64)
    found: list[ResultColumns] = []
    for scene_id, parts in scenes.items():
        at = np.sort(np.concatenate([places for places, _ in parts]))
        found.append(
            ResultColumns(
                scene_id,
                tuple(document for _, document in parts),
                groups[at],
                rows["run_key"][at],
                rows["result_key"][at],
                [params[place] for place in at.tolist()],
                metrics[at],
                [
                    None if without_blocks[place] else rows["blocks"][place].tobytes()
                    for place in at.tolist()
                ],
            )
        )
    return found
