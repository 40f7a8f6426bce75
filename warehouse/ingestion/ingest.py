"""Ingest: ask a source, merge its answer into raw, and record the lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog
from sqlalchemy import Connection, text

from mela.instrument import RULES, Instrument, parse_name
from mela.interval import Interval
from mela.run import from_ms, instant_text
from mela.settings import Settings
from sources.protocol import FetchedCandles
from sources.registry import source_for
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.corporate_actions import revise_rules
from warehouse.ingestion.load_batches import load_batch
from warehouse.ingestion.merge import Merged, merge, span_of
from warehouse.schema.partitions import ensure_years

LOG = structlog.get_logger(__name__)
_SUCCEEDED = text("""
    UPDATE ops.load_batch SET status = 'succeeded', finished_at = clock_timestamp(),
        instrument_id = :instrument_id, source = :source, origin = :origin, request = :request,
        inserted = :inserted, updated = :updated, unchanged = :unchanged, rejected = :rejected
    WHERE id = :batch
""")
_REJECTED = text("""
    INSERT INTO ops.rejected_candle (load_batch_id, position, opened_at, row, sentence)
    VALUES (:batch, :position, :opened_at, :row, :sentence)
""")


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The outcome of a load. Counts are candles; `actions` counts changed corporate actions.

    revision: the newest revision that the load added to its series; None if nothing changed
    first_opened_at, last_opened_at: the range of the answer, changed or not
    """

    batch_id: int
    instrument: str
    interval: Interval
    origin: str
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    actions: int
    revision: int | None
    first_opened_at: datetime | None
    last_opened_at: datetime | None


def ingest(
    instrument: str, interval: Interval | str, start: datetime, end: datetime, settings: Settings
) -> LoadReport:
    """Load the closed candles of [start, end) and the corporate actions since start.

    Idempotent. The load's batch is kept in any case; if the load fails, with its error.
    Raises ValueError for a wrong argument, SourceRefused and SourceUnavailable as the source does.
    """
    venue, symbol = parse_name(instrument)
    interval = Interval(interval)
    fields = _batch_fields(instrument, interval, start, end)
    with load_batch(settings, fields) as batch:
        fetched = source_for(venue, settings).fetch(symbol, interval, start, end)
        return _stored(batch, fetched, start, settings)


def store_answer(
    fetched: FetchedCandles, start: datetime, end: datetime, settings: Settings
) -> LoadReport:
    """Load an answer that is there already, such as a file's, under a load batch of its own.

    start, end: the span that it answers for. Idempotent, as `ingest` is.
    """
    fields = _batch_fields(fetched.instrument.name, fetched.interval, start, end)
    with load_batch(settings, fields) as batch:
        return _stored(batch, fetched, start, settings)


def _stored(batch: int, fetched: FetchedCandles, start: datetime, settings: Settings) -> LoadReport:
    ensure_years(settings, fetched.interval, fetched.opened_ms)
    with transaction(settings) as connection:
        report = store(connection, batch, fetched, start)
    log = LOG.bind(instrument=report.instrument, interval=report.interval.value, batch=batch)
    log.info(
        "loaded",
        origin=report.origin,
        inserted=report.inserted,
        updated=report.updated,
        unchanged=report.unchanged,
        rejected=report.rejected,
        revision=report.revision,
    )
    return report


def _batch_fields(
    instrument: str, interval: Interval, start: datetime, end: datetime
) -> dict[str, Any]:
    if start.tzinfo is None or end.tzinfo is None or end <= start:
        raise ValueError(f"expected start < end, both with a zone, but found {start} to {end}")
    return {
        "interval": interval.value,
        "source": parse_name(instrument)[0],
        "request": _request(instrument, {}),
        "start": start,
        "end": end,
    }


def tell_facts(instrument: Instrument, settings: Settings) -> None:
    """Store what a user tells of an instrument that was loaded once."""
    with transaction(settings) as connection:
        before = instruments.known(connection, [instrument.name])[instrument.name]
        instrument_id = instruments.upsert(connection, instrument)
        _revise_where_changed(connection, before, instrument_id, None)


def store(
    connection: Connection, batch: int, fetched: FetchedCandles, start: datetime
) -> LoadReport:
    """Store one answer under its load batch and close the batch, all in this transaction."""
    name = fetched.instrument.name
    before = instruments.known(connection, [name]).get(name)
    instrument_id = instruments.upsert(connection, fetched.instrument)
    merged = merge(connection, instrument_id, batch, fetched, start)
    if before is not None:
        _revise_where_changed(connection, before, instrument_id, batch)
    _keep_rejected(connection, batch, fetched)
    values = {
        "batch": batch,
        "instrument_id": instrument_id,
        "source": fetched.source,
        "origin": fetched.origin,
        "request": _request(fetched.instrument.name, fetched.request | _as_of(fetched)),
        "rejected": len(fetched.rejected),
    }
    counts = {name: getattr(merged, name) for name in ("inserted", "updated", "unchanged")}
    connection.execute(_SUCCEEDED, values | counts)
    return _report(batch, fetched, merged)


def _revise_where_changed(
    connection: Connection, before: Instrument, instrument_id: int, batch: int | None
) -> None:
    """Add revisions where a fact changed that runs rest on. batch: None for each series' newest."""
    after = instruments.known(connection, [before.name])[before.name]
    if any(getattr(before, fact) != getattr(after, fact) for fact in RULES):
        revise_rules(connection, instrument_id, batch)


def _keep_rejected(connection: Connection, batch: int, fetched: FetchedCandles) -> None:
    rows = [
        {
            "batch": batch,
            "position": position,
            "opened_at": from_ms(rejection.opened_ms),
            "row": orjson.dumps(rejection.row).decode(),
            "sentence": rejection.sentence,
        }
        for position, rejection in enumerate(fetched.rejected)
    ]
    if rows:
        connection.execute(_REJECTED, rows)


def _report(batch: int, fetched: FetchedCandles, merged: Merged) -> LoadReport:
    first, last = span_of(fetched)
    return LoadReport(
        batch_id=batch,
        instrument=fetched.instrument.name,
        interval=fetched.interval,
        origin=fetched.origin,
        inserted=merged.inserted,
        updated=merged.updated,
        unchanged=merged.unchanged,
        rejected=len(fetched.rejected),
        actions=merged.actions,
        revision=merged.revision,
        first_opened_at=first,
        last_opened_at=last,
    )


def _as_of(fetched: FetchedCandles) -> dict[str, str]:
    """Return the clock that decided which candles had closed, if the answer carries it."""
    if fetched.as_of_ms is None:
        return {}
    return {"as_of": instant_text(from_ms(fetched.as_of_ms))}


def _request(instrument: str, request: Mapping[str, Any]) -> str:
    return orjson.dumps({"instrument": instrument, **request}).decode()
