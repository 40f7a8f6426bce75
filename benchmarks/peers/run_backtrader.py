"""Backtrader's worker: one SMA crossover with trades, equity and its analyzers."""

# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
# pyright: reportCallIssue=false
from __future__ import annotations

import time
from typing import Any

import backtrader as bt
import numpy as np
from serve import Answer, columns, gain, serve

EPOCH = 719_163.0  # 1970-01-01 in Backtrader's days
DAY_MS = 86_400_000


class Columns(bt.feed.DataBase):
    """A data feed from columns in memory, without parsing."""

    params = (("columns", None),)

    def start(self) -> None:
        """Convert the columns to the lists that Backtrader reads."""
        super().start()
        of = self.p.columns
        days = EPOCH + of["opened_ms"] / DAY_MS
        named = (of[name].tolist() for name in ("open", "high", "low", "close", "volume"))
        self.rows = zip(days.tolist(), *named, strict=True)

    def _load(self) -> bool:
        row = next(self.rows, None)
        if row is None:
            return False
        lines = self.lines
        (
            lines.datetime[0],
            lines.open[0],
            lines.high[0],
            lines.low[0],
            lines.close[0],
            lines.volume[0],
        ) = row
        return True


class SmaCross(bt.Strategy):
    """Enter on the crossover of two means, exit on the reverse; record equity and fills."""

    params = (("fast", 10), ("slow", 30))

    def __init__(self) -> None:
        """Declare the indicators."""
        fast = bt.indicators.SMA(period=self.p.fast)
        self.cross = bt.indicators.CrossOver(fast, bt.indicators.SMA(period=self.p.slow))
        self.equity: list[float] = []
        self.fills: list[float] = []

    def notify_order(self, order: Any) -> None:
        """Record the price of each fill."""
        if order.status == order.Completed:
            self.fills.append(order.executed.price)

    def next(self) -> None:
        """Place orders, which fill at the next open."""
        self.equity.append(self.broker.getvalue())
        cross = self.cross[0]
        if self.position:
            if cross < 0:
                self.close()
        elif cross > 0:
            self.buy()


def cross(terms: dict[str, Any]) -> Answer:
    """Run one SMA crossover."""
    of = columns(terms["folder"])
    started = time.perf_counter()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(Columns(columns=of, timeframe=bt.TimeFrame.Minutes))
    cerebro.addstrategy(SmaCross, fast=terms["fast"], slow=terms["slow"])
    cerebro.addsizer(bt.sizers.PercentSizer, percents=100 * terms["fraction"])
    cerebro.broker.setcash(terms["cash"])
    cerebro.broker.setcommission(commission=terms["fee"])
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.addanalyzer(bt.analyzers.DrawDown)
    cerebro.addanalyzer(bt.analyzers.Returns)
    cerebro.addanalyzer(bt.analyzers.SharpeRatio, timeframe=bt.TimeFrame.Days)
    (ran,) = cerebro.run()
    seconds = time.perf_counter() - started
    trades = ran.analyzers.trades.get_analysis()["total"]["closed"]
    prices = np.array(ran.fills)
    return {
        "seconds": seconds,
        "trades": trades,
        "final_equity": float(cerebro.broker.getvalue()),
        "gain": gain(prices[0 : 2 * trades : 2], prices[1 : 2 * trades : 2]),
    }


if __name__ == "__main__":
    serve({"cross": cross})
