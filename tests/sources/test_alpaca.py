"""sources/alpaca*.py: the real alpaca-py against the replay."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import Interval
from mela.settings import AlpacaSettings, Settings
from replay import Fault, create_server
from sources.alpaca import AlpacaSource
from sources.alpaca_client import stock_client
from sources.alpaca_library import DataFeed, StockBarsRequest, TimeFrame
from sources.binance import BinanceSource
from sources.protocol import FetchedCandles
from sources.registry import source_for
from tests.sources.conftest import QUICK, at, write_candles

H1, D1 = Interval.H1, Interval.D1
COINS = "/alpaca/v1beta3/crypto/us/bars"
STOCKS = "/alpaca/v2/stocks/bars"
KEYS = AlpacaSettings(key="PKTEST", secret="hush-hush")  # pyright: ignore[reportArgumentType]


def a_source(url: str | None, keys: AlpacaSettings = KEYS) -> AlpacaSource:
    return AlpacaSource(keys, url, QUICK)


def clock(found: FetchedCandles) -> list[str]:
    return [str(ms)[:16] for ms in found.opened_ms.astype("datetime64[ms]")]


def table(found: FetchedCandles) -> list[tuple[float, ...]]:
    columns = (found.opened_ms, found.open, found.high, found.low, found.close, found.volume)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_hours_of_a_coin_are_what_the_file_says_and_the_running_one_is_not_there(packaged) -> None:
    span = at("2025-11-20"), at("2025-12-03")
    found = a_source(packaged.url).fetch("BTC/USDT", H1, *span)
    assert table(found) == table(BinanceSource(packaged.url).fetch("BTCUSDT", H1, *span))
    assert clock(found)[-1] == "2025-12-02T04:00"
    assert (found.instrument.name, found.instrument.kind) == ("alpaca:BTC/USDT", "spot")
    assert (found.instrument.calendar, found.session_on, found.actions) == ("24/7", None, ())
    assert (found.source, found.origin) == ("alpaca", "replay")
    asset = found.instrument
    assert (asset.base, asset.quote, asset.exchange) == ("BTC", "USDT", "CRYPTO")
    assert (asset.tick, asset.lot) == (0.01, 0.0001)
    assert asset.inferred == ()


def test_an_asset_that_nobody_tells_of_leaves_the_candles_as_they_are(replay) -> None:
    server = replay(faults=[Fault("/alpaca/v2/assets/", 403, 9)])
    found = a_source(server.url).fetch("BTC/USDT", H1, at("2022-01-01"), at("2022-01-02"))
    assert len(found) == 24
    assert (found.instrument.exchange, found.instrument.calendar) == (None, "24/7")


def test_coins_need_no_keys_and_stocks_do(packaged) -> None:
    nobody = AlpacaSettings()
    found = a_source(packaged.url, nobody).fetch("BTC/USDT", H1, at("2022-01-01"), at("2022-01-02"))
    assert len(found) == 24
    with pytest.raises(SourceRefused, match="set MELA_ALPACA__KEY and MELA_ALPACA__SECRET"):
        a_source(None, nobody).fetch("AAPL", D1, at("2020-01-01"), at("2020-02-01"))
    half = AlpacaSettings(key="PKTEST")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SourceRefused, match="needs both"):
        a_source(packaged.url, half).fetch("AAPL", D1, at("2020-01-01"), at("2020-02-01"))


def test_keys_travel_in_headers_and_are_never_said(replay, caplog, capsys) -> None:
    """Neither by an error, nor by a log, nor by the settings themselves."""
    server = replay(faults=[Fault(STOCKS, 403, body='{"message":"forbidden."}')])
    with pytest.raises(SourceRefused, match=r"403.*MELA_ALPACA__KEY") as refused:
        a_source(server.url).fetch("AAPL", D1, at("2020-01-01"), at("2020-02-01"))
    said = capsys.readouterr()
    everything = f"{refused.value!r} {caplog.text} {said.out} {said.err} {Settings(alpaca=KEYS)!r}"
    assert "hush-hush" not in everything
    assert "hush-hush" not in "".join(server.requests)


def test_settings_come_from_the_environment(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MELA_ALPACA__KEY", "PK1")
    monkeypatch.setenv("MELA_ALPACA__SECRET", "s1")
    monkeypatch.setenv("MELA_ALPACA__FEED", "sip")
    told = Settings(home=tmp_path).alpaca
    assert (told.key.get_secret_value(), told.secret.get_secret_value(), told.feed) == (
        *("PK1", "s1"),
        "sip",
    )


def test_days_of_a_stock_are_its_sessions_as_they_were_traded(packaged) -> None:
    """500.04 on the Friday before AAPL's 4:1 split, 129.04 after it, stamped by New York's date."""
    found = a_source(packaged.url).fetch("AAPL", D1, at("2020-08-27"), at("2020-09-02"))
    assert [str(day) for day in found.session_on or []] == [
        *("2020-08-27", "2020-08-28", "2020-08-31", "2020-09-01"),
    ]
    assert clock(found)[0] == "2020-08-27T00:00"
    assert found.close.tolist()[1:3] == [499.23, 129.04]
    closed = [str(ms)[11:16] for ms in found.closed_ms.astype("datetime64[ms]")]
    assert closed == ["20:00"] * 4
    assert (found.instrument.kind, found.instrument.calendar) == ("equity", "XNYS")
    assert (found.instrument.exchange, found.instrument.inferred) == ("NASDAQ", ())
    assert (found.request["feed"], found.request["adjustment"]) == ("iex", "raw")


def test_winter_and_half_days_close_when_the_exchange_does(packaged) -> None:
    found = a_source(packaged.url).fetch("AAPL", D1, at("2020-11-25"), at("2020-11-28"))
    assert [str(day) for day in found.session_on or []] == ["2020-11-25", "2020-11-27"]
    closed = [str(ms)[11:16] for ms in found.closed_ms.astype("datetime64[ms]")]
    assert closed == ["21:00", "18:00"]  # Thanksgiving's Friday ends at one


def test_the_running_session_is_not_a_candle_yet(replay) -> None:
    for now, last in (("2020-08-31T19:59", "2020-08-28"), ("2020-08-31T20:02", "2020-08-31")):
        server = replay(now=at(now))
        found = a_source(server.url).fetch("AAPL", D1, at("2020-08-27"), at("2020-09-02"))
        assert str((found.session_on or [])[-1]) == last


def test_splits_and_dividends_are_events_from_the_start_to_today(packaged) -> None:
    """The service looks for the day it pays a dividend, which comes weeks after the ex-date."""
    found = a_source(packaged.url).fetch("AAPL", D1, at("2020-08-07"), at("2020-08-10"))
    assert [(a.kind, str(a.effective_on), a.value) for a in found.actions] == [
        ("dividend", "2020-08-07", 0.82),
        ("split", "2020-08-31", 4.0),
        ("dividend", "2020-11-06", 0.205),
        ("dividend", "2021-02-05", 0.205),
    ]
    long_ago = a_source(packaged.url).fetch("AAPL", D1, at("2014-06-05"), at("2014-06-11"))
    assert [a.value for a in long_ago.actions if a.kind == "split"] == [7.0, 4.0]


def test_a_month_with_a_split_is_told_in_shares_of_its_first_day(packaged) -> None:
    """August 2020 ended on the first day after 4:1, at 129.04: 516.16 a share of before."""
    found = a_source(packaged.url).fetch("AAPL", Interval.MO1, at("2020-08-01"), at("2020-10-01"))
    assert found.resampled_from is D1
    assert found.session_on == [date(2020, 8, 1), date(2020, 9, 1)]
    days = a_source(packaged.url).fetch("AAPL", D1, at("2020-08-01"), at("2020-09-01"))
    assert (found.open[0], found.close[0]) == (days.open[0], 516.16)
    assert str(found.closed_ms.astype("datetime64[ms]")[0])[:16] == "2020-08-31T20:00"


def minutes(day: str, begins: str, ends: str) -> list[tuple[str, *tuple[float, ...]]]:
    stamps = np.arange(f"{day}T{begins}", f"{day}T{ends}", dtype="datetime64[m]")
    return [(f"{stamp}:00", 10, 12, 9, 11, 1) for stamp in stamps]


def test_minutes_outside_the_session_are_left_out_and_hours_begin_with_it(
    replay, tmp_path: Path
) -> None:
    """Alpaca gives trades from 04:00 to 20:00 of New York, and its hours are the clock's."""
    rows = minutes("2024-07-03", "13:00", "17:30")  # 2024-07-03 traded from 13:30 to 17:00
    write_candles(tmp_path, "lean-equity", "XYZ", "1m", rows)
    source = a_source(replay(tmp_path, now=at("2024-07-05")).url)
    span = at("2024-07-03"), at("2024-07-04")
    found = source.fetch("XYZ", Interval.M1, *span)
    assert (clock(found)[0], clock(found)[-1], len(found)) == (
        *("2024-07-03T13:30", "2024-07-03T16:59"),
        210,
    )
    hours = source.fetch("XYZ", H1, *span)
    assert hours.resampled_from is Interval.M30
    assert clock(hours) == [f"2024-07-03T{hour}:30" for hour in (13, 14, 15, 16)]
    assert str(hours.closed_ms.astype("datetime64[ms]")[-1])[11:16] == "17:00"
    assert hours.volume.tolist() == [60.0, 60.0, 60.0, 30.0]


