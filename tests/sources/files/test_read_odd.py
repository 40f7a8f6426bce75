"""Files in the less usual shapes that people have: headers, marks, packed answers of services."""

from __future__ import annotations

import bz2
import json
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as pf
import pytest

from tests.sources.files.candle_files import (
    DAY,
    MONDAY,
    ROWS,
    assert_rows,
    read,
    refusal,
    table,
    text,
)

YFINANCE = {  # header lines, the row's order
    "names, symbols, time": "Price,Close,High,Low,Open,Volume\nTicker,X,X,X,X,X\nDate,,,,,",
    "names without their own, symbols, time": ",Close,High,Low,Open,Volume\n,X,X,X,X,X\nDate,,,,,",
    "the time among the names": "Date,Close,High,Low,Open,Volume\n,X,X,X,X,X",
    "symbols in front": "Ticker,X,X,X,X,X\nPrice,Close,High,Low,Open,Volume\nDate,,,,,",
}


@pytest.mark.parametrize("lines", YFINANCE)
def test_header_lines_of_any_version_of_yfinance_are_read(tmp_path: Path, lines: str) -> None:
    file = text(tmp_path / "f.csv", YFINANCE[lines], "{at:%Y-%m-%d},{c},{h},{l},{o},{v:.0f}")
    assert_rows(read(file))
    assert "holds those of X" in refusal(file, instrument="yahoo:OTHER")
    assert_rows(read(file, instrument="yahoo:OTHER", columns=("symbol=",)))


def test_a_line_padded_above_the_names_is_no_line_of_symbols(tmp_path: Path) -> None:
    names = "Mine,,,,,\nDate,Open,High,Low,Close,Volume"
    assert_rows(read(text(tmp_path / "f.csv", names, "{at:%Y-%m-%d},{o},{h},{l},{c},{v}")))


@pytest.mark.parametrize("end", ["\r\n\r\n \r\n", "\n\t\n", " \n\n", "\r\r"])
def test_lines_of_white_space_are_no_rows(tmp_path: Path, end: str) -> None:
    file = text(
        tmp_path / "f.csv", "Date,Open,High,Low,Close,Volume", "{at:%F},{o},{h},{l},{c},{v}"
    )
    line = "\r\n" if "\r\n" in end else "\r" if "\r" in end else "\n"
    file.write_bytes((file.read_text().replace("\n", line) + end).encode())
    assert_rows(read(file))


@pytest.mark.parametrize("volume", ["1234.5", "17.25", "0.5"])
def test_points_and_commas_that_both_part_decimals_are_refused(tmp_path: Path, volume: str) -> None:
    """Read with the mark of the prices, a volume of 1234.5 would be 12345."""
    file = tmp_path / "f.csv"
    row = "2024-01-0{};100,5;102,5;99,5;101,0;{}\n"
    file.write_text(
        "Date;Open;High;Low;Close;Volume\n" + row.format(1, "17") + row.format(2, volume)
    )
    said = refusal(file)
    assert f"line 3 has {volume!r}" in said
    assert "Write all decimals with a point" in said


@pytest.mark.parametrize("sign", [" ", "\u00a0", "\u202f", "'"])
def test_thousands_may_be_parted_by_spaces(tmp_path: Path, sign: str) -> None:
    file = tmp_path / "f.csv"
    row = "2024-01-0{0};1{1}100,5;1{1}102,5;1{1}099,5;1{1}101;12{1}345\n"
    file.write_text("Date;Open;High;Low;Close;Volume\n" + row.format(1, sign) + row.format(2, sign))
    candles = read(file).candles
    assert (candles.open[0], candles.low[0], candles.volume[0]) == (1100.5, 1099.5, 12345.0)


