"""mela/calendar_inference.py: which market's sessions the times of candles are."""

import numpy as np
import pytest

from mela.calendar_inference import infer_calendar
from mela.calendars import ALWAYS, WEEKDAYS, expected_opens_ms, sessions
from mela.interval import DAY_MS, Interval

START, END = (
    int(np.datetime64(day, "ms").astype(np.int64)) for day in ("2024-01-01", "2025-01-01")
)


@pytest.mark.parametrize("calendar", ["XNYS", "XLON", "XTKS", "XBOM", "XTAE", ALWAYS, WEEKDAYS])
def test_a_year_of_days_shows_its_calendar(calendar: str) -> None:
    days = expected_opens_ms(calendar, Interval.D1, START, END)
    assert infer_calendar(days, Interval.D1) == calendar


def test_the_one_saturday_of_bombay_makes_no_market_that_never_closes() -> None:
    days = expected_opens_ms("XBOM", Interval.D1, START, END)
    saturdays = (days // DAY_MS + 3) % 7 == 5
    assert saturdays.sum() > 0
    assert infer_calendar(days, Interval.D1) == "XBOM"


def test_a_few_missing_days_leave_the_exchange_the_same() -> None:
    days = expected_opens_ms("XTKS", Interval.D1, START, END)
    assert infer_calendar(np.delete(days, [5, 80, 81, 200]), Interval.D1) == "XTKS"


def test_hours_of_an_exchange_show_it() -> None:
    hours = expected_opens_ms("XNYS", Interval.H1, START, END)
    assert infer_calendar(hours, Interval.H1) == "XNYS"


def test_hours_from_sunday_evening_to_friday_are_those_of_currencies() -> None:
    hours = expected_opens_ms(ALWAYS, Interval.H1, START, END)
    weekday, hour = (hours // DAY_MS + 3) % 7, hours % DAY_MS // 3_600_000
    open_ = (weekday < 4) | ((weekday == 4) & (hour < 22)) | ((weekday == 6) & (hour >= 22))
    assert infer_calendar(hours[open_], Interval.H1) == WEEKDAYS


def test_sessions_know_what_is_looked_up_without_loading_all() -> None:
    days = sessions("XLON").between(START, END)
    assert len(days.date_ms) == 254
