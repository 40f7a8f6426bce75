"""Store results: COPY their columns into staging tables, then insert what is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import orjson
import psycopg2
from numpy.typing import NDArray
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, IntegrityError

from mela.inputs import Input, InputSeries, series_of
from mela.interval import Interval
from mela.metrics import METRICS, WHOLE
from mela.result_columns import ResultColumns, columns_of
from mela.run_terms import VARIABLE
from warehouse.binary_rows import encode_rows, fixed_field, number_field
from warehouse.database import copy_in
from warehouse.ingestion import instruments
from warehouse.pruning_lock import keep_pruning_out
from warehouse.results.own_seals import own_seals

Document = Mapping[str, Any]
UNSTORABLE = (psycopg2.DataError, psycopg2.IntegrityError, DataError, IntegrityError)
# what several results share, staged once for all of them
PLAIN = (
    *("scene_id", "cached", "interval", "status", "engine_version", "metrics_version"),
    *("candles_revision", "computed_at", "candles", "first_candle_at", "last_candle_at"),
    *("depends_from", "warmup_missing", "periods_per_year"),
)
_plain_of = itemgetter(*PLAIN)
GROUP = (
    *("place", "instrument_id", "start_at", "end_at", "strategy", "strategy_digest", "settings"),
    *("error", "warning_list", "other_ids", "input_ids", "input_intervals", "revisions", *PLAIN),
)
OWN = ("seq", "place", "run_key", "result_key", "own_seal", *METRICS, "params", "blocks")
_STAGE = text(f"""
    CREATE TEMP TABLE IF NOT EXISTS received_group ON COMMIT DELETE ROWS AS
    SELECT 0 AS place, a.scene_id, a.cached, q.instrument_id, q.interval, q.start_at, q.end_at,
           q.strategy, q.settings, q.params AS error, q.params AS warning_list,
           r.revisions AS other_ids, r.revisions AS input_ids,
           ARRAY[q.interval] AS input_intervals, r.*
    FROM ops.scene_run a, ops.run q, ops.result r WITH NO DATA;
    CREATE TEMP TABLE IF NOT EXISTS received_result ON COMMIT DELETE ROWS AS
    SELECT 0 AS seq, 0 AS place, r.run_key, r.result_key, r.seal AS own_seal,
           {", ".join(f"r.{name}" for name in METRICS)}, q.params, r.blocks
    FROM ops.run q, ops.result r WITH NO DATA;
    SET LOCAL work_mem = '64MB'
""")  # noqa: S608  made of the names of metrics
# A JSON array without its brackets is a row of CSV in this dialect, and orjson is ten times as fast
# as csv. What could need another escape than those of quote and backslash is JSON within JSON.
_COPY_GROUPS = (
    f"COPY received_group ({', '.join(GROUP)}) FROM STDIN"
    r" (FORMAT csv, NULL 'null', ESCAPE '\', ENCODING 'UTF8')"
)
_COPY_RESULTS = f"COPY received_result ({', '.join(OWN)}) FROM STDIN (FORMAT binary)"
_OF_GROUP = ", ".join(
    f"shared.{name}" for name in PLAIN if name not in {"scene_id", "cached", "interval"}
)
_OF_RESULT = ", ".join(f"new.{name}" for name in METRICS)
_STORED = ", ".join(name for name in PLAIN if name not in {"scene_id", "cached", "interval"})
_RECEIVED = "received_result new JOIN received_group shared USING (place)"
# Rows go in by key order and tables in one order, so that savers cannot deadlock.
_RUNS = text(f"""
    INSERT INTO ops.run
        (run_key, instrument_id, interval, start_at, end_at, strategy, params, settings)
    SELECT new.run_key, shared.instrument_id, shared.interval, shared.start_at, shared.end_at,
           shared.strategy, new.params, shared.settings
    FROM {_RECEIVED} WHERE NOT (shared.cached AND EXISTS (
        SELECT FROM ops.run known WHERE known.run_key = new.run_key))
    ORDER BY new.run_key ON CONFLICT (run_key) DO NOTHING
