"""The loop of each peer's worker: it reads tasks on stdin and answers with seconds and results.

A worker runs in its own environment and does not import Mela. A task is a line of JSON, `{"task":
…, "folder": …, …}`; the answer is a line too, `{"seconds": …, …}`. Reading the candles is not
timed, only the task itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

Answer = dict[str, Any]
Task = Callable[[dict[str, Any]], Answer]
NAMES = ("opened_ms", "open", "high", "low", "close", "volume")


@cache
def columns(folder: str) -> dict[str, np.ndarray]:
    """Return the columns of a candle folder by name."""
    return {name: np.load(Path(folder) / f"{name}.npy") for name in NAMES}


def serve(tasks: dict[str, Task]) -> None:
    """Answer tasks until stdin ends. Output of the library goes to stderr."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        answer = tasks[question.pop("task")](question)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def gain(entry_prices: np.ndarray, exit_prices: np.ndarray) -> float:
    """Return the sum of the log price moves between the entries and exits of closed trades.

    It depends on where trades began and ended, not on their sizes.
    """
    return float(np.sum(np.log(exit_prices / entry_prices)))
