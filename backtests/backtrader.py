"""Backtrader executes a run: the engine that scenes may ask for to check ours.

Nothing here decides what an order becomes: orders are Backtrader's, and its broker fills them on
cash of its own. If Backtrader has a switch for a rule, it is set to Mela's (docs/execution.md,
Backtrader). Imported only where a run asks for it.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backtests.candles.prepared import PreparedCandles
from backtests.execute import Buffers
from backtests.kernel.ledger import Walked, begin_drawdown, end_drawdown, step_drawdown
from backtests.signals import Cross, Float, MeanCross, Signals
from execution.trades import LARGE_FILL, SIGNAL, STOP_LOSS, TAKE_PROFIT
from mela.backtrader_terms import PARTS, beyond_backtrader
from mela.candles import Candles
from mela.interval import DAY_MS
from mela.run import CashSizing, FractionSizing, Run, UnitsSizing

with warnings.catch_warnings():
    # its sources carry escape sequences that Python deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", SyntaxWarning)
    import backtrader as bt

EPOCH_DAY = 719_163  # 1970-01-01, as Backtrader counts days
LAST_DIGITS = 1e-12  # of the account: what rounding may ask for beyond it


def walk(
    span: PreparedCandles,
    run: Run,
    signals: Signals | Cross | MeanCross,
    buffers: Buffers,
    equity: Float,
) -> Walked:
    """Execute the signals of a run on Backtrader; all that is written is as `execute.walk` does.

    Raises ValueError for what Backtrader cannot do.
    """
    terms = {part: [getattr(run, part)] for part in (*PARTS, "direction")}
    if refused := beyond_backtrader(terms):
        raise ValueError(": ".join(refused))
    given = signals.signals()
    if any(values is not None for values in given[4:]):
        raise ValueError(
            "engine backtrader knows no strength, stop, target or exit price of a signal, "
            f"but {run.strategy} gives them: leave engine out"
        )
    if span.candles.contract_units != 1.0:
        raise ValueError(
            f"engine backtrader counts no contracts, but one of {run.instrument} stands for "
            f"{span.candles.multiplier:g} units: leave engine out"
        )
    if span.quiet_from < len(span.candles):
        raise ValueError(
            "engine backtrader fills on candles without volume too, and this span has some: "
            "leave engine out, or take another span"
        )
    trader = _trade(_Task.of(span.candles, run, given))
    if len(equity):
        equity[: len(trader.equity)] = trader.equity
    buffers.trades[: len(trader.trades)] = [
        (*row[:6], profit, *row[6:], 0.0, 0.0, 0.0)  # borrow; mae and mfe come afterwards
        for row, profit in zip(trader.trades, trader.profits, strict=True)
    ]
    return _counted(span, trader, buffers)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A run as the strategy reads it. first: the candle that Backtrader's first one is."""

    candles: Candles
    run: Run
    first: int
    enter: dict[int, list[bool]]
    exit: dict[int, list[bool]]
    at_fill: bool

    @classmethod
    def of(cls, candles: Candles, run: Run, signals: Signals) -> _Task:
        enter, exit_, enter_short, exit_short = signals.mirrored()
        longs, shorts = run.direction != "short", run.direction != "long"
        return cls(
            candles,
            run,
            first=max(candles.start_bar - 1, 0),
            enter={
                1: (enter & ~exit_ & longs).tolist(),
                -1: (enter_short & ~exit_short & shorts).tolist(),
            },
            exit={1: exit_.tolist(), -1: exit_short.tolist()},
            at_fill=run.sizing.sized_at == "fill",
        )


def _trade(task: _Task) -> _Trader:
    run = task.run
    # sized at the fill, orders are sent at the open; else on the signal's close
    make: Any = bt.Cerebro  # its parameters are made at run time
    cerebro = make(stdstats=False, cheat_on_open=task.at_fill)
    broker = _Broker()
    broker.set_cash(run.cash)
    broker.set_shortcash(False)  # so that a short position must be covered by cash, as a long one
    broker.set_checksubmit(not task.at_fill)
    broker.setcommission(commission=run.costs.fee)
    broker.set_slippage_perc(run.costs.slippage, slip_open=True, slip_out=True)
    cerebro.setbroker(broker)
    cerebro.adddata(_Series(task=task))
    if isinstance(run.sizing, FractionSizing):
        cerebro.addsizer(bt.sizers.PercentSizer, percents=100.0 * run.sizing.fraction)
    cerebro.addstrategy(_Trader, task=task)
    (trader,) = cerebro.run()
    return trader


class _Broker(bt.brokers.BackBroker):
    """Backtrader's broker, but for targets, which pay no slippage here."""

    def _slip_up(self, pmax: float, price: float, doslip: bool = True, lim: bool = False) -> Any:
        return price if lim else super()._slip_up(pmax, price, doslip, lim)

    def _slip_down(self, pmin: float, price: float, doslip: bool = True, lim: bool = False) -> Any:
        return price if lim else super()._slip_down(pmin, price, doslip, lim)


