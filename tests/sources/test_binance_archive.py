"""sources/binance_archive.py and the replay's archive: zips, checksums, and what is missing."""

import hashlib
import io
import zipfile
from datetime import date

import numpy as np
import pytest
import requests

from mela.errors import SourceUnavailable
from mela.interval import Interval
from replay import Fault
from sources.binance import BinanceSource
from sources.binance_archive import Archive
from tests.sources.conftest import QUICK, at

M15 = Interval.M15
BASE = "/data/spot/monthly/klines/BTCUSDT/15m/BTCUSDT-15m-"
ALWAYS, NEVER = 0, 10**9  # from how many pages on the archive is asked
VALUES = ("opened_ms", "closed_ms", "open", "high", "low", "close", "volume")


def same(one, other) -> None:
    for name in VALUES:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def files(server) -> list[str]:
    return [path for path in server.requests if path.endswith(".zip")]


def test_a_file_is_a_zip_with_twelve_columns_and_no_header(packaged) -> None:
    body = requests.get(f"{packaged.url}{BASE}2024-11.zip", timeout=10).content
    told = requests.get(f"{packaged.url}{BASE}2024-11.zip.CHECKSUM", timeout=10).text
    assert told == f"{hashlib.sha256(body).hexdigest()}  BTCUSDT-15m-2024-11.zip\n"
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        assert packed.namelist() == ["BTCUSDT-15m-2024-11.csv"]
        lines = packed.read("BTCUSDT-15m-2024-11.csv").decode().splitlines()
    assert len(lines) == 30 * 96
    assert lines[0].startswith("1730419200000,")
    assert len(lines[0].split(",")) == 12


def test_times_are_in_microseconds_since_2025(packaged) -> None:
    body = requests.get(f"{packaged.url}{BASE}2025-01.zip", timeout=10).content
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        first = packed.read(packed.namelist()[0]).decode().split(",", 7)
    assert (first[0], first[6]) == ("1735689600000000", "1735690499999999")
    found = Archive(packaged.url, QUICK).month("BTCUSDT", M15, date(2025, 1, 1))
    assert found is not None
    assert found.rows.opened_ms[0] == 1_735_689_600_000


@pytest.mark.parametrize(
    "path",
    [
        "monthly/klines/BTCUSDT/15m/BTCUSDT-15m-2025-11.zip",  # ended yesterday: not yet published
        "monthly/klines/BTCUSDT/15m/BTCUSDT-15m-2016-11.zip",  # before the listing
        "monthly/klines/NOSUCH/15m/NOSUCH-15m-2024-11.zip",
        "monthly/klines/BTCUSDT/7m/BTCUSDT-7m-2024-11.zip",
        "monthly/klines/BTCUSDT/15m/BTCUSDT-15m-2024-13.zip",
        "daily/klines/BTCUSDT/15m/BTCUSDT-15m-2024-11.zip",
        "daily/klines/BTCUSDT/15m/BTCUSDT-15m-2025-12-02.zip",  # today
    ],
)
def test_what_is_not_published_is_not_found(packaged, path: str) -> None:
    assert requests.get(f"{packaged.url}/data/spot/{path}", timeout=10).status_code == 404


def test_the_archive_says_what_the_api_says(replay) -> None:
    """Over the change to microseconds, the month without a file yet, and the unfinished candle."""
    server = replay(now=at("2025-02-02T10:20"))
    span = ("BTCUSDT", M15, at("2024-11-20T06:00"), at("2025-02-03"))
    filed = BinanceSource(server.url, archive_pages=ALWAYS).fetch(*span)
    got = files(server)
    asked = BinanceSource(server.url, archive_pages=NEVER).fetch(*span)
    assert files(server) == got
    same(filed, asked)
    assert str(filed.opened_ms[-1].astype("datetime64[ms]"))[:16] == "2025-02-02T10:00"
    monthly = [path[-11:-4] for path in got if "/monthly/" in path]
    daily = [path[-14:-4] for path in got if "/daily/" in path]
    assert monthly == ["2024-11", "2024-12"]  # January ended yesterday: it is not published yet
    assert daily == [f"2025-01-{day:02}" for day in range(1, 32)] + ["2025-02-01"]
    assert filed.request["pages"] == 1  # today
    assert len(filed.request["archives"]) == 34
    assert filed.request["archives"][0].startswith("BTCUSDT-15m-2024-11.zip sha256:")
    assert asked.request["pages"] == 8


