"""The process that Spark forks its Python workers from, with the engine loaded and compiled.

Spark ends idle workers after a minute. A worker forked from a bare daemon would spend seconds on
imports and on loading compiled kernels, within somebody's first run; a fork of this one starts
warm. The setting `spark.python.daemon.module` names it.

There is one for each kind of work, named by the variable MELA_WORKER. The one of `run`, whose
workers execute strategies, gives up the secrets of its environment and the files of the stack
(`streaming.confinement`), so that a strategy has the rights of `Settings.for_strategies` only.

Spark reads a port from this process's standard output. Prints of strategies while they are loaded
go to standard error, so that they cannot be taken for the port.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

KIND = "MELA_WORKER"
RUN, RECORD = "run", "record"
CLEAN = "MELA_WORKER_CLEAN"
SERVICE_LOG = "MELA_WORKER_LOG"  # on a cluster: the log of the worker that this belongs to
SECRET = re.compile(r"(MELA_|MLFLOW_).*(PASSWORD|SECRET|KEY|WEBHOOK)|_SPARK_AUTH_SECRET")
WARM_S = 120.0  # what a strategy may take when it is tried first; kernels compile meanwhile


def main() -> None:
    """Load and compile what workers need, then serve forks until Spark ends this process."""
    runs = os.environ.get(KIND) != RECORD
    if runs and CLEAN not in os.environ:
        _begin_anew()
    port_out = os.dup(1)
    _join_log()
    os.dup2(2, 1)

    from mela.settings import Settings
    from streaming.confinement import OF_A_WORKER, confine

    # Where memory runs out, the kernel shall end a worker, whose run is found, and not a service.
    Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    settings = Settings()
    for folder in ("cache", "spark/scratch"):  # what is made later stays closed
        (settings.home / folder).mkdir(parents=True, exist_ok=True)
    if runs:  # within the driver's confinement, so that not even its memory can be looked into
        confine(settings, OF_A_WORKER)

    from pyspark import daemon

    from streaming import strategies, tasks
    from streaming.logs import plain_logs

    plain_logs(sys.stderr)  # what Spark reads from standard output is a port
    tasks.preload()  # what the workers will need
    if runs:
        from backtests.portfolio import warm_accounts
        from backtests.simulate import warm

        warm(limited=_limited)
        warm_accounts()
        strategies.current(settings)  # those of installed packages, too
    # Spark collects garbage after each task, which is enough. What stands here before the first
    # fork never becomes any: left out, a collection takes a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.disable()
    os.nice(5)  # whoever plans a scene, or answers from the store, goes before those who compute
    sys.stdout.flush()
    os.dup2(port_out, 1)
    os.close(port_out)
    daemon.manager()


def _begin_anew() -> None:
    """Execute this program again without the secrets that the environment holds.

    Taking them out of os.environ alone would leave them in /proc/self/environ.
    """
    clean = {name: value for name, value in os.environ.items() if not SECRET.fullmatch(name)}
    words = [sys.executable, "-m", "streaming.daemon", *sys.argv[1:]]
    os.execve(sys.executable, words, {**clean, CLEAN: "1"})  # noqa: S606 - this program itself


def _join_log() -> None:
    """Write to the log of Spark's worker, where `mela logs` shows it, and not to a file of Spark's.

    It stays in that file where the worker has died meanwhile.
    """
    if log := os.environ.get(SERVICE_LOG):
        with suppress(OSError):
            descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
            os.set_blocking(descriptor, True)
            os.dup2(descriptor, 2)
            os.close(descriptor)


@contextmanager
def _limited() -> Generator[None]:
    """Interrupt a strategy that does not end; its run fails, and the next one is tried."""
    before = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, WARM_S, WARM_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"the strategy did not end within {WARM_S:g} s on two candles")


if __name__ == "__main__":
    main()