class _Series(bt.feed.DataBase):
    """Candles as a data feed of Backtrader."""

    params = (("task", None),)

    def start(self) -> None:
        super().start()
        candles, part = self.p.task.candles, slice(self.p.task.first, None)
        columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
        days = EPOCH_DAY + candles.opened_ms[part] / DAY_MS
        self._rows = zip(days.tolist(), *(column[part].tolist() for column in columns), strict=True)

    def _load(self) -> Any:
        row = next(self._rows, None)
        if row is None:
            return False
        to = self.lines
        to.datetime[0], to.open[0], to.high[0], to.low[0], to.close[0], to.volume[0] = row
        return True


@dataclass(slots=True)
class _Held:
    """The position's entry; stop and target where it has them."""

    bar: int
    side: int
    units: float
    price: float
    fee: float
    slippage: float
    stop: float = math.nan
    target: float = math.nan
    children: list[Any] = field(default_factory=list)


class _Trader(bt.Strategy):
    """Send the orders that signals ask for, and write down what Backtrader makes of them."""

    params = (("task", None),)

    def __init__(self) -> None:
        self.task: _Task = self.p.task
        self.equity: list[float] = []
        self.trades: list[tuple[Any, ...]] = []
        self.profits: list[float] = []
        self.held: _Held | None = None
        self.reasons: dict[int, int] = {}  # of orders that leave a position, by their number
        self.leaving = False
        self.coming = 0
        self.free_from = -1
        self.exposed = self.ambiguous = self.rejected = self.large = 0
        self.fees = self.traded = self.slipped = 0.0
        self.ruined = False

    @property
    def bar(self) -> int:
        """Return which candle of the span this is."""
        return len(self.data) - 1 + self.task.first

    def next_open(self) -> None:
        """Send what the close before ordered, sized at this open."""
        cash = self.broker.getcash()
        if self.leaving:
            cash = self._cash_after_exit(self.data.open[0])
            self._close()
        if self.coming and cash > 0.0:
            self._open(self.coming, self._units_at_fill(self.coming, cash))
        self.leaving, self.coming = False, 0

    def next(self) -> None:
        """Value the account, then order what the signals of this close ask for."""
        bar, task, held = self.bar, self.task, self.held
        if bar >= task.candles.start_bar:
            self._value()
        if self.ruined or bar == len(task.candles) - 1:
            return
        if held is None:
            sides = [side for side in (1, -1) if task.enter[side][bar]]
            if len(sides) == 1 and bar >= self.free_from:
                self._order(sides[0])
        elif task.exit[held.side][bar]:
            for child in held.children:
                self.cancel(child)
            held.children.clear()
            if task.at_fill:
                self.leaving = True
                self.coming = -held.side if task.enter[-held.side][bar] else 0
            else:
                self._close()
        elif held.bar == bar:
            self._protect(held)

    def notify_order(self, order: Any) -> None:
        """Write down a fill, or that there was none for want of cash."""
        if order.status == order.Margin:
            self.rejected += 1
        if order.status != order.Completed:
            return
        done, rate = order.executed, self.task.run.costs.slippage
        units, side = abs(done.size), 1 if done.size > 0 else -1
        reason = self.reasons.pop(order.ref, 0)
        slips = reason != TAKE_PROFIT
        slippage = units * abs(done.price - done.price / (1 + side * rate)) if slips else 0.0
        self.fees += done.comm
        self.traded += units * done.price
        self.slipped += slippage
        self.large += 0.0 < LARGE_FILL * self.data.volume[0] < units
        held = self.held
        if held is None:
            self.held = _Held(self.bar, side, units, done.price, done.comm, slippage)
            return
        prices, fees = (held.price, done.price), held.fee + done.comm
        slippage += held.slippage
        self.trades.append((held.bar, self.bar, held.side * units, *prices, fees, reason, slippage))
        self.ambiguous += reason == STOP_LOSS and self._reached_both(held)
        self.held = None
        self.free_from = self.bar + self.task.run.exits.cooldown_bars

    def notify_trade(self, trade: Any) -> None:
        """Write down what Backtrader says that a round trip earned, fees included."""
        if trade.isclosed:
            self.profits.append(trade.pnlcomm)

    def _value(self) -> None:
        held, close = self.held, self.data.close[0]
        value = self.broker.getvalue()
        if held and held.side < 0 and close > 2.0 * held.price:
            # Backtrader takes the absolute value of what is left of a short position
            value = self._cash_after_exit(close, fee=0.0)
        self.exposed += held is not None
        self.equity.append(value)
        if value <= 0.0:
            self.ruined = True
            self.env.runstop()

    def _cash_after_exit(self, raw: float, fee: float | None = None) -> float:
        """Return the cash that an exit at a price leaves; its slippage and fee may be left out."""
        costs, size, entry = self.task.run.costs, self.position.size, self.position.price
        price = raw if fee is not None else raw * (1.0 - math.copysign(costs.slippage, size))
        rate = costs.fee if fee is None else fee
        freed = abs(size) * entry + size * (price - entry)
        return self.broker.getcash() + freed - abs(size) * price * rate

    def _units_at_fill(self, side: int, cash: float) -> float:
        costs, sizing = self.task.run.costs, self.task.run.sizing
        price = self.data.open[0] * (1.0 + side * costs.slippage)
        if isinstance(sizing, UnitsSizing):
            units = sizing.units
        elif isinstance(sizing, CashSizing):
            units = sizing.amount / (price * (1.0 + costs.fee))
        else:
            assert isinstance(sizing, FractionSizing)  # noqa: S101  `beyond_backtrader` says so
            units = sizing.fraction * cash / (price * (1.0 + costs.fee))
        # Backtrader wants the cash to the last digit, which rounding may miss
        if abs(units * price * (1.0 + costs.fee) - cash) <= LAST_DIGITS * cash:
            units *= 1.0 - 2.0 * LAST_DIGITS
        return units

    def _order(self, side: int) -> None:
        """Order an entry: at the next open, or at once where the signal's close sizes it."""
        sizing = self.task.run.sizing
        if self.task.at_fill:
            self.coming = side
        elif isinstance(sizing, CashSizing):
            self._open(side, sizing.amount / self.data.close[0])
        else:  # None leaves it to Backtrader's sizer
            self._open(side, sizing.units if isinstance(sizing, UnitsSizing) else None)

    def _open(self, side: int, units: float | None) -> None:
        (self.buy if side > 0 else self.sell)(size=units)

    def _close(self) -> None:
        order: Any = self.close(_checksubmit=False)
        self.reasons[order.ref] = SIGNAL

    def _protect(self, held: _Held) -> None:
        """Send stop and target, of which one fill cancels the other; the stop is tried first."""
        exits = self.task.run.exits
        leave = self.sell if held.side > 0 else self.buy
        # Backtrader would ask for the cash of both
        options: dict[str, Any] = {"size": held.units, "_checksubmit": False}
        if exits.stop_loss is not None:
            held.stop = held.price * (1.0 - held.side * exits.stop_loss)
            held.children.append(leave(exectype=bt.Order.Stop, price=held.stop, **options))
            self.reasons[held.children[-1].ref] = STOP_LOSS
            options["oco"] = held.children[0]
        if exits.take_profit is not None:
            held.target = held.price * (1.0 + held.side * exits.take_profit)
            if held.target > 0.0:
                held.children.append(leave(exectype=bt.Order.Limit, price=held.target, **options))
                self.reasons[held.children[-1].ref] = TAKE_PROFIT

    def _reached_both(self, held: _Held) -> bool:
        opened, high, low = self.data.open[0], self.data.high[0], self.data.low[0]
        if held.side > 0:
            return high >= held.target and opened > held.stop
        return low <= held.target and opened < held.stop


