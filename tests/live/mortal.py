"""The process that trades, in processes that are killed: `python -m tests.live.mortal`.

Each line of standard input asks for one life, as JSON: at which point it ends by SIGKILL (0: at
none, unless somebody outside kills it) and up to which instant the market is played. The process is
forked from one that has imported everything. It plays the market itself, a candle at a time,
whenever nothing is left to do, so that a life that ends early and one that goes on see the same
market. Lines of output tell which process lives, how its life ended, and that it is gone.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import signal
import sys
import traceback
from typing import Any

import requests
import structlog

from live.orders import UNANSWERED
from live.process import Process
from mela.instants import from_ms
from mela.settings import Settings
from tests.live.played import running

MINUTE = 60_000
LOOK_S = 0.005
LONGEST_S = 60.0


def say(**words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


class Reaper:
    """Ends this process at a point. Points: after each write, each request and each answer.

    at: the how manieth point of a kind, 0 for none; kind: "" for all of them
    """

    def __init__(self, at: int, kind: str) -> None:
        self._at, self._kind, self.passed = at, kind, 0
        self.now = lambda: 0

    def __call__(self, point: str) -> None:
        if self._kind in ("", point):
            self.passed += 1
            if self.passed == self._at:
                say(killed=point, now=self.now())
                os.kill(os.getpid(), signal.SIGKILL)


async def live(settings: Settings, until_ms: int, many: int, reaper: Reaper) -> int:
    """Play the market up to an instant; return where it is then."""
    async with running(settings, reaper) as process:
        reaper.now = process.outside.clock.now_ms
        try:
            async with asyncio.timeout(LONGEST_S):
                return await lived(process, settings, until_ms, many)
        except TimeoutError as error:
            raise TimeoutError(waits_for(process)) from error


async def lived(process: Process, settings: Settings, until_ms: int, many: int) -> int:
    """Play the market up to an instant, minute by minute; return where it is then."""
    begin_ms = process.outside.clock.now_ms() + MINUTE
    while not (many == len(process.runners) and all_begun(process)):
        known = process.runners.values()
        is_early = process.outside.clock.now_ms() < begin_ms
        if is_early and len(known) == many and all(one.is_warming for one in known):
            await play_until(process, settings, begin_ms)
        await asyncio.sleep(LOOK_S)
    while True:
        await settled(process, many)
        now = process.outside.clock.now_ms()
        if now >= until_ms:
            return now
        await play_until(process, settings, now + MINUTE)


def all_begun(process: Process) -> bool:
    return all(one.has_begun for one in process.runners.values())


def waits_for(process: Process) -> str:
    """Return what each session waits for, which a life that does not end leaves unsaid."""
    found = [f"now {process.outside.clock.now_ms()}"]
    for one in process.runners.values():
        books = [account.book for account in one.engine.accounts]
        orders = [order for book in books for order in book.orders.open]
        due = one.engine.next_open_ms()
        found.append(f"{one.stored.broker}: {one.is_listening=} {one.waiting=} {due=} {orders=}")
    return "; ".join(found)


async def settled(process: Process, many: int) -> None:
    """Wait until every session has taken all candles so far, and has no order on its way."""
    while True:
        now = process.outside.clock.now_ms()
        runners = list(process.runners.values())
        if len(runners) == many and all(is_settled(one, now) for one in runners):
            return
        await asyncio.sleep(LOOK_S)


def is_settled(runner: Any, now: int) -> bool:
    """Tell whether a session waits for the next candle, or a stop for its price; nothing else."""
    if not runner.is_listening or runner.waiting:
        return False
    if min(runner.engine.next_open_ms().values()) < now:
        return False
    if runner.stored.broker != "alpaca":
        return True
    orders = [one for account in runner.engine.accounts for one in account.book.orders.open]
    return not any(one.leg != "stop" or one.state in UNANSWERED for one in orders)


async def play_until(process: Process, settings: Settings, until_ms: int) -> None:
    """Let the market go on to an instant, and stand still there."""
    clock = process.outside.clock
    await ask(settings, "play", speed=1000, until=from_ms(until_ms).isoformat())
    await clock.refresh()
    while clock.now_ms() < until_ms:
        await asyncio.sleep(LOOK_S)
        await clock.refresh()


async def ask(settings: Settings, word: str, **document: Any) -> None:
    url = f"{settings.replay_url}/replay/{word}"
    answer = await asyncio.to_thread(requests.post, url, json=document, timeout=10)
    answer.raise_for_status()


def one_life(settings: Settings, asked: dict[str, Any]) -> None:
    """Live in a process of its own; never returns."""
    try:
        reaper = Reaper(asked["at"], asked["kind"])
        now = asyncio.run(live(settings, asked["until_ms"], asked["many"], reaper))
        say(passed=reaper.passed, now=now)
    except BaseException:  # noqa: BLE001  whoever asked is told
        say(broken=traceback.format_exc())
    os._exit(0)


# what a process imports when it first needs it: the lives of a test would each do so
LATER = (
    *("live.feeds.binance", "live.feeds.alpaca", "live.brokers.alpaca"),
    *("sources.binance", "sources.alpaca"),
)


def main() -> None:
    for name in LATER:
        importlib.import_module(name)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    say(ready=os.getpid())
    for line in sys.stdin:
        asked = json.loads(line)
        settings = Settings.model_validate(asked["settings"])
        child = os.fork()
        if child == 0:
            one_life(settings, asked)
        say(born=child)
        os.waitpid(child, 0)
        say(gone=child)


if __name__ == "__main__":
    main()
