"""sources/ccxt_*.py: the real ccxt against the replay, for exchanges that page differently."""

from dataclasses import replace
from pathlib import Path
from time import monotonic

import ccxt
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import Interval
from mela.settings import Settings
from replay import Fault
from sources.binance import BinanceSource
from sources.ccxt_candles import CcxtSource, Walk
from sources.ccxt_exchange import translate_error
from sources.protocol import FetchedCandles
from sources.registry import source_for
from sources.retry import ServiceBusy
from tests.sources.conftest import QUICK, at, write_candles

H1 = Interval.H1
KRAKEN = "/ccxt/kraken/0/public/OHLC"
COINBASE = "/ccxt/coinbase/api/v3/brokerage/market/products/BTC-USDT/candles"
BYBIT = "/ccxt/bybit/v5/market/kline"
CANDLES = {"kraken": KRAKEN, "coinbase": COINBASE, "bybit": BYBIT}
VENUES = [*CANDLES, "binance"]


def a_source(venue: str, url: str, page: int | None = None) -> CcxtSource:
    return CcxtSource(venue, url, QUICK, page=page)


def prices(found: FetchedCandles) -> list[tuple[float, ...]]:
    columns = (found.opened_ms, found.open, found.high, found.low, found.close, found.volume)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def clock(found: FetchedCandles) -> list[str]:
    return [str(ms)[:16] for ms in found.opened_ms.astype("datetime64[ms]")]


@pytest.mark.parametrize("venue", VENUES)
def test_every_exchange_gives_the_same_closed_candles(packaged, venue: str) -> None:
    """A thousand hours to now: over pages of 300, 720 and 1,000, past none, the running one not."""
    start, end = at("2025-11-03"), at("2025-12-03")
    found = a_source(venue, packaged.url).fetch("BTC/USDT", H1, start, end)
    ours = BinanceSource(packaged.url).fetch("BTCUSDT", H1, start, end)
    assert prices(found) == prices(ours)
    assert clock(found)[-1] == "2025-12-02T04:00"
    assert (found.source, found.origin) == (venue, "replay")
    assert found.session_on is None
    assert found.closed_ms[0] == found.opened_ms[0] + 3_600_000


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    venue=st.sampled_from(VENUES),
    page=st.integers(1, 80),
    first=st.integers(0, 200),
    hours=st.integers(1, 120),
)
@example(venue="coinbase", page=1, first=0, hours=3)
@example(venue="bybit", page=24, first=5, hours=48)
def test_pages_of_any_size_join_without_a_seam(packaged, venue, page, first, hours) -> None:
    start_ms = int(at("2025-11-15").timestamp() * 1000) + first * 3_600_000
    start = at("2025-11-15").fromtimestamp(start_ms / 1000, at("2025-11-15").tzinfo)
    end = start.fromtimestamp(start_ms / 1000 + hours * 3600, start.tzinfo)
    found = a_source(venue, packaged.url, page).fetch("ETH/USDT", H1, start, end)
    assert found.opened_ms.tolist() == [start_ms + i * 3_600_000 for i in range(hours)]


def test_an_empty_window_is_stepped_over_by_days(replay, tmp_path: Path) -> None:
    """Coinbase answers windows: a market that stood still for years must not end the walk."""
    rows = [("2020-01-01T00:00", 1, 2, 1, 2, 5), ("2020-01-01T01:00", 2, 3, 1, 2, 5)]
    rows += [("2023-06-05T07:00", 4, 5, 4, 5, 6), ("2023-06-05T08:00", 5, 5, 4, 4, 6)]
    write_candles(tmp_path, "coinbase", "XYZUSD", "1h", rows)
    server = replay(tmp_path, now=at("2024-01-01"))
    found = a_source("coinbase", server.url).fetch(
        "XYZ/USD", H1, at("2018-01-01"), at("2024-01-01")
    )
    assert clock(found) == [
        "2020-01-01T00:00",
        "2020-01-01T01:00",
        "2023-06-05T07:00",
        "2023-06-05T08:00",
    ]
    candles = [request for request in server.requests if "/candles" in request]
    assert len(candles) < 30  # 175 windows of 300 hours, had it not asked for days


def test_a_gap_stays_a_gap(packaged) -> None:
    """On 2023-03-24 Binance's spot market stood still from 13:00 to 14:00."""
    found = a_source("bybit", packaged.url).fetch(
        "BTC/USDT", H1, at("2023-03-24T12:00"), at("2023-03-24T15:00")
    )
    assert clock(found) == ["2023-03-24T12:00", "2023-03-24T14:00"]


