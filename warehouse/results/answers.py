"""Answer runs from stored results, as columns: Postgres finds, and what they share is spelled here.

A document that Postgres builds for each result costs as much as computing the result again. What a
run asks is known to whoever asks, so that it is not read again; of what a result has in common with
others, bytes are compared, and each kind is spelled once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.instants import instant_text
from mela.metrics import METRICS
from mela.result import OWN, RESULT_SCHEMA_VERSION, Provenance, Status, run_fields
from mela.result_columns import ResultColumns, question_of
from mela.run import Run
from mela.verdict import Verdict
from warehouse.binary import HEADER
from warehouse.database import copy_out
from warehouse.pruning_lock import keep_pruning_out
from warehouse.results import verdicts
from warehouse.results.valid_results import NEWEST_VALID, array
from warehouse.results.validity import made_with_today

_NO_BLOCKS = bytes(384)
_STATUSES = [status.value for status in Status]
_NEVER = "'-infinity'::timestamptz"
# Everything that a row has, of fixed width, then in one text what is hardly ever there.
_FIND = re.sub(
    r"(?<!:):(\w+)",
    r"%(\1)s",
    f"""
    SELECT CAST(wanted.nth - 1 AS integer), decode(r.result_key, 'hex'),
           coalesce(r.blocks, decode('{_NO_BLOCKS.hex()}', 'hex')), r.blocks IS NULL,
           {", ".join(f"coalesce(r.{name}, 'NaN'::float8)" for name in METRICS)},
           array_position(CAST(:statuses AS text[]), r.status), coalesce(r.candles_revision, -1),
           r.computed_at, r.candles, coalesce(r.first_candle_at, {_NEVER}),
           coalesce(r.last_candle_at, {_NEVER}), coalesce(r.depends_from, {_NEVER}),
           r.warmup_missing, coalesce(r.periods_per_year, 'NaN'::float8),
           CASE WHEN r.warnings = '{{}}' AND r.revisions IS NULL AND r.error_class IS NULL THEN ''
           ELSE json_build_object(
               'warnings', r.warnings, 'revisions', r.revisions,
               'error', CASE WHEN r.error_class IS NOT NULL THEN json_build_object(
                   'class', r.error_class, 'sentence', r.error_sentence,
                   'file', r.error_file, 'line', r.error_line) END)::text END
    FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS wanted (run_key, nth) {NEWEST_VALID}
    """,  # noqa: S608  made of the names of columns
)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # from which Postgres counts
_NO_INSTANT = -(2**63)  # as it sends -infinity
_FURTHER: Mapping[str, Any] = {"warnings": [], "revisions": None, "error": None}
# By key order, as in `writer`, so that savers cannot deadlock.
_RECORD = text("""
    INSERT INTO ops.scene_run (scene_id, run_key, result_key, cached)
    SELECT scene_id, run_key, result_key, true
    FROM unnest(CAST(:scene_ids AS uuid[]), CAST(:run_keys AS text[]), CAST(:result_keys AS text[]))
        AS found (scene_id, run_key, result_key)
    ORDER BY scene_id, run_key ON CONFLICT DO NOTHING
