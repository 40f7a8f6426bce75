"""sources/replay: the genuine answers, asked for without any client between."""

import hashlib
import re
from typing import Any

import pytest
import requests

from sources.replay import ReplayServer
from sources.replay.series import PACKAGED


def ask(server: ReplayServer, path: str, **query: Any) -> requests.Response:
    return requests.get(f"{server.url}{path}", params=query, timeout=10)


def klines(server: ReplayServer, **query: Any) -> Any:
    return ask(server, "/api/v3/klines", symbol="BTCUSDT", interval="1h", **query).json()


def test_a_kline_has_twelve_fields_and_numbers_are_strings(packaged) -> None:
    [row] = klines(packaged, startTime=1_640_995_200_000, limit=1)
    assert row[:7] == [
        1_640_995_200_000,
        "46216.93000000",
        "46731.39000000",
        "46208.37000000",
        "46656.13000000",
        "1503.33095000",
        1_640_998_799_999,
    ]
    assert len(row) == 12
    assert row[11] == "0"


def test_start_and_end_are_both_inclusive_and_choose_the_oldest_or_the_newest(packaged) -> None:
    hour, first = 3_600_000, 1_640_995_200_000
    both = klines(packaged, startTime=first, endTime=first + 2 * hour)
    assert [row[0] for row in both] == [first, first + hour, first + 2 * hour]
    newest = klines(packaged, endTime=first + 5 * hour, limit=2)
    assert [row[0] for row in newest] == [first + 4 * hour, first + 5 * hour]
    assert len(klines(packaged)) == 500
    assert len(klines(packaged, limit=5000)) == 1000


def test_the_newest_candle_is_unfinished(packaged) -> None:
    now = ask(packaged, "/api/v3/time").json()["serverTime"]
    [newest] = klines(packaged, limit=1)
    assert newest[0] < now < newest[6]


def test_microseconds_come_when_asked_for(packaged) -> None:
    query = "symbol=BTCUSDT&interval=1h&limit=1&startTime=1640995200000000"
    headers = {"X-MBX-TIME-UNIT": "MICROSECOND"}
    url = f"{packaged.url}/api/v3/klines?{query}"
    [row] = requests.get(url, headers=headers, timeout=10).json()
    assert (row[0], row[6]) == (1_640_995_200_000_000, 1_640_998_799_999_999)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "NOSUCH", "interval": "1h"}, -1121),
        ({"symbol": "BTCUSDT", "interval": "7h"}, -1120),
        ({"symbol": "BTCUSDT", "interval": "1H"}, -1120),
        ({"interval": "1h"}, -1102),
        ({"symbol": "BTCUSDT"}, -1102),
        ({"symbol": "btcusdt", "interval": "1h"}, -1100),
        ({"symbol": "BTCUSDT", "interval": "1h", "limit": "many"}, -1100),
    ],
)
def test_binance_refuses_with_its_own_codes(packaged, query: dict[str, str], code: int) -> None:
    answer = ask(packaged, "/api/v3/klines", **query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) > 0


def test_exchange_info_names_the_rules_of_each_symbol(packaged) -> None:
    info = ask(packaged, "/api/v3/exchangeInfo", symbol="BTCUSDT").json()
    [symbol] = info["symbols"]
    filters = {entry["filterType"]: entry for entry in symbol["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert (symbol["baseAsset"], symbol["quoteAsset"]) == ("BTC", "USDT")


def chart(server: ReplayServer, symbol: str, **query: Any) -> Any:
    return ask(server, f"/v8/finance/chart/{symbol}", interval="1d", **query).json()["chart"]


def test_the_chart_says_what_yahoo_recorded_for_the_day_of_the_split(packaged) -> None:
    """The numbers are those of shared/api_fixtures/yahoo_chart_AAPL_1d.json."""
    span = {"period1": 1_598_832_000, "period2": 1_604_707_200, "events": "div,splits,capitalGains"}
    [found] = chart(packaged, "AAPL", **span)["result"]
    quote = found["indicators"]["quote"][0]
    assert found["timestamp"][0] == 1_598_880_600
    assert quote["close"][:3] == [129.0399932861328, 134.17999267578125, 131.39999389648438]
    assert len(found["timestamp"]) == 49
    assert found["events"] == {
        "dividends": {"1604673000": {"amount": 0.205, "date": 1604673000}},
        "splits": {
            "1598880600": {
                "date": 1598880600,
                "numerator": 4,
                "denominator": 1,
                "splitRatio": "4:1",
            }
        },
    }
    assert found["meta"]["exchangeTimezoneName"] == "America/New_York"
    assert "events" not in chart(packaged, "AAPL", period1=1_598_832_000, period2=1_604_707_200)


def test_an_empty_span_has_no_timestamps(packaged) -> None:
    [found] = chart(packaged, "AAPL", period1=0, period2=1)["result"]
    assert "timestamp" not in found
    assert found["indicators"] == {"quote": [{}]}


def test_yahoo_refuses_as_it_does(packaged) -> None:
    answer = ask(packaged, "/v8/finance/chart/NOSUCH", interval="1d")
    assert (answer.status_code, answer.json()["chart"]["error"]["code"]) == (404, "Not Found")
    minutes = {"interval": "1m", "period1": 0, "period2": 9 * 86400}
    answer = ask(packaged, "/v8/finance/chart/AAPL", **minutes)
    assert answer.status_code == 422
    assert "Only 8 days worth of 1m" in answer.json()["chart"]["error"]["description"]


def test_the_requests_around_a_chart_are_answered_in_json(packaged) -> None:
    assert "A3=" in ask(packaged, "/").headers["Set-Cookie"]
    assert ask(packaged, "/v1/test/getcrumb").text
    assert ask(packaged, "/v10/finance/quoteSummary/NOSUCH").json()["quoteSummary"]["error"]
    assert ask(packaged, "/v7/finance/quote").json()["quoteResponse"]["result"] == []
    series = "/ws/fundamentals-timeseries/v1/finance/timeseries/NOSUCH"
    assert ask(packaged, series).json()["timeseries"]["result"] == []


def test_the_packaged_data_are_those_of_the_notice() -> None:
    notice = (PACKAGED / "DATA-NOTICE.md").read_text()
    files = sorted(file for file in PACKAGED.rglob("*") if file.suffix in (".parquet", ".csv"))
    sums = dict(re.findall(r"`([\w./-]+)`\s*\|\s*`([0-9a-f]{64})`", notice))
    found = {
        str(file.relative_to(PACKAGED)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }
    assert sums == found
    assert sum(file.stat().st_size for file in files) < 6_000_000