def test_a_span_without_candles_gives_none(packaged) -> None:
    for venue in ("coinbase", "bybit"):
        found = a_source(venue, packaged.url).fetch(
            "BTC/USDT", H1, at("2010-01-01"), at("2010-02-01")
        )
        assert len(found) == 0


def test_kraken_says_that_it_keeps_only_its_newest_candles(packaged) -> None:
    source = a_source("kraken", packaged.url)
    with pytest.raises(SourceRefused, match=r"newest 1h candles.*2025-11-02T06:00Z"):
        source.fetch("BTC/USDT", H1, at("2024-01-01"), at("2024-02-01"))
    found = source.fetch("BTC/USDT", H1, at("2025-10-01"), at("2025-11-03"))
    assert clock(found)[0] == "2025-11-02T06:00"
    assert found.request["oldest_given_ms"] == found.opened_ms[0]


def test_any_exchange_that_gives_only_its_newest_candles_is_found_out() -> None:
    """A full first page that begins later than asked and ends now is all that there is."""
    hour = 3_600_000
    now_ms = 1_000 * hour

    def newest(interval: Interval, since_ms: int, rows: int) -> list[list[float]]:
        opens = range(901 * hour, now_ms, hour)
        return [[ms, 1, 1, 1, 1, 1] for ms in opens if ms >= since_ms]

    walk = Walk(newest, H1, limit=99, days=False)
    pages = list(walk.pages(0, 50 * hour, lambda: now_ms - 1))
    assert (pages, walk.is_newest, walk.is_beyond) == ([[]], True, True)
    young = Walk(newest, H1, limit=100, days=False)  # it may give more than it has
    assert [*young.pages(0, 50 * hour, lambda: now_ms - 1)] == [[]]
    assert not young.is_newest


