"""Which times the rows of a candle file open at: intervals, zones, sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from sources.files.options import file_options
from tests.sources.files.candle_files import (
    DAY,
    HOUR,
    MONDAY,
    assert_rows,
    parquet,
    read,
    refusal,
    text,
)

HOURLY = {
    "MetaTrader 5": (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
        "{at:%Y.%m.%d}\t{at:%H:%M:%S}\t{o}\t{h}\t{l}\t{c}\t7\t{v:.0f}\t2",
    ),
    "MetaTrader 4": (None, "{at:%Y.%m.%d},{at:%H:%M},{o},{h},{l},{c},{v:.0f}"),
    "Stooq's archive": (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        "X.US,60,{at:%Y%m%d},{at:%H%M%S},{o},{h},{l},{c},{v},0",
    ),
    "HistData": (None, "{at:%Y%m%d %H%M%S};{o};{h};{l};{c};{v:.0f}"),
    "pandas": ("Datetime,Open,High,Low,Close,Volume", "{at:%Y-%m-%d %H:%M:%S},{o},{h},{l},{c},{v}"),
    "twelve hours": (
        "Date,Open,High,Low,Close,Volume",
        "{at:%Y-%m-%d %I:%M %p},{o},{h},{l},{c},{v}",
    ),
}


@pytest.mark.parametrize("program", HOURLY)
def test_times_without_a_zone_ask_for_one_and_take_it(tmp_path: Path, program: str) -> None:
    header, line = HOURLY[program]
    file = text(tmp_path / "file.csv", header, line, step=HOUR)
    assert "--timezone" in refusal(file, "1h")
    assert_rows(read(file, "1h", timezone="UTC"), HOUR)
    in_new_york = MONDAY + timedelta(hours=5)
    assert_rows(read(file, "1h", timezone="America/New_York"), HOUR, in_new_york)


@pytest.mark.parametrize(
    ("step", "asked"),
    [
        (DAY, "1mo"), (DAY, "1w"), (DAY, "3d"), (DAY, "1h"), (DAY, "1m"), (DAY, "12h"),
        (7 * DAY, "1d"), (7 * DAY, "1mo"), (7 * DAY, "1h"), (HOUR, "1d"), (HOUR, "1m"),
        (HOUR, "4h"), (HOUR, "1w"), (timedelta(minutes=1), "5m"), (timedelta(minutes=5), "1m"),
        (31 * DAY, "1d"), (31 * DAY, "1w"), (timedelta(hours=4), "1h"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("text_file", [True, False])
def test_candles_of_another_interval_are_refused(
    tmp_path: Path, step: timedelta, asked: str, text_file: bool
) -> None:
    line = "{ms},{o},{h},{l},{c},{v}"
    file = (
        text(tmp_path / "f.csv", None, line, step=step)
        if text_file
        else parquet(tmp_path / "f.parquet", step)
    )
    assert f"expected {asked} candles" in refusal(file, asked)


def test_weekends_holidays_and_gaps_are_no_other_interval(tmp_path: Path) -> None:
    friday = datetime(2023, 12, 29, tzinfo=UTC)
    days = [friday, *(friday + n * DAY for n in (4, 5, 6, 7))]  # a long weekend
    file = parquet(tmp_path / "f.parquet", open_time=pa.array(days, pa.timestamp("ms", tz="UTC")))
    assert len(read(file).candles) == 5


@pytest.mark.parametrize(
    ("zone", "calendar"),
    [
        ("Europe/Paris", "my:X"), ("America/New_York", "yahoo:X"), ("Asia/Tokyo", "my:X"),
        ("Australia/Sydney", "my:X"), ("Asia/Kolkata", "my:X"), ("Europe/London", "yahoo:X"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stamped", ["in its zone", "in UTC", "as milliseconds", "with offsets"])
def test_local_midnights_become_session_dates(
    tmp_path: Path, zone: str, calendar: str, stamped: str
) -> None:
    days = pd.bdate_range("2024-01-01", "2024-12-31", tz=zone)
    at: Any = days
    if stamped == "in UTC":
        at = days.tz_convert("UTC")
    if stamped == "as milliseconds":
        at = days.as_unit("ms").astype("int64")
    if stamped == "with offsets":
        at = [day.isoformat() for day in days]
    frame = pd.DataFrame({"open_time": at, **dict.fromkeys(("open", "high", "low", "close"), 5.0)})
    file = tmp_path / "f.parquet"
    frame.to_parquet(file)
    candles = read(file, instrument=calendar).candles
    dates = pd.bdate_range("2024-01-01", "2024-12-31", tz="UTC").as_unit("ms").astype("int64")
    assert candles.opened_ms.tolist() == dates.tolist()


def test_openings_of_sessions_become_their_dates(tmp_path: Path) -> None:
    """TradingView stamps a day of New York with 14:30 UTC in winter and 13:30 in summer."""
    days = pd.bdate_range("2024-03-04", "2024-03-15")
    opened = (days + pd.Timedelta(hours=9.5)).tz_localize("America/New_York")
    frame = pd.DataFrame(
        {
            "time": opened.as_unit("s").astype("int64"),
            **dict.fromkeys(("open", "high", "low", "close"), 5.0),
        }
    )
    file = tmp_path / "f.csv"
    frame.to_csv(file, index=False)
    found = read(file, instrument="yahoo:X")
    assert found.candles.opened_ms.tolist() == days.as_unit("ms").astype("int64").tolist()
    assert any("XNYS" in note for note in found.notes)


def test_a_day_of_a_market_without_nights_is_a_day_of_utc(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=30, tz="Europe/Paris").tz_convert("UTC")
    frame = pd.DataFrame(
        {"open_time": days, **dict.fromkeys(("open", "high", "low", "close"), 5.0)}
    )
    file = tmp_path / "f.parquet"
    frame.to_parquet(file)
    assert "--timezone" in refusal(file, instrument="binance:BTCUSDT")
    told = read(file, instrument="binance:BTCUSDT", timezone="Europe/Paris")
    assert any("midnight in Europe/Paris" in note for note in told.notes)
    naive = pd.DataFrame(frame.assign(open_time=pd.date_range("2024-01-01", periods=30)))
    naive.to_parquet(file)
    assert "--timezone UTC" in refusal(file)
    assert len(read(file, timezone="UTC").candles) == 30


@pytest.mark.parametrize(("days", "first"), [(1, "2024-01-01"), (8, "2024-01-08")])
def test_weeks_and_months_are_dated_by_their_first_or_last_session(
    tmp_path: Path, days: int, first: str
) -> None:
    mondays = pd.date_range("2024-01-01", periods=10, freq="W-MON") + pd.Timedelta(days=days - 1)
    fridays = mondays + pd.Timedelta(days=4)
    ends = pd.bdate_range("2024-01-31", periods=10, freq="BME")
    starts = pd.bdate_range("2024-01-01", periods=10, freq="BMS")
    for dates, interval, expected in (
        (mondays, "1w", first), (fridays, "1w", first), (ends, "1mo", "2024-01-01"),
        (starts, "1mo", "2024-01-01"),
    ):  # fmt: skip
        prices = dict.fromkeys(("open", "high", "low", "close"), 5.0)
        pd.DataFrame({"Date": dates.strftime("%Y-%m-%d"), **prices}).to_csv(tmp_path / "f.csv")
        opened = read(tmp_path / "f.csv", interval).candles.opened_ms.astype("datetime64[ms]")
        assert str(opened[0])[:10] == expected
        assert len(opened) == 10


def test_thursdays_are_no_week(tmp_path: Path) -> None:
    dates = pd.date_range("2024-01-04", periods=10, freq="W-THU").strftime("%Y-%m-%d")
    prices = dict.fromkeys(("open", "high", "low", "close"), 5.0)
    pd.DataFrame({"Date": dates, **prices}).to_csv(tmp_path / "f.csv")
    assert "expected 1w candles to open on Monday" in refusal(tmp_path / "f.csv", "1w")


def test_clocks_that_change_neither_lose_nor_move_an_hour(tmp_path: Path) -> None:
    instants = pd.date_range("2024-10-26T20:00Z", "2024-10-27T06:00Z", freq="h")
    clocks = instants.tz_convert("Europe/Paris").tz_localize(None)  # 02:00 is there twice
    prices = dict.fromkeys(("open", "high", "low", "close"), 5.0)
    frame = pd.DataFrame({"time": clocks, **prices})
    for rows in (frame, frame[::-1]):
        rows.to_csv(tmp_path / "f.csv", index=False)
        candles = read(tmp_path / "f.csv", "1h", timezone="Europe/Paris").candles
        assert candles.opened_ms.tolist() == instants.as_unit("ms").astype("int64").tolist()
    skipped = pd.DataFrame({"time": pd.date_range("2024-03-31", periods=5, freq="h"), **prices})
    skipped.to_csv(tmp_path / "f.csv", index=False)
    assert "02:00" in refusal(tmp_path / "f.csv", "1h", timezone="Europe/Paris")


@pytest.mark.parametrize("zone", ["Paris", "", "Europe", "../etc", "+01:00"])
def test_a_zone_that_is_none_is_explained(zone: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        file_options(zone, [])


def test_the_interval_is_found_where_none_is_asked(tmp_path: Path) -> None:
    for step, found in ((DAY, "1d"), (HOUR, "1h"), (7 * DAY, "1w"), (timedelta(minutes=5), "5m")):
        assert read(parquet(tmp_path / "f.parquet", step), None).candles.interval == found
    assert "no interval" in refusal(parquet(tmp_path / "f.parquet", timedelta(minutes=7)), None)
    stated = parquet(tmp_path / "f.parquet", HOUR, timeframe=["H1"] * 5)
    assert read(stated, None).candles.interval == "1h"
    assert "holds 1h" in refusal(stated, "1d")


def test_closing_times_are_not_taken_for_openings(tmp_path: Path) -> None:
    closing = pa.array(
        [MONDAY + (n + 1) * HOUR - timedelta(milliseconds=1) for n in range(5)],
        pa.timestamp("ms", tz="UTC"),
    )
    file = parquet(tmp_path / "f.parquet", open_time=None, time=closing)
    assert "Is it when they close?" in refusal(file, "1h")


def _stamped(path: Path, stamps: pd.DatetimeIndex, unit: Any = "s") -> Path:
    prices = dict.fromkeys(("open", "high", "low", "close"), 5.0)
    at = stamps.tz_convert("UTC").as_unit(unit).astype("int64")
    pd.DataFrame({"time": at, **prices}).to_csv(path, index=False)
    return path


def _dates(path: Path, *args: Any, **kwargs: Any) -> list[str]:
    opened = read(path, *args, **kwargs).candles.opened_ms.astype("datetime64[ms]")
    return [str(day)[:10] for day in opened]


@pytest.mark.parametrize(
    ("first", "last"), [("2024-01-16", "2024-02-08"), ("2024-05-01", "2024-05-24")]
)
def test_closes_in_new_york_are_no_midnights_elsewhere(
    tmp_path: Path, first: str, last: str
) -> None:
    """21:00 UTC is midnight in Istanbul, 20:00 UTC in Dubai; a Friday's close is no Saturday."""
    days = pd.bdate_range(first, last)
    closes = (days + pd.Timedelta(hours=16)).tz_localize("America/New_York")
    file = _stamped(tmp_path / "f.csv", closes)
    expected = [str(day.date()) for day in days]
    assert _dates(file, instrument="yahoo:AAPL") == expected
    assert _dates(file) == expected
    assert _dates(file, timezone="America/New_York") == expected


