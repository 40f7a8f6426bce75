"""Plan loads and run them: which series over which spans, in batches that one task can handle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

import structlog
from sqlalchemy import Connection, text

from mela.errors import MelaError, SourceRefused
from mela.instrument import parse_name
from mela.interval import DAY_MS, Interval
from mela.series import SeriesKey
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.ingestion.ingest import LoadReport, ingest
from warehouse.ingestion.instruments import watched

LOG = structlog.get_logger(__name__)
DEFAULT_SERIES = ("binance:BTCUSDT 1h", "binance:ETHUSDT 1h", "yahoo:AAPL 1d", "yahoo:SPY 1d")
LOOKBACK = timedelta(days=3)  # vendors correct candles for some days after the close
CHUNK_CANDLES = 50_000
EVER = datetime(1970, 1, 1, tzinfo=UTC)
# Each has its own rate limit and so its own pool. ccxt serves all other venues.
SERVICES = ("binance", "yahoo", "alpaca", "ccxt")
_LOADED = text("""
    SELECT b.span_start, least(b.span_end, least(
               b.started_at, CAST(b.request->>'as_of' AS timestamptz)
           ) - CAST(:length AS interval)) AS span_end
    FROM ops.load_batch b JOIN ops.instrument i ON i.id = b.instrument_id
    WHERE i.venue = :venue AND i.symbol = :symbol AND b.interval = :interval
      AND b.status = 'succeeded' AND b.started_at >= :since
      AND b.span_start < :end AND b.span_end > :start
    ORDER BY b.span_start
""")


class Load(TypedDict):
    """One request, as JSON passes it between tasks."""

    instrument: str
    interval: str
    start: str
    end: str


class Batch(TypedDict):
    """The loads of one task.

    since: skip a load whose span other loads covered since this instant; None never skips
    """

    name: str
    loads: list[Load]
    since: str | None


def service_of(instrument: str) -> str:
    """Return which of SERVICES serves an instrument's candles."""
    venue = instrument.partition(":")[0]
    return venue if venue in SERVICES else "ccxt"


def parse_series(lines: Iterable[str] | None) -> list[SeriesKey]:
    """Parse lines `venue:symbol interval`. Skips empty lines and duplicates."""
    pairs = (line.split() for line in dict.fromkeys(lines or ()) if line)
    return [SeriesKey(name, Interval(interval)) for name, interval in pairs]


def chosen_series(lines: Iterable[str] | None, settings: Settings) -> list[SeriesKey]:
    """Return the series of these lines, else the watch list, else DEFAULT_SERIES."""
    wanted = parse_series(lines)
    if not wanted:
        with transaction(settings) as connection:
            wanted = [SeriesKey(name, Interval(interval)) for name, interval in watched(connection)]
    return wanted or parse_series(DEFAULT_SERIES)


def requested_span(
    start: str | None, end: str | None, day: tuple[datetime, datetime]
) -> tuple[datetime | None, datetime]:
    """Return the requested span. A missing end means the end of the day.

    A start of None means the day, as `daily_loads` defines it. Raises ValueError for an end without
    a start.
    """
    if end and not start:
        raise ValueError(f"expected a start beside the end {end}, but found none")
    first = datetime.fromisoformat(start) if start else None
    return first, datetime.fromisoformat(end) if end else day[1]


def daily_loads(
    series: Iterable[SeriesKey],
    start: str | None,
    end: str | None,
    day: tuple[datetime, datetime],
) -> list[tuple[SeriesKey, Load]]:
    """Return a load for each series: over the requested span, else over the day with a lookback.

    The lookback is at least one candle long, because a week opens six days before the day it ends
    on. Raises ValueError for an end without a start, or one that is not after it.
    """
    first, last = requested_span(start, end, day)
    loads: list[tuple[SeriesKey, Load]] = []
    for one in series:
        begins = first or day[0] - max(LOOKBACK, _length(one.interval))
        if last <= begins:
            raise ValueError(f"expected an end after the start {begins}, but found {last}")
        loads.append((one, _load(one, begins, last)))
    return loads


def whole_day(
    start: datetime | None, end: datetime | None, after: datetime
) -> tuple[datetime, datetime]:
    """Return the data interval; without one, the last whole UTC day before `after`."""
    if start and end:
        return start, end
    today = after.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=1), today


