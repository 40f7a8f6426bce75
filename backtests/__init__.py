"""The engine: candles and a run in, an outcome out. Pure functions over arrays, no I/O.

`ENGINE_VERSION` changes whenever execution, indicators or signals give other numbers for the same
run, `METRICS_VERSION` whenever the metrics do: both are part of every result's key, so that stored
answers of an older engine are never taken for today's.
"""

# Importing it chooses the cache of Numba before any kernel is declared.
import execution  # noqa: F401  # pyright: ignore[reportUnusedImport]

ENGINE_VERSION = "2"
METRICS_VERSION = "2"
