"""The process that trades, for settings on standard input: `python -m tests.live.trading`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from mela.settings import Settings
from tests.live.played import running


async def trade(settings: Settings) -> None:
    async with running(settings) as process:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.stop)
        await process.stopped()


if __name__ == "__main__":
    asyncio.run(trade(Settings.model_validate(json.loads(sys.stdin.readline()))))