def missing_loads(
    series: Iterable[SeriesKey],
    start: datetime,
    end: datetime,
    settings: Settings,
    *,
    force: bool = False,
    chunk_candles: int = CHUNK_CANDLES,
) -> list[tuple[SeriesKey, Load]]:
    """Return the loads still missing in [start, end), in chunks of at most `chunk_candles` candles.

    Spans that an earlier load requested are skipped, unless `force`. A load covers what had closed
    when it began, on the service's clock if that is behind (a delayed feed, a replay), so the
    newest candles are requested again until they have closed. Raises ValueError for an invalid
    span.
    """
    if start.tzinfo is None or end.tzinfo is None or end <= start:
        raise ValueError(f"expected start < end, both with a zone, but found {start} to {end}")
    loads: list[tuple[SeriesKey, Load]] = []
    with transaction(settings) as connection:
        for one in series:
            spans = [(start, end)] if force else uncovered_spans(connection, one, start, end, EVER)
            step = _length(one.interval) * chunk_candles
            for first, last in (chunk for span in spans for chunk in _chunks(*span, step)):
                loads.append((one, _load(one, first, last)))
    return loads


def uncovered_spans(
    connection: Connection, series: SeriesKey, start: datetime, end: datetime, since: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the parts of [start, end) that no successful load has covered since `since`."""
    venue, symbol = parse_name(series.instrument)
    values = {
        "venue": venue,
        "symbol": symbol,
        "interval": series.interval.value,
        "length": _length(series.interval),
        "since": since,
        "start": start,
        "end": end,
    }
    open_spans: list[tuple[datetime, datetime]] = []
    reached = start
    for span_start, span_end in connection.execute(_LOADED, values):
        if span_start > reached:
            open_spans.append((reached, min(span_start, end)))
        reached = max(reached, span_end)
    if reached < end:
        open_spans.append((reached, end))
    return open_spans


def batch_loads(
    loads: Sequence[tuple[SeriesKey, Load]],
    service: str,
    most: int,
    since: datetime | None,
    again: datetime,
) -> list[Batch]:
    """Group one service's loads into at most `most` batches of neighbours.

    since: see Batch; for batches of one load
    again: the same for larger batches, so that a retry skips what already succeeded
    """
    mine = [(series, load) for series, load in loads if service_of(series.instrument) == service]
    size = max(1, -(-len(mine) // most))
    after = since if size == 1 else (since or again)
    return [
        Batch(
            name=_name([load for _, load in part]),
            loads=[load for _, load in part],
            since=after.isoformat() if after else None,
        )
        for part in (mine[first : first + size] for first in range(0, len(mine), size))
    ]


def run_batch(loads: Iterable[Load], since: str | None, settings: Settings) -> list[dict[str, Any]]:
    """Run all loads of a batch, even if some fail; return a report of each.

    Raises the loads' errors: a single error as it is; of several, SourceUnavailable (or any other
    that a retry may fix) before SourceRefused, so that a retry is worthwhile.
    """
    reports: list[dict[str, Any]] = []
    errors: list[Exception] = []
    for load in loads:
        try:
            reports += [_summary(report) for report in _run(load, since, settings)]
        except (MelaError, OSError) as error:
            errors.append(error)
    if errors:
        worst = next((one for one in errors if not isinstance(one, SourceRefused)), errors[0])
        LOG.warning("batch_failed", failed=len(errors), loaded=len(reports), first=str(worst))
        raise worst
    return reports


def _run(load: Load, since: str | None, settings: Settings) -> Iterator[LoadReport]:
    series = SeriesKey(load["instrument"], Interval(load["interval"]))
    spans = [(datetime.fromisoformat(load["start"]), datetime.fromisoformat(load["end"]))]
    if since:
        with transaction(settings) as connection:
            spans = uncovered_spans(connection, series, *spans[0], datetime.fromisoformat(since))
    for start, end in spans:
        yield ingest(series.instrument, series.interval, start, end, settings)


def _summary(report: LoadReport) -> dict[str, Any]:
    return {
        "instrument": report.instrument,
        "interval": report.interval.value,
        "inserted": report.inserted,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "rejected": report.rejected,
        "actions": report.actions,
        "revision": report.revision,
        "batch_id": report.batch_id,
        "origin": report.origin,
        "first_opened_at": _iso(report.first_opened_at),
        "last_opened_at": _iso(report.last_opened_at),
    }


def _load(series: SeriesKey, start: datetime, end: datetime) -> Load:
    return Load(
        instrument=series.instrument,
        interval=series.interval.value,
        start=start.isoformat(),
        end=end.isoformat(),
    )


def _name(loads: Sequence[Load]) -> str:
    first = loads[0]
    name = f"{first['instrument']} {first['interval']} from {first['start'][:10]}"
    return name if len(loads) == 1 else f"{name} and {len(loads) - 1} more"


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _length(interval: Interval) -> timedelta:
    return timedelta(milliseconds=interval.fixed_ms or 31 * DAY_MS)


def _chunks(start: datetime, end: datetime, step: timedelta) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        stop = min(start + step, end) if end - start > step else end
        yield start, stop
        start = stop
