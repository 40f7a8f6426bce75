"""sources/binance.py: the real python-binance against the replay."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import requests

from mela.calendars import expected_opens_ms
from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import Interval
from mela.settings import Settings
from replay import Fault
from sources.binance import BinanceSource
from sources.protocol import to_ms
from sources.registry import source_for
from sources.retry import RetryPolicy
from tests.sources.conftest import QUICK, at, write_candles

H1 = Interval.H1
KLINES = "/api/v3/klines"


def test_a_day_of_candles_is_what_the_file_says(packaged) -> None:
    found = BinanceSource(packaged.url).fetch("BTCUSDT", H1, at("2022-01-01"), at("2022-01-02"))
    assert len(found) == 24
    assert found.opened_ms[0] == 1_640_995_200_000
    assert found.closed_ms[0] == 1_640_998_800_000
    first = (found.open[0], found.high[0], found.low[0], found.close[0], found.volume[0])
    assert first == (46216.93, 46731.39, 46208.37, 46656.13, 1503.33095)
    assert (found.source, found.origin) == ("binance", "replay")
    assert found.session_on is None
    assert found.rejected == found.actions == ()


def test_the_instrument_is_what_exchange_info_says(packaged) -> None:
    found = BinanceSource(packaged.url).fetch("ETHUSDT", H1, at("2022-01-01"), at("2022-01-02"))
    instrument = found.instrument
    assert (instrument.name, instrument.kind, instrument.quote) == (
        "binance:ETHUSDT",
        "spot",
        "USDT",
    )
    assert (instrument.tick, instrument.lot, instrument.calendar) == (0.01, 0.0001, "24/7")


def test_pages_join_without_a_seam(packaged) -> None:
    packaged.requests.clear()
    found = BinanceSource(packaged.url).fetch("BTCUSDT", H1, at("2022-01-01"), at("2022-05-01"))
    assert len(found) == 120 * 24
    assert set(np.diff(found.opened_ms)) == {3_600_000}
    assert sum(request.startswith(KLINES) for request in packaged.requests) == 3


def test_a_gap_stays_a_gap(packaged) -> None:
    """On 2023-03-24 Binance's spot market stood still from 13:00 to 14:00."""
    source = BinanceSource(packaged.url)
    found = source.fetch("BTCUSDT", H1, at("2023-03-24T12:00"), at("2023-03-24T15:00"))
    hours = [str(ms)[11:16] for ms in found.opened_ms.astype("datetime64[ms]")]
    assert hours == ["12:00", "14:00"]


def test_the_end_is_not_part_of_the_span(packaged) -> None:
    source = BinanceSource(packaged.url)
    found = source.fetch("BTCUSDT", H1, at("2022-01-01T01:00"), at("2022-01-01T02:00"))
    assert found.opened_ms.tolist() == [1_640_998_800_000]


def test_the_unfinished_candle_is_dropped(packaged) -> None:
    """The service's clock stands at 05:30, inside the last candle of the files."""
    found = BinanceSource(packaged.url).fetch("BTCUSDT", H1, at("2025-12-02"), at("2025-12-03"))
    assert [str(ms)[11:13] for ms in found.opened_ms.astype("datetime64[ms]")] == [
        "00", "01", "02", "03", "04",
    ]  # fmt: skip


def test_a_span_without_candles_gives_none(packaged) -> None:
    found = BinanceSource(packaged.url).fetch("BTCUSDT", H1, at("2010-01-01"), at("2011-01-01"))
    assert len(found) == 0
    assert found.closed_ms.dtype == np.int64


@pytest.mark.parametrize("symbol", ["NOSUCH", "btcusdt", "BTC/USDT"])
def test_an_unknown_symbol_is_refused(packaged, symbol: str) -> None:
    with pytest.raises(SourceRefused, match="Binance"):
        BinanceSource(packaged.url).fetch(symbol, H1, at("2022-01-01"), at("2022-01-02"))


def test_a_time_without_a_zone_is_an_error(packaged) -> None:
    source = BinanceSource(packaged.url)
    with pytest.raises(ValueError, match="zone"):
        source.fetch("BTCUSDT", H1, at("2022-01-01").replace(tzinfo=None), at("2022-01-02"))
    with pytest.raises(ValueError, match="after the start"):
        source.fetch("BTCUSDT", H1, at("2022-01-02"), at("2022-01-02"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(KLINES, 429, headers={"Retry-After": "0"}),
        Fault(KLINES, 418, headers={"Retry-After": "0"}),
        Fault(KLINES, 503, times=2, body="<html>down</html>"),
        Fault(KLINES, 403, body="<html>Request blocked</html>"),
        Fault(KLINES, None),
        Fault("/api/v3/time", 500),
        Fault("/api/v3/exchangeInfo", 502),
        Fault(KLINES, 429, after=1, headers={"Retry-After": "0"}),
    ],
    ids=lambda fault: f"{fault.path.split('/')[-1]}-{fault.status}-after-{fault.after}",
)
def test_trouble_that_passes_is_waited_out(replay, fault: Fault) -> None:
    server = replay(faults=[fault])
    found = BinanceSource(server.url, QUICK).fetch(
        "BTCUSDT", H1, at("2022-01-01"), at("2022-03-01")
    )
    assert len(found) == 59 * 24


