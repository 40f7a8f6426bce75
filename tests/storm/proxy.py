"""A TCP proxy on loopback between clients and a service: it cuts, mutes and slows connections.

It lives in a thread with a loop of its own, so that a test may block meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter
from contextlib import AbstractContextManager, suppress
from typing import Any

LOOPBACK = "127.0.0.1"
PIECE = 65_536  # bytes that are forwarded at once
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the connection ends with RST, and not politely


class Proxy(AbstractContextManager["Proxy"]):
    """Forwards connections of one port to another. A context: its end cuts them and closes both.

    counts: `connections` that came, `cut` ones, and `bytes` that were forwarded
    Nothing is forwarded while nobody listens behind it: a client's connection ends at once then.
    """

    def __init__(self, port: int, behind: int) -> None:
        self.port, self._behind = port, behind
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._connections: set[tuple[asyncio.StreamWriter, ...]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._delay_s = 0.0
        self._bytes_per_s = float("inf")
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._server = self._ask(self._listening())
        return self

    def __exit__(self, *_: object) -> None:
        self._ask(self._closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> int:
        """Reset all connections in the middle of whatever they say; return how many."""
        return self._ask(self._cut())

    def mute(self) -> None:
        """Forward nothing until `calm`: connections stay, new ones are taken, nobody answers."""
        self._ask(self._set(flows=False))

    def slow(self, delay_s: float, bytes_per_s: float) -> None:
        """Hold each piece of up to PIECE bytes back until `calm`.

        delay_s: for each piece, on each way
        bytes_per_s: of one connection, on each way
        """
        self._ask(self._set(delay_s=delay_s, bytes_per_s=bytes_per_s))

    def calm(self) -> None:
        """Forward everything at once again, what was held back first."""
        self._ask(self._set())

    def _ask(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _set(
        self, *, flows: bool = True, delay_s: float = 0.0, bytes_per_s: float = float("inf")
    ) -> None:
        self._delay_s, self._bytes_per_s = delay_s, bytes_per_s
        if flows:
            self._flows.set()
        else:
            self._flows.clear()

    async def _listening(self) -> asyncio.Server:
        await self._set()
        return await asyncio.start_server(self._serve, LOOPBACK, self.port, backlog=512)

    async def _closed(self) -> None:
        self._server.close()
        await self._cut()
        await self._set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cut(self) -> int:
        cut = len(self._connections)
        for writers in self._connections:
            _reset(writers)
        self.counts["cut"] += cut
        return cut

    async def _serve(self, asks: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        """Forward both ways until either side ends the connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.counts["connections"] += 1
        writers: tuple[asyncio.StreamWriter, ...] = (answers,)
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self._behind)
            writers = (answers, writer)
            self._connections.add(writers)
            ways = [
                asyncio.ensure_future(self._forward(asks, writer)),
                asyncio.ensure_future(self._forward(reader, answers)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:  # nobody listens there: the service was killed
            _reset(writers)
        finally:
            self._connections.discard(writers)
            for writer in writers:
                writer.close()
            self._tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                held_s = self._delay_s + len(piece) / self._bytes_per_s
                if held_s:
                    await asyncio.sleep(held_s)
                await self._flows.wait()
                writer.write(piece)
                await writer.drain()
                self.counts["bytes"] += len(piece)


def _reset(writers: tuple[asyncio.StreamWriter, ...]) -> None:
    for writer in writers:
        with suppress(OSError):
            found = writer.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
