"""The costs of a fill: ticks, slippage, market impact, fees, and interest on borrowed units.

The reference price of a fill is the open or the level at which it happens: before slippage,
market impact and the tick.
"""

from __future__ import annotations

import math

from execution.terms import NEARLY, NEVER, YEAR_MS, Terms, rule


@rule
def on_tick(level: float, tick: float) -> float:
    """Return the tick nearest to the level of a resting order. NaN and infinity stay."""
    if tick == 0.0 or not abs(level) < NEVER:
        return level
    return math.floor(level / tick + 0.5) * tick


@rule
def worse_tick(price: float, tick: float, side: float) -> float:
    """Return the next tick that is no better than a price: above for a buy, below for a sell."""
    if tick == 0.0:
        return price
    if side > 0.0:
        return math.ceil(price / tick - NEARLY) * tick
    return math.floor(price / tick + NEARLY) * tick


@rule
def market_price(reference: float, units: float, volume: float, side: float, terms: Terms) -> float:
    """Return the price of a market order: the reference price after slippage, impact and tick.

    side: +1 to buy, −1 to sell. The price is at least 0, however much is sold.
    """
    price = reference * (1.0 + side * terms.costs.slippage)
    if terms.costs.impact > 0.0 and volume > 0.0:
        price *= max(1.0 + side * terms.costs.impact * math.sqrt(units / volume), 0.0)
    return worse_tick(price, terms.tick, side)


@rule
def fee_of(units: float, price: float, fee: float, minimum_fee: float) -> float:
    """Return the fee of a fill."""
    return max(units * price * fee, minimum_fee)


@rule
def interest(rate: float, units: float, price: float, lasted_ms: float) -> float:
    """Return what borrowing units at a yearly rate costs for a time; no time below 0 counts."""
    owed = rate * units * price
    owed *= max(lasted_ms, 0.0) / YEAR_MS
    return owed
