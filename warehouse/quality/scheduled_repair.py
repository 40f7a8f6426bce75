"""The steps of a scheduled quality check: repair one service's gaps, then list the open errors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mela.counts import counted
from mela.series import SeriesKey
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.ingestion.change_notices import ChangeNotice
from warehouse.ingestion.load_plan import service_of
from warehouse.quality.check import known_series
from warehouse.quality.findings import Finding, findings
from warehouse.quality.repair import repair_gaps

SHOWN = 20


def repair_service(
    settings: Settings,
    service: str,
    series: Sequence[SeriesKey] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> tuple[dict[str, int], ChangeNotice | None]:
    """Request the open gaps of one service; return counts, and a notice if candles arrived."""
    gaps = [
        one
        for one in _open(settings, series, start, end)
        if one.kind in ("missing", "stale") and service_of(one.instrument) == service
    ]
    if not gaps:
        return {"requests": 0, "repaired": 0, "confirmed": 0, "inserted": 0}, None
    report = repair_gaps(settings, list(dict.fromkeys(map(_series, gaps))), start, end)
    came = [one for one in report.requests if one.inserted]
    counts = {
        "requests": len(report.requests),
        "repaired": report.repaired,
        "confirmed": report.confirmed,
        "inserted": sum(one.inserted for one in came),
    }
    if not came:
        return counts, None
    notice = ChangeNotice(
        series=sorted({f"{one.instrument} {one.interval}" for one in came}),
        start=min(one.start for one in came).isoformat(),
        end=max(one.end for one in came).isoformat(),
    )
    return counts, notice


def open_errors(
    settings: Settings,
    series: Sequence[SeriesKey] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[str]:
    """Return a sentence for each of the first open errors, and the number of the others."""
    errors = [one for one in _open(settings, series, start, end) if one.is_error]
    sentences = [
        f"{one.instrument} {one.interval}: {one.kind}, {counted(one.candles, 'candle')} from "
        f"{one.first_opened_at:%Y-%m-%d %H:%M} to {one.last_opened_at:%Y-%m-%d %H:%M}"
        for one in errors[:SHOWN]
    ]
    return sentences + [f"and {len(errors) - SHOWN} more"] * (len(errors) > SHOWN)


def _open(
    settings: Settings,
    series: Sequence[SeriesKey] | None,
    start: datetime | None,
    end: datetime | None,
) -> list[Finding]:
    with transaction(settings) as connection:
        chosen = known_series(connection) if series is None else series
        return findings(connection, chosen, states=("open",), start=start, end=end)


def _series(one: Finding) -> SeriesKey:
    return SeriesKey(one.instrument, one.interval)