def _counted(span: PreparedCandles, trader: _Trader, buffers: Buffers) -> Walked:
    """Write the account at the periods' ends and its falls; return what was counted."""
    equity = np.array(trader.equity)
    opened_ms = span.candles.opened_ms[span.candles.start_bar :]
    begin_drawdown(buffers.drawdown, trader.task.run.cash, float(opened_ms[0]))
    for value, ms in zip(trader.equity, opened_ms.tolist(), strict=False):
        step_drawdown(buffers.drawdown, value, float(ms))
    end_drawdown(buffers.drawdown, float(opened_ms[len(equity) - 1]))
    ends = span.ends[span.ends < len(equity)].tolist()
    if trader.ruined and (not ends or ends[-1] != len(equity) - 1):
        ends.append(len(equity) - 1)  # the last return goes to the equity that ruined the run
    buffers.period_equity[: len(ends)] = equity[ends]
    held = trader.held
    return Walked(
        bars=len(equity),
        periods=len(ends),
        ruined=trader.ruined,
        trades=len(trader.trades),
        winning=sum(profit > 0.0 for profit in trader.profits),
        losing=sum(profit < 0.0 for profit in trader.profits),
        open_trades=int(held is not None),
        exposed=trader.exposed,
        ambiguous=trader.ambiguous,
        rejected=trader.rejected,
        large=trader.large,
        fees=trader.fees,
        traded=trader.traded,
        slippage=trader.slipped,
        borrow=0.0,
        final=trader.equity[-1],
    )
