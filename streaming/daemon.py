"""The process that Spark forks its Python workers from, with the engine loaded and compiled.

Spark ends idle workers after a minute. A worker forked from a bare daemon would spend seconds on
imports and on loading compiled kernels, within somebody's first run; a fork of this one starts
warm. The setting `spark.python.daemon.module` names it.

Spark reads a port from this process's standard output. Whatever strategies print while they are
loaded goes to standard error instead, so that it cannot be taken for the port.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

WARM_S = 120.0  # what a strategy may take when it is tried first; kernels compile meanwhile


def main() -> None:
    """Load and compile what workers need, then serve forks until Spark ends this process."""
    port_out = os.dup(1)
    os.dup2(2, 1)

    from pyspark import daemon

    from backtests.portfolio import warm_accounts
    from backtests.simulate import warm
    from mela.settings import Settings
    from streaming import record, run, strategies
    from streaming.logs import plain_logs

    plain_logs()
    _ = record, run  # what the workers will need
    warm(limited=_limited)
    warm_accounts()
    strategies.current(Settings())  # those of installed packages, too
    # Spark collects garbage after each task, which is enough. What stands here before the first
    # fork never becomes any: left out, a collection takes a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.disable()
    os.nice(5)  # whoever plans a scene, or answers from the store, goes before those who compute
    # Where memory runs out, the kernel shall end a worker, whose run is found, and not a service.
    Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    sys.stdout.flush()
    os.dup2(port_out, 1)
    os.close(port_out)
    daemon.manager()


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
