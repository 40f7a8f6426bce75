"""docs/portfolio.md once more, in plain Python: one account, step after step, as the rules read.

The kernel walks over arrays; this looks candles up by their time and keeps what it knows in words.
Long and short, any weights, any rebalancing; without a minimum fee.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mela.candles import Candles
from mela.portfolio import FixedWeights, InverseVolatility, OnDrift, OnSchedule, Portfolio
from mela.run import Costs, Exits

HOUR_MS = 3_600_000
YEAR_MS = 365.25 * 24 * HOUR_MS


@dataclass
class Held:
    """What is known of one instrument: its candles so far, its state, its position."""

    name: str
    candles: dict[int, tuple[float, ...]]
    quiet_from: int
    closes: list[float] = field(default_factory=list)
    state: str = "out"
    ordered: bool = False
    price: float = 0.0
    units: float = 0.0
    seen: int = 0
    free_from: int = 0
    opened: int = 0
    opened_seen: int = 0
    bought: list[tuple[float, float]] = field(default_factory=list)
    sold: list[tuple[float, float]] = field(default_factory=list)
    entry_price: float = 0.0
    extreme: float = 0.0
    charged: int = 0
    fees: float = 0.0
    borrowed: float = 0.0
    strength: float = 1.0
    own_stop: float | None = None
    own_target: float | None = None
    gone: bool = False

    @property
    def side(self) -> int:
        return {"in": 1, "out": 0, "short": -1}[self.state]

    def fills(self, now: int) -> bool:
        """Tell whether the candle of a time fills orders: one without volume does not.

        Before the first volume of a series all of them fill.
        """
        return self.candles[now][4] > 0 or now < self.quiet_from


@dataclass
class Account:
    """Cash, and all that has happened."""

    cash: float
    portfolio: Portfolio
    costs: Costs
    exits: Exits
    whole: bool
    held: list[Held]
    fees: float = 0.0
    ambiguous: int = 0
    rejected: int = 0
    least_cash: float = math.inf
    inputs: Mapping[str, Mapping[str, Mapping[int, float]]] = field(default_factory=dict)
    equity: list[float] = field(default_factory=list)
    trades: list[tuple[Any, ...]] = field(default_factory=list)

    def given(self, name: str, one: Held, bar: int) -> float | None:
        """Return the strength, stop or target that a strategy gave on a close, if it did."""
        return self.inputs.get(name, {}).get(one.name, {}).get(bar)

    def weight(self, one: Held) -> float:
        return self.full_weight(one) * one.strength

    def full_weight(self, one: Held) -> float:
        """Return its share of the account; those that are gone leave theirs to the others."""
        shares = {each.name: self.share(each) for each in self.held}
        left = sum(shares[each.name] for each in self.held if not each.gone)
        if one.gone or not left:
            return 0.0
        return shares[one.name] * sum(shares.values()) / left

    def share(self, one: Held) -> float:
        rule = self.portfolio.weights
        if isinstance(rule, FixedWeights):
            return rule.of[one.name]
        if isinstance(rule, InverseVolatility):
            inverse = {each.name: _inverse(each.closes, rule.period) for each in self.held}
            return inverse[one.name] / (sum(inverse.values()) or 1.0)
        return 1.0 / len(self.held)

    def worth(self) -> float:
        return self.cash + sum(one.units * one.price for one in self.held)


def _quiet_from(candles: Candles) -> int:
    """Return when the first candle with a volume opens."""
    loud = candles.opened_ms[candles.volume > 0].tolist()
    return loud[0] if loud else 2**62


def walk_account(
    series: Mapping[str, Candles],
    start_ms: int,
    enter: Mapping[str, set[int]],
    exit: Mapping[str, set[int]],
    *,
    cash: float,
    portfolio: Portfolio,
    costs: Costs,
    exits: Exits,
    whole: bool,
    direction: str,
    inputs: Mapping[str, Mapping[str, Mapping[int, float]]] | None = None,
) -> Account:
    """Execute signals, given as bars of each instrument, and return everything that happened.

    inputs: by "strength", "stop" or "target", instrument and bar
    """
    held = [Held(name, _by_time(candles), _quiet_from(candles)) for name, candles in series.items()]
    account = Account(cash, portfolio, costs, exits, whole, held, inputs=inputs or {})
    for one in held:  # the warm-up: closes are known, but only the last one's signal orders
        early = sorted(ms for ms in one.candles if ms < start_ms)
        one.closes += [one.candles[ms][3] for ms in early]
        if early:
            _decide(account, one, len(early) - 1, enter, exit, direction)
    _restore_drifted(account)
    before, last = None, max(ms for one in held for ms in one.candles)
    for now in sorted({ms for one in held for ms in one.candles if ms >= start_ms}):
        if isinstance(portfolio.rebalance, OnSchedule) and before is not None:
            period = _period(now, portfolio.rebalance.every)
            if period != _period(before, portfolio.rebalance.every):
                for one in held:
                    one.ordered = one.ordered or one.state != "out"
        before = now
        _open(account, now)
        for one in held:
            if one.units and now in one.candles:
                _protect(account, one, now)
        for one in held:
            if now in one.candles:
                _, high, low, one.price, _ = one.candles[now]
                one.closes.append(one.price)
                one.extreme = max(one.extreme, high) if one.units > 0 else min(one.extreme, low)
                _charge(account, one, one.price, now + HOUR_MS)
                if now == max(one.candles) < last and portfolio.delisted == "close":
                    _leave(account, one, now)
        account.equity.append(account.worth())
        account.least_cash = min(account.least_cash, account.cash)
        if account.equity[-1] <= 0:
            break
        for one in held:
            if now in one.candles:
                if not one.gone:
                    _decide(account, one, len(one.closes) - 1, enter, exit, direction)
                one.seen += 1
        _restore_drifted(account)
    return account


def _leave(account: Account, one: Held, now: int) -> None:
    """Close what has its last candle, at its close, and want it no more."""
    one.gone, one.state, one.ordered = True, "out", False
    if one.units:
        _take_out(account, one, abs(one.units), one.price, now, "delisted")


def _by_time(candles: Candles) -> dict[int, tuple[float, ...]]:
    columns = candles.open, candles.high, candles.low, candles.close, candles.volume
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return dict(zip(candles.opened_ms.tolist(), rows, strict=True))


def _inverse(closes: list[float], period: int) -> float:
    last = closes[-period - 1 :]
    moves = [after / before - 1 for before, after in itertools.pairwise(last)]
    if len(moves) < period:
        return 0.0
    deviation = statistics.stdev(moves)
    return 1 / deviation if deviation > 0 else 0.0


def _period(ms: int, every: str) -> tuple[int, ...]:
    at = datetime.fromtimestamp(ms / 1000, UTC)
    if every == "1mo":
        return at.year, at.month
    return at.isocalendar()[:2] if every == "1w" else at.isocalendar()[:3]


def _decide(
    account: Account, one: Held, bar: int, enter: Mapping, exit: Mapping, direction: str
) -> None:
    up, down = bar in enter[one.name], bar in exit[one.name]
    may_long, may_short = direction != "short", direction != "long"
    was = one.state
    if was == "in" and down:
        one.state = "short" if may_short and not up else "out"
    elif was == "short" and up:
        one.state = "in" if may_long and not down else "out"
    elif was == "out" and up != down and one.seen >= one.free_from:
        if up and may_long:
            one.state = "in"
        elif down and may_short:
            one.state = "short"
    one.own_stop, one.own_target = (account.given(it, one, bar) for it in ("stop", "target"))
    if one.state != was:
        one.strength = account.given("strength", one, bar) or 1.0 if one.state != "out" else 1.0
        one.ordered = one.state != "out" or one.units != 0


def _restore_drifted(account: Account) -> None:
    rule = account.portfolio.rebalance
    if not isinstance(rule, OnDrift):
        return
    worth = account.worth()
    steady = [one for one in account.held if one.state != "out" and not one.ordered]
    if any(
        abs(one.units * one.price / worth - one.side * account.weight(one)) > rule.threshold
        for one in steady
    ):
        for one in account.held:
            one.ordered = one.ordered or one.state != "out"


def _open(account: Account, now: int) -> None:
    weights = {one.name: account.weight(one) for one in account.held}  # as of the last closes
    ready = []
    for one in account.held:
        if now in one.candles:
            one.price = one.candles[now][0]
            if one.ordered and one.fills(now):
                ready.append(one)
    worth = account.worth()
    costs = account.costs
    for one in ready:
        if one.units and one.side * one.units <= 0:
            _take_out(account, one, abs(one.units), one.price, now, "signal")
        elif one.units:
            excess = abs(one.units) * one.price - weights[one.name] * worth
            if excess > 1e-12 * abs(worth):
                units = _whole(excess / one.price, account)
                units = abs(one.units) if weights[one.name] * worth <= 0 else units
                if units:
                    _take_out(account, one, units, one.price, now, "signal")
    lacking = {
        one.name: weights[one.name] * worth - abs(one.units) * one.price
        for one in ready
        if one.side
    }
    lacking = {name: money for name, money in lacking.items() if money > 1e-12 * abs(worth)}
    bound = sum(-one.units * one.price for one in account.held if one.units < 0)
    free = account.cash - 2 * bound
    wanted = sum(lacking.values())
    scale = max(free, 0) / wanted if wanted > max(free, 0) else 1
    for one in ready:
        one.ordered = False
        if one.name not in lacking:
            continue
        price = one.price * (1 + one.side * costs.slippage)
        units = _whole(lacking[one.name] * scale / (price * (1 + costs.fee)), account)
        if units > 0:
            _put_in(account, one, units, price, now)
        elif not one.units:
            account.rejected += 1


def _whole(units: float, account: Account) -> float:
    return float(math.floor(units + 1e-9)) if account.whole else units


def _put_in(account: Account, one: Held, units: float, price: float, now: int) -> None:
    _charge(account, one, one.price, now)
    if one.units == 0:
        one.opened, one.opened_seen, one.charged = now, one.seen, now
        one.entry_price = one.extreme = price
        one.bought, one.sold, one.fees, one.borrowed = [], [], 0.0, 0.0
    fee = units * price * account.costs.fee
    account.cash -= one.side * units * price + fee
    account.fees += fee
    one.fees += fee
    one.units += one.side * units
    one.bought.append((units, price))


def _take_out(account: Account, one: Held, units: float, raw: float, now: int, why: str) -> None:
    if why != "delisted":  # that is at the close, which was paid up to
        _charge(account, one, raw, now)
    side = 1 if one.units > 0 else -1
    slipped = 0.0 if why == "take_profit" else account.costs.slippage
    price = raw * (1 - side * slipped)
    fee = units * price * account.costs.fee
    account.cash += side * units * price - fee
    account.fees += fee
    one.fees += fee
    one.sold.append((units, price))
    one.units = 0.0 if units == abs(one.units) else one.units - side * units
    if one.units == 0:
        one.free_from = one.seen + account.exits.cooldown_bars
        size, paid = (sum(n for n, _ in one.bought), sum(n * p for n, p in one.bought))
        got = sum(n * p for n, p in one.sold)
        profit = side * (got - paid) - one.fees - one.borrowed
        prices = paid / size, got / sum(n for n, _ in one.sold)
        account.trades.append(
            (one.name, one.opened, now, side * size, *prices, one.fees, profit, why)
        )


def _charge(account: Account, one: Held, price: float, ms: int) -> None:
    if one.units < 0:
        owed = (account.costs.borrow_rate or 0) * -one.units * price * (ms - one.charged) / YEAR_MS
        account.cash -= owed
        one.borrowed += owed
        one.charged = ms


def _protect(account: Account, one: Held, now: int) -> None:
    opened, high, low, *_ = one.candles[now]
    exits, side = account.exits, 1 if one.units > 0 else -1
    delay = 0 if exits.protect_from == "entry" else 1
    if not one.fills(now) or one.seen < one.opened_seen + delay:
        return
    entering = one.opened == now
    levels = []
    if exits.stop_loss is not None:
        levels.append((side * one.entry_price * (1 - side * exits.stop_loss), "stop_loss"))
    has_gained = side * one.extreme >= side * one.entry_price * (1 + side * exits.trailing_start)
    if exits.trailing_stop is not None and has_gained:
        levels.append((side * one.extreme * (1 - side * exits.trailing_stop), "trailing_stop"))
    stop, why = max(levels, key=lambda level: level[0], default=(-math.inf, ""))
    goal = math.inf
    if exits.take_profit is not None:
        goal = side * one.entry_price * (1 + side * exits.take_profit)
    reached = [
        step.gain for step in exits.targets or () if one.seen - one.opened_seen >= step.after
    ]
    if reached:
        goal = side * one.entry_price * (1 + side * reached[-1])
    own_stop, own_target = one.own_stop, one.own_target
    may_stop = own_stop is not None and (not entering or side * own_stop < side * opened)
    if may_stop and side * own_stop >= stop:
        stop, why = side * own_stop, "stop_loss"
    if own_target is not None and (not entering or side * own_target > side * opened):
        goal = min(goal, side * own_target)
    # a short position is a long one on prices turned upside down
    start, best, worst = (opened, high, low) if side > 0 else (-opened, -low, -high)
    if start <= stop and not entering:
        raw = opened
    elif worst <= stop:
        raw = side * stop
        account.ambiguous += best >= goal and start > stop
    elif start >= goal and not entering:
        raw, why = opened, "take_profit"
    elif best >= goal:
        raw, why = side * goal, "take_profit"
    else:
        return
    _take_out(account, one, abs(one.units), raw, now, why)
    one.state, one.ordered = "out", False