def test_an_exchange_that_gives_less_of_a_window_than_ccxt_says_loses_nothing() -> None:
    """It is asked for 100 hours and gives the newest 20 of them."""
    hour = 3_600_000
    gone = range(130, 140)

    def some(interval: Interval, since_ms: int, rows: int) -> list[list[float]]:
        first = -(-since_ms // hour)
        there = [i for i in range(first, first + rows) if i not in gone and i < 300]
        return [[i * hour, 1, 1, 1, 1, 1] for i in there[-20:]]

    walk = Walk(some, H1, limit=100, days=False)
    pages = walk.pages(0, 250 * hour, lambda: 300 * hour)
    assert [row[0] // hour for page in pages for row in page] == [
        i for i in range(250) if i not in gone
    ]


def test_intervals_that_an_exchange_lacks_are_made_of_finer_ones_and_say_so(packaged) -> None:
    span = at("2025-11-03"), at("2025-11-10")
    found = a_source("kraken", packaged.url).fetch("BTC/USDT", Interval.H12, *span)
    ours = BinanceSource(packaged.url).fetch("BTCUSDT", Interval.H12, *span)
    assert found.resampled_from is Interval.H4
    assert found.request["resampled_from"] == "4h"
    np.testing.assert_allclose(np.array(prices(found)), np.array(prices(ours)), rtol=1e-12)


def test_weeks_and_months_are_made_of_days(packaged) -> None:
    """The library rounds Bybit's starts to multiples of 7 and 30 days, and skips the first."""
    source = a_source("bybit", packaged.url)
    for interval, first in ((Interval.W1, "2022-01-03"), (Interval.MO1, "2022-01-01")):
        found = source.fetch("BTC/USDT", interval, at("2022-01-01"), at("2022-06-01"))
        assert found.resampled_from is Interval.D1
        assert clock(found)[0] == f"{first}T00:00"


def test_candles_that_open_at_other_times_than_ours_are_made_of_finer_ones(
    replay, tmp_path: Path
) -> None:
    """Some exchanges' days begin at 16:00 UTC."""
    hours = [(f"2024-01-0{d}T{h:02}:00", 1, 3, 1, 2, 1) for d in (1, 2, 3) for h in range(24)]
    write_candles(tmp_path, "coinbase", "XYZUSD", "1h", hours)
    days = [(f"2024-01-0{d}T16:00", 1, 3, 1, 2, 24) for d in (1, 2)]
    write_candles(tmp_path, "coinbase", "XYZUSD", "1d", days)
    found = a_source("coinbase", replay(tmp_path).url).fetch(
        "XYZ/USD", Interval.D1, at("2024-01-01"), at("2024-01-04")
    )
    assert clock(found) == ["2024-01-01T00:00", "2024-01-02T00:00"]
    assert found.resampled_from is Interval.H6
    assert found.volume.tolist() == [24.0, 24.0]


@pytest.mark.parametrize(
    ("venue", "symbol", "kind", "tick", "lot"),
    [
        ("kraken", "BTC/USDT", "spot", 0.01, 1e-8),
        ("coinbase", "ETH/USDT", "spot", 0.01, 1e-8),
        ("bybit", "BTC/USDT", "spot", 0.01, 1e-6),
        ("bybit", "BTC/USDT:USDT", "perp", 0.01, 0.001),
    ],
)
def test_the_instrument_is_what_the_market_says(packaged, venue, symbol, kind, tick, lot) -> None:
    found = a_source(venue, packaged.url).fetch(symbol, H1, at("2025-12-01"), at("2025-12-02"))
    instrument = found.instrument
    assert instrument.name == f"{venue}:{symbol}"
    assert (instrument.kind, instrument.quote, instrument.calendar) == (kind, "USDT", "24/7")
    assert (instrument.tick, instrument.lot) == (tick, lot)


@pytest.mark.parametrize("symbol", ["NO/SUCH", "BTCUSDT", "XBTUSDT", "btc/usdt"])
def test_an_unknown_symbol_is_refused_with_those_that_are_near(packaged, symbol: str) -> None:
    """An exchange's own name for a market too: its candles would be stored under two names."""
    with pytest.raises(SourceRefused, match=r"kraken has no symbol.*ccxt writes BTC/USD"):
        a_source("kraken", packaged.url).fetch(symbol, H1, at("2025-12-01"), at("2025-12-02"))


def test_a_venue_is_an_exchange_of_ccxt_or_refused(packaged) -> None:
    offline = Settings(replay_url=packaged.url)
    assert isinstance(source_for("kraken", offline), CcxtSource)
    with pytest.raises(SourceRefused, match="did you mean kraken"):
        source_for("krakn", offline)
    with pytest.raises(SourceRefused, match="no candles of coinspot"):
        source_for("coinspot", offline)
    with pytest.raises(SourceRefused, match=r"answers as kraken, .*but not as okx"):
        source_for("okx", offline).fetch("BTC/USDT", H1, at("2025-12-01"), at("2025-12-02"))


@pytest.mark.parametrize("venue", CANDLES)
@pytest.mark.parametrize(
    "fault",
    [
        Fault("", 429, headers={"Retry-After": "0"}, body="slow down"),
        Fault("", 418, headers={"Retry-After": "0"}, body="banned"),
        Fault("", 503, times=2, body="<html>down</html>"),
        Fault("", 500, body='{"error":"internal_server_error"}'),
        Fault("", 200, cut_after=40),
        Fault("", None),
        Fault("", 429, after=1, headers={"Retry-After": "0"}, body="{}"),
    ],
    ids=lambda fault: f"{fault.status}-cut-{fault.cut_after}-after-{fault.after}",
)
def test_trouble_that_passes_is_waited_out(replay, venue: str, fault: Fault) -> None:
    values = {name: getattr(fault, name) for name in ("status", "times", "after", "cut_after")}
    met = Fault(CANDLES[venue], **values, headers=fault.headers, body=fault.body)
    server = replay(faults=[met])
    found = a_source(venue, server.url, page=100).fetch(
        "BTC/USDT", H1, at("2025-11-10"), at("2025-11-20")
    )
    assert len(found) == 240


@pytest.mark.parametrize(
    ("venue", "body"),
    [
        ("kraken", '{"error":["EService:Unavailable"]}'),
        ("kraken", '{"error":["EGeneral:Too many requests"]}'),
        ("bybit", '{"retCode":10006,"retMsg":"Too many visits!","result":{}}'),
        ("coinbase", "<html>our site is being improved</html>"),
    ],
)
def test_trouble_in_an_answer_of_200_is_waited_out(replay, venue: str, body: str) -> None:
    """Kraken and Bybit say 200 to everything; a page of HTML is no answer without candles."""
    fault = Fault(CANDLES[venue], 299, body=body)  # 200 would let the replay's own answer pass
    found = a_source(venue, replay(faults=[fault]).url).fetch(
        "BTC/USDT", H1, at("2025-11-10"), at("2025-11-11")
    )
    assert len(found) == 24


def test_trouble_while_markets_are_loaded_is_waited_out(replay) -> None:
    server = replay(faults=[Fault("/ccxt/kraken/0/public/AssetPairs", 502, body="bad gateway")])
    found = a_source("kraken", server.url).fetch("BTC/USDT", H1, at("2025-12-01"), at("2025-12-02"))
    assert len(found) == 24


def test_a_slow_answer_is_asked_for_again(replay) -> None:
    server = replay(faults=[Fault(KRAKEN, 200, delay_s=0.8)])
    hasty = CcxtSource("kraken", server.url, replace(QUICK, timeout_s=0.3))
    found = hasty.fetch("BTC/USDT", H1, at("2025-12-01"), at("2025-12-02"))
    assert len(found) == 24
    assert sum(request.startswith(KRAKEN) for request in server.requests) == 2


def test_retry_after_is_obeyed(replay) -> None:
    server = replay(faults=[Fault(COINBASE, 429, headers={"Retry-After": "1"}, body="{}")])
    began = monotonic()
    a_source("coinbase", server.url).fetch("BTC/USDT", H1, at("2025-12-01"), at("2025-12-02"))
    assert monotonic() - began >= 1.0


def test_trouble_that_stays_is_reported_after_a_few_attempts(replay) -> None:
    server = replay(faults=[Fault(BYBIT, 503, times=99, body="down")])
    with pytest.raises(SourceUnavailable, match=r"503.*after 3 attempts"):
        a_source("bybit", server.url).fetch("BTC/USDT", H1, at("2025-12-01"), at("2025-12-02"))


def test_an_exchange_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match="could not be reached"):
        a_source("kraken", "http://127.0.0.1:9").fetch(
            "BTC/USDT", H1, at("2025-12-01"), at("2025-12-02")
        )