def test_decimals_beside_thousands_tell_what_the_commas_are(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    rows = "Date,Open,High,Low,Close\n" + '2024-01-0{},"1,000","1,001",998.5,"1,000"\n'
    file.write_text(rows.format(1))
    assert read(file).candles.open.tolist() == [1000.0]
    file.write_text(rows.format(1).replace("998.5", '"1,000"'))
    assert "'1,000' can be a thousand" in refusal(file)


@pytest.mark.parametrize(
    ("pack", "said"), [(lzma.compress, "packed with xz"), (bz2.compress, "packed with bzip2")]
)
def test_what_must_be_unpacked_is_said(tmp_path: Path, pack: Any, said: str) -> None:
    file = tmp_path / "f"
    file.write_bytes(pack(b"Date,Open,High,Low,Close\n"))
    assert f"{said}; unpack it first" in refusal(file)


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-32"])
def test_text_that_cannot_be_told_says_which_can(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "f"
    file.write_bytes("Date,Open,High,Low,Close\n2024-01-01,1,2,1,1\n".encode(encoding))
    assert "text in UTF-8 or UTF-16" in refusal(file)


def _bars() -> list[dict[str, Any]]:
    return [
        {"t": (MONDAY + place * DAY).isoformat(), **dict(zip("ohlcv", row, strict=True)), "n": 3}
        for place, row in enumerate(ROWS)
    ]


def _by_date() -> dict[str, Any]:
    names = ("1. open", "2. high", "3. low", "4. close", "5. volume")
    return {
        f"{MONDAY + place * DAY:%Y-%m-%d}": dict(zip(names, map(str, row), strict=True))
        for place, row in enumerate(ROWS)
    }


ANSWERS = {  # of services, by what states the symbol
    "Alpaca": lambda: {"bars": _bars(), "symbol": "X", "next_page_token": None},
    "Alpaca, several": lambda: {"bars": {"X": _bars(), "Z": _bars()}, "next_page_token": None},
    "Polygon": lambda: {"ticker": "X", "resultsCount": 5, "results": _bars(), "status": "OK"},
    "Alpha Vantage": lambda: {
        "Meta Data": {"1. Information": "", "2. Symbol": "X"},
        "Time Series (Daily)": _by_date(),
    },
}


@pytest.mark.parametrize("service", ANSWERS)
def test_an_answer_of_a_service_is_read_and_its_symbol_believed(
    tmp_path: Path, service: str
) -> None:
    file = tmp_path / "f.json"
    file.write_text(json.dumps(ANSWERS[service]()))
    assert_rows(read(file))
    assert "holds those of X" in refusal(file, instrument="my:Y")


def test_json_by_date_and_of_one_line_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    file.write_text(json.dumps(_by_date()))
    assert_rows(read(file))
    file.write_text(json.dumps(_bars()[0]) + "\n")
    assert len(read(file).candles) == 1


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 30, "1e300", "-1e30"])
def test_a_number_beyond_all_times_is_refused(tmp_path: Path, number: str) -> None:
    file = tmp_path / "f.json"
    file.write_text(f"[[{number},1,2,1,1,1],[1704153600000,1,2,1,1,1]]")
    refusal(file)


@pytest.mark.parametrize("column", ["open_time", "symbol", "open"])
def test_text_of_any_arrow_type_is_read(tmp_path: Path, column: str) -> None:
    """Polars writes string views."""
    values = {
        "open_time": [f"{MONDAY + place * DAY:%Y-%m-%d}" for place in range(5)],
        "symbol": ["X"] * 5,
        "open": [str(row[0]) for row in ROWS],
    }[column]
    rows = table(**{column: pa.array(values, pa.string_view())})
    pf.write_feather(rows, tmp_path / "f.feather", compression="uncompressed")
    assert_rows(read(tmp_path / "f.feather"))


def test_another_contract_or_coin_is_another_symbol(tmp_path: Path) -> None:
    names = "symbol,Date,Open,High,Low,Close,Volume"
    for stated, asked in (
        ("BTC/USDT:USDT", "binance:BTCUSDT"),
        ("龙虾USDT", "binance:币安人生USDT"),
        ("BTCUSDT_240329", "binance:BTCUSDT"),
    ):
        line = stated + ",{at:%Y-%m-%d},{o},{h},{l},{c},{v}"
        assert f"holds those of {stated}" in refusal(
            text(tmp_path / "f.csv", names, line), instrument=asked
        )
    line = "EURUSD,{at:%Y-%m-%d},{o},{h},{l},{c},{v}"
    assert_rows(read(text(tmp_path / "f.csv", names, line), instrument="yahoo:EURUSD=X"))
