"""Our paper broker with hard fills: what a real market does to an order, as far as candles tell.

An order reaches the market `latency_s` after the close that decided it. Half of the spread is
against it. A market order fills at the open of the first candle after that; within the candle in
which it arrives, at the worse of the open and of the straight line from open to close. A limit or
stop order counts from the first candle that opens once it is there. At most `volume_share` of a
candle's volume fills; the rest goes on with the next one. Rejections are drawn from the seed and
the order's id. All of it follows from the log.
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

from execution.candle_step import Candle
from execution.costs import fee_of, market_price, worse_tick
from execution.orders import resting_fill
from execution.terms import LIMIT, STOP, Terms
from live.events import Filled
from live.orders import Order
from mela.session import PaperBroker

SECOND_MS = 1_000
_WHOLE = 2**64


class PaperFill(NamedTuple):
    """The part of an order that fills on a candle. units: in units of what the price is of."""

    units: float
    price: float
    fee: float
    at_ms: int


def is_rejected(broker: PaperBroker, client_order_id: str) -> bool:
    """Tell whether the broker rejects an order: the same answer for the same seed and id."""
    digest = hashlib.sha256(f"{broker.seed} {client_order_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < broker.reject_chance * _WHOLE


def fill_on(
    candle: Candle, order: Order, left: float, closed_ms: int, broker: PaperBroker, terms: Terms
) -> PaperFill | None:
    """Return what a candle fills of an order; None where nothing.

    left: units still to be filled; closed_ms: the close on which the order was decided
    """
    most = broker.volume_share * candle.volume
    if not candle.fillable or not most > 0.0:
        return None
    arrives = closed_ms + round(broker.latency_s * SECOND_MS)
    reference, at_ms, is_limit = _reference(candle, order, arrives, broker)
    if math.isnan(reference):
        return None
    side = 1.0 if order.side == "buy" else -1.0
    units = min(left, most)
    if is_limit:
        price = float(worse_tick(reference, terms.tick, side))
    else:
        worse = reference * (1.0 + side * broker.spread / 2.0)
        price = float(market_price(worse, units, candle.volume, side, terms))
    if not price > 0.0:
        return None
    fee = float(fee_of(units, price, terms.costs.fee, terms.costs.minimum_fee))
    return PaperFill(units, price, fee, at_ms)


def filled_on(
    candle: Candle,
    order: Order,
    count: int,
    units: float,
    lasting_ms: int,
    broker: PaperBroker,
    terms: Terms,
) -> Filled | None:
    """Return what a candle fills of an order, as a broker would tell it; None where nothing.

    count: its fills so far; units: of one contract; lasting_ms: of a candle
    """
    closed_ms = order.candle_ms + lasting_ms
    fill = fill_on(candle, order, order.left * units, closed_ms, broker, terms)
    if fill is None:
        return None
    number = order.client_order_id
    return Filled(
        *(number, f"{number}/{count + 1}", order.instrument, order.side),
        *(fill.units / units, fill.price, fill.fee, fill.at_ms),
    )


def _reference(
    candle: Candle, order: Order, arrives: int, broker: PaperBroker
) -> tuple[float, int, bool]:
    """Return the price at which an order fills, NaN for not at all, when, and if as a limit."""
    side = 1.0 if order.side == "buy" else -1.0
    if order.kind == "market":
        if arrives >= candle.ended_ms:
            return math.nan, 0, False
        late = max(arrives - candle.opened_ms, 0)
        share = late / (candle.ended_ms - candle.opened_ms)
        way = candle.open + (candle.close - candle.open) * share
        worst = max(candle.open, way) if side > 0.0 else min(candle.open, way)
        return worst, candle.opened_ms + late, False
    if arrives > candle.opened_ms:
        return math.nan, 0, False
    half = 1.0 + side * broker.spread / 2.0  # what the other side asks, or bids
    kind = LIMIT if order.kind == "limit" else STOP
    fills, price, _ = resting_fill(
        candle.open * half, candle.high * half, candle.low * half, side, order.level, kind
    )
    if not fills:
        return math.nan, 0, False
    if kind == LIMIT:
        return float(price), candle.opened_ms, True
    return float(price) / half, candle.opened_ms, False
