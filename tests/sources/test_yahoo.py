"""sources/yahoo.py: the real yfinance against the replay."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests

from mela.calendars import closes_ms, expected_opens_ms
from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import Interval
from replay import Fault
from replay.series import PACKAGED
from sources.protocol import to_ms
from sources.retry import RetryPolicy
from sources.yahoo import YahooSource
from tests.sources.conftest import QUICK, at, write_candles

D1 = Interval.D1
CHART = "/v8/finance/chart/"


def times(values: np.ndarray) -> list[str]:
    return [str(ms)[:16] for ms in values.astype("datetime64[ms]")]


def test_prices_before_a_split_are_those_of_the_day(packaged) -> None:
    """Yahoo says 23.05607 for 2014-06-06; on the floor AAPL closed at 645.57."""
    found = YahooSource(packaged.url).fetch("AAPL", D1, at("2014-06-05"), at("2014-06-11"))
    assert found.close.tolist() == [647.35, 645.57, 93.7, 94.25]
    assert found.volume.tolist() == [10_445_282, 12_116_671, 72_875_948, 60_833_696]
    found = YahooSource(packaged.url).fetch("AAPL", D1, at("2020-08-27"), at("2020-09-02"))
    assert found.close.tolist() == [500.04, 499.23, 129.04, 134.18]


def test_all_history_comes_back_as_it_was_traded(packaged) -> None:
    """Four splits deep, divided by up to 112, rounded, made float32: still the file's numbers."""
    found = YahooSource(packaged.url).fetch("AAPL", D1, at("1998-01-01"), at("2021-04-01"))
    traded = pd.read_parquet(PACKAGED / "lean-equity_AAPL_1d.parquet")
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(found, name), traded[name]), name


def test_yahoo_itself_says_adjusted_prices(packaged) -> None:
    """As the recorded answer in shared/api_fixtures does for the days after the split."""
    from sources.yahoo_client import yahoo

    with yahoo(packaged.url) as session:
        url = f"https://query2.finance.yahoo.com{CHART}AAPL"
        asked = {"period1": 1402061400, "period2": 1402061401, "interval": "1d"}
        answer = session.get(url, params=asked).json()["chart"]["result"][0]
    assert answer["timestamp"] == [1402061400]  # 2014-06-06 13:30Z, the session's open
    assert answer["indicators"]["quote"][0]["close"] == [float(np.float32(23.05607))]


def test_events_come_as_they_happened_from_the_start_to_today(packaged) -> None:
    found = YahooSource(packaged.url).fetch("AAPL", D1, at("2012-11-01"), at("2013-01-01"))
    splits = [(a.effective_on, a.value) for a in found.actions if a.kind == "split"]
    assert splits == [(date(2014, 6, 9), 7.0), (date(2020, 8, 31), 4.0)]
    paid = [a for a in found.actions if a.kind == "dividend"]
    assert (paid[0].effective_on, paid[0].value) == (date(2012, 11, 7), 2.65)  # Yahoo: 0.094643
    assert paid[0].effective_ms == 1_352_246_400_000
    assert (paid[-1].effective_on, paid[-1].value) == (date(2021, 2, 5), 0.205)


def test_days_are_sessions_with_their_true_close(packaged) -> None:
    found = YahooSource(packaged.url).fetch("SPY", D1, at("2020-11-25"), at("2020-12-01"))
    assert found.session_on == [date(2020, 11, 25), date(2020, 11, 27), date(2020, 11, 30)]
    assert times(found.opened_ms) == ["2020-11-25T00:00", "2020-11-27T00:00", "2020-11-30T00:00"]
    assert times(found.closed_ms) == ["2020-11-25T21:00", "2020-11-27T18:00", "2020-11-30T21:00"]


def test_summer_time_moves_the_close_and_not_the_date(packaged) -> None:
    found = YahooSource(packaged.url).fetch("SPY", D1, at("2020-03-06"), at("2020-03-10"))
    assert times(found.opened_ms) == ["2020-03-06T00:00", "2020-03-09T00:00"]
    assert times(found.closed_ms) == ["2020-03-06T21:00", "2020-03-09T20:00"]