""")  # noqa: S608  made of the constants above, never of a value
_OTHERS = text(f"""
    INSERT INTO ops.run_instrument (run_key, place, instrument_id)
    SELECT new.run_key, other.nth, other.id
    FROM {_RECEIVED}, unnest(shared.other_ids) WITH ORDINALITY AS other (id, nth)
    ORDER BY new.run_key, other.nth ON CONFLICT DO NOTHING
""")  # noqa: S608
# places go on where those of the instruments end, as the revisions of a result do
_INPUTS = text(f"""
    INSERT INTO ops.run_input (run_key, place, instrument_id, interval)
    SELECT new.run_key, coalesce(cardinality(shared.other_ids), 0) + input.nth, input.id,
           input.length
    FROM {_RECEIVED},
         unnest(shared.input_ids, shared.input_intervals) WITH ORDINALITY AS input (id, length, nth)
    ORDER BY new.run_key, input.nth ON CONFLICT DO NOTHING
""")  # noqa: S608
# Materialized: otherwise what a group shares is read from JSON again for each of its results.
_RESULTS = text(f"""
    WITH received_group AS MATERIALIZED (
        SELECT ARRAY(SELECT jsonb_array_elements_text(warning_list)) AS warning_names,
               error->>'class' AS class, error->>'sentence' AS sentence, error->>'file' AS file,
               (error->>'line')::integer AS line, *
        FROM received_group),
    sealed_group AS MATERIALIZED (
        SELECT ops.shared_seal(
                   status, strategy_digest, engine_version, metrics_version, candles_revision,
                   revisions, computed_at, candles, first_candle_at, last_candle_at, depends_from,
                   warmup_missing, periods_per_year, warning_names, class, sentence, file, line
               ) AS shared_seal, *
        FROM received_group)
    INSERT INTO ops.result
        (run_key, result_key, strategy_digest, warnings, error_class, error_sentence, error_file,
         error_line, blocks, revisions, seal, {_STORED}, {", ".join(METRICS)})
    SELECT new.run_key, new.result_key, shared.strategy_digest, shared.warning_names,
           shared.class, shared.sentence, shared.file, shared.line,
           new.blocks, shared.revisions, sha256(new.own_seal || shared.shared_seal),
           {_OF_GROUP}, {_OF_RESULT}
    FROM received_result new JOIN sealed_group shared USING (place)
    WHERE NOT (shared.cached AND EXISTS (
        SELECT FROM ops.result known WHERE known.result_key = new.result_key))
    ORDER BY new.result_key, new.seq ON CONFLICT (result_key) DO NOTHING
""")  # noqa: S608
_ANSWERS = text(f"""
    INSERT INTO ops.scene_run (scene_id, run_key, result_key, cached)
    SELECT shared.scene_id, new.run_key, new.result_key, shared.cached
    FROM {_RECEIVED} ORDER BY shared.scene_id, new.run_key, new.seq ON CONFLICT DO NOTHING
""")  # noqa: S608
_SCENES = text("""
    SELECT scene_id::text FROM ops.scene
    WHERE scene_id = ANY(CAST(:scene_ids AS uuid[])) AND status <> 'rejected'
