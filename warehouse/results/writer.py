"""Store results: COPY into a staging table, then insert what is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg2
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, IntegrityError

from mela.inputs import Input, InputSeries, series_of
from mela.interval import Interval
from mela.metrics import METRICS
from mela.run_terms import VARIABLE
from warehouse.database import copy_in
from warehouse.ingestion import instruments

Document = Mapping[str, Any]
UNSTORABLE = (psycopg2.DataError, psycopg2.IntegrityError, DataError, IntegrityError)
PLAIN = (
    *("run_key", "result_key", "interval", "status", "engine_version", "metrics_version"),
    *("candles_revision", "computed_at", "candles", "first_candle_at", "last_candle_at"),
    *("depends_from", "warmup_missing", "periods_per_year", *METRICS),
)
_plain_of = itemgetter(*PLAIN)
STAGED = (
    *("seq", "scene_id", "cached", "instrument_id", "start_at", "end_at", "strategy"),
    *("strategy_digest", "params", "settings", "error", "said", "packed"),
    *("other_ids", "input_ids", "input_intervals", "revisions", *PLAIN),
)
_STAGE = text("""
    CREATE TEMP TABLE IF NOT EXISTS received_result ON COMMIT DELETE ROWS AS
    SELECT 0 AS seq, a.scene_id, a.cached, q.instrument_id, q.interval, q.start_at, q.end_at,
           q.strategy, q.params, q.settings, q.params AS error, q.params AS said,
           q.strategy AS packed,
           r.revisions AS other_ids, r.revisions AS input_ids,
           ARRAY[q.interval] AS input_intervals, r.*
    FROM ops.scene_run a, ops.run q, ops.result r WITH NO DATA;
    SET LOCAL work_mem = '64MB'
""")
# A JSON array without its brackets is a row of CSV in this dialect, and orjson is ten times as fast
# as csv. What could need another escape than those of quote and backslash is JSON within JSON.
_COPY = (
    f"COPY received_result ({', '.join(STAGED)}) FROM STDIN"
    r" (FORMAT csv, NULL 'null', ESCAPE '\', ENCODING 'UTF8')"
)
_STORED = ", ".join(name for name in PLAIN if name != "interval")
# Rows go in by key order and tables in one order, so that savers cannot deadlock.
_RUNS = text("""
    INSERT INTO ops.run
        (run_key, instrument_id, interval, start_at, end_at, strategy, params, settings)
    SELECT run_key, instrument_id, interval, start_at, end_at, strategy, params, settings
    FROM received_result new WHERE NOT (cached AND EXISTS (
        SELECT FROM ops.run known WHERE known.run_key = new.run_key))
    ORDER BY run_key ON CONFLICT (run_key) DO NOTHING
""")
_OTHERS = text("""
    INSERT INTO ops.run_instrument (run_key, place, instrument_id)
    SELECT run_key, place, id
    FROM received_result, unnest(other_ids) WITH ORDINALITY AS other (id, place)
    ORDER BY run_key, place ON CONFLICT DO NOTHING
""")
# places go on where those of the instruments end, as the revisions of a result do
_INPUTS = text("""
    INSERT INTO ops.run_input (run_key, place, instrument_id, interval)
    SELECT run_key, coalesce(cardinality(other_ids), 0) + place, id, length
    FROM received_result,
         unnest(input_ids, input_intervals) WITH ORDINALITY AS input (id, length, place)
    ORDER BY run_key, place ON CONFLICT DO NOTHING
""")
_RESULTS = text(f"""
    INSERT INTO ops.result
        (strategy_digest, warnings, error_class, error_sentence, error_file, error_line, blocks,
         revisions, {_STORED})
    SELECT strategy_digest,
           CASE said WHEN '[]' THEN '{{}}' ELSE ARRAY(SELECT jsonb_array_elements_text(said)) END,
           error->>'class', error->>'sentence', error->>'file', (error->>'line')::integer,
           decode(packed, 'base64'),
           revisions, {_STORED}
    FROM received_result new WHERE NOT (cached AND EXISTS (
        SELECT FROM ops.result known WHERE known.result_key = new.result_key))
    ORDER BY result_key, seq ON CONFLICT (result_key) DO NOTHING
""")  # noqa: S608  made of the constants above, never of a value
_ANSWERS = text("""
    INSERT INTO ops.scene_run (scene_id, run_key, result_key, cached)
    SELECT scene_id, run_key, result_key, cached
    FROM received_result ORDER BY scene_id, run_key, seq ON CONFLICT DO NOTHING
""")
_SCENES = text("""
    SELECT scene_id::text FROM ops.scene
    WHERE scene_id = ANY(CAST(:scene_ids AS uuid[])) AND status <> 'rejected'