def test_the_instrument_is_what_the_chart_says(packaged) -> None:
    instrument = (
        YahooSource(packaged.url).fetch("SPY", D1, at("2020-03-06"), at("2020-03-10")).instrument
    )
    assert (instrument.name, instrument.kind, instrument.quote) == ("yahoo:SPY", "etf", "USD")
    assert (instrument.calendar, instrument.listed_on) == ("XNYS", date(1998, 1, 2))
    assert (instrument.exchange, instrument.timezone) == ("PCX", "America/New_York")
    told = {instrument.how(fact) for fact in ("kind", "quote", "calendar", "exchange", "timezone")}
    assert told == {"asked"}


def test_the_running_session_is_dropped(replay) -> None:
    server = replay(now=at("2020-08-28T19:59"))
    source = YahooSource(server.url)
    found = source.fetch("AAPL", D1, at("2020-08-26"), at("2020-09-10"))
    assert found.session_on == [date(2020, 8, 26), date(2020, 8, 27)]


def test_a_session_counts_when_it_is_over(replay) -> None:
    """And what was traded does not change when, a day later, a split is worked into the past."""
    before = YahooSource(replay(now=at("2020-08-28T20:00")).url)
    after = YahooSource(replay(now=at("2020-08-31T21:00")).url)
    span = ("AAPL", D1, at("2020-08-26"), at("2020-08-29"))
    assert before.fetch(*span).close.tolist() == after.fetch(*span).close.tolist()
    assert [a.kind for a in before.fetch(*span).actions] == []
    assert [a.kind for a in after.fetch(*span).actions] == ["split"]


def test_a_span_without_candles_gives_none(packaged) -> None:
    source = YahooSource(packaged.url)
    assert len(source.fetch("AAPL", D1, at("1980-01-01"), at("1981-01-01"))) == 0
    assert len(source.fetch("AAPL", D1, at("2022-01-01"), at("2023-01-01"))) == 0
    assert len(source.fetch("AAPL", D1, at("2020-11-26"), at("2020-11-27"))) == 0  # Thanksgiving


def test_an_unknown_symbol_is_refused(packaged) -> None:
    with pytest.raises(SourceRefused, match=r"no such symbol.*may be delisted"):
        YahooSource(packaged.url).fetch("NOSUCH", D1, at("2020-01-01"), at("2020-02-01"))


def minutes(folder: Path, days: list[str]) -> None:
    """Write every minute of some winter sessions in New York, rising by a cent each."""
    rows = []
    for day in days:
        for i, stamp in enumerate(pd.date_range(f"{day}T14:30", f"{day}T20:59", freq="min")):
            price = 10 + i / 100
            rows.append((str(stamp), price, price + 0.02, price - 0.01, price + 0.01, float(i)))
    write_candles(folder, "lean-equity", "XYZ", "1m", rows)


@pytest.mark.parametrize(
    ("word", "each", "made_of"),
    [
        ("1m", 390, None), ("3m", 130, "1m"), ("5m", 78, None), ("15m", 26, None),
        ("30m", 13, "15m"), ("1h", 7, None), ("2h", 4, "1h"), ("4h", 2, "1h"), ("6h", 2, "1h"),
        ("8h", 1, "1h"), ("12h", 1, "1h"), ("1d", 1, None),
    ],
)  # fmt: skip
def test_every_interval_within_the_session(
    replay, tmp_path: Path, word: str, each: int, made_of: str | None
) -> None:
    """What Yahoo lacks is made of the longest that fits, from the true open, and said to be."""
    minutes(tmp_path, ["2024-01-09", "2024-01-10", "2024-01-11"])
    source = YahooSource(replay(tmp_path).url)
    found = source.fetch("XYZ", Interval(word), at("2024-01-10"), at("2024-01-12"))
    wanted = expected_opens_ms(
        "XNYS", Interval(word), *map(to_ms, (at("2024-01-10"), at("2024-01-12")))
    )
    assert found.opened_ms.tolist() == wanted.tolist()
    assert len(found) == 2 * each
    assert found.closed_ms.tolist() == closes_ms("XNYS", Interval(word), wanted).tolist()
    assert (found.open[0], found.close[-1]) == (10.0, 13.9)
    assert (found.high.max(), found.low.min()) == (13.91, 9.99)
    assert found.volume.sum() == 2 * sum(range(390))
    assert found.resampled_from == made_of
    assert found.request.get("resampled_from") == made_of
    assert found.incomplete_ms == ()
    assert found.session_on == [date(2024, 1, 10)] * each + [date(2024, 1, 11)] * each


