"""Backtrader as the oracle: the same signals in both must give the same trades.

Only execution is compared. Mela is asked to do as Backtrader where the two can agree
(`protect_from: next`), Backtrader where it has a switch or a hook: it slips at the open and outside
the candle, does not slip limit orders, checks cash at the fill only, and is told the size that the
fill's price makes right. Children are cancelled before a position is closed, and never sent on the
candle of the exit signal: Backtrader would silently keep them (docs/execution.md).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from backtests.by_hand import MONDAY_MS, candles_of, execute
from mela.candles import Candles
from mela.interval import DAY_MS

with warnings.catch_warnings():
    # its sources carry invalid escape sequences and names that Python 3.12 deprecates
    warnings.simplefilter("ignore")
    import backtrader as bt

RUNS = 100
CANDLES = 100
WARMUP = 4


@dataclass
class Asked:
    """One random run."""

    candles: Candles
    enter: np.ndarray
    exit: np.ndarray
    terms: dict = field(default_factory=dict)


def random_run(seed: int) -> Asked:
    """Make a market that jumps, is rounded to ticks, and asks for everything at once."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, CANDLES)))
    opened = np.roll(close, 1) * np.exp(rng.normal(0, 0.01, CANDLES))
    opened[0] = close[0]
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.015, CANDLES)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.015, CANDLES)))
    tick = int(rng.integers(0, 3))
    rows = np.round(np.column_stack([opened, high, low, close]), tick)
    terms = {
        "fee": float(rng.choice([0.0, 0.001, 0.01])),
        "slippage": float(rng.choice([0.0, 0.0005, 0.01])),
        "fraction": float(rng.uniform(0.1, 0.97)),
        "stop_loss": rng.choice([None, 0.01, 0.05]),
        "take_profit": rng.choice([None, 0.01, 0.08]),
        "cooldown_bars": int(rng.choice([0, 0, 1, 5])),
        "protect_from": "next",
    }
    wanted = rng.random((2, CANDLES)) < [[0.25], [0.12]]
    return Asked(candles_of(list(map(tuple, rows))), wanted[0], wanted[1], terms)


class Broker(bt.brokers.BackBroker):
    """Backtrader's broker with targets that pay no slippage."""

    def _slip_down(self, pmin, price, doslip=True, lim=False):
        return price if lim else super()._slip_down(pmin, price, doslip, lim)


class Given(bt.Strategy):
    """Send the orders that the signals ask for; remember every fill and the equity."""

    params = (("asked", None),)

    def __init__(self) -> None:
        self.fills: list[tuple] = []
        self.pnl: list[float] = []
        self.equity: list[float] = []
        self.children: list[bt.Order] = []
        self.unprotected = False
        self.free_from = WARMUP - 1

    def notify_order(self, order) -> None:
        """Remember a fill on the candle it fell on."""
        if order.status != order.Completed:
            return
        done = order.executed
        self.fills.append((len(self) - 1, done.size, done.price, done.comm))
        if order.isbuy():
            self.entry_price, self.unprotected = done.price, True
        else:
            self.free_from = len(self) - 1 + self.p.asked.terms["cooldown_bars"]

    def notify_trade(self, trade) -> None:
        """Remember what Backtrader says a round trip earned, fees included."""
        if trade.isclosed:
            self.pnl.append(trade.pnlcomm)

    def next(self) -> None:
        """Order what the signals of this close ask for."""
        bar, asked = len(self) - 1, self.p.asked
        if bar >= WARMUP:
            self.equity.append(self.broker.getvalue())
        if bar == CANDLES - 1:
            return
        if self.position:
            if asked.exit[bar]:
                self._leave()
            elif self.unprotected:
                self._protect()
        elif asked.enter[bar] and not asked.exit[bar] and bar >= self.free_from:
            terms = asked.terms
            price = asked.candles.open[bar + 1] * (1 + terms["slippage"])
            self.buy(size=terms["fraction"] * self.broker.getcash() / (price * (1 + terms["fee"])))

    def _leave(self) -> None:
        for child in self.children:
            self.cancel(child)
        self.children, self.unprotected = [], False
        self.close()

    def _protect(self) -> None:
        terms, size = self.p.asked.terms, self.position.size
        self.children, self.unprotected = [], False
        if terms["stop_loss"] is not None:
            level = self.entry_price * (1 - terms["stop_loss"])
            self.children.append(self.sell(size=size, exectype=bt.Order.Stop, price=level))
        if terms["take_profit"] is not None:
            level = self.entry_price * (1 + terms["take_profit"])
            pair = {"oco": self.children[0]} if self.children else {}
            self.children.append(self.sell(size=size, exectype=bt.Order.Limit, price=level, **pair))


def run_backtrader(asked: Asked) -> Given:
    cerebro = bt.Cerebro(stdstats=False)
    broker = Broker()
    broker.set_cash(1_000.0)
    broker.set_checksubmit(False)
    broker.setcommission(commission=asked.terms["fee"])
    broker.set_slippage_perc(asked.terms["slippage"], slip_open=True, slip_out=True)
    cerebro.setbroker(broker)
    candles = asked.candles
    frame = pd.DataFrame(
        {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(candles.opened_ms, unit="ms"),
    )
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(Given, asked=asked)
    return cerebro.run()[0]


def run_mela(asked: Asked):
    return execute(
        asked.candles,
        np.flatnonzero(asked.enter),
        np.flatnonzero(asked.exit),
        warmup=WARMUP,
        **asked.terms,
    )


def bar_of(at) -> int:
    return (int(at.timestamp() * 1000) - MONDAY_MS) // DAY_MS


@pytest.fixture(scope="module")
def pairs() -> list:
    asked = [random_run(seed) for seed in range(RUNS)]
    return [(run_mela(one), run_backtrader(one)) for one in asked]


def test_every_fill_has_backtraders_candle_size_price_and_fee(pairs) -> None:
    for ours, theirs in pairs:
        entries, exits = theirs.fills[0::2], theirs.fills[1::2]
        assert len(exits) == len(ours.curve.trades)
        assert len(entries) - len(exits) == ours.metrics.open_trades
        for trade, entry, leave in zip(ours.curve.trades, entries, exits, strict=False):
            assert (bar_of(trade.entry_at), bar_of(trade.exit_at)) == (entry[0], leave[0])
            assert (trade.size, -trade.size) == pytest.approx((entry[1], leave[1]), rel=1e-9)
            assert (trade.entry_price, trade.exit_price) == pytest.approx(
                (entry[2], leave[2]), rel=1e-9
            )
            assert trade.fees == pytest.approx(entry[3] + leave[3], rel=1e-9)


def test_every_trade_has_backtraders_profit(pairs) -> None:
    for ours, theirs in pairs:
        profits = [trade.profit for trade in ours.curve.trades]
        # a profit is a difference of notionals, to whose rounding the tolerance is relative
        assert profits == pytest.approx(theirs.pnl, rel=1e-9, abs=1e-9)


def test_equity_is_backtraders_on_every_candle(pairs) -> None:
    for ours, theirs in pairs:
        assert ours.curve.equity.tolist() == pytest.approx(theirs.equity, rel=1e-9)


def test_the_random_runs_meet_every_kind_of_exit_often(pairs) -> None:
    """An oracle that is never asked agrees with everything."""
    reasons = [trade.exit_reason for ours, _ in pairs for trade in ours.curve.trades]
    ambiguous = sum(ours.metrics.ambiguous_bars for ours, _ in pairs)

    assert len(reasons) > 1_000
    assert all(reasons.count(kind) > 100 for kind in ("signal", "stop_loss", "take_profit"))
    assert ambiguous > 20