def test_files_are_asked_where_they_save_calls(packaged) -> None:
    packaged.requests.clear()
    BinanceSource(packaged.url).fetch("BTCUSDT", Interval.H1, at("2022-01-01"), at("2025-01-01"))
    BinanceSource(packaged.url).fetch("BTCUSDT", M15, at("2025-01-01"), at("2025-02-01"))
    assert files(packaged) == []
    BinanceSource(packaged.url, archive_pages=8).fetch(
        "BTCUSDT", M15, at("2024-01-01"), at("2024-04-01")
    )
    assert len(files(packaged)) == 3


def test_no_file_is_asked_before_the_listing(packaged) -> None:
    packaged.requests.clear()
    span = (at("2015-01-01"), at("2022-03-01"))
    found = BinanceSource(packaged.url).fetch("BTCUSDT", M15, *span)
    assert len(found) == 59 * 96
    assert [path[-11:-4] for path in files(packaged)] == ["2022-01", "2022-02"]
    nothing = BinanceSource(packaged.url).fetch("BTCUSDT", M15, at("2015-01-01"), at("2020-01-01"))
    assert len(nothing) == 0


def test_the_api_gives_what_the_archive_lacks(replay) -> None:
    lost = [
        Fault(f"{BASE}2024-02*", 404, times=9, body="NoSuchKey"),
        Fault("*/daily/*2024-02-03*", 404, times=9, body="NoSuchKey"),
    ]
    server = replay(faults=lost)
    span = ("BTCUSDT", M15, at("2024-01-01"), at("2024-04-01"))
    found = BinanceSource(server.url, QUICK, archive_pages=ALWAYS).fetch(*span)
    same(found, BinanceSource(server.url, QUICK, archive_pages=NEVER).fetch(*span))
    names = [line.split()[0] for line in found.request["archives"]]
    assert names == [
        "BTCUSDT-15m-2024-01.zip",
        "BTCUSDT-15m-2024-02-01.zip",
        "BTCUSDT-15m-2024-02-02.zip",
        "BTCUSDT-15m-2024-03.zip",
    ]
    assert found.request["pages"] == 3  # 27 days of 96


@pytest.mark.parametrize(
    "fault",
    [
        Fault(BASE, 503, times=2, body="Slow Down"),
        Fault(BASE, None),
        Fault(f"{BASE}*.zip", 200, cut_after=1000),
        Fault(f"{BASE}*.CHECKSUM", 200, spoiled=True),
        Fault(f"{BASE}*.zip", 200, spoiled=True),
        Fault(BASE, 429, headers={"Retry-After": "0"}, body="Slow Down"),
    ],
    ids=["503", "cut", "cut-in-the-middle", "bad-checksum", "bad-zip", "429"],
)
def test_trouble_that_passes_is_waited_out(replay, fault: Fault) -> None:
    server = replay(faults=[fault])
    source = BinanceSource(server.url, QUICK, archive_pages=ALWAYS)
    found = source.fetch("BTCUSDT", M15, at("2024-01-01"), at("2024-02-01"))
    assert len(found) == 31 * 96
    assert len(found.request["archives"]) == 1


@pytest.mark.parametrize("pattern", [f"{BASE}*.CHECKSUM", f"{BASE}*.zip"])
def test_a_file_that_stays_unlike_its_checksum_is_refused(replay, pattern: str) -> None:
    """Neither it nor the API instead: a vendor that corrects its archive should be heard."""
    server = replay(faults=[Fault(pattern, 200, times=99, spoiled=True)])
    source = BinanceSource(server.url, QUICK, archive_pages=ALWAYS)
    with pytest.raises(SourceUnavailable, match=r"sha256 .* but its checksum says.*3 attempts"):
        source.fetch("BTCUSDT", M15, at("2024-01-01"), at("2024-02-01"))


def test_an_archive_that_is_down_does_not_stop_the_api(replay) -> None:
    server = replay(faults=[Fault("/data/", 503, times=999, body="down")])
    source = BinanceSource(server.url, QUICK, archive_pages=ALWAYS)
    found = source.fetch("BTCUSDT", M15, at("2024-01-01"), at("2024-04-01"))
    assert len(found) == 91 * 96
    assert "archives" not in found.request
    down = [path for path in server.requests if path.startswith("/data/")]
    assert len(down) == 10  # then the breaker left it alone


def test_a_header_row_is_passed_over() -> None:
    from sources.binance_archive import _unpacked

    text = (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
        "taker_buy_quote_volume,ignore\n1730419200000,1,3,1,2,5,1730419259999,10,4,2,4,0\n"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("x.csv", text)
    rows = _unpacked(packed.getvalue(), Interval.M1)
    assert (rows.opened_ms.tolist(), rows.close.tolist()) == ([1_730_419_200_000], [2.0])
