"""The lives of `tests.live.mortal`, from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mela.settings import REPOSITORY, Settings


class Mortal:
    """A process that lives as often as it is asked to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.mortal"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "ready" in self._told()

    def live(
        self,
        settings: Settings,
        until_ms: int,
        at: int = 0,
        kind: str = "",
        is_over: Callable[[], bool] | None = None,
    ) -> dict[str, Any]:
        """Live once. is_over: asked from outside whether the life is to end now, by SIGKILL."""
        asked = {"until_ms": until_ms, "many": 2, "at": at, "kind": kind}
        asked["settings"] = plain(settings)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = {}
        with killing(self._told()["born"], is_over):
            while "gone" not in (words := self._told()):
                told = words
        return told

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "broken" not in told, told["broken"]
        return told

    def end(self) -> None:
        self._process.communicate(timeout=30)


@contextmanager
def killing(process: int, is_over: Callable[[], bool] | None) -> Iterator[None]:
    """Kill a process once something holds, unless the block ends before."""
    ended = threading.Event()

    def watch() -> None:
        while is_over is not None and not ended.wait(0.002):
            if is_over():
                os.kill(process, signal.SIGKILL)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def plain(settings: Settings) -> dict[str, Any]:
    from pydantic import SecretStr

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shown(one) for name, one in value.items()}
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    return json.loads(json.dumps(shown(settings.model_dump()), default=str))
