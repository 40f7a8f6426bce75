"""Run golden scenes with the code of one commit. `mela compare` starts one worker per side.

This file belongs to the comparing commit but imports the code of the compared commit. It therefore
uses only the names in `NEEDED` from that code, and no other module of this folder. It answers each
line of JSON on standard input with one line on standard output; other output goes to standard
error.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import math
import os
import platform
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import UserProvidedCacheLocator

NEEDED = {
    "backtests": ("ENGINE_VERSION", "METRICS_VERSION"),
    "backtests.local": ("Bench", "check", "conclude", "execute"),
    "backtests.portfolio": ("run_series",),
    "backtests.strategies": ("refresh",),
    "mela.candles": ("Candles",),
    "mela.errors": ("SceneInvalid",),
    "mela.interval": ("Interval",),
    "mela.messages": ("read_stored_run",),
    "mela.result": ("rank", "result_document"),
    "mela.run": ("from_ms", "to_ms"),
    "mela.scene": ("parse_scene",),
}
ENGINE = ("execution", "backtests")  # the rooms that hold compiled code
MAX_RUNS = 10_000
MOST_CURVES = 4  # with more runs, only the best one is drawn; for a search, its winner
TREE = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
LIBRARIES = ("numba", "numpy")  # compiled code depends on their versions


class CommitTooOld(Exception):
    """The commit lacks something that a comparison needs."""


class TreePathLocator(UserProvidedCacheLocator):
    """Store compiled code under the source's path within the tree, wherever the tree lies.

    Two worktrees with the same engine then share it, and so do later comparisons.
    """

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """Return the folder of a source file within the tree, as one word."""
        return ".".join(Path(py_file).resolve().relative_to(TREE).parent.parts)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """Return a locator for a function of the tree, None for any other."""
        inside = Path(py_file).resolve().is_relative_to(TREE)
        return super().from_function(py_func, py_file) if inside else None


def share_compiled(cache: Path) -> Path | None:
    """Let Numba store its compiled code in a folder named by the engine's digest.

    returns: a file to lock while compiling, so that of two sides with the same engine only one
        compiles and the other loads; None if an earlier comparison has compiled it
    """
    config: Any = numba.config
    config.CACHE_DIR = str(cache / engine_digest(TREE))
    Path(config.CACHE_DIR).mkdir(parents=True, exist_ok=True)
    os.utime(config.CACHE_DIR)  # marks the folder as recently used
    config.CACHE_LOCATOR_CLASSES = f"{__name__}.{TreePathLocator.__name__},InTreeCacheLocator"
    is_new = next(Path(config.CACHE_DIR).rglob("*.nbi"), None) is None
    return Path(config.CACHE_DIR) / "lock" if is_new else None


def engine_digest(tree: Path) -> str:
    """Return what names the compiled code of a tree's engine: its sources and their compiler."""
    digest = hashlib.sha256()
    digest.update(" ".join([platform.python_version(), *map(metadata.version, LIBRARIES)]).encode())
    for file in sorted(one for room in ENGINE for one in (tree / room).rglob("*.py")):
        if file.parent.name != "strategies":  # they call nothing of each other, and Numba looks at
            digest.update(file.relative_to(tree).as_posix().encode())  # the source of each itself
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def alone(lock: Path | None) -> Generator[None]:
    """Hold a lock, if there is one."""
    if lock is None:
        yield
        return
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def load() -> dict[str, Any]:
    """Return the needed parts of the commit's code by name. Raises CommitTooOld."""
    found: dict[str, Any] = {}
    for module, names in NEEDED.items():
        try:
            loaded = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not str(error.name).startswith(module.partition(".")[0]):
                raise
            raise CommitTooOld(f"it has no module {error.name}") from error
        for name in names:
            if not hasattr(loaded, name):
                raise CommitTooOld(f"its {module} has no {name}")
            found[name] = getattr(loaded, name)
    # newer commits take candles for whole runs, and say how to make that of single series
    found["whole_series"] = getattr(sys.modules["backtests.local"], "whole_series", None)
    check_places()
    return found


def leave_installed_alone() -> None:
    """Remove the import hooks that would load an installed Mela for missing modules."""
    sys.meta_path[:] = [
        finder
        for finder in sys.meta_path
        if not str(getattr(finder, "__module__", "")).startswith("__editable__")
    ]


def check_places() -> None:
    """Raise RuntimeError if a module of Mela was loaded from outside the commit."""
    roots = {*ENGINE, *(module.partition(".")[0] for module in NEEDED)}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] not in roots or file is None:
            continue
        if not Path(file).resolve().is_relative_to(TREE):
            raise RuntimeError(f"expected the commit's own {name}, but found an installed one")


