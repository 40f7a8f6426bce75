"""What of a candle file is mended and told, and what is refused."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mela.errors import CandlesInvalid
from sources.files.options import file_options
from tests.sources.files.candle_files import ROWS, assert_rows, parquet, read, refusal, table, text
from tests.sources.files.test_read import KLINE


def test_an_archive_of_another_symbol_of_binance_is_refused(tmp_path: Path) -> None:
    file = text(tmp_path / "ETHUSDT-1d-2024-01.csv", None, "{ms}," + KLINE)
    assert "holds those of ETHUSDT" in refusal(file, instrument="binance:BTCUSDT")
    assert_rows(read(file, instrument="binance:ETHUSDT"))


@pytest.mark.parametrize("name", ["symbol", "ticker", "Symbol"])
def test_a_symbol_that_contradicts_is_refused(tmp_path: Path, name: str) -> None:
    file = parquet(tmp_path / "candles.parquet", **{name: ["ETHUSDT"] * 5})
    said = refusal(file, instrument="binance:BTCUSDT")
    assert "binance:BTCUSDT" in said
    assert "ETHUSDT" in said
    assert_rows(read(file, instrument="binance:ETHUSDT"))
    assert_rows(read(file, instrument="binance:BTCUSDT", columns=("symbol=",)))


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
    assert (len(found.candles), "left out 1 row without prices" in found.notes[0]) == (6, True)
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
        assert file_options(None, [said]).columns == {"open": ""}
    else:
        with pytest.raises(ValueError, match="expected"):
            file_options(None, [said])


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


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_zip_is_refused_however_it_is_packed(tmp_path: Path, method: int) -> None:
    file = tmp_path / "candles.zip"
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("candles.csv", "time,open,high,low,close\n" * 500)
    content = bytearray(file.read_bytes())
    for at in range(45, 75):  # behind the header of the member
        content[at] ^= 0xFF
    file.write_bytes(content)

    assert "is a zip that cannot be unpacked" in refusal(file)
