"""Tables of results for screens of any width."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.tables import COLUMNS, MORE, results_table


def row(fast: int, slow: int) -> dict[str, Any]:
    metrics = dict.fromkeys([*COLUMNS, *MORE, "calmar"], 123456.78)
    same = {"interval": "1h", "start": None, "end": None, "cash": 1.0, "prices": "raw"}
    parts = {key: {} for key in ("exits", "entry", "sizing", "costs")}
    run = {"params": {"fast": fast, "slow": slow}, "instruments": ["binance:BTCUSDT"]}
    return metrics | same | parts | run | {"status": "succeeded", "cached": False}


ROWS = [row(1234, 20), row(5, 6789)]


def shown(width: int, best: str) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(results_table(ROWS, width=width, best=best))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [90, 105, 110, 120, 139, 160, 200])
@pytest.mark.parametrize("best", ["sharpe", "final_equity", "calmar"])
def test_what_was_varied_and_what_ranks_is_shown_on_every_screen(width: int, best: str) -> None:
    text = shown(width, best)
    head, *lines = text.splitlines()
    assert ("fast" in head, "slow" in head, "▾" in head) == (True, True, True)
    assert len(lines) == len(ROWS)
    assert all(len(line) <= width for line in lines)
    assert "1234" in lines[0]
    assert "6789" in lines[1]


def test_a_narrow_screen_loses_what_matters_least_first() -> None:
    count = [sum(label in shown(width, "sharpe") for label in MORE.values()) for width in (90, 200)]
    assert count[0] < count[1] == len(MORE)
    for width in range(90, 200, 5):
        labels = [label in shown(width, "sharpe") for label in MORE.values()]
        assert labels == sorted(labels, reverse=True)