def test_an_answer_cut_in_the_middle_is_asked_again(replay) -> None:
    server = replay(faults=[Fault(KLINES, 200, cut_after=100)])
    found = BinanceSource(server.url, QUICK).fetch(
        "BTCUSDT", H1, at("2022-01-01"), at("2022-01-02")
    )
    assert len(found) == 24
    assert sum(path.startswith(KLINES) for path in server.requests) == 2


def test_a_slow_answer_is_waited_for_and_a_slower_one_is_not(replay) -> None:
    span = ("BTCUSDT", H1, at("2022-01-01"), at("2022-01-02"))
    hurried = RetryPolicy(attempts=2, first_s=0.01, longest_s=0.02, timeout_s=1.5)
    slow = replay(
        faults=[Fault(KLINES, 200, delay_s=0.1), Fault(KLINES, 200, delay_s=3.0, after=1)]
    )
    source = BinanceSource(slow.url, hurried)
    assert len(source.fetch(*span)) == 24
    assert sum(path.startswith(KLINES) for path in slow.requests) == 1
    assert len(source.fetch(*span)) == 24
    assert sum(path.startswith(KLINES) for path in slow.requests) == 3


@pytest.mark.parametrize("interval", list(Interval))
def test_every_interval_is_offered(packaged, interval: Interval) -> None:
    """And each agrees with the hours: what is shorter joins to them, what is longer is joined."""
    packaged.requests.clear()
    source = BinanceSource(packaged.url)
    span = (at("2023-03-01"), at("2023-03-03" if interval.is_intraday else "2023-06-01"))
    found = source.fetch("BTCUSDT", interval, *span)
    expected = expected_opens_ms("24/7", interval, *(to_ms(instant) for instant in span))
    assert found.opened_ms.tolist() == expected.tolist()
    assert found.rejected == ()
    assert (found.resampled_from, found.incomplete_ms) == (None, ())  # Binance's own
    last = int(found.closed_ms[-1]) - int(to_ms(span[1]))
    hours = source.fetch("BTCUSDT", H1, span[0], span[1] + timedelta(milliseconds=max(last, 0)))
    hours_end = [hours.opened_ms >= found.opened_ms[0], hours.opened_ms < found.closed_ms[-1]]
    inside = np.logical_and(*hours_end)
    assert found.high.max() == hours.high[inside].max()
    assert found.low.min() == hours.low[inside].min()
    assert (found.open[0], found.close[-1]) == (hours.open[inside][0], hours.close[inside][-1])
    assert found.volume.sum() == pytest.approx(hours.volume[inside].sum(), rel=1e-12)


def test_minutes_that_the_replay_made_up_are_said_to_be(packaged) -> None:
    source = BinanceSource(packaged.url)
    minutes = source.fetch("BTCUSDT", Interval.M1, at("2022-01-01"), at("2022-01-02"))
    hours = source.fetch("BTCUSDT", H1, at("2022-01-01"), at("2022-01-02"))
    assert minutes.request["replayed"] == "1m made up from 1h"
    assert "replayed" not in hours.request
    assert np.array_equal(minutes.high.reshape(-1, 60).max(axis=1), hours.high)
    assert np.array_equal(minutes.low.reshape(-1, 60).min(axis=1), hours.low)
    assert np.array_equal(minutes.open[::60], hours.open)
    assert np.array_equal(minutes.close[59::60], hours.close)


def test_a_gap_of_hours_is_a_gap_of_minutes(packaged) -> None:
    source = BinanceSource(packaged.url)
    span = (at("2023-03-24T12:55"), at("2023-03-24T14:05"))
    found = source.fetch("BTCUSDT", Interval.M5, *span)
    times = [str(ms)[11:16] for ms in found.opened_ms.astype("datetime64[ms]")]
    assert times == ["12:55", "14:00"]


def test_weight_that_is_used_up_is_said_with_the_wait(replay) -> None:
    """The replay allows 20 a minute: exchangeInfo takes all, and the clock is refused."""
    server = replay(weight_limit=20)
    source = BinanceSource(server.url, RetryPolicy(attempts=2, total_s=0.5))
    with pytest.raises(SourceUnavailable, match=r"429: Too much request weight used") as said:
        source.fetch("BTCUSDT", H1, at("2022-01-01"), at("2025-01-01"))
    assert 0 < (said.value.retry_after_s or 0) <= 61
    assert len(server.requests) == 2  # the wait is longer than our patience


