"""Trace a result back to the sources of its candles: load batches, requests, versions, code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

_KEY = 64
EVER = datetime(1, 1, 1, tzinfo=UTC)
_COLUMNS = """
    SELECT r.result_key, r.run_key, r.status, r.strategy_digest, r.engine_version,
           r.metrics_version, r.candles_revision, r.revisions, r.computed_at, r.candles,
           r.first_candle_at, r.last_candle_at, r.depends_from, q.interval, q.start_at, q.end_at,
           q.strategy, q.params,
           EXISTS (SELECT FROM ops.broken_seals(ARRAY[r.result_key])) AS changed_since
    FROM ops.result r JOIN ops.run q ON q.run_key = r.run_key
"""
_RESULTS = text(f"""
    {_COLUMNS} WHERE left(r.result_key, length(:key)) = :key OR left(r.run_key, length(:key)) = :key
    ORDER BY r.computed_at DESC, r.result_key LIMIT :most
""")
_ONE = text(f"{_COLUMNS} WHERE r.result_key = :key")
_SCENES = text("""
    SELECT s.scene_id::text AS scene_id, s.name, a.cached, s.received_at,
           s.rerun_of::text AS rerun_of, u.name AS user
    FROM ops.scene_run a JOIN ops.scene s ON s.scene_id = a.scene_id
    LEFT JOIN ops.user u ON u.id = s.user_id
    WHERE a.result_key = :result_key ORDER BY s.received_at, s.scene_id
""")
_SERIES = text("""
    SELECT i.id, i.venue || ':' || i.symbol AS name, member.place, member.interval
    FROM (SELECT 0 AS place, instrument_id, interval FROM ops.run WHERE run_key = :run_key
          UNION ALL SELECT more.place, more.instrument_id, run.interval
          FROM ops.run_instrument more JOIN ops.run run ON run.run_key = more.run_key
          WHERE more.run_key = :run_key
          UNION ALL SELECT place, instrument_id, interval FROM ops.run_input
          WHERE run_key = :run_key) AS member
    JOIN ops.instrument i ON i.id = member.instrument_id ORDER BY member.place
""")
# Of each candle the result read the newest version up to its revision: the stored one or, if that
# came later, the one that it superseded.
_BATCHES = text("""
    WITH versions AS (
        SELECT opened_at, revision, load_batch_id FROM raw.candle
        WHERE instrument_id = :id AND interval = :interval
          AND opened_at >= :start AND opened_at < :end AND revision <= :revision
        UNION ALL
        SELECT opened_at, revision, load_batch_id FROM raw.candle_version
        WHERE instrument_id = :id AND interval = :interval
          AND opened_at >= :start AND opened_at < :end AND revision <= :revision
    ), read AS (
        SELECT DISTINCT ON (opened_at) opened_at, load_batch_id FROM versions
        ORDER BY opened_at, revision DESC
    )
    SELECT b.id, count(*) AS candles, min(opened_at) AS first_opened_at,
           max(opened_at) AS last_opened_at, b.source, b.origin, b.request, b.code_version,
           b.span_start, b.span_end, b.started_at, b.finished_at
    FROM read JOIN ops.load_batch b ON b.id = read.load_batch_id GROUP BY b.id ORDER BY b.id
""")
_REVISIONS = text("""
    SELECT revision, reason, first_opened_at, last_opened_at, load_batch_id, created_at,
           revision > :revision AS later
    FROM ops.candle_revision
    WHERE instrument_id = :id AND interval = :interval
      AND first_opened_at < :end AND last_opened_at >= :start
    ORDER BY revision
""")


class UnknownKey(ValueError):
    """No stored result and no stored run has this key."""


@dataclass(frozen=True, slots=True)
class SeriesLineage:
    """The candles of one instrument that a result read.

    start: the first candle that the result rests on. If warm-up or candles were missing, the
        result rests on all candles before its end (see `validity`), and this is the oldest known.
    revision: the newest revision of the series that the result knew
    batches: the load batches of those candles, with how many candles each gave
    revisions: the revisions that touch the candles; `later` ones came after the result
    """

    instrument: str
    interval: str
    revision: int
    start: datetime
    end: datetime
    batches: Sequence[Mapping[str, Any]]
    revisions: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Lineage:
    """The origin of a result. result: its row and its run's; scenes: those that it answers."""

    result: Mapping[str, Any]
    scenes: Sequence[Mapping[str, Any]]
    series: Sequence[SeriesLineage]


def lineage(connection: Connection, key: str) -> list[Lineage]:
    """Return where the results of a key come from, newest first.

    key: a result_key or a run_key, or its beginning (8 characters or more)
    Raises ValueError if the key is malformed, unknown, or begins the keys of several runs.
    """
    if not (8 <= len(key) <= _KEY and set(key) <= set("0123456789abcdef")):
        raise ValueError(f"expected 8 to 64 hexadecimal digits of a key, but found {key!r}")
    rows = _rows(connection, _RESULTS, {"key": key, "most": 101})
    if not rows:
        raise UnknownKey(f"no result and no run has a key that begins with {key}")
    runs = {row["run_key"] for row in rows}
    if len(runs) > 1 or len(rows) > 100:
        raise ValueError(f"expected one result or one run, but {key} begins the keys of several")
    return [_of(connection, row) for row in rows]


def lineage_of(
    connection: Connection, result_key: str, *, with_series: bool = True
) -> Lineage | None:
    """Return where one result comes from; None for an unknown key.

    with_series: tell the scenes, and count the candles of each load, which takes long for hundreds
        of thousands
    """
    rows = _rows(connection, _ONE, {"key": result_key})
    return _of(connection, rows[0], with_series=with_series) if rows else None


def _of(connection: Connection, result: Mapping[str, Any], *, with_series: bool = True) -> Lineage:
    if not with_series:
        return Lineage(result, (), ())
    scenes = _rows(connection, _SCENES, {"result_key": result["result_key"]})
    members = connection.execute(_SERIES, {"run_key": result["run_key"]}).all()
    series: list[SeriesLineage] = []
    revisions = result["revisions"] or [result["candles_revision"]]
    since, end = result["depends_from"] or EVER, result["end_at"]
    for member in members if revisions[0] is not None else ():
        parameters: dict[str, Any] = {"id": member.id, "interval": member.interval}
        parameters |= {"start": since, "end": end, "revision": revisions[member.place]}
        batches = _rows(connection, _BATCHES, parameters)
        touching = _rows(connection, _REVISIONS, parameters)
        first = min((one["first_opened_at"] for one in batches), default=end)
        start = min(result["depends_from"] or first, result["start_at"])
        series.append(
            SeriesLineage(
                *(member.name, member.interval, parameters["revision"]),
                *(start, end, batches, touching),
            )
        )
    return Lineage(result, scenes, series)


def _rows(
    connection: Connection, statement: TextClause, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement, values).mappings()]