def test_days_of_coins_are_made_of_hours(packaged) -> None:
    span = at("2025-11-01"), at("2025-12-01")
    found = a_source(packaged.url).fetch("BTC/USDT", D1, *span)
    assert found.resampled_from is H1
    ours = BinanceSource(packaged.url).fetch("BTCUSDT", D1, *span)
    np.testing.assert_allclose(np.array(table(found)), np.array(table(ours)), rtol=1e-12)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(page=st.integers(1, 60), days=st.integers(1, 90))
def test_pages_of_any_size_join_without_a_seam(packaged, page: int, days: int) -> None:
    end = at("2021-01-01") + days * (at("2021-01-02") - at("2021-01-01"))
    whole = a_source(packaged.url).fetch("AAPL", D1, at("2021-01-01"), end)
    with create_server(page_rows=page) as server:
        found = a_source(server.url).fetch("AAPL", D1, at("2021-01-01"), end)
    assert table(found) == table(whole)
    assert found.actions == whole.actions


def test_a_page_may_end_inside_a_symbol(replay) -> None:
    """The limit counts over all symbols together: asked through alpaca-py itself."""
    server = replay(page_rows=7)
    client = stock_client(KEYS, server.url, QUICK)
    asked = StockBarsRequest(
        symbol_or_symbols=["SPY", "AAPL"],
        timeframe=TimeFrame.Day,  # pyright: ignore[reportArgumentType]
        start=at("2021-01-04"),
        end=at("2021-01-16"),
        feed=DataFeed.IEX,
    )
    told = client.get_stock_bars(asked)
    assert {symbol: len(bars) for symbol, bars in told.items()} == {"AAPL": 10, "SPY": 10}
    assert [bar["t"][:10] for bar in told["SPY"]] == [bar["t"][:10] for bar in told["AAPL"]]
    assert told["AAPL"][0]["t"] == "2021-01-04T05:00:00Z"
    assert sum(request.startswith(STOCKS) for request in server.requests) == 3


