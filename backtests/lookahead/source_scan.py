"""Calls that the profiler does not see, found in the source of the lines that were executed.

Compiled libraries ask the clock (`pd.Timestamp.now()`, `np.datetime64("now")`), draw numbers
(`np.random.rand()`) and open files (`pq.read_table()`) without a call that Python would tell of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backtests.lookahead.resource_watch import Reach, Watch

NOW = frozenset({"now", "utcnow", "today"})
TIMES = frozenset({"datetime64", "Timestamp", "to_datetime", "Period"})
READERS = frozenset(
    {"read_parquet", "scan_parquet", "read_table", "read_feather", "read_ipc", "scan_csv"}
    | {"read_csv", "read_hdf", "open_zarr", "ParquetFile", "ParquetDataset", "read_sql"}
)


def spelled(watch: Watch) -> Iterator[Reach]:
    """Yield clocks, chance and files that executed lines of the strategy name."""
    lines: dict[str, set[int]] = {}
    for code, executed in watch.lines.items():
        lines.setdefault(code.co_filename, set()).update(executed)
    for file, executed in lines.items():
        for call in _calls(file):
            if executed.isdisjoint(range(call.lineno, (call.end_lineno or call.lineno) + 1)):
                continue
            found = _reach_of(call)
            if found is not None:
                kind, what = found
                yield Reach(kind, what, file, call.lineno)


def _calls(file: str) -> list[ast.Call]:
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):  # a notebook's cell, or code made of text
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _reach_of(call: ast.Call) -> tuple[Any, str] | None:
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    first = call.args[0] if call.args else None
    if last in NOW and "." in name:
        return "clock", f"{name}()"
    if last in TIMES and isinstance(first, ast.Constant) and str(first.value).lower() in NOW:
        return "clock", ast.unparse(call)
    if last in READERS and "." in name:
        return "file", ast.unparse(call)[:60]
    if "random." in name or last == "default_rng":
        return "chance", ast.unparse(call)[:60]
    return None
