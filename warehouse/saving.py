"""Store results: COPY into a staging table, then insert what is absent."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg2
import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, IntegrityError

from mela.result import METRICS
from warehouse import instruments
from warehouse.database import copy_in

LOG = structlog.get_logger(__name__)
SETTINGS = ("cash", "costs", "sizing", "exits", "direction", "prices")
PLAIN = (
    *("status", "engine_version", "metrics_version", "candles_revision", "computed_at", "candles"),
    *("first_candle_at", "last_candle_at", "depends_from", "warmup_missing", "periods_per_year"),
    *METRICS,
)
STORED = ", ".join(name for name in PLAIN)
UNSTORABLE = (psycopg2.DataError, psycopg2.IntegrityError, DataError, IntegrityError)
Document = Mapping[str, Any]

_STAGE = text("""
    CREATE TEMP TABLE IF NOT EXISTS received_result (
        seq integer, scene_id uuid, run_key text, result_key text, cached boolean,
        instrument_id integer, interval text, start_at timestamptz, end_at timestamptz,
        strategy text, strategy_digest text, params jsonb, settings jsonb, error jsonb,
        warnings text[], LIKE ops.result
    ) ON COMMIT DELETE ROWS
""")


class Refused(NamedTuple):
    """A result that cannot be stored, and why."""

    scene_id: str | None
    run_key: str
    sentence: str