def test_evenings_of_futures_belong_to_the_next_day(tmp_path: Path) -> None:
    days = pd.bdate_range("2024-01-02", "2024-12-30")
    opened = (days - pd.Timedelta(hours=7)).tz_localize("America/Chicago")
    file = _stamped(tmp_path / "f.csv", opened)
    expected = [str(day.date()) for day in days]
    assert _dates(file, instrument="yahoo:ES=F") == expected
    assert _dates(file, timezone="America/Chicago") == expected


def test_a_week_from_sunday_to_thursday_is_no_market_without_nights(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-07", "2024-06-30", tz="Asia/Riyadh")
    days = days[~days.dayofweek.isin([4, 5])]
    for name in ("yahoo:2222.SR", "my:X"):
        dates = _dates(_stamped(tmp_path / "f.csv", days), instrument=name)
        assert dates == [str(day.date()) for day in days]


@pytest.mark.parametrize("hour", [8, 9, 9.5])
@pytest.mark.parametrize("name", ["yahoo:VOD.L", "yahoo:AIR.PA", "yahoo:600519.SS"])
def test_the_opening_where_an_instrument_is_traded_is_its_day(
    tmp_path: Path, name: str, hour: float
) -> None:
    zone = {"L": "Europe/London", "PA": "Europe/Paris", "SS": "Asia/Shanghai"}[name.split(".")[1]]
    days = pd.bdate_range("2024-01-02", "2024-12-31")
    opened = (days + pd.Timedelta(hours=hour)).tz_localize(zone)
    dates = _dates(_stamped(tmp_path / "f.csv", opened), instrument=name)
    assert dates == [str(day.date()) for day in days]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    ("first", "last"),
    [("1962-01-02", "1975-01-02"), ("1970-02-02", "1975-01-02"), ("1990-01-02", "2025-01-02")],
)
def test_numbers_are_told_apart_before_1973_too(
    tmp_path: Path, unit: str, first: str, last: str
) -> None:
    days = pd.bdate_range(first, last, tz="UTC")
    dates = _dates(_stamped(tmp_path / "f.csv", days, unit))
    assert (dates[0], dates[-1], len(dates)) == (first, last, len(days))


@pytest.mark.parametrize("name", ["Time (UTC-05:00)", "Date (GMT+2)", "time utc +1"])
def test_a_column_named_for_another_offset_is_not_utc(tmp_path: Path, name: str) -> None:
    file = text(
        tmp_path / "f.csv", f"{name},o,h,l,c", "{at:%Y-%m-%d %H:%M},{o},{h},{l},{c}", step=HOUR
    )
    assert "--timezone" in refusal(file, "1h", columns=(f"open_time={name}",))


def test_few_candles_of_another_interval_are_refused_too(tmp_path: Path) -> None:
    months = pd.date_range("2024-01-01", periods=3, freq="MS", tz="UTC")
    assert "Ask for interval: 1mo" in refusal(_stamped(tmp_path / "f.csv", months), "1d")
