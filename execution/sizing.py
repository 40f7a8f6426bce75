"""The size of an entry."""

from __future__ import annotations

import math

from execution.terms import ATR, CASH, FRACTION, NEARLY, NEVER, RISK, UNITS, VOLATILITY, Terms, rule


@rule
def units_bought(budget: float, price: float, terms: Terms) -> float:
    """Return the units that a sum buys, the fee included; without the fee at a signal's close."""
    if terms.at_signal:
        return budget / price
    units = budget / (price * (1.0 + terms.costs.fee))
    if terms.costs.minimum_fee > 0.0:
        units = min(units, (budget - terms.costs.minimum_fee) / price)
    return units


@rule
def entry_units(
    cash: float,
    fill_price: float,
    signal_close: float,
    measure: float,
    strength: float,
    terms: Terms,
) -> float:
    """Return how many units an entry trades; 0 where it must be rejected.

    cash: the whole account, as nothing is held; fill_price: slippage included
    measure: on the signal's close, the average true range or the yearly volatility
    strength: scales the amount that the sizing asks for
    """
    amount = terms.amount * strength
    price = signal_close if terms.at_signal else fill_price
    kind = terms.sizing_kind
    measures = kind in (RISK, ATR, VOLATILITY)
    if kind == FRACTION:
        units = units_bought(amount * cash, price, terms)
    elif kind == CASH:
        units = units_bought(amount, price, terms)
    elif kind == UNITS:
        units = amount
    elif kind == RISK:
        units = amount * cash / (price * terms.exits.stop_loss)
    elif kind == ATR:
        units = amount * cash / (terms.multiple * measure)
    else:
        units = amount * cash / (measure * price)
    if measures and not 0.0 < units < NEVER:
        return 0.0  # nothing is known of the market's moves yet, or it has none
    if measures or terms.max_exposure < 1.0:
        units = min(units, units_bought(terms.max_exposure * cash, price, terms))
    if terms.lot > 0.0:
        units = math.floor(units / terms.lot + NEARLY) * terms.lot
    return units if units > 0.0 else 0.0
