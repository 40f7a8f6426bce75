"""mela/calendars.py: opening times and true closes, checked against a wall calendar."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from mela.calendars import (
    NO_SESSION,
    closes_ms,
    date_ms,
    expected_opens_ms,
    session_closes,
    sessions,
)
from mela.interval import Interval


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def texts(values: np.ndarray) -> list[str]:
    return [str(v)[:16] for v in values.astype("datetime64[ms]")]


def opens(calendar: str, interval: str, start: str, end: str) -> list[str]:
    return texts(expected_opens_ms(calendar, Interval(interval), ms(start), ms(end)))


def test_a_session_closes_when_its_exchange_says() -> None:
    days = [date(2020, 11, 25), date(2020, 11, 27), date(2020, 7, 1), date(1998, 1, 2)]
    assert texts(session_closes("XNYS", days)) == [
        "2020-11-25T21:00",
        "2020-11-27T18:00",  # a half day
        "2020-07-01T20:00",  # summer time
        "1998-01-02T21:00",
    ]


def test_a_date_without_a_session_is_refused() -> None:
    with pytest.raises(ValueError, match="no session on 2020-11-26"):
        session_closes("XNYS", [date(2020, 11, 26)])


@pytest.mark.parametrize("name", ["XNOWHERE", "", "24/6"])
def test_an_unknown_calendar_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected 24/7"):
        expected_opens_ms(name, Interval.D1, 0, 1)


def test_an_exchange_whose_rules_begin_later_still_has_sessions() -> None:
    assert sessions("XTKS").date_ms[0] >= ms("1997-01-01")


def test_days_without_end_step_by_the_interval() -> None:
    assert opens("24/7", "8h", "2023-01-01T01:00", "2023-01-02T00:01") == [
        "2023-01-01T08:00",
        "2023-01-01T16:00",
        "2023-01-02T00:00",
    ]
    assert opens("24/7", "8h", "2023-01-01", "2023-01-01") == []


def test_weeks_open_on_monday_and_months_on_the_first() -> None:
    assert opens("24/7", "1w", "2023-01-01", "2023-01-16") == [
        "2023-01-02T00:00",
        "2023-01-09T00:00",
    ]
    assert opens("24/7", "1mo", "2023-01-02", "2023-03-02") == [
        "2023-02-01T00:00",
        "2023-03-01T00:00",
    ]
    assert opens("24/7", "3d", "1970-01-01", "1970-01-05") == [
        "1970-01-01T00:00",
        "1970-01-04T00:00",
    ]


def test_currencies_rest_at_weekends() -> None:
    assert opens("24/5", "1d", "2023-01-06", "2023-01-10") == [
        "2023-01-06T00:00",
        "2023-01-09T00:00",
    ]
    assert len(opens("24/5", "1h", "2023-01-06", "2023-01-10")) == 48
    assert opens("24/5", "1w", "2023-01-01", "2023-01-03") == ["2023-01-02T00:00"]


def test_daily_stock_candles_are_the_sessions() -> None:
    assert opens("XNYS", "1d", "2020-11-25", "2020-12-01") == [
        "2020-11-25T00:00",
        "2020-11-27T00:00",
        "2020-11-30T00:00",
    ]
    assert len(opens("XNYS", "1d", "1998-01-01", "1999-01-01")) == 252


def test_longer_stock_candles_are_those_that_hold_a_session() -> None:
    assert opens("XNYS", "1w", "2023-01-01", "2023-01-10") == [
        "2023-01-02T00:00",
        "2023-01-09T00:00",
    ]
    assert opens("XNYS", "1mo", "2023-01-01", "2023-02-02") == [
        "2023-01-01T00:00",
        "2023-02-01T00:00",
    ]


def test_shorter_stock_candles_step_from_the_open_to_the_close() -> None:
    assert opens("XNYS", "1h", "2020-11-27", "2020-11-28") == [
        "2020-11-27T14:30",
        "2020-11-27T15:30",
        "2020-11-27T16:30",
        "2020-11-27T17:30",
    ]
    assert len(opens("XNYS", "1m", "2020-07-01", "2020-07-02")) == 390
    assert opens("XNYS", "1h", "2020-07-01", "2020-07-02")[0] == "2020-07-01T13:30"


def test_candles_close_with_their_last_session() -> None:
    def close(interval: str, opened: str) -> list[str]:
        return texts(closes_ms("XNYS", Interval(interval), np.array([ms(opened)])))

    assert close("1w", "2020-11-23") == ["2020-11-27T18:00"]
    assert close("1mo", "2020-11-01") == ["2020-11-30T21:00"]
    assert close("1h", "2020-11-27T17:30") == ["2020-11-27T18:00"]
    assert close("1h", "2020-11-27T14:30") == ["2020-11-27T15:30"]


def test_a_candle_outside_every_session_has_no_close() -> None:
    outside = np.array([ms("2020-11-26"), ms("1901-01-01")])
    assert closes_ms("XNYS", Interval.D1, outside).tolist() == [NO_SESSION, NO_SESSION]
    evening = np.array([ms("2020-11-27T19:00"), ms("2020-11-27T12:00")])
    assert closes_ms("XNYS", Interval.H1, evening).tolist() == [NO_SESSION, NO_SESSION]


def test_candles_close_after_their_interval_where_the_market_never_does() -> None:
    assert closes_ms("24/7", Interval.H1, np.array([0])).tolist() == [3_600_000]
    assert closes_ms("24/7", Interval.MO1, np.array([0])).tolist() == [date_ms(date(1970, 2, 1))]
