"""Peers of the engine, each in its own environment, which run tasks and report their times."""

from __future__ import annotations

import hashlib
import json
import selectors
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mela.errors import MelaError

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
ENVIRONMENTS = ROOT / ".venv-peers"
INSTALL_S, ANSWER_S = 600.0, 240.0
STAMP = "mela-setup"


def requirements(name: str) -> Path:
    """Return the pinned packages of a peer."""
    return PEERS / f"{name}.txt"


def environment(name: str) -> Path:
    """Return a peer's Python with its pinned packages; installs them if necessary.

    Raises MelaError if its packages cannot be installed.
    """
    home = ENVIRONMENTS / name
    python, stamp = home / "bin" / "python", home / STAMP
    # an environment knows its clone by its path
    wanted = hashlib.sha256(f"{home}\n".encode() + requirements(name).read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    _uv("venv", "--quiet", "--clear", "--python", ".venv/bin/python", str(home))
    install = ("pip", "install", "--quiet", "--compile-bytecode", "--python", str(python))
    _uv(*install, "-r", str(requirements(name)))
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        ["sh", "stack/uv.sh", *arguments],
        cwd=ROOT,
        timeout=INSTALL_S,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MelaError(f"uv {arguments[0]} must succeed for a peer, but said: {done.stderr}")


class Peer:
    """A peer's worker process. It stays warm between calls of `ask`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the worker
        self._worker = subprocess.Popen(
            [str(environment(name)), str(PEERS / f"run_{name}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._worker.kill()
        self._worker.wait()
        for pipe in (self._worker.stdin, self._worker.stdout, self._errors):
            assert pipe is not None
            pipe.close()

    def ask(self, task: str, **terms: Any) -> dict[str, Any]:
        """Return the worker's answer: `seconds`, and its results.

        Raises MelaError if the worker exits or does not answer within ANSWER_S seconds.
        """
        questions, answers = self._worker.stdin, self._worker.stdout
        assert questions is not None
        assert answers is not None
        questions.write(json.dumps({"task": task, **terms}, default=str) + "\n")
        questions.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(answers, selectors.EVENT_READ)
            line = answers.readline() if selector.select(ANSWER_S) else ""
        if not line:
            self._errors.seek(0)
            raise MelaError(
                f"{self.name} must answer {task} within {ANSWER_S:.0f} s, "
                f"but did not; it said: {self._errors.read()[-2_000:]}"
            )
        return json.loads(line)