""")
_EMPTY = text("DELETE FROM received_result; DELETE FROM received_group")
_BRACES = bytes.maketrans(b"[]", b"{}")  # JSON's arrays of numbers to Postgres's
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_JSONB = b"\x01"  # the version of Postgres's binary format
_IS_WHOLE = np.array([name in WHOLE for name in METRICS])
LARGEST_INTEGER = 2**31 - 1
_TOO_LARGE = f"expected counts of at most {LARGEST_INTEGER:,}, but found a larger one"


class UnstorableResult(NamedTuple):
    """A result that cannot be stored, and why."""

    scene_id: str | None
    run_key: str
    sentence: str


class UnstorableRow(NamedTuple):
    """A result that cannot be stored: where it stands in what was given, and why."""

    part: int
    row: int
    sentence: str


def save(connection: Connection, documents: Sequence[Document]) -> list[UnstorableResult]:
    """Store the results of documents that are absent. If an answer comes again, the first stays.

    documents: made by mela.result.result_document or read from JSON; mela.result.Result has
        validated their fields
    returns: the results that cannot be stored, for mela.rejected, as `save_columns` has them
    """
    whole = [one for one in documents if one["scene_id"] and one["result_key"]]
    refused = [
        UnstorableResult(*_key(one), _lacking(one))
        for one in documents
        if not (one["scene_id"] and one["result_key"])
    ]
    by_scene: dict[str, list[Document]] = {}
    for document in whole:
        by_scene.setdefault(document["scene_id"], []).append(document)
    parts = list(by_scene.values())
    return refused + [
        UnstorableResult(*_key(parts[fault.part][fault.row]), fault.sentence)
        for fault in save_columns(connection, columns_of(whole))
    ]


def save_columns(connection: Connection, parts: Sequence[ResultColumns]) -> list[UnstorableRow]:
    """Store the results that are absent. If an answer comes again, the first one stays.

    returns: the results that cannot be stored (unknown scene or instrument, or a value that
        Postgres refuses); all others are stored when the transaction commits
    """
    keep_pruning_out(connection)
    scenes = _known_scenes(connection, {part.scene_id for part in parts})
    shared = [document for part in parts for document in part.shared]
    names = {name for document in shared for name in document["instruments"]}
    names |= {series.instrument for document in shared for series in _inputs(document)}
    ids = instruments.ids(connection, names)
    refused: list[UnstorableRow] = []
    rows: list[_Rows] = []
    for place, part in enumerate(parts):
        faults = [_fault(document, scenes, ids) for document in part.shared]
        faulty = np.array([bool(fault) for fault in faults])[part.groups]
        huge = (np.abs(part.metrics[:, _IS_WHOLE]) > LARGEST_INTEGER).any(axis=1)
        refused += [
            UnstorableRow(place, row, faults[part.groups[row]] or _TOO_LARGE)
            for row in np.flatnonzero(faulty | huge).tolist()
        ]
        if (sound := np.flatnonzero(~(faulty | huge))).size:
            rows.append(_Rows(place, part, sound))
    return refused + _save(connection, rows, ids)


class _Rows(NamedTuple):
    """Some rows of one part."""

    part: int
    columns: ResultColumns
    rows: NDArray[np.int64]


def _save(
    connection: Connection, parts: Sequence[_Rows], ids: Mapping[str, int]
) -> list[UnstorableRow]:
    if not parts:
        return []
    try:
        with connection.begin_nested():
            _insert(connection, parts, ids)
    except UNSTORABLE as error:  # find the one that spoils the others
        if len(parts) > 1:
            half = len(parts) // 2
            return _save(connection, parts[:half], ids) + _save(connection, parts[half:], ids)
        [(place, columns, rows)] = parts
        if len(rows) == 1:
            sentence = f"Postgres refused it: {error}".strip()
            return [UnstorableRow(place, int(rows[0]), sentence)]
        half = len(rows) // 2
        return [
            fault
            for some in (rows[:half], rows[half:])
            for fault in _save(connection, [_Rows(place, columns, some)], ids)
        ]
    return []


def _insert(connection: Connection, parts: Sequence[_Rows], ids: Mapping[str, int]) -> None:
    connection.execute(_STAGE)
    firsts = list(accumulate((len(one.columns.shared) for one in parts), initial=0))
    places = np.concatenate(
        [
            one.columns.groups[one.rows] + first
            for one, first in zip(parts, firsts[:-1], strict=True)
        ]
    )
    every = [document for one in parts for document in one.columns.shared]
    shared = {place: every[place] for place in np.unique(places).tolist()}
    groups = [orjson.dumps(_group(place, one, ids))[1:-1] for place, one in shared.items()]
    copy_in(connection, _COPY_GROUPS, b"\n".join(groups))
    copy_in(connection, _COPY_RESULTS, _encoded(parts, places))
    several = any(len(document["instruments"]) > 1 for document in shared.values())
    further = [_OTHERS] if several else []
    further += [_INPUTS] if any(document.get("inputs") for document in shared.values()) else []
    for statement in (_RUNS, *further, _RESULTS, _ANSWERS, _EMPTY):
        connection.execute(statement)


def _encoded(parts: Sequence[_Rows], places: NDArray[np.int32]) -> bytes:
    """Return the rows of received_result in the order of OWN, as COPY reads them."""
    metrics = np.concatenate([columns.metrics[rows] for _, columns, rows in parts])
    missing = np.isnan(metrics)
    values = np.where(missing, 0.0, metrics)
    run_keys = np.concatenate([columns.run_keys[rows] for _, columns, rows in parts])
    result_keys = np.concatenate([columns.result_keys[rows] for _, columns, rows in parts])
    blocks = [columns.blocks[row] for _, columns, rows in parts for row in rows.tolist()]
    return encode_rows(
        [
            number_field(np.arange(len(places)), ">i4"),
            number_field(places, ">i4"),
            fixed_field(_hexadecimal(run_keys)),
            fixed_field(_hexadecimal(result_keys)),
            fixed_field(own_seals(run_keys, result_keys, metrics, blocks)),
        ],
        [
            number_field(values[:, at], ">i4" if name in WHOLE else ">f8")
            for at, name in enumerate(METRICS)
        ],
        missing,
        [
            [_JSONB + columns.params[row] for _, columns, rows in parts for row in rows.tolist()],
            blocks,
        ],
    )


def _hexadecimal(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return keys, (n, 32) bytes, as the text that they are stored as: (n, 64) bytes."""
    return _HEX[np.stack([raw >> 4, raw & 15], axis=2).reshape(len(raw), -1)]


