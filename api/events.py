"""The hub of a process: it hears what has changed, reads it once, and tells its streams.

Events come from the store, never from a message, so that all processes tell the same. A
scene is read again a little after each change, because a message may overtake the transaction that
it speaks of, and all that is under way is read every few seconds, so that nothing stays untold.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.trading_events import TradingChanges
from mela.errors import MelaError, TooManyAttempts
from mela.settings import Settings
from services.accounts.accounts import Caller, Role
from services.change_stream import Changes
from services.scenes import scene_events
from services.scenes.scene_events import Told, Watch
from services.trading.answers import SessionTold

LOG = structlog.get_logger(__name__)
TICK_S = 0.1
AGAIN_S = (0.0, 0.4, 2.0)  # after a change is heard
SWEEP_S = 3.0
BUSY = 8  # a scene is not read more often than this times what reading takes
LINGER_S = 30.0  # a hub without streams
MOST_STREAMS = 40  # of an account in a process


News = Told | SessionTold


@dataclass(frozen=True, slots=True)
class Gone:
    """The event for a scene or session that the caller may no longer see."""

    is_session: bool


class Stream:
    """A browser that listens. Its fields belong to the hub, under the hub's lock.

    trading: whether it watches the trading sessions
    told: what it has heard of each scene and session
    """

    def __init__(
        self,
        caller: Caller,
        scenes: Iterable[UUID],
        *,
        all_: bool,
        trading: bool,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Make a stream that has heard nothing."""
        self.id = token_urlsafe(18)
        self.caller = caller
        self.scenes = set(scenes)
        self.all = all_
        self.trading = trading
        self.told: dict[UUID, News] = {}
        self._loop = loop
        self._waiting: dict[UUID, News | Gone] = {}
        self._taking = threading.Lock()  # of `_waiting`: the stream takes, the hub's threads put
        self._is_due = asyncio.Event()

    def wants(self, scene_id: UUID) -> bool:
        """Tell whether it watches a scene."""
        return self.all or scene_id in self.scenes

    def offer(self, told: News) -> None:
        """Let it hear of a scene or session, if that is news and it may; the newest word counts.

        Subjects that it may no longer hear of are told as gone.
        """
        key = _key(told)
        before = self.told.get(key)
        if not _is_for(told, self.caller):
            if before is not None:
                del self.told[key]
                self._put(key, Gone(is_session=isinstance(told, SessionTold)))
            return
        if before is not None and (told.version < before.version or _same(told, before)):
            return
        self.told[key] = told
        self._put(key, told)

    def _put(self, key: UUID, told: News | Gone) -> None:
        with self._taking:
            self._waiting[key] = told
        self._loop.call_soon_threadsafe(self._is_due.set)

    async def wait(self, seconds: float) -> bool:
        """Wait until there is news, for so many seconds at most, and tell whether there is."""
        try:
            await asyncio.wait_for(self._is_due.wait(), seconds)
        except TimeoutError:
            return False
        self._is_due.clear()
        return True

    def take(self) -> list[tuple[UUID, News | Gone]]:
        """Return the news, and forget it."""
        with self._taking:
            waiting, self._waiting = self._waiting, {}
        return list(waiting.items())


