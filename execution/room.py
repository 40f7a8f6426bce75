"""Bound an order by the limits of size, and measure a market by its recent candles."""

from __future__ import annotations

import math

import numpy as np

from execution.gate import Ask, View
from execution.terms import Float
from mela.risk_limits import RiskLimits


def most_units(limits: RiskLimits, view: View, ask: Ask) -> float:
    """Return the most units of this order that the limits of size allow; infinity without any.

    An entry that is sized when it fills takes at most these. The price is that of the ask, or the
    last close, as when the order is judged; what was unknown then has refused it already.
    """
    price = view.price if math.isnan(ask.price) else ask.price
    held = view.position + view.waiting
    # what of the order only reduces what is held adds nothing
    free = max(-ask.side * held, 0.0)
    equity = view.state.equity
    most = limits.max_order_units if limits.max_order_units is not None else math.inf
    if limits.max_order_notional is not None:
        most = min(most, limits.max_order_notional / price)
    for worth in (
        limits.max_position_notional,
        None if limits.max_position_share is None else limits.max_position_share * equity,
    ):
        if worth is not None:
            most = min(most, worth / price - ask.side * held)
    for worth in (
        limits.max_gross,
        None if limits.max_leverage is None else limits.max_leverage * equity,
    ):
        if worth is not None:
            most = min(most, (worth - view.gross) / price + 2.0 * free)
    if limits.max_net is not None:
        most = min(most, (limits.max_net - ask.side * view.net) / price)
    if limits.buying_power:
        most = min(most, view.buying_power / price)
    if limits.short_availability and ask.side < 0.0:
        most = min(most, view.shortable + free)
    if limits.max_volume_share is not None:
        most = min(most, limits.max_volume_share * view.volume)
    return max(most, 0.0)


def recent_volume(volume: Float, candles: int) -> float:
    """Return the mean volume of the last candles, NaN where there are too few.

    volume: (n,) float64 in units, up to the close on which an order is judged
    """
    if len(volume) < candles:
        return math.nan
    return float(np.mean(np.ascontiguousarray(volume[-candles:])))


def recent_volatility(close: Float, returns: int) -> float:
    """Return the sample deviation of the last simple returns, NaN where there are too few.

    close: (n,) float64, up to the close on which an order is judged
    """
    if len(close) < returns + 1:
        return math.nan
    last = np.ascontiguousarray(close[-returns - 1 :])
    return float(np.std(last[1:] / last[:-1] - 1.0, ddof=1))
