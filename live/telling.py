"""Tell the activity of an account with a backtest's fills as orders and fills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from live.account import Orders, Place, Trading
from live.events import Derived, FillBooked, Intended, OrderChanged
from live.orders import Leg, OrderKind, OrderState
from live.sequence import Step as Taken

ENTRY_REASON = "entry"
NEWS = "a headline halts entries"
PROTECTIVE: dict[str, OrderKind] = {
    "stop_loss": "stop",
    "trailing_stop": "stop",
    "take_profit": "limit",
}


class Teller:
    """Tells what a plain account did as orders and fills, for people and programs.

    It counts what it tells: units and money of all fills must be those of the account.
    """

    def __init__(self, place: Place) -> None:
        self._costs = place.run.costs
        self.orders = Orders(place.session_id)
        self.units = dict.fromkeys((one.instrument for one in place.traded), 0.0)
        self.paid = 0.0

    def fee(self, units: float, price: float) -> float:
        """Return the fee of a fill, as `execution.costs` has it."""
        return max(units * price * float(self._costs.fee), float(self._costs.minimum_fee))

    def fill(
        self,
        trading: Trading,
        leg: Leg,
        side: float,
        units: float,
        price: float,
        fee: float,
        taken: Taken,
        reason: str = ENTRY_REASON,
    ) -> list[Derived]:
        """Tell one fill, of the order that waits for it or of one that arose within the candle."""
        told: list[Derived] = []
        order = self.orders.waiting(trading.instrument, leg)
        if order is None or (leg == "exit" and reason in PROTECTIVE):
            kind = PROTECTIVE.get(reason, "market")
            told += self.end(
                trading, leg, taken.at_ms, OrderState.CANCELLED, f"{reason} came first"
            )
            order = self.orders.intend(
                *(trading.instrument, leg, side, taken.opened_ms, taken.at_ms),
                kind=kind, units=units / trading.units, reason=reason,
            )  # fmt: skip
            told.append(Intended(order, for_broker=False))
        count = len(self.orders.fill_ids.get(order.client_order_id, ()))
        fill_id = f"{order.client_order_id}/{count + 1}"
        contracts = units / trading.units
        moved = self.orders.fill(order, fill_id, contracts, price, fee, taken.at_ms)
        told.append(
            FillBooked(
                order.client_order_id, fill_id, trading.instrument, order.side, contracts, price,
                fee, taken.at_ms,
            )
        )  # fmt: skip
        told.append(OrderChanged(moved))
        self.units[trading.instrument] += side * units
        self.paid += side * units * price + fee
        return told

    def end(
        self, trading: Trading, leg: Leg, at_ms: int, state: OrderState, why: str
    ) -> list[Derived]:
        """Tell that an order no longer waits."""
        order = self.orders.waiting(trading.instrument, leg)
        return [] if order is None else self.orders.answer(order, state, at_ms, why)

    def save(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"orders": self.orders.save(), "units": dict(self.units), "paid": self.paid}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.orders.restore(saved["orders"])
        self.units, self.paid = dict(saved["units"]), saved["paid"]
