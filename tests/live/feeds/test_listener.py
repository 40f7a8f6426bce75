"""live.feeds: real clients against a replay that goes wrong to order, over loopback."""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import pandas as pd
import pytest
import requests

from live.clock import ReplayClock
from live.events import CandleClosed
from live.feeds import FeedNotice, Listening, feed_of, open_feed
from live.feeds.listener import Patience
from mela.interval import Interval
from mela.settings import Settings

FROM = "2024-01-01T00:00:00+00:00"
FROM_MS = 1_704_067_200_000
MINUTE = 60_000
NAMES = {"binance": "binance:BTCUSDT", "alpaca": "alpaca:BTC/USDT"}
QUICK = Patience(first_s=0.05, longest_s=0.5, open_s=5.0, grace_s=0.3, silence_s=2.0)


def order(server, what: str, /, **document: Any) -> None:
    answer = requests.post(f"{server.url}/replay/{what}", json=document, timeout=10)
    assert answer.status_code == 200, answer.text


@dataclass
class Listened:
    """What a feed gave."""

    candles: list[CandleClosed] = field(default_factory=list)
    notices: list[FeedNotice] = field(default_factory=list)

    @property
    def opens(self) -> list[int]:
        return [candle.opened_ms for candle in self.candles]

    @property
    def streamed(self) -> int:
        """Return how many candles came since REST had first been asked; -1 before."""
        first = next((each for each in self.notices if each.kind == "caught_up"), None)
        return -1 if first is None else len(self.candles) - first.candles

    def kinds(self) -> list[str]:
        return [notice.kind for notice in self.notices]


def listen(
    server,
    instrument: str,
    many: int,
    *,
    interval: str = "1m",
    after: dict[int, Callable[[], None]] | None = None,
    until: Callable[[Listened], bool] | None = None,
    patience: Patience = QUICK,
    since_ms: int | None = None,
    seconds: float = 30.0,
) -> Listened:
    """Listen until so many candles were streamed and what is said holds; `after` some, act."""

    async def run() -> Listened:
        settings = Settings(replay_url=server.url)
        listening = Listening(instrument, Interval(interval))
        since = None if since_ms is None else {listening: since_ms}
        feed = open_feed(
            feed_of(instrument), [listening], settings, ReplayClock(server.url), since, patience
        )
        got = Listened()
        acts = dict(after or {})
        async with asyncio.timeout(seconds):
            async for given in feed.candles():
                if isinstance(given, FeedNotice):
                    got.notices.append(given)
                else:
                    got.candles.append(given)
                for many_streamed in [each for each in acts if 0 <= each <= got.streamed]:
                    await asyncio.to_thread(acts.pop(many_streamed))
                is_enough = got.streamed >= many and not acts
                if is_enough and (until is None or until(got)):
                    break
        await feed.stop()
        return got

    return asyncio.run(run())


def rest(server, first_ms: int, many: int) -> list[tuple[float, ...]]:
    query = {"symbol": "BTCUSDT", "interval": "1m", "startTime": first_ms, "limit": many}
    rows = requests.get(f"{server.url}/api/v3/klines", params=query, timeout=10).json()
    return [tuple(float(value) for value in row[1:6]) for row in rows]


def values(candle: CandleClosed) -> tuple[float, ...]:
    return astuple(candle)[3:8]


def assert_whole(server, got: Listened) -> None:
    """Assert that no candle is missing, doubled or other than REST's, and that all are in order."""
    opens = got.opens
    assert opens == list(range(opens[0], opens[0] + len(opens) * MINUTE, MINUTE))
    assert [values(candle) for candle in got.candles] == rest(server, opens[0], len(opens))


@pytest.fixture
def playing(replay):
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 600})
    return server


venues = pytest.mark.parametrize("venue", ["binance", "alpaca"])


@venues
def test_candles_come_once_in_order_and_as_rest_has_them(playing, venue) -> None:
    got = listen(playing, NAMES[venue], 8)
    assert_whole(playing, got)
    assert got.kinds()[:2] == ["connected", "caught_up"]
    assert not any(notice.is_alarm for notice in got.notices)


