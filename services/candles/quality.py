"""Check stored candles, and ask again for what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mela.errors import CandlesMissing, InputInvalid
from mela.interval import Interval
from mela.name_suggestions import did_you_mean, ended
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.quality import Check, Finding, RepairReport, check_quality, repair_gaps
from warehouse.quality.check import known_series


@dataclass(frozen=True, slots=True)
class Quality:
    """The state of some series. repair: None if nothing was to be repaired."""

    checks: Sequence[Check]
    findings: Sequence[Finding]
    ok: bool
    repair: RepairReport | None = None


def check_candles(
    settings: Settings,
    *,
    instruments: Sequence[str] = (),
    interval: Interval | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    repair: bool = False,
) -> Quality:
    """Check series against their calendars and their own sense.

    instruments: empty means all that were ever loaded; interval: None means all of theirs
    start, end: None means unbounded
    repair: ask the sources again for gaps first
    Raises CandlesMissing for a series never loaded, InputInvalid for a span that is empty.
    """
    series = chosen_series(settings, instruments, interval)
    try:
        repaired = repair_gaps(settings, series, start, end) if repair else None
        report = check_quality(settings, series, start, end)
    except ValueError as error:
        raise InputInvalid(None, f"{error}.") from error
    return Quality(report.checks, report.findings, report.ok, repaired)


def chosen_series(
    settings: Settings, instruments: Sequence[str] = (), interval: Interval | None = None
) -> list[tuple[str, Interval]] | None:
    """Return the known series of some instruments and one interval. None means all there are.

    Raises CandlesMissing for an instrument without such a series.
    """
    if not instruments and interval is None:
        return None
    with transaction(settings) as connection:
        known = known_series(connection)
    chosen = [
        (name, each)
        for name, each in known
        if (not instruments or name in instruments) and interval in (None, each)
    ]
    for name in instruments:
        if all(name != one for one, _ in chosen):
            wanted = f"{name} {interval or ''}".strip()
            question = did_you_mean(name, {one for one, _ in known if one != name})
            raise CandlesMissing(
                f"{ended(f'{wanted} was never loaded{question}')} Load it: "
                f"mela ingest {name} --interval … --from …"
            )
    return chosen