""")
_RESULT = [
    *(("status", ">i4"), ("candles_revision", ">i4"), ("computed_at", ">i8"), ("candles", ">i4")),
    *(("first_candle_at", ">i8"), ("last_candle_at", ">i8"), ("depends_from", ">i8")),
    *(("warmup_missing", ">i4"), ("periods_per_year", ">f8")),
]


def _sized(fields: Iterable[tuple[Any, ...]]) -> np.dtype[Any]:
    """Return the layout of fields as COPY has them, each behind its length."""
    return np.dtype(
        [one for name, *kind in fields for one in ((f"{name} size", ">i4"), (name, *kind))]
    )


_SHARED = _sized(_RESULT)
_METRICS = np.dtype([("size", ">i4"), ("value", ">f8")])
_LAYOUT = np.dtype(
    [
        ("fields", ">i2"),
        *(("seq size", ">i4"), ("seq", ">i4")),
        *(("key size", ">i4"), ("result_key", "u1", 32)),
        *(("blocks size", ">i4"), ("blocks", "V384")),
        *(("bare size", ">i4"), ("is_bare", "?")),
        ("metrics", _METRICS, len(METRICS)),
        ("shared", _SHARED),
        ("further size", ">i4"),
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
    asked = {(scene_id, run.run_key): run for scene_id, run in wanted}
    values = {"keys": array([key for _, key in asked]), "statuses": _STATUSES}
    content = copy_out(connection, _FIND, values | made_with_today(provenances))
    rows, further = _read(content)
    if not len(rows):
        return []
    known = list(asked.items())
    found = [known[place] for place in rows["seq"].tolist()]
    connection.execute(
        _RECORD,
        {
            "scene_ids": array([scene_id for (scene_id, _), _ in found]),
            "run_keys": array([run_key for (_, run_key), _ in found]),
            "result_keys": array([key.tobytes().hex() for key in rows["result_key"]]),
        },
    )
    digests = {made_with.strategy_digest for made_with in provenances.values()}
    looked = verdicts.find(connection, digests)
    made_with = {
        name: one._replace(lookahead=looked[one.strategy_digest].verdict)
        if one.strategy_digest in looked
        else one
        for name, one in provenances.items()
    }
    return _by_scene(found, rows, further, made_with)


def _read(content: memoryview) -> tuple[NDArray[Any], list[bytes]]:
    """Return rows of _LAYOUT, and the text behind each."""
    width, at, starts, further = _LAYOUT.itemsize, len(HEADER), list[int](), list[bytes]()
    while at + width <= len(content):
        starts.append(at)
        end = at + width
        at = end + int.from_bytes(content[end - 4 : end])
        further.append(bytes(content[end:at]))
    places = np.array(starts, np.int64)[:, None] + np.arange(width)
    return np.frombuffer(content, np.uint8)[places].reshape(-1).view(_LAYOUT), further


def _by_scene(
    found: Sequence[tuple[tuple[str, str], Run]],
    rows: NDArray[Any],
    further: Sequence[bytes],
    made_with: Mapping[str, Provenance],
) -> list[ResultColumns]:
    """Return the rows of each scene as columns."""
    results = rows["shared"].tobytes()
    width = _SHARED.itemsize
    metrics = rows["metrics"]["value"].astype(np.float64)
    blocks = rows["blocks"].tolist()
    scenes: dict[str, _Groups] = {}
    for place, ((scene_id, _), run) in enumerate(found):
        groups = scenes.setdefault(scene_id, _Groups(scene_id, made_with))
        result = results[place * width : (place + 1) * width]
        groups.add(place, run, result, further[place])
    is_bare = rows["is_bare"].tolist()
    return [
        ResultColumns(
            groups.scene_id,
            tuple(groups.shared),
            np.array(groups.groups, np.int32),
            np.frombuffer(bytes.fromhex("".join(groups.run_keys)), np.uint8).reshape(-1, 32),
            rows["result_key"][groups.places],
            groups.params,
            metrics[groups.places],
            [None if is_bare[place] else blocks[place] for place in groups.places],
        )
        for groups in scenes.values()
    ]


class _Groups:
    """The rows of one scene, and what several of them share."""

    def __init__(self, scene_id: str, made_with: Mapping[str, Provenance]) -> None:
        self.scene_id, self._made_with = scene_id, made_with
        self.shared: list[Mapping[str, Any]] = []
        self.groups: list[int] = []
        self.places: list[int] = []
        self.run_keys: list[str] = []
        self.params: list[bytes] = []
        self._known: dict[tuple[int, bytes, bytes], int] = {}
        self._questions: dict[tuple[Any, ...], int] = {}
        self._last: tuple[tuple[Any, ...], int] = ((), 0)

    def add(self, place: int, run: Run, result: bytes, further: bytes) -> None:
        """Add a row. result: its fields of _SHARED; further: the text behind them."""
        asked = question_of(run)
        if asked != self._last[0]:  # mostly the last one's, and quicker compared than hashed
            self._last = asked, self._questions.setdefault(asked, len(self._questions))
        kind = self._last[1], result, further
        group = self._known.get(kind)
        if group is None:
            group = self._known[kind] = len(self.shared)
            self.shared.append(self._document(run, result, further))
        self.groups.append(group)
        self.places.append(place)
        self.run_keys.append(run.run_key)
        self.params.append(orjson.dumps(dict(run.params)))

    def _document(self, run: Run, result: bytes, further: bytes) -> dict[str, Any]:
        """Return what a row shares with others, as `mela.result.result_document` spells it."""
        row = np.frombuffer(result, _SHARED)[0]
        made_with = self._made_with[run.strategy]
        more = orjson.loads(further) if further else _FURTHER
        revision, per_year = int(row["candles_revision"]), float(row["periods_per_year"])
        document = {
            "schema_version": RESULT_SCHEMA_VERSION,
            "scene_id": self.scene_id,
            **run_fields(run, made_with.strategy_digest),
            "status": _STATUSES[int(row["status"]) - 1],
            "error": more["error"],
            "lookahead": (made_with.lookahead or Verdict.NOT_VERIFIED).value,
            "cached": True,
            "engine_version": made_with.engine_version,
            "metrics_version": made_with.metrics_version,
            # older rows of several series hold the sum of their revisions
            "candles_revision": None if more["revisions"] or revision < 0 else revision,
            "revisions": more["revisions"],
            "computed_at": _instant(row["computed_at"]),
            "candles": int(row["candles"]),
            "first_candle_at": _instant(row["first_candle_at"]),
            "last_candle_at": _instant(row["last_candle_at"]),
            "depends_from": _instant(row["depends_from"]),
            "warmup_missing": int(row["warmup_missing"]),
            "periods_per_year": None if np.isnan(per_year) else per_year,
            "warnings": more["warnings"],
        }
        return {name: value for name, value in document.items() if name not in OWN}


def _instant(micros: np.int64) -> str | None:
    """Return the text of an instant that Postgres sent, or None for what stands for null."""
    if micros == _NO_INSTANT:
        return None
    return instant_text(_EPOCH + timedelta(microseconds=int(micros)))
