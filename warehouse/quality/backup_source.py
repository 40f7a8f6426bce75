"""Fill the gaps of a series from a backup source, without changing any stored candle."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.errors import CandlesMissing
from mela.instrument import parse_name
from mela.interval import Interval
from mela.run import to_ms
from mela.settings import Settings
from sources.protocol import CorporateAction, FetchedCandles
from sources.registry import source_for
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.ingest import LoadReport, store
from warehouse.ingestion.load_batches import load_batch
from warehouse.ingestion.merge import LOCK
from warehouse.schema.partitions import ensure_years

_STORED = text("""
    SELECT (extract(epoch FROM opened_at) * 1000)::bigint FROM raw.candle
    WHERE instrument_id = :id AND interval = :interval AND opened_at >= :start AND opened_at < :end
    ORDER BY opened_at
""")
_ACTIONS = text("""
    SELECT kind, effective_on, (extract(epoch FROM effective_on) * 1000)::bigint, value
    FROM raw.corporate_action WHERE instrument_id = :id AND effective_on >= :since
""")


def fill_from_backup(
    instrument: str,
    backup: str,
    interval: Interval,
    start: datetime,
    end: datetime,
    settings: Settings,
) -> LoadReport:
    """Load the candles of `backup` that `instrument` lacks in [start, end).

    The batch's source is that of `backup`, and its request names both. No stored candle, corporate
    action or property of the instrument changes. Raises as warehouse.ingestion.ingest.ingest does,
    and CandlesMissing for an instrument never loaded.
    """
    venue, symbol = parse_name(backup)
    named = {"instrument": instrument, "second_source": backup}
    fields = {"interval": interval.value, "source": venue, "start": start, "end": end}
    with load_batch(settings, fields | {"request": orjson.dumps(named).decode()}) as batch:
        fetched = source_for(venue, settings).fetch(symbol, interval, start, end)
        ensure_years(settings, fetched.interval, fetched.opened_ms)
        with transaction(settings) as connection:
            answer = _missing_candles_only(connection, instrument, fetched, start, end)
            answer = replace(answer, request={**fetched.request, **named})
            return store(connection, batch, answer, start)


def _missing_candles_only(
    connection: Connection, instrument: str, fetched: FetchedCandles, start: datetime, end: datetime
) -> FetchedCandles:
    """Return the answer without candles that are stored, under the original instrument's name."""
    known = instruments.known(connection, [instrument]).get(instrument)
    if known is None:
        raise CandlesMissing(f"{instrument} is not in the warehouse: load it before its gaps")
    number = instruments.ids(connection, [instrument])[instrument]
    connection.execute(  # the merge's lock, so that no load comes between this read and the merge
        text("SELECT pg_advisory_xact_lock(:lock, :id)"), {"lock": LOCK, "id": number}
    )
    parameters = {"id": number, "interval": fetched.interval.value, "start": start, "end": end}
    stored = np.array(list(connection.scalars(_STORED, parameters)), dtype=np.int64)
    hole = ~np.isin(fetched.opened_ms, stored)
    hole &= (fetched.opened_ms >= to_ms(start)) & (fetched.opened_ms < to_ms(end))
    same = connection.execute(_ACTIONS, {"id": number, "since": start.date()})
    return _select(fetched, hole, instrument=known, actions=[CorporateAction(*row) for row in same])


def _select(fetched: FetchedCandles, keep: NDArray[np.bool_], **changed: Any) -> FetchedCandles:
    columns = ("opened_ms", "closed_ms", "open", "high", "low", "close", "volume")
    kept = {name: getattr(fetched, name)[keep] for name in columns}
    sessions = fetched.session_on
    if sessions is not None:
        kept["session_on"] = [day for day, stays in zip(sessions, keep, strict=True) if stays]
    return replace(fetched, **kept, **changed)
