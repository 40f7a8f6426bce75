"""The process that Spark forks its Python workers from, with the engine loaded and compiled.

Spark ends idle workers after a minute. A worker forked from a bare daemon would spend seconds on
imports and on loading compiled kernels, within somebody's first run; a fork of this one starts
warm. Named by the setting `spark.python.daemon.module`.
"""

from __future__ import annotations

import gc
import os

from pyspark import daemon

from backtests.portfolio import warm_accounts
from backtests.simulate import warm
from mela.settings import Settings
from streaming import record, run, strategies

__all__ = ["record", "run"]  # what the workers will need

if __name__ == "__main__":
    warm()
    warm_accounts()
    strategies.current(Settings())  # those of installed packages, too
    # Spark collects garbage after each task, which is enough. What stands here before the first
    # fork never becomes any: left out, a collection takes a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.disable()
    os.nice(5)  # whoever plans a scene, or answers from the store, goes before those who compute
    daemon.manager()