@pytest.mark.parametrize("symbol", ["NOSUCH", "NO/SUCH", "aapl", "AAPL.123"])
def test_an_unknown_symbol_is_refused(packaged, symbol: str) -> None:
    """Alpaca leaves it out without a word; so its latest candle is asked for too."""
    with pytest.raises(SourceRefused, match="Alpaca"):
        a_source(packaged.url).fetch(symbol, Interval.M1, at("2022-01-03"), at("2022-01-04"))


def test_a_span_without_candles_gives_none(packaged) -> None:
    coins = a_source(packaged.url).fetch("BTC/USDT", H1, at("2010-01-01"), at("2010-02-01"))
    stocks = a_source(packaged.url).fetch("AAPL", D1, at("2021-01-02"), at("2021-01-04"))
    assert (len(coins), len(stocks), stocks.session_on) == (0, 0, [])


@pytest.mark.parametrize(("path", "symbol"), [(COINS, "BTC/USDT"), (STOCKS, "AAPL")])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("", 429, headers={"Retry-After": "0"}, body='{"message":"too many requests."}'),
        Fault("", 500, body='{"message":"internal server error occurred"}'),
        Fault("", 503, times=2, body="<html>down</html>"),
        Fault("", 504, body=""),
        Fault("", 200, cut_after=40),
        Fault("", None),
        Fault("", 299, body="<html>our site is being improved</html>"),
        Fault("", 299, body='["not", "an", "object"]'),
        Fault("", 429, after=1, headers={"Retry-After": "0"}, body="{}"),
    ],
    ids=lambda fault: f"{fault.status}-cut-{fault.cut_after}-after-{fault.after}-{fault.body[:6]}",
)
def test_trouble_that_passes_is_waited_out(replay, path: str, symbol: str, fault: Fault) -> None:
    server = replay(faults=[replace(fault, path=path)], page_rows=10)
    interval = H1 if "/" in symbol else D1
    start, end = (
        (at("2022-01-01"), at("2022-01-02"))
        if "/" in symbol
        else (
            at("2020-01-01"),
            at("2020-02-01"),
        )
    )
    found = a_source(server.url).fetch(symbol, interval, start, end)
    assert len(found) == (24 if "/" in symbol else 21)


