"""Repair gaps: ask the source again, then a backup, and confirm gaps that nobody can fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from mela.errors import MelaError
from mela.interval import HOUR_MS, Interval
from mela.run import from_ms, instant_text, to_ms
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.ingest import LoadReport, ingest
from warehouse.quality.backup_source import fill_from_backup
from warehouse.quality.check import check_quality
from warehouse.quality.findings import Finding, confirm_gaps, findings, record_request

LOG = structlog.get_logger(__name__)
MAX_REQUESTS = 2  # unsuccessful requests after which a gap counts as real
MIN_AGE = timedelta(days=1)  # a younger gap stays open, because vendors may deliver late
MAX_DISTANCE = 500  # gaps at most this many candles apart share one request
Key = tuple[str, Interval]


@dataclass(frozen=True, slots=True)
class Request:
    """One request for missing candles and its outcome.

    source: the venue that was asked, or the backup instrument's name
    batch_id: the load's batch; None if it failed, and then `error` gives the reason
    """

    instrument: str
    interval: Interval
    start: datetime
    end: datetime
    source: str
    batch_id: int | None
    inserted: int
    error: str | None


@dataclass(frozen=True, slots=True)
class RepairReport:
    """The outcome of a repair. findings: the gaps and stale ends it worked on that remain.

    repaired: how many of them are gone; confirmed: how many it recorded as real
    of_files: series with gaps that came from a user's file, so that nobody was asked
    """

    requests: tuple[Request, ...]
    repaired: int
    confirmed: int
    findings: tuple[Finding, ...]
    of_files: tuple[Key, ...] = ()

    @property
    def ok(self) -> bool:
        """Tell whether no error is open."""
        return not any(one.is_error for one in self.findings)


def repair_gaps(
    settings: Settings,
    series: Sequence[Key] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    asks: int = MAX_REQUESTS,
    again: bool = False,
    now: datetime | None = None,
) -> RepairReport:
    """Request missing candles again, and confirm the gaps that are real.

    The source is asked first, with an ordinary load. If `settings.second_sources` names a backup
    for the instrument, its candles then fill gaps only. A gap that remains after `asks` requests in
    total, a day or more after it closed, becomes `confirmed`, and its detail lists the requests. A
    failing service confirms nothing, so its gaps stay open. Nothing is ever interpolated. Gaps of a
    user's file stay open too: no service has its candles, and another import may bring them.

    series: None means all with open gaps; start, end: only gaps that overlap [start, end)
    again: request confirmed gaps too
    """
    at = now or datetime.now(UTC)
    report = check_quality(settings, series, start, end, now=at)
    work = [one for one in report.findings if _is_repairable(one, again=again)]
    by_series = _by_series(work)
    with transaction(settings) as connection:
        names = instruments.from_files(connection, {name for name, _ in by_series})
    of_files = tuple(key for key in by_series if key[0] in names)
    requests: list[Request] = []
    confirmed = 0
    for key, gaps in by_series.items():
        if key in of_files:
            continue
        requests += _request_until_sure(settings, key, gaps, asks, at)
        confirmed += _confirm(settings, key, gaps, asks, at)
    still = [one for key, gaps in by_series.items() for one in _remaining(settings, key, gaps)]
    gone = len({one.id for one in work} - {one.id for one in still})
    LOG.info("gaps_asked", requests=len(requests), repaired=gone, confirmed=confirmed)
    return RepairReport(tuple(requests), gone, confirmed, tuple(still), of_files)


def _is_repairable(one: Finding, *, again: bool) -> bool:
    if one.kind not in ("missing", "stale") or one.severity == "info":
        return False
    return one.state == "open" or again


def _by_series(found: Sequence[Finding]) -> dict[Key, list[Finding]]:
    series: dict[Key, list[Finding]] = {}
    for one in found:
        series.setdefault((one.instrument, one.interval), []).append(one)
    return series


def _request_until_sure(
    settings: Settings, key: Key, gaps: list[Finding], asks: int, now: datetime
) -> list[Request]:
    """Request the gaps of one series, up to `asks` times in total while they are missing.

    Stops when a service fails; the caller may retry later.
    """
    requests: list[Request] = []
    backup = settings.second_sources.get(key[0])
    while gaps:
        requested = [_request(settings, key, span) for span in _request_spans(gaps)]
        requests += requested
        if backup and len(requests) == len(requested):
            _check_again(settings, key, gaps, now)
            left = [one for one in _remaining(settings, key, gaps) if one.kind == "missing"]
            requested += [_request(settings, key, span, backup) for span in _request_spans(left)]
            requests = requested.copy()
        _check_again(settings, key, gaps, now)
        left = _remaining(settings, key, gaps)
        _record_requests(settings, requested, left, now)
        if any(one.error for one in requested):
            break
        gaps = [
            one
            for one in _remaining(settings, key, gaps)
            if one.kind == "missing" and one.state == "open" and _request_count(one) < asks
        ]
    return requests


def _request(
    settings: Settings, key: Key, span: tuple[datetime, datetime], backup: str | None = None
) -> Request:
    name, interval = key
    source = backup or name.partition(":")[0]
    report: LoadReport | None = None
    error: str | None = None
    try:
        if backup:
            report = fill_from_backup(name, backup, interval, *span, settings)
        else:
            report = ingest(name, interval, *span, settings)
    except MelaError as refused:  # the load batch keeps the error; the gap stays open
        error = f"{type(refused).__name__}: {refused}"
    batch, inserted = (report.batch_id, report.inserted) if report else (None, 0)
    return Request(name, interval, *span, source, batch, inserted, error)


def _request_spans(gaps: Sequence[Finding]) -> list[tuple[datetime, datetime]]:
    """Return the spans to request: gaps near each other share one request."""
    spans: list[tuple[datetime, datetime]] = []
    for one in sorted(gaps, key=lambda gap: gap.first_opened_at):
        end = from_ms(one.interval.end_ms(to_ms(one.last_opened_at)))
        near = timedelta(milliseconds=MAX_DISTANCE * (one.interval.fixed_ms or 720 * HOUR_MS))
        if spans and one.first_opened_at - spans[-1][1] <= near:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((one.first_opened_at, end))
    return spans


def _check_again(settings: Settings, key: Key, gaps: Sequence[Finding], now: datetime) -> None:
    spans = _request_spans(gaps)
    is_stale = any(one.kind == "stale" for one in gaps)
    end = None if is_stale else min(now, max(end for _, end in spans))
    check_quality(settings, [key], spans[0][0], end, now=now)


def _remaining(settings: Settings, key: Key, gaps: Sequence[Finding]) -> list[Finding]:
    """Return the open and confirmed findings within the span of these gaps."""
    with transaction(settings) as connection:
        first = min(one.first_opened_at for one in gaps)
        last = max(one.last_opened_at for one in gaps) + timedelta(milliseconds=1)
        found = findings(connection, [key], start=first, end=last)
    kinds = {one.kind for one in gaps}
    return [one for one in found if one.kind in kinds and one.severity != "info"]


def _record_requests(
    settings: Settings, requested: Sequence[Request], left: Sequence[Finding], now: datetime
) -> None:
    """Record in each remaining gap who was asked for it, when, and in which load batch."""
    with transaction(settings) as connection:
        for request in requested:
            within = [
                one.id
                for one in left
                if request.start <= one.first_opened_at and one.last_opened_at < request.end
            ]
            if within and request.error is None:
                request_note = {
                    "at": instant_text(now.replace(microsecond=0)),
                    "source": request.source,
                }
                record_request(
                    connection, within, request_note | {"load_batch_id": request.batch_id}
                )


def _confirm(
    settings: Settings, key: Key, gaps: Sequence[Finding], asks: int, now: datetime
) -> int:
    sure = [
        one.id
        for one in _remaining(settings, key, gaps)
        if one.kind == "missing"
        and _request_count(one) >= asks
        and one.last_opened_at < now - MIN_AGE
    ]
    with transaction(settings) as connection:
        return confirm_gaps(connection, sure)


def _request_count(one: Finding) -> int:
    """Return how often the instrument's own source was asked for a gap without success."""
    own = one.instrument.partition(":")[0]
    return sum(request["source"] == own for request in one.detail.get("asked", ()))