def test_what_will_never_pass_is_refused_at_once(replay) -> None:
    """The library calls 403 and 404 ExchangeNotAvailable, as it does 503."""
    server = replay(faults=[Fault(KRAKEN, 403, times=9, body="not in your country")])
    with pytest.raises(SourceRefused, match="not in your country"):
        a_source("kraken", server.url).fetch("BTC/USDT", H1, at("2025-12-01"), at("2025-12-02"))
    assert sum(request.startswith(KRAKEN) for request in server.requests) == 1


def test_errors_of_ccxt_are_told_apart_by_what_the_caller_can_do() -> None:
    for kind in (ccxt.RequestTimeout, ccxt.RateLimitExceeded, ccxt.OnMaintenance):
        assert isinstance(translate_error(kind("later")), ServiceBusy)
    for kind in (ccxt.BadSymbol, ccxt.NotSupported, ccxt.AuthenticationError):
        assert isinstance(translate_error(kind("never")), SourceRefused)


def test_the_exchanges_own_rate_limit_is_kept(packaged) -> None:
    """Coinbase: 34 ms between requests, as ccxt knows; five for its markets, three pages."""
    packaged.requests.clear()
    began = monotonic()
    source = CcxtSource("coinbase", packaged.url, QUICK, is_limited=True)
    source.fetch("BTC/USDT", H1, at("2025-11-01"), at("2025-12-01"))
    assert len(packaged.requests) == 8
    assert monotonic() - began >= 7 * 0.033


def test_rows_that_break_a_law_are_rejected_with_a_sentence(replay, tmp_path: Path) -> None:
    rows = [
        ("2022-01-01", 10, 12, 9, 11, 5),
        ("2022-01-02", 11, 10, 9, 11, 5),  # its high is below its open
        ("2022-01-03", 11, 12, 10, 11, 5),
        ("2022-01-04", 11, 12, 10, 11, 5),
    ]
    write_candles(tmp_path, "kraken", "XYZUSD", "1d", rows)
    found = a_source("kraken", replay(tmp_path).url).fetch(
        "XYZ/USD", Interval.D1, at("2022-01-01"), at("2023-01-01")
    )
    assert clock(found) == ["2022-01-01T00:00", "2022-01-03T00:00"]
    assert [r.sentence for r in found.rejected] == ["high must be at or above open and close"]


def test_a_time_without_a_zone_is_an_error(packaged) -> None:
    with pytest.raises(ValueError, match="zone"):
        a_source("kraken", packaged.url).fetch(
            "BTC/USDT", H1, at("2022-01-01").replace(tzinfo=None), at("2022-01-02")
        )
