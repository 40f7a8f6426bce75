"""Run the same scenes with two commits: a process each, then in turns for their speed."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mela.counts import counted
from regression.commits import Tree
from regression.environments import Environment
from regression.errors import NotCompared
from regression.evidence import DetailedRun, SceneAnswer, Side
from regression.golden import GoldenScene

WORKER = Path(__file__).with_name("worker.py")
ANSWER_S = 300  # the first scene compiles the engine
COMPILED_KEPT = 12  # engines whose compiled code is kept
GONE = "gone"  # the process ended without an answer


class SideProcess:
    """A process that runs scenes with the code of one commit."""

    def __init__(
        self,
        tree: Tree,
        environment: Environment,
        series: Mapping[str, Any],
        home: Path,
        work: Path,
    ) -> None:
        self.tree = tree
        self.environment = environment
        self._opening = {"series": series, "cache": str(home / "compiled")}
        self._work = work
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def about(self) -> dict[str, Any]:
        """Return the commit's versions. Raises NotCompared if it cannot be run."""
        answer = self._start()
        if "too_old" in answer:
            raise NotCompared(
                f"{self.tree.word} ({self.tree.name}) is too old to be compared: "
                f"{answer['too_old']}. Take a commit that has it."
            )
        if "error" in answer:
            raise NotCompared(
                f"the code of {self.tree.word} ({self.tree.name}) cannot be loaded: "
                f"{answer['error']}"
            )
        return answer

    def answer(self, scene: GoldenScene) -> SceneAnswer:
        """Return the commit's answer to a scene; restart the process if the scene crashes it."""
        file = self._work / f"equity_{scene.name}.npz"
        request = {"scene": scene.document, "name": scene.name, "equity_file": str(file)}
        answer = self._ask(request)
        if "documents" not in answer:
            return SceneAnswer(error=answer["error"])
        with np.load(file) as arrays:
            kept = dict(arrays)
        drawn = [
            DetailedRun(
                one["run_key"],
                one["trades"],
                one["halves"],
                kept.get(f"at_{place}"),
                kept.get(f"equity_{place}"),
            )
            for place, one in enumerate(answer["curves"])
        ]
        return SceneAnswer(answer["documents"], drawn, answer["report"], digest=answer["digest"])

    def seconds(self, names: Sequence[str]) -> dict[str, Any]:
        """Run answered scenes once more; return name → seconds, and a digest of the numbers."""
        answer = self._ask({"names": list(names)})
        if "error" in answer:
            raise NotCompared(f"{self.tree.word} could not be timed: {answer['error']}")
        return answer

    def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self._process is None:
            self._start()
        answer = self._exchange(request)
        if answer.get("code") == GONE:
            self.stop()
        return answer

    def _start(self) -> dict[str, Any]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MELA_", "NUMBA_", "PYTHON"))
        }
        self._unread = b""
        self._process = subprocess.Popen(
            [str(self.environment.python), "-P", str(WORKER), str(self.tree.folder)],
            cwd=self._work,  # a folder without anything to import
            env={**kept, "PYTHONPATH": str(self.tree.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._exchange(self._opening)

    def _exchange(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process is not None  # noqa: S101  whoever comes here has started it
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return {"error": self._ended(), "code": GONE}
        line = self._line()
        if line is None:
            return {"error": self._ended(), "code": GONE}
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            answer["error"] = self._without_paths(answer["error"])
        for one in answer.get("documents", ()):
            if one["error"] is not None:
                one["error"]["sentence"] = self._without_paths(one["error"]["sentence"])
        if "broken" in answer:
            answer["broken"] = {k: self._without_paths(v) for k, v in answer["broken"].items()}
        return answer

    def _line(self) -> bytes | None:
        """Return the next line; None if the process ends or takes too long."""
        assert self._process is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(ANSWER_S):
                    return None
                some = os.read(self._process.stdout.fileno(), 1 << 20)
                if not some:
                    return None
                self._unread += some
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _ended(self) -> str:
        assert self._process is not None  # noqa: S101
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return f"it gave no answer within {ANSWER_S} s"
        return f"its process ended with {code}"

    def _without_paths(self, text: str) -> str:
        """Return a message with this machine's paths removed."""
        for place in (
            self.tree.folder,
            self._work,
            Path.home(),
            self.environment.python.parents[1],
        ):
            text = text.replace(f"{place}/", "").replace(str(place), "")
        return text


def ask_both(
    processes: tuple[SideProcess, SideProcess],
    scenes: Sequence[GoldenScene],
    *,
    repeats: int,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Side, Side]:
    """Return both commits' answers to all scenes, and how long they take in turns.

    tell: receives progress messages. Raises NotCompared if a commit cannot be run.
    """
    try:
        with ThreadPoolExecutor(2) as both:
            abouts = list(both.map(SideProcess.about, processes))
            tell(f"running {counted(len(scenes), 'scene')} on both")
            answers = list(both.map(lambda one: _answers(one, scenes), processes))
        names = [one.name for one in scenes if all(a[one.name].failure is None for a in answers)]
        seconds: tuple[dict[str, list[float]], ...] = ({}, {})
        tell(f"timing {counted(len(names), 'scene')}, {counted(repeats, 'time')} in turns")
        for repeat in range(repeats if names else 0):
            for place in (0, 1) if repeat % 2 == 0 else (1, 0):
                _time(processes[place], names, answers[place], seconds[place])
    finally:
        for one in processes:
            one.stop()
    base, head = (
        Side(
            name=one.tree.name,
            subject=one.tree.subject,
            environment=one.environment.description,
            engine_version=about["engine_version"],
            metrics_version=about["metrics_version"],
            strategies=about["strategies"],
            broken=about["broken"],
            answers=found,
            seconds=times,
        )
        for one, about, found, times in zip(processes, abouts, answers, seconds, strict=True)
    )
    return base, head


def forget_old(home: Path) -> None:
    """Remove compiled code of engines that were compared long ago."""
    folders = [one for one in (home / "compiled").glob("*") if one.is_dir()]
    for folder in sorted(folders, key=lambda one: one.stat().st_mtime)[:-COMPILED_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)  # another comparison may use or remove it


def _answers(process: SideProcess, scenes: Sequence[GoldenScene]) -> dict[str, SceneAnswer]:
    return {one.name: process.answer(one) for one in scenes}


def _time(
    process: SideProcess,
    names: Sequence[str],
    answers: dict[str, SceneAnswer],
    seconds: dict[str, list[float]],
) -> None:
    for name, one in process.seconds(names).items():
        seconds.setdefault(name, []).append(one["seconds"])
        was = answers[name]
        if one["digest"] != was.digest:
            answers[name] = replace(was, again=False)