def test_a_host_that_fails_is_left_alone_by_every_source_that_asks_it(replay) -> None:
    server = replay(faults=[Fault("/api/v3/", 503, times=99)])
    span = ("BTCUSDT", H1, at("2022-01-01"), at("2022-01-02"))
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="after 3 attempts"):
            BinanceSource(server.url, QUICK).fetch(*span)
    for _ in range(3):
        with pytest.raises(
            SourceUnavailable, match=r"failed 10 times.*not asked until.*503"
        ) as said:
            BinanceSource(server.url, QUICK).fetch(*span)
    assert 0 < (said.value.retry_after_s or 0) <= 60
    assert len(server.requests) == 10


def test_a_candle_restated_by_the_service_comes_with_its_new_value(replay) -> None:
    server = replay()
    source = BinanceSource(server.url)
    span = (at("2024-01-01"), at("2024-01-02"))
    before = {i: source.fetch("BTCUSDT", i, *span) for i in (Interval.M1, H1, Interval.D1)}
    asked = {"symbol": "BTCUSDT", "interval": "1h", "opened_at": "2024-01-01T05:00:00Z"}
    answer = requests.post(
        f"{server.url}/replay/restate",
        json=asked | {"high": 99_999.0, "low": 41_000.0, "close": 42_000.5},
        timeout=5,
    )
    assert answer.status_code == 200
    after = {i: source.fetch("BTCUSDT", i, *span) for i in before}
    changed = np.flatnonzero(before[H1].close != after[H1].close)
    assert changed.tolist() == [5]
    assert (after[H1].close[5], after[H1].high[5]) == (42_000.5, 99_999.0)
    assert after[Interval.D1].high[0] == 99_999.0  # days and minutes follow
    assert after[Interval.M1].close[359] == 42_000.5
    assert np.array_equal(before[Interval.M1].close[:300], after[Interval.M1].close[:300])


def test_retry_after_is_obeyed(replay) -> None:
    from time import monotonic

    server = replay(faults=[Fault(KLINES, 429, headers={"Retry-After": "1"})])
    began = monotonic()
    BinanceSource(server.url, QUICK).fetch("BTCUSDT", H1, at("2022-01-01"), at("2022-01-02"))
    assert monotonic() - began >= 1.0


def test_a_ban_longer_than_our_patience_is_reported_at_once(replay) -> None:
    server = replay(faults=[Fault(KLINES, 418, headers={"Retry-After": "600"}, times=9)])
    with pytest.raises(SourceUnavailable, match=r"418.*Gave up after 1 attempts"):
        BinanceSource(server.url, QUICK).fetch("BTCUSDT", H1, at("2022-01-01"), at("2022-01-02"))


def test_trouble_that_stays_is_reported_after_a_few_attempts(replay) -> None:
    server = replay(faults=[Fault(KLINES, 503, times=99)])
    with pytest.raises(SourceUnavailable, match=r"503.*after 3 attempts"):
        BinanceSource(server.url, QUICK).fetch("BTCUSDT", H1, at("2022-01-01"), at("2022-01-02"))


def test_a_service_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match="could not be reached"):
        BinanceSource("http://127.0.0.1:9", QUICK).fetch(
            "BTCUSDT", H1, at("2022-01-01"), at("2022-01-02")
        )


def test_rows_that_break_a_law_are_rejected_with_a_sentence(replay, tmp_path: Path) -> None:
    write_candles(
        tmp_path,
        "binance",
        "XYZUSDT",
        "1d",
        [
            ("2022-01-01", 10, 12, 9, 11, 5),
            ("2022-01-02", 11, 10, 9, 11, 5),  # its high is below its open
            ("2022-01-03", 11, 12, -1, 11, 5),
            ("2022-01-04", 11, 12, 10, 11, 5),
            ("2022-01-05", 11, 12, 10, 11, 5),
        ],
    )
    server = replay(tmp_path)
    found = BinanceSource(server.url).fetch(
        "XYZUSDT", Interval.D1, at("2022-01-01"), at("2023-01-01")
    )
    assert len(found) == 2  # the last one of the five is unfinished
    assert [(r.sentence, r.row["low"]) for r in found.rejected] == [
        ("high must be at or above open and close", 9.0),
        ("prices must be above 0", -1.0),
    ]


def test_months_close_with_the_calendar(replay, tmp_path: Path) -> None:
    months = [(f"2022-0{m}-01", 10.0, 12.0, 9.0, 11.0, 5.0) for m in (1, 2, 3)]
    write_candles(tmp_path, "binance", "XYZUSDT", "1mo", months)
    found = BinanceSource(replay(tmp_path).url).fetch(
        "XYZUSDT", Interval.MO1, at("2022-01-01"), at("2023-01-01")
    )
    closed = [str(ms)[:10] for ms in found.closed_ms.astype("datetime64[ms]")]
    assert closed == ["2022-02-01", "2022-03-01"]


def test_a_venue_names_its_source(packaged) -> None:
    settings = Settings(replay_url=packaged.url)
    assert isinstance(source_for("binance", settings), BinanceSource)
    with pytest.raises(SourceRefused, match="did you mean kraken"):
        source_for("krakn", settings)
