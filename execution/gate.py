"""The gate between a decision and its order: what limits forbid does not pass (docs/risk.md).

Pure: the verdict on an order depends on the limits, on what is seen, and on what is asked, and on
nothing else. Backtests, paper and live sessions ask the same function. An unknown value refuses the
order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from execution.gate_state import GateState, Mode
from mela.risk_limits import RiskLimits

NAN = math.nan
MINUTE_MS = 60_000
SKEW_MS = 1_000  # by which the clock of a source may be ahead of ours
SLACK = 1e-9  # what float64 makes of a limit that is used to the last digit
PASSED, REDUCES, FLATTENS = "passed", "reduces", "flattens"


class Ask(NamedTuple):
    """An order as it would leave.

    side: +1 to buy, −1 to sell; units: above 0
    price: the level of a limit or stop order, NaN for a market order
    flattens: whether the kill switch asks, to close what is held
    """

    instrument: str
    side: float
    units: float
    price: float = NAN
    flattens: bool = False


class View(NamedTuple):
    """The state of account and market in which an order is judged; NaN if unknown.

    Only what limits ask for is read; the rest may stay NaN.

    at_ms: now; price_ms: of when the price is, by which its age is known; UTC milliseconds
    price: the last close of the instrument, in its quote currency, as all money here is
    position: units of the instrument held, negative for a short one
    waiting: units that its own waiting orders would add, negative for those that sell
    gross, net: worth of all positions and of the orders that wait; shorts counted up, and down
    open_orders: orders that wait; buying_power: money that is free for an order
    shortable: units of the instrument that can be borrowed
    is_open: whether the market trades: 1.0, 0.0, NaN where unknown
    volume: mean volume of recent candles in units; volatility: see `recent_volatility`
    lot, tick: of the instrument
    whole: equity of all accounts that gross is of; None where that is the state's own
    """

    state: GateState
    at_ms: float
    price_ms: float
    price: float
    position: float = NAN
    waiting: float = 0.0
    gross: float = NAN
    net: float = NAN
    open_orders: float = NAN
    buying_power: float = NAN
    shortable: float = NAN
    is_open: float = NAN
    volume: float = NAN
    volatility: float = NAN
    lot: float = NAN
    tick: float = NAN
    whole: float | None = None


class Ruling(NamedTuple):
    """The ruling on an order: whether it may leave, and why.

    code: `passed`, `reduces`, `flattens`, or what refused it, as docs/risk.md lists them
    saw: the values that decided, by name
    units: what may leave: at most what was asked, and 0.0 where it was refused
    """

    allowed: bool
    code: str
    saw: dict[str, float]
    units: float


class _Order(NamedTuple):
    """An order whose size is settled: what it would be at, and what would be held after it."""

    instrument: str
    side: float
    units: float
    price: float
    level: float
    held: float
    after: float


_Refusal = tuple[str, dict[str, float]] | None


def judge(limits: RiskLimits, view: View, ask: Ask) -> Ruling:
    """Judge one order. Never raises for values, however odd: what is not a number refuses."""
    state, held, units = view.state, view.position, ask.units
    if abs(ask.side) != 1.0 or not 0.0 < units < math.inf:
        return _refused("unknown_order", {"side": ask.side, "units": units})
    reduces = held * ask.side < 0.0 and units <= abs(held) < math.inf
    mode = state.mode
    if mode is Mode.HALTED and not (ask.flattens and reduces):
        return _refused("halted", {"position": held})
    if reduces:
        code = FLATTENS if ask.flattens else REDUCES
        return Ruling(True, code, {"position": held, "units": units}, units)
    if ask.flattens:
        return _refused("unknown_position" if math.isnan(held) else "adds", {"position": held})
    if mode is Mode.REDUCING:
        return _refused(
            state.cause, {"equity": state.equity, "until_ms": state.causes[state.cause]}
        )
    level = view.price if math.isnan(ask.price) else ask.price
    if not (_is_positive(view.price) and _is_positive(level)):
        return _refused("unknown_price", {"price": view.price, "level": level})
    sized = _sized(limits, view, ask, units)
    if isinstance(sized, tuple):
        return _refused(*sized)
    held += view.waiting
    after = held + ask.side * sized
    order = _Order(ask.instrument, ask.side, sized, level, ask.price, held, after)
    for check in _CHECKS:
        refusal = check(limits, view, order)
        if refusal is not None:
            return _refused(*refusal)
    seen = {"price": view.price, "position": view.position, "equity": state.equity}
    return Ruling(True, PASSED, {**seen, "asked": units}, sized)


def _refused(code: str, saw: dict[str, float]) -> Ruling:
    return Ruling(False, code, saw, 0.0)


def _is_positive(value: float) -> bool:
    return 0.0 < value < math.inf


def _exceeds(value: float, limit: float) -> bool:
    """Tell whether a value is not surely within a limit; one that is not a number is not."""
    return not value <= limit * (1.0 + SLACK)


def _sized(
    limits: RiskLimits, view: View, ask: Ask, units: float
) -> float | tuple[str, dict[str, float]]:
    """Return the units that volatility and lot leave of an order, or why it is refused."""
    target = limits.target_volatility
    if target is not None:
        moves = view.volatility
        if not 0.0 <= moves < math.inf:
            return "unknown_volatility", {"volatility": moves}
        if moves > target:
            units *= target / moves
    if limits.lot_and_tick:
        lot, tick = view.lot, view.tick
        lots = units / lot if _is_positive(lot) else math.inf
        if not math.isfinite(lots):
            return "unknown_lot", {"lot": lot}
        units = math.floor(lots + SLACK) * lot
        if not math.isnan(ask.price):
            steps = ask.price / tick if _is_positive(tick) else math.inf
            if not math.isfinite(steps):
                return "unknown_tick", {"tick": tick}
            if abs(steps - round(steps)) > 1e-6:
                return "lot_and_tick", {"price": ask.price, "tick": tick}
    if not units > 0.0:
        return "lot_and_tick", {"units": ask.units, "lot": view.lot}
    return min(units, ask.units)


def _check_order(limits: RiskLimits, view: View, order: _Order) -> _Refusal:
    most = limits.max_order_units
    if most is not None and _exceeds(order.units, most):
        return "max_order_units", {"units": order.units, "limit": most}
    worth = order.units * order.price
    most = limits.max_order_notional
    if most is not None and _exceeds(worth, most):
        return "max_order_notional", {"notional": worth, "limit": most}
    least = limits.min_order_notional
    if least is not None and not worth >= least * (1.0 - SLACK):
        return "min_order_notional", {"notional": worth, "limit": least}
    collar = limits.price_collar
    if collar is not None:
        away = abs(order.price / view.price - 1.0)
        if _exceeds(away, collar):
            return "price_collar", {"away": away, "limit": collar}
    return None


def _check_position(limits: RiskLimits, view: View, order: _Order) -> _Refusal:
    most, share = limits.max_position_notional, limits.max_position_share
    if most is None and share is None:
        return None
    if not math.isfinite(order.after):
        return "unknown_position", {"position": view.position, "waiting": view.waiting}
    worth = abs(order.after) * order.price
    if most is not None and _exceeds(worth, most):
        return "max_position_notional", {"notional": worth, "limit": most}
    if share is not None:
        equity = view.state.equity
        if not _is_positive(equity):
            return "unknown_equity", {"equity": equity}
        if _exceeds(worth, share * equity):
            return "max_position_share", {"notional": worth, "limit": share * equity}
    return None


def _check_exposure(limits: RiskLimits, view: View, order: _Order) -> _Refusal:
    most, most_net, leverage = limits.max_gross, limits.max_net, limits.max_leverage
    if most is None and most_net is None and leverage is None:
        return None
    if not math.isfinite(order.after):
        return "unknown_position", {"position": view.position, "waiting": view.waiting}
    gross = view.gross + (abs(order.after) - abs(order.held)) * order.price
    if (most is not None or leverage is not None) and not math.isfinite(gross):
        return "unknown_exposure", {"gross": view.gross}
    if most is not None and _exceeds(gross, most):
        return "max_gross", {"gross": gross, "limit": most}
    if most_net is not None:
        net = view.net + order.side * order.units * order.price
        if not math.isfinite(net):
            return "unknown_exposure", {"net": view.net}
        if _exceeds(abs(net), most_net):
            return "max_net", {"net": net, "limit": most_net}
    if leverage is not None:
        equity = view.state.equity if view.whole is None else view.whole
        if not _is_positive(equity):
            return "unknown_equity", {"equity": equity}
        if _exceeds(gross, leverage * equity):
            return "max_leverage", {"gross": gross, "limit": leverage * equity}
    return None


def _check_means(limits: RiskLimits, view: View, order: _Order) -> _Refusal:
    if limits.buying_power:
        if not math.isfinite(view.buying_power):
            return "unknown_buying_power", {"buying_power": view.buying_power}
        cost = order.units * order.price
        if _exceeds(cost, view.buying_power):
            return "buying_power", {"cost": cost, "limit": view.buying_power}
    if limits.short_availability and order.side < 0.0:
        short = max(-order.after, 0.0) - max(-order.held, 0.0)
        if not math.isfinite(order.after):
            return "unknown_position", {"position": view.position, "waiting": view.waiting}
        if math.isnan(view.shortable):
            return "unknown_shortable", {"shortable": view.shortable}
        if _exceeds(short, view.shortable):
            return "short_availability", {"short": short, "limit": view.shortable}
    return None


def _check_counts(limits: RiskLimits, view: View, _order: _Order) -> _Refusal:
    most = limits.max_open_orders
    if most is not None:
        if not 0.0 <= view.open_orders < math.inf:
            return "unknown_open_orders", {"open_orders": view.open_orders}
        if view.open_orders >= most:
            return "max_open_orders", {"open_orders": view.open_orders, "limit": most}
    most = limits.max_orders_per_minute
    if most is not None:
        if not math.isfinite(view.at_ms):
            return "unknown_clock", {"at_ms": view.at_ms}
        recent = len([ms for ms in view.state.ordered_ms if not ms <= view.at_ms - MINUTE_MS])
        if recent >= most:
            return "max_orders_per_minute", {"orders": float(recent), "limit": most}
    return None


def _check_market(limits: RiskLimits, view: View, order: _Order) -> _Refusal:
    if limits.session_hours == "refuse" and view.is_open != 1.0:
        code = "session_hours" if view.is_open == 0.0 else "unknown_session"
        return code, {"is_open": view.is_open}
    oldest = limits.max_data_age_s
    if oldest is not None:
        age_ms = view.at_ms - view.price_ms
        if not math.isfinite(age_ms) or age_ms < -SKEW_MS:
            return "unknown_clock", {"at_ms": view.at_ms, "price_ms": view.price_ms}
        if age_ms > oldest * 1000.0:
            return "max_data_age_s", {"age_s": age_ms / 1000.0, "limit": oldest}
    share = limits.max_volume_share
    if share is not None:
        if not 0.0 <= view.volume < math.inf:
            return "unknown_volume", {"volume": view.volume}
        if _exceeds(order.units, share * view.volume):
            return "max_volume_share", {"units": order.units, "limit": share * view.volume}
    return None


def _check_losses(limits: RiskLimits, view: View, order: _Order) -> _Refusal:
    state = view.state
    for most, since, code in (
        (limits.max_daily_loss, state.day_equity, "max_daily_loss"),
        (limits.max_drawdown, state.peak, "max_drawdown"),
    ):
        if most is not None:
            if not (_is_positive(since) and math.isfinite(state.equity)):
                return "unknown_equity", {"equity": state.equity, "since": since}
            if state.equity <= since * (1.0 - most):
                return code, {"equity": state.equity, "since": since, "limit": most}
    streak = limits.max_losses_in_a_row
    if streak is not None and state.losses >= streak:
        return "max_losses_in_a_row", {"losses": float(state.losses), "limit": streak}
    cooldown, left_ms = limits.cooldown_s, state.left_ms.get(order.instrument)
    if cooldown is not None and left_ms is not None:
        passed_ms = view.at_ms - left_ms
        if not math.isfinite(passed_ms):
            return "unknown_clock", {"at_ms": view.at_ms, "left_ms": left_ms}
        if passed_ms < cooldown * 1000.0:
            return "cooldown_s", {"passed_s": passed_ms / 1000.0, "limit": cooldown}
    return None


_CHECKS: tuple[Callable[[RiskLimits, View, _Order], _Refusal], ...] = (
    _check_losses,
    _check_market,
    _check_order,
    _check_position,
    _check_exposure,
    _check_means,
    _check_counts,
)
