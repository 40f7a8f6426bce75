"""Hear from Kafka and Postgres which scenes and sessions changed, in every process alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from uuid import UUID

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from mela.errors import MelaError
from mela.settings import Settings
from messaging.consumer import poll, tail
from services.scenes.scene_events import CHANGED, PROGRESS, WATCH, Watch, read_watch
from services.trading import session_events
from warehouse.scenes.listening import listening

LOG = structlog.get_logger(__name__)
AGAIN_S = 1.0  # until a broker or a warehouse that is away is asked again
WAIT_S = 0.5  # after which a thread looks whether it shall end


class Changes:
    """Hears of changes in two threads until it is closed.

    on_change: is told a scene that changed; None where some may have been missed
    on_watch: is told what a stream watches from now on
    on_session: is told a trading session that changed
    All are called in those threads.
    """

    def __init__(
        self,
        settings: Settings,
        on_change: Callable[[UUID | None], None],
        on_watch: Callable[[Watch], None],
        on_session: Callable[[UUID], None],
    ) -> None:
        """Begin to listen."""
        self._settings = settings
        self._on_change = on_change
        self._on_watch = on_watch
        self._on_session = on_session
        self._is_closed = threading.Event()
        for name, work in (("progress", self._kafka), ("notices", self._postgres)):
            threading.Thread(
                target=self._again, args=(name, work), name=f"mela-{name}", daemon=True
            ).start()

    def close(self) -> None:
        """Stop listening soon."""
        self._is_closed.set()

    def _again(self, name: str, work: Callable[[], None]) -> None:
        """Listen, and again whenever what is listened to was away."""
        is_well = True
        while not self._is_closed.is_set():
            try:
                work()
            except (MelaError, SQLAlchemyError, OSError) as error:
                if is_well:
                    LOG.warning("not_heard", of=name, error=str(error).strip().split("\n")[0])
                is_well = False
                self._is_closed.wait(AGAIN_S)
            except Exception:  # pages would stay as they are: nobody starts this thread again
                LOG.exception("not_heard", of=name)
                is_well = False
                self._is_closed.wait(AGAIN_S)
            else:
                is_well = True

    def _kafka(self) -> None:
        with closing(tail(self._settings, PROGRESS)) as consumer:
            self._on_change(None)  # what came before is not in the topic's rest
            while not self._is_closed.is_set():
                raw = poll(consumer, WAIT_S)
                if raw is not None and (scene_id := _scene_of(raw)) is not None:
                    self._on_change(scene_id)

    def _postgres(self) -> None:
        with listening(self._settings, (CHANGED, WATCH, session_events.CHANGED)) as listener:
            self._on_change(None)
            while not self._is_closed.is_set():
                for heard in listener.wait(WAIT_S):
                    if heard.channel == WATCH:
                        self._on_watch(read_watch(heard.words))
                    elif heard.channel == session_events.CHANGED:
                        self._on_session(UUID(heard.words))
                    else:
                        self._on_change(UUID(heard.words))


def _scene_of(raw: bytes) -> UUID | None:
    """Return the scene that a message of `mela.progress` is about; None for what is none."""
    try:
        return UUID(orjson.loads(raw)["scene_id"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
