"""Labels: what a decision would have earned, and the span in which that is decided.

A decision on the close of candle i fills at the open of i + 1, as in a scene. Its label is known
at the last price that it needs, and its span is [close of i, that instant], both ends included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.context import candle_closes_ms
from forecasts.features.sums import LOG_RETURN, window_moments
from mela.calendars import ALWAYS
from mela.candles import Candles
from mela.execution_terms import Costs
from mela.training import ForwardReturn, ForwardSign, Label, TripleBarrier, VolatilityScaled

Float = NDArray[np.float64]
Int = NDArray[np.int64]
UNKNOWN = np.iinfo(np.int64).max  # when a label is known that never is


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of n candles.

    y: (n,) float64, NaN where the candles that follow are too few, or those before, for a label
        that needs a volatility
    returns: (n,) float64, what a long position earns from the next open until the label's end, net
        of costs; NaN where y is
    until_ms: (n,) int64, when the label is known; UNKNOWN where it is NaN
    """

    y: Float
    returns: Float
    until_ms: Int


def label(candles: Candles, kind: Label, costs: Costs) -> Labels:
    """Return the labels of all candles. `costs.minimum_fee` is of an account, and not counted."""
    if isinstance(kind, TripleBarrier):
        return _triple_barrier(candles, kind, costs)
    gross, until = _forward(candles, kind.horizon)
    net = _net(gross, costs)
    if isinstance(kind, ForwardReturn):
        y = net
    elif isinstance(kind, ForwardSign):
        y = np.where(np.isnan(net), np.nan, (net > 0).astype(np.float64))
    else:
        y = _scaled(candles, kind, gross)
    missing = np.isnan(y)
    return Labels(y, np.where(missing, np.nan, net), np.where(missing, UNKNOWN, until))


def is_class(kind: Label) -> bool:
    """Tell whether a label is a class, which a classifier learns, or a number."""
    return isinstance(kind, ForwardSign | TripleBarrier)


def _forward(candles: Candles, horizon: int) -> tuple[Float, Int]:
    """Return the ratio of the open `horizon` candles after the next one to the next one's."""
    count = len(candles)
    gross, until = np.full(count, np.nan), np.full(count, UNKNOWN)
    known = max(count - horizon - 1, 0)
    gross[:known] = candles.open[horizon + 1 :] / candles.open[1 : known + 1]
    until[:known] = _opens_known_ms(candles)[horizon + 1 :]
    return gross, until


def _opens_known_ms(candles: Candles) -> Int:
    """Return when each open is known at the latest, (n,) int64.

    A session's candle states its date, and not the hour at which its market opens: its close is
    late enough.
    """
    if candles.calendar == ALWAYS or candles.interval.is_intraday:
        return candles.opened_ms
    return candle_closes_ms(candles)


def _net(gross: Float, costs: Costs) -> Float:
    """Return what is earned on a ratio of prices, bought and sold as a scene fills orders."""
    sold = (1 - costs.slippage) * (1 - costs.fee)
    paid = (1 + costs.slippage) * (1 + costs.fee)
    return gross * (sold / paid) - 1


def _volatility(candles: Candles, window: int) -> Float:
    """Return the deviation of the last returns, known at each close; NaN where nothing moved."""
    moved = np.full(len(candles), np.nan)
    moved[1:] = np.diff(np.log(candles.close))
    found = np.sqrt(window_moments(moved, window, LOG_RETURN)[1])
    return np.where(found > 0, found, np.nan)


def _scaled(candles: Candles, kind: VolatilityScaled, gross: Float) -> Float:
    expected = _volatility(candles, kind.window) * np.sqrt(kind.horizon)
    return np.log(gross) / expected


def _triple_barrier(candles: Candles, kind: TripleBarrier, costs: Costs) -> Labels:
    volatility = _volatility(candles, kind.window)
    columns = candles.open, candles.high, candles.low
    side, price, last, known_at_open = first_barriers(
        *columns, volatility, kind.upper, kind.lower, kind.horizon
    )
    known = last >= 0
    place = np.maximum(last, 0)
    opens, closes = _opens_known_ms(candles), candle_closes_ms(candles)
    ends = np.where(known_at_open, opens[place], closes[place])
    entry = np.full(len(candles), np.nan)
    entry[:-1] = candles.open[1:]
    y = np.where(known, side.astype(np.float64), np.nan)
    returns = np.where(known, _net(price / entry, costs), np.nan)
    return Labels(y, returns, np.where(known, ends, UNKNOWN))


@njit(cache=True, nogil=True, error_model="numpy")
def first_barriers(
    opens: Float,
    high: Float,
    low: Float,
    volatility: Float,
    upper: float,
    lower: float,
    horizon: int,
) -> tuple[NDArray[np.int8], Float, Int, NDArray[np.bool_]]:
    """Return which barrier each decision's price meets first, where, in which bar, and how.

    The rules are those of a scene's stop and target: the entry fills at the next open, both are
    fractions of its price, the entry candle's whole range counts, and the lower one is asked
    first. An open beyond a barrier, on a later candle, is the price. Time is up at the open that
    comes `horizon` candles after the entry.

    returns: side 1, -1, 0; price; bar, -1 where it is not known yet; whether that bar's open told
    """
    count = len(opens)
    side = np.zeros(count, np.int8)
    price = np.full(count, np.nan)
    last = np.full(count, -1, np.int64)
    at_open = np.zeros(count, np.bool_)
    for bar in range(count - 1):
        if np.isnan(volatility[bar]):
            continue
        entry = opens[bar + 1]
        top = entry * np.exp(upper * volatility[bar])
        bottom = entry * np.exp(-lower * volatility[bar])
        for now in range(bar + 1, min(bar + 1 + horizon, count - 1) + 1):
            later = now > bar + 1
            if now == bar + 1 + horizon:
                price[bar], last[bar], at_open[bar] = opens[now], now, True
            elif later and opens[now] <= bottom:
                side[bar], price[bar], last[bar], at_open[bar] = -1, opens[now], now, True
            elif low[now] <= bottom:
                side[bar], price[bar], last[bar] = -1, bottom, now
            elif later and opens[now] >= top:
                side[bar], price[bar], last[bar], at_open[bar] = 1, opens[now], now, True
            elif high[now] >= top:
                side[bar], price[bar], last[bar] = 1, top, now
            else:
                continue
            break
    return side, price, last, at_open
