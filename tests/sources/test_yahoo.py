"""sources/yahoo.py: the real yfinance against the replay."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import Interval
from sources.replay import Fault
from sources.replay.series import PACKAGED
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
    assert (instrument.name, instrument.kind, instrument.quote) == ("yahoo:SPY", "equity", "USD")
    assert (instrument.calendar, instrument.listed_on) == ("XNYS", date(1998, 1, 2))


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


def test_an_interval_that_yahoo_lacks_is_refused_with_those_it_has(packaged) -> None:
    with pytest.raises(SourceRefused, match="no 4h candles; it offers 1m, 5m, 15m, 30m, 1h, 1d"):
        YahooSource(packaged.url).fetch("AAPL", Interval.H4, at("2020-01-01"), at("2020-02-01"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(CHART, 429, headers={"Retry-After": "0"}, body="Too Many Requests"),
        Fault(CHART, 503, times=2, after=1, body="<html>Will be right back</html>"),
        Fault(CHART, None, after=1),
        Fault(CHART, 429, body="Too Many Requests"),
        Fault("/v1/test/getcrumb", 429, body="Too Many Requests"),
        Fault("/", None),
    ],
    ids=["429", "503", "cut", "429-without-time", "crumb", "cookie"],
)
def test_trouble_that_passes_is_waited_out(replay, fault: Fault) -> None:
    server = replay(faults=[fault])
    found = YahooSource(server.url, QUICK).fetch("SPY", D1, at("2020-03-02"), at("2020-03-07"))
    assert len(found) == 5


def test_trouble_that_stays_is_reported(replay) -> None:
    server = replay(faults=[Fault(CHART, 429, times=99, body="Too Many Requests")])
    with pytest.raises(SourceUnavailable, match=r"429.*after 3 attempts"):
        YahooSource(server.url, QUICK).fetch("SPY", D1, at("2020-03-02"), at("2020-03-07"))


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
