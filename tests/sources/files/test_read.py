"""Files as other programs write them, each in the shape that it really has, made here."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest

from tests.sources.files.candle_files import (
    DAY,
    MONDAY,
    ROWS,
    assert_rows,
    parquet,
    read,
    refusal,
    table,
    text,
)

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


def test_of_a_file_with_several_symbols_the_rows_of_one_are_taken(tmp_path: Path) -> None:
    both = pa.concat_tables(
        [table(symbol=["BTC/USDT"] * 5), table(symbol=["ETH/USDT"] * 5, close=[100.0] * 5)]
    )
    pq.write_table(both, tmp_path / "both.parquet")
    assert_rows(read(tmp_path / "both.parquet", instrument="binance:BTCUSDT"))
    assert "holds those of BTC/USDT, ETH/USDT" in refusal(
        tmp_path / "both.parquet", instrument=None
    )


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