def test_a_made_candle_that_lacks_a_part_says_so(replay, tmp_path: Path) -> None:
    rows = [(f"2024-01-10T{t}", 10.0, 12.0, 9.0, 11.0, 5.0) for t in ("14:30", "15:30", "17:30")]
    write_candles(tmp_path, "lean-equity", "XYZ", "1h", rows)
    found = YahooSource(replay(tmp_path).url).fetch(
        "XYZ", Interval.H2, at("2024-01-10"), at("2024-01-11")
    )
    assert times(found.opened_ms) == ["2024-01-10T14:30", "2024-01-10T16:30"]
    assert found.volume.tolist() == [10.0, 5.0]
    assert times(np.array(found.incomplete_ms)) == ["2024-01-10T16:30"]
    assert found.request["incomplete"] == 1
    assert found.request["incomplete_opened_at"] == ["2024-01-10T16:30:00Z"]


def test_a_made_candle_whose_end_has_not_passed_is_none(replay, tmp_path: Path) -> None:
    """At 18:00 in New York's 13:00 the two-hour candle of 16:30 is still running."""
    minutes(tmp_path, ["2024-01-10"])
    server = replay(tmp_path, now=at("2024-01-10T18:00"))
    found = YahooSource(server.url).fetch("XYZ", Interval.H2, at("2024-01-10"), at("2024-01-11"))
    assert times(found.opened_ms) == ["2024-01-10T14:30"]


@pytest.mark.parametrize(
    ("word", "days"), [("1m", 30), ("3m", 30), ("5m", 60), ("15m", 60), ("30m", 60), ("1h", 730)]
)
def test_what_yahoo_no_longer_keeps_is_refused_with_the_way_out(
    replay, tmp_path: Path, word: str, days: int
) -> None:
    minutes(tmp_path, ["2024-01-10"])
    server = replay(tmp_path)
    source = YahooSource(server.url)
    now = at("2024-01-10T21:00")
    assert len(source.fetch("XYZ", Interval(word), now - timedelta(days=days), now)) > 0
    said = rf"candles for {days} days, of XYZ now since .*but the span starts .*Start it later"
    with pytest.raises(SourceRefused, match=said):
        source.fetch("XYZ", Interval(word), now - timedelta(days=days, minutes=1), now)
    assert len(source.fetch("XYZ", D1, now - timedelta(days=900), now)) == 1


def test_a_replay_may_keep_what_yahoo_would_not(replay, tmp_path: Path) -> None:
    minutes(tmp_path, ["2024-01-10"])
    server = replay(tmp_path, now=at("2025-01-10"), any_age=True)
    found = YahooSource(server.url).fetch("XYZ", Interval.M1, at("2024-01-10"), at("2024-01-11"))
    assert len(found) == 390


def test_nobody_asks_for_pages_of_a_future(replay, tmp_path: Path) -> None:
    minutes(tmp_path, ["2024-01-10"])
    server = replay(tmp_path)
    found = YahooSource(server.url).fetch("XYZ", Interval.M1, at("2024-01-10"), at("2034-01-10"))
    assert len(found) == 390
    assert sum("interval=1m" in request for request in server.requests) == 1


def test_three_days_are_made_of_days(packaged) -> None:
    """On Binance's grid, every third day of the epoch.

    The second opens on a Sunday, the day before the 4:1 split, and is told in shares of then: the
    read divides it by 4.
    """
    source = YahooSource(packaged.url)
    found = source.fetch("AAPL", Interval.D3, at("2020-08-26"), at("2020-09-02"))
    assert times(found.opened_ms) == ["2020-08-27T00:00", "2020-08-30T00:00"]
    assert times(found.closed_ms) == ["2020-08-28T20:00", "2020-09-01T20:00"]
    assert found.resampled_from == "1d"
    assert found.close.tolist() == [499.23, 536.72]  # 4 × 134.18