def _group(place: int, document: Document, ids: Mapping[str, int]) -> list[Any]:
    strategy, error, warnings = document["strategy"], document["error"], document["warnings"]
    others, revisions = document["instruments"][1:], document.get("revisions")
    inputs = _inputs(document)
    return [
        place,
        ids[document["instruments"][0]],
        document["start"],
        document["end"],
        strategy["name"],
        strategy["digest"],
        _json(_settings(document)),
        _json(error) if error else None,
        _json(warnings),
        _array([ids[name] for name in others]) if others else None,
        _array([ids[series.instrument] for series in inputs]) if inputs else None,
        _array([series.interval for series in inputs]) if inputs else None,
        _array(revisions) if revisions else None,
        *_plain_of(document),
    ]


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


def _lacking(document: Document) -> str:
    if document["scene_id"]:
        return "expected a result_key, but found null"
    return _no_scene(document)


def _no_scene(document: Document) -> str:
    return f"expected the id of an accepted scene, but found {document['scene_id']!r}"


def _fault(document: Document, scenes: set[str], ids: Mapping[str, int]) -> str:
    """Return why results that share this document cannot be stored; empty where they can."""
    if document["scene_id"] not in scenes:
        return _no_scene(document)
    read = [*document["instruments"], *(series.instrument for series in _inputs(document))]
    unknown = [name for name in read if name not in ids]
    if unknown:
        return f"expected known instruments, but found {', '.join(unknown)}"
    if len(document["instruments"]) > 1 and not document.get("portfolio"):
        found = ", ".join(document["instruments"])
        return f"expected a portfolio, or one instrument, but found {found}"
    return ""


def _key(document: Document) -> tuple[str | None, str]:
    return document["scene_id"], document["run_key"]