def test_nothing_found_may_be_said_as_null(replay) -> None:
    server = replay(faults=[Fault(COINS, 299, body='{"bars":null,"next_page_token":null}')])
    found = a_source(server.url).fetch("BTC/USDT", H1, at("2022-01-01"), at("2022-01-02"))
    assert len(found) == 0


def test_a_slow_answer_is_asked_for_again(replay) -> None:
    server = replay(faults=[Fault(COINS, 200, delay_s=0.8)])
    hasty = AlpacaSource(KEYS, server.url, replace(QUICK, timeout_s=0.3))
    assert len(hasty.fetch("BTC/USDT", H1, at("2022-01-01"), at("2022-01-02"))) == 24


def test_trouble_with_the_events_is_waited_out_or_reported(replay) -> None:
    """Prices without the events that came with them would be half an answer."""
    passing = replay(faults=[Fault("/alpaca/v1/corporate-actions", 502, body="")])
    found = a_source(passing.url).fetch("AAPL", D1, at("2020-08-27"), at("2020-09-02"))
    assert len(found.actions) == 3
    staying = replay(faults=[Fault("/alpaca/v1/corporate-actions", 502, times=9, body="")])
    with pytest.raises(SourceUnavailable, match=r"502.*after 3 attempts"):
        a_source(staying.url).fetch("AAPL", D1, at("2020-08-27"), at("2020-09-02"))


def test_a_service_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match="could not be reached"):
        a_source("http://127.0.0.1:9").fetch("BTC/USDT", H1, at("2022-01-01"), at("2022-01-02"))


def test_the_paid_feed_refuses_the_last_minutes_and_says_what_would_help(replay) -> None:
    server = replay(now=at("2020-08-31T20:30"))
    paid = AlpacaSettings(key="PK1", secret="s1", feed="sip")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SourceRefused, match="feed iex, or end the span 15 minutes ago"):
        a_source(server.url, paid).fetch("AAPL", D1, at("2020-08-27"), at("2020-09-02"))
    found = a_source(server.url, paid).fetch("AAPL", D1, at("2020-08-27"), at("2020-08-29"))
    assert (len(found), found.request["feed"]) == (2, "sip")


def test_the_venue_has_its_source(packaged) -> None:
    assert isinstance(source_for("alpaca", Settings(replay_url=packaged.url)), AlpacaSource)


def test_minutes_before_and_after_the_session_are_there_where_they_are_asked_for(
    replay, tmp_path: Path
) -> None:
    """A half day in New York: 08:00 to 21:00 UTC are its extended hours, 13:30 to 17:00 its own."""
    rows = minutes("2024-07-03", "07:00", "22:00")
    write_candles(tmp_path, "lean-equity", "XYZ", "1m", rows)
    url = replay(tmp_path, now=at("2024-07-05")).url
    keys = KEYS.model_copy(update={"hours": "extended"})
    span = at("2024-07-03"), at("2024-07-04")
    for source in (a_source(url, keys), AlpacaSource(KEYS, url, QUICK, hours="extended")):
        found = source.fetch("XYZ", Interval.M1, *span)
        assert (clock(found)[0], clock(found)[-1], len(found)) == (
            *("2024-07-03T08:00", "2024-07-03T20:59"),
            13 * 60,
        )
        assert (found.closed_ms == found.opened_ms + 60_000).all()
        assert {str(day) for day in found.session_on or ()} == {"2024-07-03"}
        assert len(source.fetch("XYZ", Interval.M30, *span)) == 26
        # a longer candle would lie in two parts of the day
        assert clock(source.fetch("XYZ", H1, *span)) == [
            f"2024-07-03T{hour}:30" for hour in (13, 14, 15, 16)
        ]
