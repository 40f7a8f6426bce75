"""The threads beside the sessions in their process: alerts, the beat, Kafka, and the news.

None of it decides anything, and none of it may end a session: what fails is logged and comes again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio import create_task
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog

from live.clock import Clock
from live.ending import LAST_S, within
from live.events import HeadlineHeard
from live.heaps import trim_heaps
from live.news import News
from live.publisher import publish_new
from mela.settings import Settings
from services.alerts.digest import put_digest
from services.alerts.heartbeat import tell_silence
from services.alerts.outbox import deliver_due, utc_now
from warehouse.database import transaction
from warehouse.trading import beats

LOG = structlog.get_logger(__name__)
BEAT_S = 3.0
DELIVER_S = 2.0
PUBLISH_S = 0.5
SILENCE_S = 30.0
DIGEST_S = 60.0
TRIM_S = 60.0
Work = Callable[[], Awaitable[object]]
Hear = Callable[[UUID, HeadlineHeard], None]


class Counts(Protocol):
    """The counters of a process since it began. waiting: events that were not applied yet."""

    candles: int
    decisions: int
    decision_s: float
    waiting: int


async def run(
    settings: Settings, counts: Counts, clock: Clock, hear: Hear, stop: asyncio.Event
) -> None:
    """Run until `stop`; then tell Kafka what is left, and beat once more, if that takes no time.

    hear: is called in this loop for each headline that a session hears of
    """
    began = utc_now()
    news = News(settings, clock)

    def beat() -> None:
        write_beat(settings, counts, began)

    async def look() -> None:
        for session_id, heard in await asyncio.to_thread(news.look):
            hear(session_id, heard)

    works: list[tuple[float, Work]] = [
        (BEAT_S, _in_thread(beat)),
        (DELIVER_S, _in_thread(lambda: deliver_due(settings))),
        (PUBLISH_S, _in_thread(lambda: publish_new(settings))),
        (SILENCE_S, _in_thread(lambda: tell_silence(settings))),
        (DIGEST_S, _in_thread(lambda: put_digest(settings))),
        (settings.trading.news_s, look),
        (TRIM_S, _in_thread(trim_heaps)),
    ]
    tasks = [create_task(_again_and_again(work, every_s, stop)) for every_s, work in works]
    try:
        await stop.wait()
    finally:
        await within(LAST_S, *tasks)
    last = (_in_thread(lambda: publish_new(settings)), _in_thread(beat))
    await within(LAST_S, *map(_tried, last))


def write_beat(settings: Settings, counts: Counts, began: datetime) -> None:
    """Say that this process is alive, and what it has counted."""
    with transaction(settings) as connection:
        beats.beat(
            connection,
            f"{socket.gethostname()}:{os.getpid()}",
            utc_now(),
            started_at=began,
            candles=counts.candles,
            decisions=counts.decisions,
            decision_s=counts.decision_s,
            waiting=counts.waiting,
        )


def _in_thread(work: Callable[[], object]) -> Work:
    return lambda: asyncio.to_thread(work)


async def _again_and_again(work: Work, every_s: float, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await _tried(work)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)


async def _tried(work: Work) -> None:
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - it must outlive whatever it meets
        LOG.warning("not_done", why=f"{type(error).__name__}: {error!s:.300}")
