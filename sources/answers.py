"""Turn a service's rows into an answer that holds only valid, closed candles of the span."""

from __future__ import annotations

from typing import Any

from mela.calendars import session_dates
from mela.instrument import Instrument
from mela.interval import Interval
from sources.protocol import CorporateAction, FetchedCandles, Origin
from sources.row_validation import Rows, validate_rows


def keep_valid(
    instrument: Instrument,
    interval: Interval,
    rows: Rows,
    *,
    span: tuple[int, int],
    as_of_ms: int,
    request: dict[str, Any],
    origin: Origin,
    actions: tuple[CorporateAction, ...] = (),
) -> FetchedCandles:
    """Return the answer made of the rows that are valid, had closed, and opened in [start, end).

    rows: as the service sent them, unadjusted, with closed_ms from the instrument's calendar
    span: [start, end) in UTC milliseconds; as_of_ms: the service's clock
    """
    kept, rejected = validate_rows(rows.between(*span, as_of_ms))
    return FetchedCandles(
        instrument=instrument,
        interval=interval,
        opened_ms=kept.opened_ms,
        closed_ms=kept.closed_ms,
        open=kept.open,
        high=kept.high,
        low=kept.low,
        close=kept.close,
        volume=kept.volume,
        session_on=session_dates(instrument.calendar, interval, kept.opened_ms),
        actions=actions,
        rejected=rejected,
        request=request,
        origin=origin,
        source=instrument.venue,
        as_of_ms=as_of_ms,
    )