def test_a_restated_day_comes_with_its_new_value(replay) -> None:
    server = replay()
    source = YahooSource(server.url)
    span = ("AAPL", D1, at("2014-06-05"), at("2014-06-11"))
    assert source.fetch(*span).close.tolist() == [647.35, 645.57, 93.7, 94.25]
    asked = {"symbol": "AAPL", "interval": "1d", "opened_at": "2014-06-06T00:00Z", "close": 646.0}
    assert requests.post(f"{server.url}/replay/restate", json=asked, timeout=5).status_code == 200
    assert source.fetch(*span).close.tolist() == [647.35, 646.0, 93.7, 94.25]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(CHART, 429, headers={"Retry-After": "0"}, body="Too Many Requests"),
        Fault(CHART, 503, times=2, after=1, body="<html>Will be right back</html>"),
        Fault(CHART, None, after=1),
        Fault(CHART, 429, body="Too Many Requests"),
        Fault("/v1/test/getcrumb", 429, body="Too Many Requests"),
        Fault("/", None),
        Fault(CHART, 200, cut_after=100, after=1),
        Fault(CHART, 200, delay_s=0.2),
    ],
    ids=["429", "503", "cut", "429-without-time", "crumb", "cookie", "cut-in-the-middle", "slow"],
)
def test_trouble_that_passes_is_waited_out(replay, fault: Fault) -> None:
    server = replay(faults=[fault])
    found = YahooSource(server.url, QUICK).fetch("SPY", D1, at("2020-03-02"), at("2020-03-07"))
    assert len(found) == 5


def test_trouble_that_stays_is_reported(replay) -> None:
    server = replay(faults=[Fault(CHART, 429, times=99, body="Too Many Requests")])
    with pytest.raises(SourceUnavailable, match=r"429.*after 3 attempts"):
        YahooSource(server.url, QUICK).fetch("SPY", D1, at("2020-03-02"), at("2020-03-07"))


def test_a_slower_answer_than_we_wait_for_is_asked_again(replay) -> None:
    server = replay(faults=[Fault(CHART, 200, delay_s=4.0)])
    hurried = RetryPolicy(attempts=2, first_s=0.01, longest_s=0.02, timeout_s=2.0)
    found = YahooSource(server.url, hurried).fetch("SPY", D1, at("2020-03-02"), at("2020-03-07"))
    assert len(found) == 5


def test_a_yahoo_that_fails_is_left_alone(replay) -> None:
    server = replay(faults=[Fault(CHART, 503, times=99, body="down")])
    source = YahooSource(server.url, QUICK)
    span = ("SPY", D1, at("2020-03-02"), at("2020-03-07"))
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="after 3 attempts"):
            source.fetch(*span)
    with pytest.raises(SourceUnavailable, match=r"Yahoo failed 10 times.*not asked until"):
        source.fetch(*span)
    asked = sum(path.startswith(CHART) for path in server.requests)
    with pytest.raises(SourceUnavailable, match="not asked until"):
        source.fetch(*span)
    assert sum(path.startswith(CHART) for path in server.requests) == asked == 10


def test_a_wait_that_yahoo_asks_for_is_reported(replay) -> None:
    headers = {"Retry-After": "600"}
    server = replay(faults=[Fault(CHART, 429, headers=headers, body="Too Many Requests")])
    source = YahooSource(server.url, QUICK)
    with pytest.raises(SourceUnavailable, match=r"429.*Gave up after 1 attempts") as said:
        source.fetch("SPY", D1, at("2020-03-02"), at("2020-03-07"))
    assert said.value.retry_after_s == 600
    with pytest.raises(SourceUnavailable, match=r"allows the next one in (600|59\d) s"):
        source.fetch("SPY", D1, at("2020-03-02"), at("2020-03-07"))


def test_null_rows_are_no_candles(replay, tmp_path: Path) -> None:
    nan = float("nan")
    write_candles(
        tmp_path,
        "lean-equity",
        "XYZ",
        "1d",
        [
            ("2021-03-01", 10, 12, 9, 11, 5),
            ("2021-03-02", nan, nan, nan, nan, nan),
            ("2021-03-03", 11, 12, 10, 11, 5),
            ("2021-03-06", 11, 12, 10, 11, 5),  # a Saturday
            ("2021-03-08", 11, 12, 10, 11, 5),
        ],
    )
    found = YahooSource(replay(tmp_path).url).fetch("XYZ", D1, at("2021-03-01"), at("2021-03-10"))
    assert found.session_on == [date(2021, 3, 1), date(2021, 3, 3), date(2021, 3, 8)]
    assert [r.sentence for r in found.rejected] == [
        "the market's calendar has no session at this time"
    ]


