"""live.clock: this machine's clock, and that of a replay over loopback."""

import asyncio
import time
from typing import Any

import pytest
import requests

from live.clock import ReplayClock, WallClock, clock_of
from mela.errors import SourceUnavailable
from mela.settings import Settings

FROM_MS = 1_704_067_200_000


def order(server, what: str, /, **document: Any) -> None:
    answer = requests.post(f"{server.url}/replay/{what}", json=document, timeout=10)
    assert answer.status_code == 200, answer.text


def test_a_replays_clock_stands_still_until_it_plays(replay) -> None:
    server = replay()
    clock = clock_of(Settings(replay_url=server.url))
    assert clock.now_ms() == server.catalog.now_ms
    assert clock.real_s(60_000) is None
    assert clock.span_ms(10) == 0.0


def test_a_replays_clock_runs_as_fast_as_it_plays_between_two_looks(replay) -> None:
    server = replay()
    order(server, "play", **{"from": "2024-01-01T00:00:00+00:00", "speed": 600})
    clock = ReplayClock(server.url)
    first_ms, began_s = clock.now_ms(), time.monotonic()
    assert clock.real_s(60_000) == pytest.approx(0.1)
    time.sleep(0.1)
    played_ms, real_s = clock.now_ms() - first_ms, time.monotonic() - began_s
    assert played_ms == pytest.approx(real_s * 600_000, rel=0.2)
    assert abs(clock.now_ms() - server.catalog.now_ms) < 150_000  # a quarter of a second


def test_a_jump_is_told_once_and_a_change_of_speed_is_none(replay) -> None:
    server = replay()
    order(server, "play", **{"from": "2024-01-01T00:00:00+00:00", "speed": 10})
    clock = ReplayClock(server.url)
    assert asyncio.run(clock.refresh()) == 0
    order(server, "play", speed=20)
    assert asyncio.run(clock.refresh()) == 0
    order(server, "jump", seconds=-3600)
    assert asyncio.run(clock.refresh()) == pytest.approx(-3_600_000, abs=10_000)
    assert asyncio.run(clock.refresh()) == 0


def test_a_replay_that_is_gone_leaves_its_clock_running(replay) -> None:
    with pytest.raises(SourceUnavailable, match="did not tell its clock"):
        ReplayClock("http://127.0.0.1:9")
    server = replay()
    order(server, "play", **{"from": "2024-01-01T00:00:00+00:00", "speed": 600})
    clock = ReplayClock(server.url)
    clock._url = "http://127.0.0.1:9"
    before_ms = clock.now_ms()
    assert asyncio.run(clock.refresh()) == 0
    assert clock.now_ms() > before_ms >= FROM_MS


def test_this_machines_clock_is_real_time() -> None:
    clock = WallClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 1000
    assert (clock.real_s(1500), clock.span_ms(1.5)) == (1.5, 1500)
    assert asyncio.run(clock.refresh()) == 0