""")
_EMPTY = text("DELETE FROM received_result")
_BRACES = bytes.maketrans(b"[]", b"{}")  # JSON's arrays of numbers to Postgres's


class UnstorableResult(NamedTuple):
    """A result that cannot be stored, and why."""

    scene_id: str | None
    run_key: str
    sentence: str


def save(connection: Connection, documents: Sequence[Document]) -> list[UnstorableResult]:
    """Store the results that are absent. If an answer comes again, the first one stays.

    documents: made by mela.result.result_document or read from JSON; mela.result.Result has
        validated their fields
    returns: the results that cannot be stored (unknown scene or instrument, or a value that
        Postgres refuses), for mela.rejected; all others are stored when the transaction commits
    """
    scenes = _known_scenes(connection, {document["scene_id"] for document in documents})
    names = {name for document in documents for name in document["instruments"]}
    names |= {series.instrument for document in documents for series in _inputs(document)}
    ids = instruments.ids(connection, names)
    refused = [
        UnstorableResult(*_key(document), sentence)
        for document in documents
        if (sentence := _fault(document, scenes, ids))
    ]
    if not refused:
        return _save(connection, documents, ids)
    rest = [document for document in documents if not _fault(document, scenes, ids)]
    return refused + _save(connection, rest, ids)


def _save(
    connection: Connection, documents: Sequence[Document], ids: Mapping[str, int]
) -> list[UnstorableResult]:
    if not documents:
        return []
    try:
        with connection.begin_nested():
            _insert(connection, documents, ids)
    except UNSTORABLE as error:
        if len(documents) == 1:
            return [UnstorableResult(*_key(documents[0]), f"Postgres refused it: {error}".strip())]
        half = len(documents) // 2  # find the one that spoils the others
        return _save(connection, documents[:half], ids) + _save(connection, documents[half:], ids)
    return []


def _insert(connection: Connection, documents: Sequence[Document], ids: Mapping[str, int]) -> None:
    connection.execute(_STAGE)
    rows = [orjson.dumps(_staged(*row, ids))[1:-1] for row in enumerate(documents)]
    copy_in(connection, _COPY, b"\n".join(rows))
    several = any(len(document["instruments"]) > 1 for document in documents)
    further = [_OTHERS] if several else []
    further += [_INPUTS] if any(document.get("inputs") for document in documents) else []
    for statement in (_RUNS, *further, _RESULTS, _ANSWERS, _EMPTY):
        connection.execute(statement)


def _staged(seq: int, document: Document, ids: Mapping[str, int]) -> list[Any]:
    strategy, error, warnings = document["strategy"], document["error"], document["warnings"]
    others, revisions = document["instruments"][1:], document.get("revisions")
    inputs = _inputs(document)
    return [
        seq,
        document["scene_id"],
        document["cached"],
        ids[document["instruments"][0]],
        document["start"],
        document["end"],
        strategy["name"],
        strategy["digest"],
        _json(document["params"]),
        _json(_settings(document)),
        _json(error) if error else None,
        _json(warnings),
        document.get("blocks"),  # a result of metrics version 1 has none
        _array([ids[name] for name in others]) if others else None,
        _array([ids[series.instrument] for series in inputs]) if inputs else None,
        _array([series.interval for series in inputs]) if inputs else None,
        _array(revisions) if revisions else None,
        *_plain(document),
    ]


def _plain(document: Document) -> Sequence[Any]:
    try:
        return _plain_of(document)
    except KeyError:  # a result of metrics version 1 lacks the later metrics
        return [document.get(name) for name in PLAIN]


def _settings(document: Document) -> dict[str, Any]:
    """Return a run's terms. Leave out a portfolio and inputs that it does not have."""
    terms = {name: document[name] for name in VARIABLE if name in document}
    return terms | {name: document[name] for name in ("portfolio", "inputs") if document.get(name)}


def _inputs(document: Document) -> Sequence[InputSeries]:
    """Return the series of a document's inputs, in the order of its revisions."""
    given: Mapping[str, Any] = document.get("inputs") or {}
    if not given:
        return ()
    inputs = {name: Input.model_validate(one) for name, one in given.items()}
    return series_of(inputs, document["instruments"], Interval(document["interval"]))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _array(values: list[Any]) -> str:
    return orjson.dumps(values).translate(_BRACES).decode()


def _known_scenes(connection: Connection, scene_ids: set[str | None]) -> set[str]:
    ids = [scene_id for scene_id in scene_ids if _is_uuid(scene_id)]
    return set(connection.scalars(_SCENES, {"scene_ids": ids}))


def _is_uuid(scene_id: str | None) -> bool:
    try:
        return scene_id is not None and str(UUID(scene_id)) == scene_id
    except ValueError:
        return False


def _fault(document: Document, scenes: set[str], ids: Mapping[str, int]) -> str | None:
    if document["scene_id"] not in scenes:
        return f"expected the id of an accepted scene, but found {document['scene_id']!r}"
    if document["result_key"] is None:
        return "expected a result_key, but found null"
    read = [*document["instruments"], *(series.instrument for series in _inputs(document))]
    unknown = [name for name in read if name not in ids]
    if unknown:
        return f"expected known instruments, but found {', '.join(unknown)}"
    if len(document["instruments"]) > 1 and not document.get("portfolio"):
        found = ", ".join(document["instruments"])
        return f"expected a portfolio, or one instrument, but found {found}"
    return None


def _key(document: Document) -> tuple[str | None, str]:
    return document["scene_id"], document["run_key"]