@venues
def test_a_feed_gives_first_what_closed_since_an_instant(playing, venue) -> None:
    since_ms = FROM_MS - 30 * MINUTE
    got = listen(playing, NAMES[venue], 3, since_ms=since_ms)
    assert got.opens[0] == since_ms
    assert_whole(playing, got)


@venues
@pytest.mark.parametrize("kind", ["doubled", "out_of_order", "gap", "storm"])
def test_disturbed_candles_leave_no_trace(playing, venue, kind) -> None:
    disturb = lambda: order(playing, "streams", kind=kind, stream=venue, times=3)  # noqa: E731
    got = listen(playing, NAMES[venue], 12, after={1: disturb})
    assert_whole(playing, got)


@venues
def test_a_late_candle_is_asked_for_and_not_given_again_when_it_comes(playing, venue) -> None:
    late = {"kind": "late", "stream": venue, "times": 2, "seconds": 0.7}
    got = listen(playing, NAMES[venue], 15, after={1: lambda: order(playing, "streams", **late)})
    assert_whole(playing, got)


@venues
def test_a_cut_connection_is_made_again_without_a_storm_and_misses_nothing(playing, venue) -> None:
    cut = lambda: order(playing, "streams", kind="cut", stream=venue, seconds=1.0)  # noqa: E731
    got = listen(playing, NAMES[venue], 20, after={3: cut})
    assert_whole(playing, got)
    assert "lost" in got.kinds()
    connects = [path for path in playing.requests if "stream" in path and "/replay" not in path]
    assert 2 < len(connects) < 15  # a second of refusals, at pauses that double from 0.05 s


@venues
def test_candles_that_a_cut_held_up_are_marked_as_late(playing, venue) -> None:
    cut = lambda: order(playing, "streams", kind="cut", stream=venue, seconds=1.0)  # noqa: E731
    got = listen(playing, NAMES[venue], 20, after={3: cut}, patience=replace(QUICK, stale_s=0.4))
    assert_whole(playing, got)
    late = [one.received_ms - one.opened_ms - MINUTE > 0.4 * 600_000 for one in got.candles]
    assert [one.is_late for one in got.candles] == late
    assert any(late)


@venues
def test_a_mute_connection_is_noticed_told_and_replaced(playing, venue) -> None:
    mute = lambda: order(playing, "streams", kind="mute", stream=venue)  # noqa: E731
    heard = lambda got: got.kinds().count("connected") == 2  # noqa: E731
    got = listen(playing, NAMES[venue], 12, after={3: mute}, until=heard)
    assert_whole(playing, got)
    [told] = [notice for notice in got.notices if notice.kind == "mute"]
    assert told.is_alarm
    assert "silent" in told.text or "nothing was heard" in told.text


@venues
def test_a_clock_that_jumps_forward_is_told_and_what_it_jumped_over_is_given(
    playing, venue
) -> None:
    jump = lambda: order(playing, "jump", seconds=7200)  # noqa: E731
    told = lambda got: "clock_jumped" in got.kinds()  # noqa: E731
    got = listen(playing, NAMES[venue], 123, after={3: jump}, until=told)
    assert_whole(playing, got)


@venues
def test_a_clock_that_jumps_back_gives_nothing_twice(playing, venue) -> None:
    jump = lambda: order(playing, "jump", seconds=-600)  # noqa: E731
    told = lambda got: "clock_jumped" in got.kinds()  # noqa: E731
    got = listen(playing, NAMES[venue], 12, after={3: jump}, until=told)
    assert_whole(playing, got)


def test_alpacas_correction_comes_as_the_same_candle_with_other_values(playing) -> None:
    wrong = lambda: order(playing, "streams", kind="restated", stream="alpaca")  # noqa: E731
    twice = lambda got: len(got.opens) > len(set(got.opens))  # noqa: E731
    got = listen(playing, NAMES["alpaca"], 6, after={2: wrong}, until=twice)
    [opened_ms] = {each for each in got.opens if got.opens.count(each) > 1}
    first, last = (candle for candle in got.candles if candle.opened_ms == opened_ms)
    assert values(first) != values(last)
    assert values(last) == rest(playing, opened_ms, 1)[0]