class Hub:
    """Tells the streams of a process. Everything but `Stream.wait` is for any thread."""

    def __init__(self, settings: Settings) -> None:
        """Make a hub, which begins to work with its first stream."""
        self._settings = settings
        self._lock = threading.Lock()
        self._streams: dict[str, Stream] = {}
        self._due: dict[UUID, list[float]] = {}  # when a scene is to be read, on the clock
        self._open: set[UUID] = set()  # scenes under way, which the sweep reads
        self._not_before: dict[UUID, float] = {}
        self._sweep_at = 0.0
        self._changes: Changes | None = None
        self._trading = TradingChanges(settings, self._tell_sessions)
        self._left_at = time.monotonic()

    def join(self, stream: Stream) -> None:
        """Take a stream in. Raises TooManyAttempts where its account has too many."""
        with self._lock:
            own = [
                one
                for one in self._streams.values()
                if one.caller.account_id == stream.caller.account_id
            ]
            if len(own) >= MOST_STREAMS:
                raise TooManyAttempts("too many streams are open; close some.", 5.0)
            self._streams[stream.id] = stream
            if self._changes is None:
                self._changes = Changes(
                    self._settings, self._changed, self._watch, self._trading.changed
                )
                threading.Thread(
                    target=self._work, args=(self._changes,), name="mela-events", daemon=True
                ).start()

    def leave(self, stream: Stream) -> None:
        """Let a stream go."""
        with self._lock:
            self._streams.pop(stream.id, None)
            self._left_at = time.monotonic()

    def close(self) -> None:
        """Stop working."""
        with self._lock:
            self._end()

    def show(self, stream: Stream, since: datetime) -> None:
        """Let a stream hear how all that it watches is now.

        since: of a stream of all, only what is under way or has changed since; and each scene that
            it watches by itself, however old: what was never shown is never told as gone
        """
        if stream.all:
            found = scene_events.snapshot(self._settings, stream.caller, None, since)
            self._tell(found, only=stream)
        if stream.scenes or not stream.all:
            found = scene_events.snapshot(self._settings, stream.caller, set(stream.scenes), since)
            self._tell(found, only=stream)
        if stream.trading:
            self._tell_sessions(self._trading.show(stream.caller), only=stream)

    def _changed(self, scene_id: UUID | None) -> None:
        now = time.monotonic()
        with self._lock:
            wanted = self._watched() if scene_id is None else {scene_id}
            for one in wanted:
                self._due[one] = [now + later for later in AGAIN_S]

    def _watch(self, watch: Watch) -> None:
        with self._lock:
            stream = self._streams.get(watch.stream)
            if stream is None or stream.caller.account_id != watch.account_id:
                return
            stream.all, stream.scenes = watch.all, set(watch.scenes)
            stream.trading = watch.trading
        try:
            self.show(stream, recently())
        except (MelaError, SQLAlchemyError) as error:
            LOG.warning("stream_not_shown", error=str(error).strip().split("\n")[0])

    def _watched(self) -> set[UUID]:
        found = {one for stream in self._streams.values() for one in stream.scenes}
        return found | self._open

    def _work(self, changes: Changes) -> None:
        while True:
            time.sleep(TICK_S)
            with self._lock:
                if self._changes is not changes:
                    return
                if not self._streams and time.monotonic() - self._left_at > LINGER_S:
                    self._end()
                    return
                wanted = self._take_due()
                is_trading = any(stream.trading for stream in self._streams.values())
            try:
                if wanted:
                    self._read(wanted)
                if is_trading:
                    self._trading.read()
            except (MelaError, SQLAlchemyError) as error:  # it is away; the sweep makes up
                LOG.warning("changes_not_read", error=str(error).strip().split("\n")[0])
            except Exception:  # a hub that stopped would look as if nothing happened any more
                LOG.exception("changes_not_read")

    def _take_due(self) -> set[UUID]:
        now = time.monotonic()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            for one in self._open:
                self._due.setdefault(one, [now])
        wanted: set[UUID] = set()
        for one, times in list(self._due.items()):
            if times[0] > now or self._not_before.get(one, 0.0) > now:
                continue
            left = [at for at in times if at > now]
            if left:
                self._due[one] = left
            else:
                del self._due[one]
            if any(stream.wants(one) for stream in self._streams.values()):
                wanted.add(one)
        return wanted

    def _read(self, wanted: set[UUID]) -> None:
        began = time.monotonic()
        found = scene_events.read(self._settings, wanted)
        now = time.monotonic()
        self._tell(found)
        with self._lock:
            for one in found:
                if one.has_ended:
                    self._not_before.pop(one.scene_id, None)
                else:
                    self._not_before[one.scene_id] = now + BUSY * (now - began)

    def _tell(self, found: Iterable[Told], only: Stream | None = None) -> None:
        with self._lock:
            for told in found:
                if told.has_ended:
                    self._open.discard(told.scene_id)
                else:
                    self._open.add(told.scene_id)
                for stream in [only] if only else self._streams.values():
                    if stream.wants(told.scene_id):
                        stream.offer(told)

    def _tell_sessions(self, found: Iterable[SessionTold], only: Stream | None = None) -> None:
        with self._lock:
            for told in found:
                for stream in [only] if only else self._streams.values():
                    if stream.trading:
                        stream.offer(told)

    def _end(self) -> None:
        if self._changes is not None:
            self._changes.close()
        self._changes = None
        self._due.clear()
        self._open.clear()
        self._not_before.clear()
        self._trading.forget()


def _key(told: News) -> UUID:
    return told.session_id if isinstance(told, SessionTold) else told.scene_id


def _is_for(told: News, caller: Caller) -> bool:
    if isinstance(told, SessionTold):
        return told.is_for(caller.user_id, is_admin=caller.role is Role.ADMIN)
    return told.is_for(caller.user_id)


def _same(told: News, before: News) -> bool:
    """Tell whether there is no news but another guess at the time that is left."""
    if isinstance(told, SessionTold) or isinstance(before, SessionTold):
        return told == before
    return replace(told, rate_per_s=None, remaining_s=None) == replace(
        before, rate_per_s=None, remaining_s=None
    )


def recently() -> datetime:
    """Return the instant from which a stream of all hears at first."""
    return datetime.now(UTC) - timedelta(minutes=10)
