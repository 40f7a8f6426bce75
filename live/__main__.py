"""Run all sessions of this stack: `python -m live`. One process does; a second one waits for it."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import structlog

from live import around
from live.broker_hub import BrokerHub
from live.brokers import Broker, open_broker
from live.clock import clock_of
from live.ending import end_now, end_on_signals
from live.feed_hub import FeedHub
from live.heaps import share_heaps
from live.outside import Outside
from live.process import Process
from mela.settings import Settings
from services.strategies.all_strategies import all_strategies

LOG = structlog.get_logger(__name__)


async def trade(settings: Settings) -> None:
    """Run all sessions until told to stop."""
    clock = clock_of(settings)

    def opened(money: str) -> Broker:
        return open_broker(settings, clock, "live" if money == "live" else "paper")

    outside = Outside(
        settings,
        clock,
        FeedHub(settings, clock),
        BrokerHub(clock, opened),
        all_strategies(settings, asks_mlflow=False),
    )
    process = Process(outside, opened, around.run)
    end_on_signals(process.stop)
    await process.run()


def plain_logs() -> None:
    """Write a line an event, tracebacks without locals, which may be secrets."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.WriteLoggerFactory(),
    )


def main() -> NoReturn:
    """Run until told to stop, and end without waiting for threads that somebody keeps waiting."""
    share_heaps()
    plain_logs()
    status = 0
    try:
        asyncio.Runner().run(trade(Settings()))  # not closed: that would join its threads
    except Exception as error:
        LOG.exception("ended", reason=str(error))
        status = 1
    end_now(status)


if __name__ == "__main__":
    main()
