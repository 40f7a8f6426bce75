"""Alpaca's stream of trade updates, by alpaca-py, with what was missed asked for over REST."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import Random
from time import monotonic
from typing import Any

import structlog

from live.alpaca_library import TradingStream, WebSocketException
from live.brokers.alpaca_words import fill_of_update, order_of
from live.brokers.protocol import (
    BrokerBusy,
    BrokerFill,
    BrokerOrder,
    LinkKind,
    LinkNotice,
    Update,
)
from live.clock import Clock
from live.feeds.listener import Patience

_OVERLAP_MS = 60_000  # what is asked for again: Alpaca's clock and the stream's order are its own
_CLOSE_S = 2.0
_SOCKET = {"ping_interval": 10, "ping_timeout": 60, "max_queue": 4096, "close_timeout": 1}
Missed = Callable[[int], Awaitable[Sequence[BrokerOrder | BrokerFill]]]
log = structlog.get_logger()


class Updates:
    """The stream of one account. missed: asks REST what changed since an instant."""

    def __init__(
        self,
        key: str,
        secret: str,
        url: str,
        missed: Missed,
        clock: Clock,
        patience: Patience | None = None,
    ) -> None:
        self._made = (key, secret, url)
        self._missed = missed
        self._clock = clock
        self._patience = patience or Patience()
        self._random = Random()  # noqa: S311 - for pauses
        self._out: asyncio.Queue[Update | None] = asyncio.Queue()
        self._expected: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._since_ms = 0
        self._gave = 0
        self._stopped = False

    def expect(self, broker_order_id: str) -> None:
        """Expect word of an order: if none comes in time, the stream is mute."""
        self._expected.setdefault(broker_order_id, monotonic())

    async def heard(self, since_ms: int) -> AsyncIterator[Update]:
        """Yield updates until `stop`; see Broker."""
        self._since_ms = since_ms
        self._task = asyncio.create_task(self._listen())
        try:
            while (update := await self._out.get()) is not None:
                yield update
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Close the connection and end `heard`."""
        if self._stopped:
            return
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._note("stopped", "the stream was stopped")
        self._out.put_nowait(None)

    async def _listen(self) -> None:
        failures = 0
        while True:
            gave = self._gave
            try:
                await self._once()
            except ValueError as refused:  # what alpaca-py raises when Alpaca lets nobody in
                self._note("refused", f"Alpaca refused: {refused}", is_alarm=failures % 10 == 0)
            except (OSError, WebSocketException, EOFError) as lost:
                self._note("lost", f"trade updates: {lost}", is_alarm=failures == 2)
            except Exception as error:
                log.exception("updates_failed", reason=str(error))
                self._note("lost", f"trade updates failed: {error}", is_alarm=True)
            failures = 0 if self._gave > gave else failures + 1
            longest_s = self._patience.first_s * 2.0 ** min(failures, 16)
            pause_s = min(longest_s, self._patience.longest_s)
            await asyncio.sleep(pause_s * (0.5 + 0.5 * self._random.random()))

    async def _once(self) -> None:
        """Hold one connection until it ends."""
        key, secret, url = self._made
        stream: Any = TradingStream(
            key, secret, raw_data=True, url_override=url, websocket_params=dict(_SOCKET)
        )
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        stream.subscribe_trade_updates(inbox.put)
        reader: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(self._patience.open_s):
                await stream._start_ws()
            self._note("connected", "listening to trade updates")
            reader = asyncio.create_task(stream._consume())
            await self._catch_up(reader)
            while True:
                await self._next(inbox, reader)
        finally:
            if reader is not None:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    await asyncio.shield(stream.close())

    async def _catch_up(self, reader: asyncio.Task[None]) -> None:
        attempt = 0
        while True:
            _check_reader(reader)
            try:
                found = await self._missed(max(0, self._since_ms - _OVERLAP_MS))
                break
            except BrokerBusy as busy:
                attempt += 1
                self._note("lost", f"REST: {busy}", is_alarm=attempt == 2)
                wait_s = busy.retry_after_s
                await asyncio.sleep(self._patience.first_s * 2 if wait_s is None else wait_s)
        for update in found:
            self._give(update)
        self._expected.clear()
        self._note("caught_up", f"{len(found)} orders and fills came over REST")

    async def _next(self, inbox: asyncio.Queue[dict[str, Any]], reader: asyncio.Task[None]) -> None:
        message = asyncio.create_task(inbox.get())
        try:
            await asyncio.wait({message, reader}, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                self._tell(message.result()["data"])
        finally:
            message.cancel()
        if inbox.empty():
            _check_reader(reader)
        late = [order for order, at_s in self._expected.items() if self._is_late(at_s)]
        if late:
            self._expected.clear()
            text = f"connected, but silent: no word of {len(late)} orders that Alpaca took"
            self._note("mute", text, is_alarm=True)
            raise ConnectionError(text)

    def _is_late(self, at_s: float) -> bool:
        return monotonic() - at_s > self._patience.grace_s

    def _tell(self, data: dict[str, Any]) -> None:
        fill = fill_of_update(data)
        order = order_of(data["order"], str(data.get("event") or ""))
        self._expected.pop(order.broker_order_id, None)
        if fill is not None:
            self._give(fill)
        self._give(order)

    def _give(self, update: BrokerOrder | BrokerFill) -> None:
        self._gave += 1
        self._since_ms = max(self._since_ms, update.at_ms)
        self._out.put_nowait(update)

    def _note(self, kind: LinkKind, text: str, *, is_alarm: bool = False) -> None:
        told = log.warning if is_alarm else log.info
        told("broker_link", kind=kind, text=text)
        self._out.put_nowait(LinkNotice(kind, self._clock.now_ms(), text, is_alarm))


def _check_reader(reader: asyncio.Task[None]) -> None:
    """Raise what ended the reader, if it ended."""
    if reader.done():
        error = reader.exception()
        raise error if error is not None else EOFError("the stream ended")