def test_stock_hours_begin_when_the_exchange_opens(replay, tmp_path: Path) -> None:
    winter = [f"2021-03-12T{hour}:30" for hour in range(14, 21)]
    summer = [f"2021-03-15T{hour}:30" for hour in range(13, 20)]
    rows = [(hour, 10.0, 12.0, 9.0, 11.0, 5.0) for hour in (*winter, *summer)]
    write_candles(tmp_path, "lean-equity", "XYZ", "1h", rows)
    source = YahooSource(replay(tmp_path).url)
    found = source.fetch("XYZ", Interval.H1, at("2021-03-12T20:00"), at("2021-03-15T14:30"))
    assert times(found.opened_ms) == ["2021-03-12T20:30", "2021-03-15T13:30"]
    assert times(found.closed_ms) == ["2021-03-12T21:00", "2021-03-15T14:30"]
    assert found.session_on == [date(2021, 3, 12), date(2021, 3, 15)]


def test_half_hours_are_made_of_quarters(replay, tmp_path: Path) -> None:
    quarters = [f"2021-03-12T{h}:{m}" for h in (15, 16) for m in ("00", "15", "30", "45")]
    rows = [(q, 10.0 + i, 20.0 + i, 5.0, 11.0 + i, 1.0) for i, q in enumerate(quarters)]
    write_candles(tmp_path, "lean-equity", "XYZ", "15m", rows)
    source = YahooSource(replay(tmp_path).url)
    found = source.fetch("XYZ", Interval.M30, at("2021-03-12"), at("2021-03-13"))
    assert found.open.tolist() == [10.0, 12.0, 14.0, 16.0]
    assert found.close.tolist() == [12.0, 14.0, 16.0, 18.0]
    assert found.volume.tolist() == [2.0, 2.0, 2.0, 2.0]


def test_weeks_and_months_close_with_their_last_session(packaged) -> None:
    """The week of the 4:1 split is told in shares of its first day, before the split."""
    source = YahooSource(packaged.url)
    weeks = source.fetch("AAPL", Interval.W1, at("2020-08-18"), at("2020-09-07"))
    assert times(weeks.opened_ms) == ["2020-08-24T00:00", "2020-08-31T00:00"]
    assert times(weeks.closed_ms) == ["2020-08-28T20:00", "2020-09-04T20:00"]
    assert (weeks.open[0], weeks.close[0]) == (515.11, 499.23)  # Monday's open, Friday's close
    assert weeks.close[1] == 120.96
    months = source.fetch("AAPL", Interval.MO1, at("2020-08-01"), at("2020-10-01"))
    assert times(months.opened_ms) == ["2020-08-01T00:00", "2020-09-01T00:00"]
    assert times(months.closed_ms) == ["2020-08-31T20:00", "2020-09-30T20:00"]
    assert weeks.resampled_from == months.resampled_from == "1d"
    assert months.close[0] == 516.16  # 4 × 129.04: the month began before the split


def test_an_unfinished_week_is_dropped(replay) -> None:
    source = YahooSource(replay(now=at("2020-08-27T20:00")).url)
    weeks = source.fetch("SPY", Interval.W1, at("2020-08-17"), at("2020-09-07"))
    assert times(weeks.opened_ms) == ["2020-08-17T00:00"]


def test_coins_never_close(replay, tmp_path: Path) -> None:
    rows = [(f"2021-03-0{d}", 100.0, 120.0, 90.0, 110.0, 5.0) for d in (5, 6, 7)]
    write_candles(tmp_path, "coinbase", "BTCUSD", "1d", rows)
    found = YahooSource(replay(tmp_path).url).fetch(
        "BTC-USD", D1, at("2021-03-01"), at("2022-01-01")
    )
    assert (found.instrument.kind, found.instrument.calendar) == ("spot", "24/7")
    assert found.session_on is None
    assert times(found.closed_ms) == ["2021-03-06T00:00", "2021-03-07T00:00"]


def test_minutes_are_asked_a_week_at_a_time(replay, tmp_path: Path) -> None:
    days = pd.date_range("2021-03-01", periods=24, freq="D", tz="UTC")
    rows = [(str(day), 100.0, 120.0, 90.0, 110.0, 5.0) for day in days]
    write_candles(tmp_path, "coinbase", "BTCUSD", "1m", rows)
    server = replay(tmp_path)
    found = YahooSource(server.url).fetch(
        "BTC-USD", Interval.M1, at("2021-03-01"), at("2021-03-22")
    )
    assert len(found) == 21
    assert sum("interval=1m" in request for request in server.requests) == 3
