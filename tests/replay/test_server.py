"""replay: the genuine answers, asked for without any client between."""

import hashlib
import re
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest
import requests

from replay import ReplayServer, create_server
from replay.series import PACKAGED


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


def control(server: ReplayServer, what: str, **asked: Any) -> requests.Response:
    return requests.post(f"{server.url}/replay/{what}", json=asked, timeout=10)


CANDLE = {"symbol": "BTCUSDT", "interval": "1h", "opened_at": "2024-01-01T00:00:00Z"}


def test_a_candle_is_restated_from_the_moment_that_it_is_asked_for(replay) -> None:
    server, other = replay(), replay()
    start = 1_704_067_200_000
    before = klines(server, startTime=start, limit=2)
    assert control(server, "restate", **CANDLE, volume=7.5).status_code == 200
    after = klines(server, startTime=start, limit=2)
    assert after[0][5] == "7.50000000"
    assert after[0][:5] == before[0][:5]
    assert after[1] == before[1]
    assert klines(other, startTime=start, limit=2) == before  # each server has its own


def test_an_archive_is_corrected_with_its_checksum(replay) -> None:
    """A new file and a checksum that fits it, as Binance publishes its corrections."""
    server = replay()
    path = "/data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip"
    before = ask(server, path).content
    control(server, "restate", **CANDLE, volume=7.5)
    after = ask(server, path).content
    assert before != after
    assert hashlib.sha256(after).hexdigest() in ask(server, f"{path}.CHECKSUM").text


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"close": 1.0}, "expected low ≤ open and close ≤ high"),
        ({"price": 1.0}, "expected some of open, high, low, close, volume"),
        ({}, "expected some of open"),
        ({"symbol": "NOSUCH", "close": 1.0}, "expected a symbol of"),
        ({"opened_at": "2024-01-01T00:30:00Z", "volume": 1.0}, "no 1h candle that opened"),
        ({"opened_at": "2024-01-01", "volume": 1.0}, "with its zone"),
        ({"interval": "7h", "volume": 1.0}, "7h"),
        ({"volume": "much"}, "ValueError"),
    ],
)
def test_what_cannot_be_restated_is_refused(packaged, asked: dict[str, Any], sentence: str) -> None:
    answer = control(packaged, "restate", **(CANDLE | asked))
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


def test_faults_come_and_go_while_it_runs(replay) -> None:
    server = replay()
    fault = {"path": "/api/v3/klines", "status": 418, "times": 99, "headers": {"Retry-After": "9"}}
    assert control(server, "faults", **fault).status_code == 200
    answer = ask(server, "/api/v3/klines", symbol="BTCUSDT", interval="1h")
    assert (answer.status_code, answer.headers["Retry-After"]) == (418, "9")
    assert ask(server, "/api/v3/time").status_code == 200
    control(server, "calm")
    assert len(klines(server)) == 500
    assert control(server, "faults", path="/", wrong=1).status_code == 400
    assert ask(server, "/replay/faults").status_code == 405


def test_weight_runs_out_within_a_minute_and_who_goes_on_is_banned() -> None:
    from replay.weight import Weight

    now = [600.0]
    weight = Weight(limit=10, clock=lambda: now[0])
    assert [weight.spend(4)[0] for _ in range(2)] == [4, 8]
    used, refusal = weight.spend(4)
    assert (used, refusal and refusal.status) == (12, 429)
    assert refusal is not None
    assert refusal.headers["Retry-After"] == "61"
    statuses = [refused.status for _, refused in (weight.spend(4) for _ in range(21)) if refused]
    assert statuses == [429] * 19 + [418] * 2
    now[0] += 60
    assert weight.spend(1)[1] is not None  # a ban outlives the minute
    now[0] += 61
    assert weight.spend(1) == (1, None)


def test_intervals_that_the_folder_lacks_are_made_of_those_that_it_has(packaged) -> None:
    answer = ask(packaged, "/api/v3/klines", symbol="BTCUSDT", interval="1d", limit=2)
    assert answer.headers["X-Mela-Replay"] == "1d made of 1h"
    now = ask(packaged, "/api/v3/time").json()["serverTime"]
    assert answer.json()[-1][0] < now < answer.json()[-1][6]  # the running day
    answer = ask(packaged, "/api/v3/klines", symbol="BTCUSDT", interval="1m", limit=3)
    assert answer.headers["X-Mela-Replay"] == "1m made up from 1h"
    assert (
        "X-Mela-Replay"
        not in ask(packaged, "/api/v3/klines", symbol="BTCUSDT", interval="1h").headers
    )


@pytest.mark.parametrize("interval", ["1m", "15m", "4h", "3d", "1M"])
def test_made_candles_are_the_same_whichever_way_they_are_asked_for(
    packaged, interval: str
) -> None:
    """One by one, by start or by end, in pages or at once, over the hour that is missing."""
    span = {"startTime": 1_679_616_000_000, "endTime": 1_680_307_200_000}  # 2023-03-24 to 04-01
    asked = {"symbol": "BTCUSDT", "interval": interval}
    whole = ask(packaged, "/api/v3/klines", **asked, **span, limit=1000).json()
    for row in whole[:: max(1, len(whole) // 7)]:
        one = {"startTime": row[0], "endTime": row[0]}
        assert ask(packaged, "/api/v3/klines", **asked, **one).json() == [row]
    last = ask(packaged, "/api/v3/klines", **asked, endTime=whole[-1][0], limit=len(whole)).json()
    assert last == whole


def test_made_up_minutes_are_candles(packaged) -> None:
    from replay.series import Catalog
    from replay.synthetic import synthesize_minutes

    hours = Catalog(PACKAGED).find("BTCUSDT", "1h", ("binance",))
    assert hours is not None
    made = synthesize_minutes(hours.where(slice(0, 5000)), 2).columns
    assert (made["low"] <= np.minimum(made["open"], made["close"])).all()
    assert (made["high"] >= np.maximum(made["open"], made["close"])).all()
    assert (made["volume"] >= 0).all()
    assert np.array_equal(np.round(made["close"], 2), made["close"])
    assert len(np.unique(made["close"])) > 100_000  # and no straight lines


def test_others_may_read_the_clock_and_only_this_machine_sets_it() -> None:
    """In containers the process that trades lives by the clock of the replay beside it."""
    with (
        create_server(host="0.0.0.0") as server,  # noqa: S104 - asked through loopback alone
        closing(
            HTTPConnection("127.0.0.1", server.server_port, source_address=("127.0.0.2", 0))
        ) as other,
    ):
        other.request("GET", "/replay/clock")
        answer = other.getresponse()
        assert answer.status == 200
        assert "now_ms" in answer.read().decode()
        sent = {"Content-Type": "application/json"}
        other.request("POST", "/replay/jump", b'{"seconds": 60}', sent)
        refused = other.getresponse()
        assert refused.status == 403
        assert "only this machine may change a replay" in refused.read().decode()
        here = requests.post(
            f"http://127.0.0.1:{server.server_port}/replay/jump", json={"seconds": 60}, timeout=10
        )
        assert here.status_code == 200
