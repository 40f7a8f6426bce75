"""Let Postgres build the document of a stored result, as Kafka carries it."""

from __future__ import annotations

from typing import Any

import orjson

from mela.metrics import LOWER_IS_BETTER, METRICS, Ranking, ranking
from mela.result import OWN
from mela.run_terms import VARIABLE, default_of


def _json(value: Any) -> str:
    return orjson.dumps(value).decode().replace(":", r"\:")  # SQLAlchemy's names begin so


# r: ops.result, q: ops.run, i: ops.instrument.
# The shortest spelling of a double reads back to the same bits.
_FIELDS = {
    "schema_version": "1",
    "scene_id": "answer.scene_id",
    "run_key": "r.run_key",
    "result_key": "r.result_key",
    "instruments": "CASE WHEN q.settings->'portfolio' IS NULL"
    " THEN json_build_array(i.venue || ':' || i.symbol)"
    " ELSE (SELECT json_agg(member.name ORDER BY member.place) FROM ("
    " SELECT i.venue || ':' || i.symbol AS name, 0 AS place UNION ALL"
    " SELECT other.venue || ':' || other.symbol, more.place FROM ops.run_instrument more"
    " JOIN ops.instrument other ON other.id = more.instrument_id"
    " WHERE more.run_key = q.run_key) AS member) END",
    "interval": "q.interval",
    "start": "ops.instant_text(q.start_at)",
    "end": "ops.instant_text(q.end_at)",
    "strategy": "json_build_object('name', q.strategy, 'digest', r.strategy_digest)",
    "params": "q.params",
    # A run that was stored before a term existed meant the term's default.
    **{name: f"coalesce(q.settings->'{name}', '{_json(default_of(name))}')" for name in VARIABLE},
    "portfolio": "q.settings->'portfolio'",
    "inputs": "q.settings->'inputs'",
    "status": "r.status",
    "error": "CASE WHEN r.error_class IS NOT NULL THEN"
    " json_build_object('class', r.error_class, 'sentence', r.error_sentence,"
    " 'file', r.error_file, 'line', r.error_line) END",
    "lookahead": "coalesce((SELECT known.lookahead FROM ops.strategy_check known"
    " WHERE known.strategy_digest = r.strategy_digest), 'not_verified')",
    "cached": "answer.cached",
    "engine_version": "r.engine_version",
    "metrics_version": "r.metrics_version",
    # Older rows of several series hold the sum of their revisions.
    "candles_revision": "CASE WHEN r.revisions IS NULL THEN r.candles_revision END",
    "revisions": "r.revisions",
    "computed_at": "ops.instant_text(r.computed_at)",
    "candles": "r.candles",
    "first_candle_at": "ops.instant_text(r.first_candle_at)",
    "last_candle_at": "ops.instant_text(r.last_candle_at)",
    "depends_from": "ops.instant_text(r.depends_from)",
    "warmup_missing": "r.warmup_missing",
    "periods_per_year": "r.periods_per_year",
    "warnings": "r.warnings",
    **{metric: f"r.{metric}" for metric in METRICS},
    "blocks": r"translate(encode(r.blocks, 'base64'), E'\n', '')",
}
# The fields that the runs of a grid share come first.
_ORDER = sorted(_FIELDS, key=lambda name: name in OWN)
_COLUMNS = ", ".join(f'{_FIELDS[name]} AS "{name}"' for name in _ORDER)


def document_sql(source: str) -> str:
    """Return a statement that selects (scene_id, run_key, document) for some answers.

    source: the text after FROM; it must provide r, q, i and answer (scene_id, cached)
    """
    return f"""
        SELECT document.scene_id, document.run_key, row_to_json(document)::text
        FROM (SELECT {_COLUMNS} FROM {source}) AS document
    """  # noqa: S608  made of the constants above, never of a value


def best_first(by: str | Ranking) -> str:
    """Return the ORDER BY that `mela.result.rank` states: nulls last, ties by run_key.

    Raises ValueError if the name is no metric.
    """
    metric, min_trades = ranking(by)
    if metric not in METRICS:
        raise ValueError(f"expected a metric, one of {', '.join(METRICS)}, but found {metric!r}")
    direction = "ASC" if metric in LOWER_IS_BETTER else "DESC"
    order = f"r.{metric} {direction} NULLS LAST, r.run_key"
    if min_trades > 0:
        return f"r.{metric} IS NULL, coalesce(r.trades, 0) < {int(min_trades)}, {order}"
    return order