def test_longer_candles_of_alpaca_come_when_their_last_minute_did(playing) -> None:
    got = listen(playing, NAMES["alpaca"], 4, interval="5m")
    assert [b - a for a, b in itertools.pairwise(got.opens)] == [5 * MINUTE] * 3
    for candle in got.candles:
        minutes = rest(playing, candle.opened_ms, 5)
        highs, lows = [row[1] for row in minutes], [row[2] for row in minutes]
        assert values(candle)[:4] == (minutes[0][0], max(highs), min(lows), minutes[-1][3])
        assert candle.received_ms >= candle.opened_ms + 5 * MINUTE


def test_a_corrected_minute_corrects_the_longer_candle_that_holds_it(replay, tmp_path) -> None:
    opened = pd.date_range(FROM, periods=600, freq="1min")
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0)
    about = {"source": "binance", "symbol": "BTCUSD", "interval": "1m", "open_time": opened}
    pd.DataFrame({**about, **prices}).to_parquet(tmp_path / "minutes.parquet")
    server = replay(tmp_path)
    order(server, "play", **{"from": FROM, "speed": 600})

    def correct() -> None:
        at = "2024-01-01T00:02:00+00:00"
        order(server, "restate", symbol="BTCUSD", interval="1m", opened_at=at, high=123.0)

    corrected = lambda got: 123.0 in [candle.high for candle in got.candles]  # noqa: E731
    got = listen(
        server,
        "alpaca:BTC/USD",
        4,
        interval="5m",
        after={2: correct},
        since_ms=FROM_MS,
        until=corrected,
    )
    highs = [candle.high for candle in got.candles if candle.opened_ms == FROM_MS]
    assert highs == [100.0, 123.0]
    assert len(got.opens) == len(set(got.opens)) + 1


def test_minutes_of_a_stock_outside_its_session_are_no_candles(replay, tmp_path) -> None:
    session = "2024-01-02T14:28:00+00:00"  # two minutes before New York opens
    opened = pd.date_range(session, periods=200, freq="1min")
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0)
    about = {"source": "us-equity", "symbol": "AAPL", "interval": "1m", "open_time": opened}
    pd.DataFrame({**about, **prices}).to_parquet(tmp_path / "minutes.parquet")
    server = replay(tmp_path)
    order(server, "play", **{"from": session, "speed": 300})
    got = listen(server, "alpaca:AAPL", 5)
    first_ms = 1_704_205_800_000  # 14:30
    assert got.opens == list(range(first_ms, first_ms + 5 * MINUTE, MINUTE))


def test_a_stocks_day_comes_once_its_session_is_over(playing) -> None:
    order(playing, "play", **{"from": "2021-03-15T19:50:00+00:00", "speed": 600})
    got = listen(playing, "alpaca:AAPL", 1, interval="1d")
    [day] = got.candles
    assert day.opened_ms == 1_615_766_400_000  # the date, at 00:00 UTC
    assert day.received_ms >= 1_615_838_400_000  # 16:00 in New York
    assert day.close == 123.99


def test_an_exchange_of_ccxt_is_asked_when_its_candles_have_closed(playing) -> None:
    got = listen(playing, "bybit:BTC/USDT", 4)
    assert_whole(playing, got)
    assert all(c.received_ms >= c.opened_ms + MINUTE for c in got.candles)


def test_stopping_ends_everything_within_a_moment(playing) -> None:
    async def run() -> tuple[float, set[str]]:
        listening = Listening(NAMES["binance"], Interval.M1)
        feed = open_feed(
            "binance",
            [listening],
            Settings(replay_url=playing.url),
            ReplayClock(playing.url),
            None,
            QUICK,
        )
        reader = asyncio.create_task(_drain(feed))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        await feed.stop()
        kinds = await asyncio.wait_for(reader, 1)
        return time.monotonic() - began, kinds

    took_s, kinds = asyncio.run(run())
    assert took_s < 3
    assert "stopped" in kinds


async def _drain(feed) -> set[str]:
    return {given.kind async for given in feed.candles() if isinstance(given, FeedNotice)}
