"""Which of the files that a user gives holds the candles of which instrument."""

from __future__ import annotations

from pathlib import Path

import pytest

from mela.errors import CandlesInvalid, CandlesMissing
from mela.interval import Interval
from mela.scene import parse_scene
from sources.files.given import Folder, NamedPlaces, instruments_of, reader_of
from sources.files.options import NO_OPTIONS
from tests.cli.backtested import SCENE, write

WAY_OUT = "Give {} a file."


@pytest.mark.parametrize(
    ("file", "instrument", "interval"),
    [
        ("binance_BTCUSDT_1h.parquet", "binance:BTCUSDT", Interval.H1),
        ("BTCUSDT-1h.csv", "binance:BTCUSDT", Interval.H1),
        ("btcusdt.json", "binance:BTCUSDT", None),
        ("lean-equity_AAPL_1d.parquet", "lean-equity:AAPL", Interval.D1),
        ("kraken_BTC_USD_1h.csv.gz", "kraken:BTC/USD", Interval.H1),
    ],
)
def test_a_file_of_a_folder_is_known_by_its_name(
    tmp_path: Path, file: str, instrument: str, interval: Interval | None
) -> None:
    (tmp_path / file).write_text("")
    (tmp_path / "others").mkdir()
    folder = Folder(tmp_path)
    assert folder.of(instrument, interval) == tmp_path / file
    assert folder.of("binance:ETHUSDT", interval) is None
    assert list(folder.names) == [file]


def test_two_files_of_one_series_are_refused(tmp_path: Path) -> None:
    for name in ("THING_1h.csv", "THING_1h.parquet"):
        (tmp_path / name).write_text("")
    with pytest.raises(CandlesInvalid, match=r"but found THING_1h\.csv, THING_1h\.parquet"):
        Folder(tmp_path).of("anywhere:THING", Interval.H1)


def test_a_longer_input_is_made_of_the_candles_that_are_traded(tmp_path: Path) -> None:
    given = NamedPlaces({"anywhere:THING": write(tmp_path / "candles.parquet")})
    read = reader_of(given, ["anywhere:THING"], way_out=WAY_OUT)
    hours = read("anywhere:THING", Interval.H1)
    days = read("anywhere:THING", Interval.D1)
    assert (len(hours), len(days)) == (480, 20)
    assert days.high[0] == hours.high[:24].max()


def test_who_has_no_file_is_told_which_there_are_and_what_helps(tmp_path: Path) -> None:
    given = NamedPlaces({"anywhere:THING": write(tmp_path / "candles.parquet")})
    read = reader_of(given, ["anywhere:THINGS"], way_out=WAY_OUT)
    with pytest.raises(CandlesMissing, match=r"those of anywhere:THING.*Give anywhere:THINGS a fi"):
        read("anywhere:THINGS", Interval.H1)


def test_each_place_that_is_read_is_noted_with_what_was_done(tmp_path: Path) -> None:
    seen: list[str] = []
    given = NamedPlaces({"": write(tmp_path / "candles.parquet")})
    read = reader_of(
        given, ["anywhere:THING"], way_out=WAY_OUT, noted=lambda _, name: seen.append(name)
    )
    known = instruments_of(parse_scene(SCENE), read, NO_OPTIONS)
    assert seen == ["anywhere:THING"]
    assert known["anywhere:THING"].calendar == "24/7"
