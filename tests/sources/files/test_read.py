"""Files as other programs write them, each in the shape that it really has, made here."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mela.errors import CandlesInvalid
from mela.interval import Interval
from sources.files.read import FileCandles, read_file
from sources.files.told import told_by

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ROWS = (  # open, high, low, close, volume
    (100.0, 102.5, 99.5, 101.0, 18098.0),
    (101.0, 101.75, 100.5, 101.5, 3027.0),
    (101.5, 102.0, 100.25, 100.75, 10665.0),
    (100.75, 101.5, 99.0, 99.25, 9591.0),
    (99.25, 100.0, 98.5, 99.75, 4404.0),
)
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
TO = f"{MONDAY:%Y-%m-%d}"


def read(
    path: Path,
    interval: str | None = "1d",
    instrument: str | None = "my:X",
    *,
    timezone: str | None = None,
    columns: tuple[str, ...] = (),
) -> FileCandles:
    asked = Interval(interval) if interval else None
    return read_file(path, instrument, asked, told_by(timezone, columns))


def refusal(path: Path, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(CandlesInvalid) as refused:
        read(path, *args, **kwargs)
    return str(refused.value)


def text(path: Path, header: str | None, line: str, *, step: timedelta = DAY) -> Path:
    """Write rows as lines; `line` formats at (a datetime), ms, s, o, h, l, c and v."""
    lines = [] if header is None else [header]
    for place, values in enumerate(ROWS):
        at = MONDAY + place * step
        s = int(at.timestamp())
        lines.append(
            line.format(
                at=at, s=s, ms=s * 1000, us=s * 10**6, **dict(zip("ohlcv", values, strict=True))
            )
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def assert_rows(found: FileCandles, step: timedelta = DAY, start: datetime = MONDAY) -> None:
    """Hold that the candles are ROWS, opening from `start` on."""
    candles = found.candles
    opened = [(start + place * step).timestamp() * 1000 for place in range(len(ROWS))]
    assert candles.opened_ms.tolist() == opened
    columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == list(ROWS)


KLINE = "{o:.8f},{h:.8f},{l:.8f},{c:.8f},{v:.8f},1,2,3,4,5,0"
KLINE_NAMES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)
DAILY = {  # header, line, of files with daily candles
    "Binance's archive": (None, "{ms}," + KLINE),
    "Binance's archive since 2025": (None, "{us}," + KLINE),
    "Binance's archive of futures": (KLINE_NAMES, "{ms}," + KLINE),
    "Yahoo": (
        "Date,Open,High,Low,Close,Adj Close,Volume",
        "{at:%Y-%m-%d},{o:.6f},{h:.6f},{l:.6f},{c:.6f},90.5,{v:.0f}",
    ),
    "TradingView": ("time,open,high,low,close,Volume,Volume MA", "{s},{o},{h},{l},{c},{v},NaN"),
    "TradingView in words": (
        "time,open,high,low,close,Volume",
        "{at:%Y-%m-%dT%H:%M:%SZ},{o},{h},{l},{c},{v}",
    ),
    "MetaTrader 5": (
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
        "{at:%Y.%m.%d}\t{o}\t{h}\t{l}\t{c}\t7\t{v:.0f}\t2",
    ),
    "Stooq": ("Date,Open,High,Low,Close,Volume", "{at:%Y-%m-%d},{o},{h},{l},{c},{v}"),
    "Stooq in Polish": (
        "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen",
        "{at:%Y-%m-%d},{o},{h},{l},{c},{v}",
    ),
    "Stooq's archive": (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        "X.US,D,{at:%Y%m%d},000000,{o},{h},{l},{c},{v},0",
    ),
    "Kraken": (None, "{s},{o},{h},{l},{c},{v},12"),
    "CryptoDataDownload": (
        "https://www.CryptoDataDownload.com\n"
        "unix,date,symbol,open,high,low,close,Volume X,Volume USD",
        "{ms},{at:%Y-%m-%d %H:%M:%S},X,{o},{h},{l},{c},{v},1",
    ),
    "Nasdaq": (
        "Date,Close/Last,Volume,Open,High,Low",
        "{at:%m/%d/%Y},${c},{v:.0f},${o},${h},${l}",
    ),
    "Dukascopy": (
        "Gmt time,Open,High,Low,Close,Volume",
        "{at:%d.%m.%Y %H:%M:%S}.000,{o},{h},{l},{c},{v}",
    ),
    "pandas": (",open,high,low,close,volume", "{at:%Y-%m-%d},{o},{h},{l},{c},{v}"),
    "pandas, rows counted": (
        ",date,open,high,low,close,volume",
        "7,{at:%Y-%m-%d},{o},{h},{l},{c},{v}",
    ),
    "yfinance": (
        "Price,Close,High,Low,Open,Volume\nTicker,X,X,X,X,X\nDate,,,,,",
        "{at:%Y-%m-%d},{c},{h},{l},{o},{v:.0f}",
    ),
    "Alpaca": (
        "symbol,timestamp,open,high,low,close,volume,trade_count,vwap",
        "X,{at:%Y-%m-%d %H:%M:%S}+00:00,{o},{h},{l},{c},{v},3,1.5",
    ),
    "semicolons": (
        "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke",
        "{at:%d.%m.%Y};{o};{h};{l};{c};{v}",
    ),
    "MetaTrader 5, where nothing but ticks is counted": (
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
        "{at:%Y.%m.%d}\t{o}\t{h}\t{l}\t{c}\t{v:.0f}\t0\t2",
    ),
    "MetaTrader 5 by its own library": (
        "time,open,high,low,close,tick_volume,spread,real_volume",
        "{s},{o},{h},{l},{c},{v:.0f},2,0",
    ),
    "pieces and what they are worth": (
        "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen",
        "{at:%Y-%m-%d};{o};{h};{l};{c};{v};1811618,5",
    ),
    "months as words": ("Date,Open,High,Low,Close,Volume", '"{at:%b %d, %Y}",{o},{h},{l},{c},{v}'),
}


@pytest.mark.parametrize("program", DAILY)
def test_text_of_a_program_is_read_as_it_is(tmp_path: Path, program: str) -> None:
    header, line = DAILY[program]
    rows = text(tmp_path / "file.csv", header, line)
    if program == "Nasdaq":  # its dates are ambiguous until the 13th
        with_a_late_day = rows.read_text() + "01/13/2024,$99.75,1,$99.75,$99.75,$99.75\n"
        rows.write_text(with_a_late_day)
        assert read(rows).candles.open[:5].tolist() == [row[0] for row in ROWS]
    else:
        assert_rows(read(rows))


def test_a_column_of_zeros_that_is_passed_over_is_told(tmp_path: Path) -> None:
    header, line = DAILY["MetaTrader 5, where nothing but ticks is counted"]
    read_from = read(text(tmp_path / "mt5.csv", header, line))
    told = read(text(tmp_path / "mt5.csv", header, line), columns=("volume=<VOL>",))

    assert "column <VOL> holds only zeros; <TICKVOL> is taken as volume" in " ".join(
        read_from.notes
    )
    assert told.candles.volume.tolist() == [0.0] * len(ROWS)


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


def table(step: timedelta = DAY, **change: Any) -> pa.Table:
    opened = [MONDAY + place * step for place in range(len(ROWS))]
    columns: dict[str, Any] = {"open_time": pa.array(opened, pa.timestamp("ns", tz="UTC"))}
    for place, name in enumerate(("open", "high", "low", "close", "volume")):
        columns[name] = [row[place] for row in ROWS]
    return pa.table(
        {name: column for name, column in (columns | change).items() if column is not None}
    )


def parquet(path: Path, step: timedelta = DAY, **change: Any) -> Path:
    pq.write_table(table(step, **change), path)
    return path


def test_feather_and_json_of_freqtrade_are_read(tmp_path: Path) -> None:
    feather = tmp_path / "BTC_USDT-1d.feather"
    pf.write_feather(table().rename_columns(["date", *table().column_names[1:]]), feather)
    assert_rows(read(feather))
    rows = [
        [int((MONDAY + place * DAY).timestamp() * 1000), *row] for place, row in enumerate(ROWS)
    ]
    plain = tmp_path / "BTC_USDT-1d.json"
    plain.write_text(json.dumps(rows))
    assert_rows(read(plain))
    packed = tmp_path / "BTC_USDT-1d.json.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert_rows(read(packed))


@pytest.mark.parametrize("orient", ["records", "columns", "split", "values", "index_by_time"])
def test_json_of_pandas_is_read(tmp_path: Path, orient: str) -> None:
    frame = table().to_pandas()
    frame["open_time"] = frame["open_time"].astype("int64") // 10**6
    file = tmp_path / "candles.json"
    if orient == "index_by_time":
        frame.set_index("open_time").to_json(file, orient="columns")
    else:
        frame.to_json(file, orient=orient)
    assert_rows(read(file))
    frame.to_json(file, orient="records", lines=True)
    assert_rows(read(file))


def test_an_archive_with_one_file_is_that_file(tmp_path: Path) -> None:
    plain = text(tmp_path / "X-1d-2024-01.csv", None, "{ms}," + KLINE)
    with zipfile.ZipFile(tmp_path / "X-1d-2024-01.zip", "w") as archive:
        archive.write(plain, plain.name)
        archive.writestr("__MACOSX/._X", "")
    assert_rows(read(tmp_path / "X-1d-2024-01.zip"))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "2")
    assert "found 2 (a.csv, b.csv)" in refusal(tmp_path / "two.zip")


def test_an_archive_of_another_symbol_of_binance_is_refused(tmp_path: Path) -> None:
    file = text(tmp_path / "ETHUSDT-1d-2024-01.csv", None, "{ms}," + KLINE)
    assert "holds those of ETHUSDT" in refusal(file, instrument="binance:BTCUSDT")
    assert_rows(read(file, instrument="binance:ETHUSDT"))


@pytest.mark.parametrize("stamps", ["aware", "naive"])
@pytest.mark.parametrize("columns", ["plain", "price first", "symbol first"])
def test_parquet_of_yfinance_is_read(tmp_path: Path, stamps: str, columns: str) -> None:
    days = pd.date_range("2024-01-01", periods=5, name="Date")
    index = days.tz_localize("America/New_York") if stamps == "aware" else days
    names = ["Open", "High", "Low", "Close", "Volume"]
    frame = pd.DataFrame(ROWS, index=index, columns=names)
    if columns != "plain":
        pairs = [(name, symbol) for symbol in ("X", "OTHER") for name in names]
        frame = pd.concat([frame, frame + 1], axis=1)
        frame.columns = pd.MultiIndex.from_tuples(pairs, names=["Price", "Ticker"])
        if columns == "symbol first":
            frame = frame.swaplevel(axis=1)
    file = tmp_path / "candles.parquet"
    frame.to_parquet(file)
    found = read(file, instrument="yahoo:X")
    assert_rows(found)
    if columns != "plain":
        assert "X, OTHER" in refusal(file, instrument="yahoo:THIRD")


def test_mela_reads_its_own_snapshots(tmp_path: Path) -> None:
    opened = table()["open_time"]
    own = {"instrument": ["yahoo:X"] * 5, "interval": ["1d"] * 5, "opened_at": opened}
    file = parquet(tmp_path / "part-0.parquet", open_time=None, **own)
    assert_rows(read(file, instrument="yahoo:X"))
    assert "holds those of yahoo:X" in refusal(file, instrument="yahoo:Y")
    assert "holds those of yahoo:X" in refusal(file, instrument="alpaca:X")


@pytest.mark.parametrize("name", ["symbol", "ticker", "Symbol"])
def test_a_symbol_that_contradicts_is_refused(tmp_path: Path, name: str) -> None:
    file = parquet(tmp_path / "candles.parquet", **{name: ["ETHUSDT"] * 5})
    said = refusal(file, instrument="binance:BTCUSDT")
    assert "binance:BTCUSDT" in said
    assert "ETHUSDT" in said
    assert_rows(read(file, instrument="binance:ETHUSDT"))
    assert_rows(read(file, instrument="binance:BTCUSDT", columns=("symbol=",)))


def test_of_a_file_with_several_symbols_the_rows_of_one_are_taken(tmp_path: Path) -> None:
    both = pa.concat_tables(
        [table(symbol=["BTC/USDT"] * 5), table(symbol=["ETH/USDT"] * 5, close=[100.0] * 5)]
    )
    pq.write_table(both, tmp_path / "both.parquet")
    assert_rows(read(tmp_path / "both.parquet", instrument="binance:BTCUSDT"))
    assert "holds those of BTC/USDT, ETH/USDT" in refusal(
        tmp_path / "both.parquet", instrument=None
    )


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


@given(st.lists(st.sampled_from([1.1e-16, 1e-12, 9e-10]), min_size=5, max_size=5))
def test_rounding_is_clipped_and_counted(tmp_path_factory: Any, off: list[float]) -> None:
    path = tmp_path_factory.mktemp("rounded") / "f.parquet"
    close = np.array([row[3] for row in ROWS])
    high = np.maximum(close, [row[0] for row in ROWS])
    file = parquet(path, high=high * (1 - np.array(off)), low=[row[2] for row in ROWS])
    found = read(file)
    assert (found.candles.high == high).all()
    count = int((high * (1 - np.array(off)) < high).sum())
    assert not count or f"in {count} of 5 candles" in found.notes[0]


def test_more_than_rounding_is_refused(tmp_path: Path) -> None:
    high = [max(row[0], row[3]) * (1 - 1e-8) for row in ROWS]
    assert "within [low, high]" in refusal(parquet(tmp_path / "f.parquet", high=high))


@pytest.mark.parametrize("volume", [None, [None] * 5, [float("nan")] * 5])
def test_a_file_without_volume_is_read_and_told(tmp_path: Path, volume: Any) -> None:
    column = pa.array(volume, pa.float64()) if volume else None
    found = read(parquet(tmp_path / "f.parquet", volume=column))
    assert found.candles.volume.tolist() == [0.0] * 5
    assert "no volume" in found.notes[0]


def test_rows_without_prices_are_left_out_and_half_rows_refused(tmp_path: Path) -> None:
    lines = "Date,Open,High,Low,Close,Volume\n2024-01-01,null,null,null,null,null\n"
    whole = "".join(f"2024-01-0{day},1,2,0.5,1.5,9\n" for day in range(2, 8))
    file = tmp_path / "f.csv"
    file.write_text(lines + whole)
    found = read(file)
    assert (len(found.candles), "1 rows without prices" in found.notes[0]) == (6, True)
    file.write_text(lines + whole + "2024-01-08,1,2,0.5,,9\n")
    assert "line 9 has no close" in refusal(file)


def test_rows_newest_first_or_twice_are_put_in_order(tmp_path: Path) -> None:
    opened = table()
    backwards = opened.take(pa.array([4, 3, 2, 1, 0]))
    mixed = opened.take(pa.array([2, 0, 1, 1, 4, 3]))
    for rows in (backwards, mixed):
        pq.write_table(rows, tmp_path / "f.parquet")
        assert_rows(read(tmp_path / "f.parquet"))
    other = table(close=[100.0] * 5).take(pa.array([1]))
    pq.write_table(pa.concat_tables([opened, other]), tmp_path / "f.parquet")
    assert "row 1 and row 5 both open at 2024-01-02" in refusal(tmp_path / "f.parquet")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (
            "{at:%Y-%m-%d};{o:.2f};{h:.2f};{l:.2f};{c:.2f};{v:.0f}",
            "Date;Open;High;Low;Close;Volume",
        ),
        (
            "{at:%d.%m.%Y}\t{o:.2f}\t{h:.2f}\t{l:.2f}\t{c:.2f}\t{v:.0f}",
            "Date\tOpen\tHigh\tLow\tClose\tVolume",
        ),
    ],
)
def test_decimal_commas_are_read_where_nothing_else_can_be_meant(
    tmp_path: Path, line: str, names: str
) -> None:
    file = text(tmp_path / "f.csv", names, line)
    lines = file.read_text().splitlines()
    date = 0 if ";" in line else 1
    separator = ";" if ";" in line else "\t"
    changed = [lines[0]]
    for one in lines[1:]:
        words = one.split(separator)
        changed.append(separator.join([words[0], *(word.replace(".", ",") for word in words[1:])]))
    assert date in (0, 1)
    file.write_text("\n".join(changed))
    assert_rows(read(file))
    file.write_text(
        "Date;Open;High;Low;Close\n"
        + "".join(f"2024-01-0{d};1,234;1,234;1,234;1,234\n" for d in range(1, 6))
    )
    assert "'1,234' can be a thousand" in refusal(file)


def test_columns_can_be_named(tmp_path: Path) -> None:
    file = text(tmp_path / "f.csv", "When,P1,P2,P3,P4,P5", "{at:%Y-%m-%d},{o},{h},{l},{c},{v}")
    said = refusal(file)
    assert "lacks open_time, open, high, low, close" in said
    assert "'When', 'P1'" in said
    assert "--columns" in said
    named = ("open_time=When,open=P1", "high=P2,low=P3", "close=P4,volume=P5")
    assert_rows(read(file, columns=named))
    assert "has no column 'F' for close" in refusal(file, columns=("close=F",))
    bare = text(tmp_path / "bare.csv", None, "{c},{l},{h},{o},{v},{ms}")
    assert_rows(read(bare, columns=("open_time=6,open=4,high=3,low=2,close=1,volume=5",)))


@pytest.mark.parametrize("said", ["open=", "hoch=B", "open", "open=A,open=B"])
def test_columns_that_are_no_pairs_are_explained(said: str) -> None:
    if said == "open=":
        assert told_by(None, [said]).columns == {"open": ""}
    else:
        with pytest.raises(ValueError, match="expected"):
            told_by(None, [said])


@pytest.mark.parametrize("zone", ["Paris", "", "Europe", "../etc", "+01:00"])
def test_a_zone_that_is_none_is_explained(zone: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        told_by(zone, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"PAR1 and then nothing", "is a Parquet file that cannot be read"),
        (b"ARROW1 and then nothing", "is a feather file that cannot be read"),
        (b"PK\x03\x04 and then nothing", "is a zip that cannot be unpacked"),
        (b"\x1f\x8b and then nothing", "is a gzip that cannot be unpacked"),
        (b"<!DOCTYPE html><p>404", "is a page of HTML"),
        (b"\x89HDF\r\n", "is an HDF5 file"),
        (b"\x00\x01\x02\x00\xff\xfe" * 9, "is neither text nor a format that is known"),
        (b'{"a": 1}', "is JSON without rows"),
        (b"[[1, 2], [3]]", "expected 2 values in each row"),
        (b"[1, 2", "begins like JSON, but is none"),
        (b"[" * 9_999, "JSON"),
        (b"hello world", "expected columns parted by"),
        (b"a,b,c,d,e\nx,y,z,w,v\n", "expected rows of a time and at least 3 numbers"),
        (b"Date,Open,High,Low,Close\n2024-01-01,1,2,1,1\n2024-01-02,1,2\n", "line 3 has 3"),
        (b"Date,Open,High,Low,Close\n2024-01-01,1,2,1,1\n2024-01-02,1,2,x,1\n", "line 3 has 'x'"),
        (b"Date,Open,High,Low,Close\n2024-01-01,1,2,1,1\nsoon,1,2,1,1\n", "line 3 has 'soon'"),
        (b"Date,Open,High,Low,Close\n2024-02-30,1,2,1,1\n", "line 2 has '2024-02-30'"),
        (b"Date,Open,open,High,Low,Close\n2024-01-01,1,1,2,1,1\n", "2 columns for open"),
        (b"Date,Open,High,Low,Close\n45292,1,2,1,1\n45293,1,2,1,1\n", "line 2 has 45292"),
        (b"Date,Open,High,Low,Close\n", "expected rows of a time"),
    ],
)
def test_what_is_no_candle_file_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert said in refusal(file)


@given(st.binary(max_size=300))
def test_no_content_is_worse_than_refused(tmp_path_factory: Any, content: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / "file"
    file.write_bytes(content)
    with pytest.raises(CandlesInvalid):
        read(file)


@given(st.text('0123456789,;.:-/TZ \n"abcDOHLC', max_size=200))
def test_no_text_under_names_is_worse_than_refused(tmp_path_factory: Any, content: str) -> None:
    file = tmp_path_factory.mktemp("any") / "file.csv"
    file.write_text("Date,Open,High,Low,Close\n" + content)
    with suppress(CandlesInvalid):
        read(file, None)


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


def test_utf_16_of_metatrader_is_read(tmp_path: Path) -> None:
    header, line = DAILY["MetaTrader 5"]
    file = text(tmp_path / "f.csv", header, line)
    file.write_bytes(file.read_text().replace("\n", "\r\n").encode("utf-16"))
    assert_rows(read(file))


def test_pandas_writes_a_feather_that_is_read(tmp_path: Path) -> None:
    frame = table().to_pandas().astype({"open": "float32"})
    stream = io.BytesIO()
    frame.to_feather(stream)
    (tmp_path / "f.feather").write_bytes(stream.getvalue())
    assert_rows(read(tmp_path / "f.feather"))