class Runner:
    """Run scenes with the code of the commit."""

    def __init__(self, code: dict[str, Any], series: dict[str, dict[str, str]]) -> None:
        self.code = code
        self.catalogue = code["refresh"]()
        self.scenes: dict[str, Any] = {}
        self._files = series
        self._candles: dict[tuple[str, str], Any] = {}

    def about(self) -> dict[str, Any]:
        """Return the commit's versions."""
        return {
            "engine_version": self.code["ENGINE_VERSION"],
            "metrics_version": self.code["METRICS_VERSION"],
            "strategies": {name: self.catalogue[name].digest for name in self.catalogue},
            "broken": {name: one.error for one in self.catalogue.broken for name in one.names},
            "python": platform.python_version(),
        }

    def run(self, name: str, document: dict[str, Any], equity_file: str) -> dict[str, Any]:
        """Return a scene's results and report, and the trades and halves of its best runs."""
        try:
            scene = self.code["parse_scene"](document)
            plan = self.code["check"](scene, self.catalogue, max_runs=MAX_RUNS)
        except self.code["SceneInvalid"] as refused:
            return {"error": str(refused), "code": str(refused.code.value)}
        self.scenes[name] = scene, plan
        bench = self._bench()
        done = self.code["execute"](scene, plan, bench)
        best = self.code["rank"](done.documents, scene.rank_by)
        found = self.code["conclude"](scene, best, bench)
        report = found.document() if hasattr(found, "document") else found  # older commits: a dict
        winner_key = ((report or {}).get("winner") or {}).get("run_key")
        shown = [one for one in done.documents if one["run_key"] == winner_key]
        if not shown:
            shown = done.documents if len(done.documents) <= MOST_CURVES else best[:1]
        curves: list[dict[str, Any]] = []
        equity: dict[str, Any] = {}
        for place, one in enumerate(shown):
            curves.append(self._look_at(one, bench, equity, place))
        np.savez(equity_file, **equity)
        return {
            "documents": done.documents,
            "skipped": done.skipped,
            "curves": curves,
            "report": report,
            "digest": _digest_of(done.documents),
        }

    def time(self, names: list[str]) -> dict[str, Any]:
        """Run scenes once more; return each one's seconds and the digest of its numbers."""
        answer: dict[str, Any] = {}
        for name in names:
            scene, plan = self.scenes[name]
            bench = self._bench()  # a new one without indicators in memory
            started_at = time.perf_counter()
            done = self.code["execute"](scene, plan, bench)
            seconds = time.perf_counter() - started_at
            answer[name] = {"seconds": seconds, "digest": _digest_of(done.documents)}
        return answer

    def _bench(self) -> Any:
        whole_series = self.code["whole_series"]
        read = self._read if whole_series is None else whole_series(self._read)
        return self.code["Bench"](read, self.catalogue)

    def _read(self, instrument: str, interval: Any) -> Any:
        key = instrument, str(interval.value)
        if key not in self._candles:
            stored = self._files[f"{instrument} {interval.value}"]
            with np.load(stored["file"]) as columns:
                arrays = {name: np.ascontiguousarray(columns[name]) for name in columns.files}
            self._candles[key] = self.code["Candles"](
                self.code["Interval"](interval.value), **arrays, calendar=stored["calendar"]
            )
        return self._candles[key]

    def _look_at(
        self, document: dict[str, Any], bench: Any, equity: dict[str, Any], place: int
    ) -> dict[str, Any]:
        """Return trades and halves of a run, and add its equity to the others'."""
        answer: dict[str, Any] = {"run_key": document["run_key"], "trades": [], "halves": []}
        run = self.code["read_stored_run"](document, self.catalogue)
        series = bench.series_of(run)
        outcome = self._outcome(series, run)
        if outcome.curve is None:
            return answer
        equity[f"at_{place}"] = outcome.curve.opened_ms
        equity[f"equity_{place}"] = outcome.curve.equity
        answer["trades"] = [_plain(trade._asdict()) for trade in outcome.curve.trades]
        first, last = self.code["to_ms"](run.start), self.code["to_ms"](run.end)
        middle = self.code["from_ms"]((first + last) // 2 // 86_400_000 * 86_400_000)
        for half in (replace(run, end=middle), replace(run, start=middle)):
            metrics = self._outcome(series, half).metrics
            answer["halves"].append(None if metrics is None else _plain(metrics._asdict()))
        return answer

    def _outcome(self, series: Any, run: Any) -> Any:
        [outcome] = self.code["run_series"](
            series, [run], with_curve=True, catalogue=self.catalogue
        )
        return outcome


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in fields.items()}


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _digest_of(documents: list[dict[str, Any]]) -> str:
    timeless = [{**one, "computed_at": None} for one in documents]
    return hashlib.sha256(json.dumps(timeless, sort_keys=True).encode()).hexdigest()


def main() -> None:
    """Answer on the original standard output until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    runner: Runner | None = None
    lock: Path | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "series" in request:
                leave_installed_alone()
                lock = share_compiled(Path(request["cache"]))
                runner = Runner(load(), request["series"])
                answer = runner.about()
            elif runner is None:
                raise RuntimeError("expected the series first")
            elif "scene" in request:
                with alone(lock):
                    answer = runner.run(request["name"], request["scene"], request["equity_file"])
            else:
                answer = runner.time(request["names"])
        except CommitTooOld as error:
            answer = {"too_old": str(error)}
        except Exception as error:  # noqa: BLE001  any code of any commit: what it raises is answered
            answer = {"error": f"{type(error).__name__}: {error}", "code": "raised"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
