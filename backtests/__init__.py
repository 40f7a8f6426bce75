"""The engine: candles and a run in, an outcome out. Pure functions over arrays, no I/O.

`ENGINE_VERSION` changes whenever execution, indicators or signals give other numbers for the same
run, `METRICS_VERSION` (of the registry, mela/metrics.py) whenever the metrics do: both are part of
every result's key, so that stored answers of an older engine are never taken for today's.
"""

# Importing it chooses the cache of Numba before any kernel is declared.
import execution  # noqa: F401  # pyright: ignore[reportUnusedImport]
from mela.metrics import METRICS_VERSION

__all__ = ["ENGINE_VERSION", "METRICS_VERSION"]

ENGINE_VERSION = "3"
