"""The worker of backtesting.py: its own optimize over a grid, in one process."""

# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import time
import warnings
from typing import Any

import backtesting
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from serve import Answer, columns, serve

FINAL = "Equity Final [$]"


class Here(contextlib.AbstractContextManager["Here"]):
    """A pool without processes: tasks run in this process, so that one process is measured.

    A pool of one process would add the cost of pickling.
    """

    def imap(self, function: Any, tasks: Any) -> Any:
        """Return the results one by one."""
        return map(function, tasks)

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


def mean(values: Any, period: int) -> Any:
    """Return the simple moving average."""
    return pd.Series(values).rolling(period).mean()


class SmaCross(Strategy):
    """Enter on the crossover of two means and exit on the reverse."""

    fast, slow, fraction = 10, 30, 0.95

    def init(self) -> None:
        """Compute the indicators."""
        self.a = self.I(mean, self.data.Close, self.fast)
        self.b = self.I(mean, self.data.Close, self.slow)

    def next(self) -> None:
        """Place orders, which fill at the next open."""
        if self.position:
            if crossover(self.b, self.a):
                self.position.close()
        elif crossover(self.a, self.b):
            self.buy(size=self.fraction)


def grid(terms: dict[str, Any]) -> Answer:
    """Optimize over every pair of periods; the heat map holds each pair's final equity."""
    of = columns(terms["folder"])
    index = pd.DatetimeIndex(of["opened_ms"].astype("datetime64[ms]"))
    named = {name.capitalize(): of[name] for name in ("open", "high", "low", "close", "volume")}
    candles = pd.DataFrame(named, index=index)
    SmaCross.fraction = terms["fraction"]
    started = time.perf_counter()
    run = Backtest(candles, SmaCross, cash=terms["cash"], commission=terms["fee"])
    _, heatmap = run.optimize(
        fast=terms["fasts"], slow=terms["slows"], maximize=FINAL, return_heatmap=True
    )
    seconds = time.perf_counter() - started
    found = {pair: float(value) for pair, value in heatmap.items()}
    return {
        "seconds": seconds,
        "final_equity": [found[a, b] for a in terms["fasts"] for b in terms["slows"]],
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # it warns of open trades at the end, as told by its answers
    backtesting.Pool = Here
    serve({"grid": grid})
