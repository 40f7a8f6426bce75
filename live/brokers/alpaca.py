"""Alpaca as a broker, by alpaca-py. Paper unless it is told otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from live.brokers.alpaca_client import ANSWER_S, Client
from live.brokers.alpaca_orders import in_hours, request_of
from live.brokers.alpaca_updates import Updates
from live.brokers.alpaca_words import (
    fill_of_activity,
    order_of,
    position_of,
    rfc3339,
    symbol_of,
)
from live.brokers.protocol import (
    BrokerAccount,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerRefused,
    OrderRequest,
    Update,
)
from live.clock import Clock
from live.feeds.listener import Patience

_PAGE, _FILLS = 500, 100  # the most that Alpaca gives at once
_NOT_THERE = 404


class AlpacaBroker:
    """One account of Alpaca. See Broker for what each request does and raises.

    url, stream_url: of the paper account, of the live one, or of a replay
    answer_s: the time limit of a request
    """

    def __init__(
        self,
        key: str,
        secret: str,
        url: str,
        stream_url: str,
        clock: Clock,
        *,
        is_paper: bool = True,
        answer_s: float = ANSWER_S,
        patience: Patience | None = None,
    ) -> None:
        self._client = Client(key, secret, url, answer_s)
        self._is_paper, self._clock = is_paper, clock
        self._ids: dict[str, str] = {}  # client order ids by the broker's
        self._updates = Updates(key, secret, stream_url, self._missed, clock, patience)

    async def submit(self, order: OrderRequest) -> BrokerOrder:
        """Send an order, once."""
        request = request_of(in_hours(order, self._clock.now_ms()))
        found = await self._client.asked(lambda client: client.submit_order(request))
        taken = self._kept(found)
        self._updates.expect(taken.broker_order_id)
        return taken

    async def cancel(self, broker_order_id: str) -> None:
        """Ask to cancel an order."""
        await self._client.asked(lambda client: client.cancel_order_by_id(broker_order_id))
        self._updates.expect(broker_order_id)

    async def cancel_all(self) -> None:
        """Ask to cancel every open order of the account."""
        await self._client.asked(lambda client: client.cancel_orders())

    async def lookup(self, client_order_id: str) -> BrokerOrder | None:
        """Return the order of an id, open or not; None if Alpaca says that there is none."""
        try:
            found = await self._client.asked(
                lambda client: client.get_order_by_client_id(client_order_id)
            )
        except BrokerRefused as refused:
            if refused.status == _NOT_THERE:
                return None
            raise
        return self._kept(found)

    async def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all open orders, oldest first."""
        return await self._orders({"status": "open", "direction": "asc"})

    async def positions(self) -> Sequence[BrokerPosition]:
        """Return what the account holds, sorted by instrument."""
        found: Any = await self._client.asked(lambda client: client.get_all_positions())
        return sorted((position_of(each) for each in found), key=lambda each: each.instrument)

    async def account(self) -> BrokerAccount:
        """Return cash, equity and buying power."""
        found: Any = await self._client.asked(lambda client: client.get_account())
        blocked = [
            name
            for name in ("trading_blocked", "account_blocked", "trade_suspended_by_user")
            if found.get(name)
        ]
        if found.get("status") != "ACTIVE":
            blocked.append(f"status {found.get('status')}")
        return BrokerAccount(
            account_id=str(found["id"]),
            currency=str(found.get("currency") or "USD"),
            cash=float(found["cash"]),
            equity=float(found["equity"]),
            buying_power=float(found["buying_power"]),
            may_short=bool(found.get("shorting_enabled")),
            is_blocked=bool(blocked),
            is_paper=self._is_paper,
            why=", ".join(blocked),
        )

    async def lends(self, instrument: str) -> bool:
        """Tell whether Alpaca lends an instrument: it opens shorts only in what is easy to borrow.

        It lends no coins. Raises BrokerRefused for an instrument that it does not know.
        """
        symbol = symbol_of(instrument)
        found: Any = await self._client.asked(lambda client: client.get_asset(symbol))
        if found.get("class") == "crypto":
            return False
        wanted = ("tradable", "shortable", "easy_to_borrow")
        return all(found.get(name) is True for name in wanted)

    async def trades(self, instrument: str) -> str:
        """Return why Alpaca does not trade an asset now; nothing where it does.

        Raises BrokerRefused for an instrument that it does not know.
        """
        symbol = symbol_of(instrument)
        found: Any = await self._client.asked(lambda client: client.get_asset(symbol))
        if found.get("tradable") is True and found.get("status", "active") == "active":
            return ""
        return (
            f"Alpaca does not trade it now: {found.get('status')}, tradable {found.get('tradable')}"
        )

    async def fills(self, since_ms: int) -> Sequence[BrokerFill]:
        """Return every execution since an instant, oldest first."""
        query: dict[str, Any] = {
            "after": rfc3339(max(0, since_ms - 1)),  # Alpaca excludes the instant itself
            "direction": "asc",
            "page_size": _FILLS,
        }
        found: list[BrokerFill] = []
        while True:
            page: Any = await self._client.asked(
                lambda client: client.get("/account/activities/FILL", dict(query))
            )
            for each in page:
                client_id = await self._client_id(str(each["order_id"]))
                found.append(fill_of_activity(each, client_id))
            if len(page) < _FILLS:
                return found
            query["page_token"] = page[-1]["id"]

    async def updates(self, since_ms: int) -> AsyncIterator[Update]:
        """Yield orders and fills as they change, until `stop`."""
        async for update in self._updates.heard(since_ms):
            if isinstance(update, BrokerOrder):
                self._ids[update.broker_order_id] = update.client_order_id
            yield update

    async def stop(self) -> None:
        """Close connections and end `updates`."""
        await self._updates.stop()
        self._client.close()

    async def _missed(self, since_ms: int) -> Sequence[BrokerOrder | BrokerFill]:
        """Return what changed since an instant, in order of time, fills before their orders."""
        orders = await self._orders({"status": "all", "direction": "desc"}, pages=1)
        fills = await self.fills(since_ms)
        changed = [order for order in orders if order.at_ms >= since_ms]
        return sorted(
            [*fills, *changed], key=lambda each: (each.at_ms, isinstance(each, BrokerOrder))
        )

    async def _orders(self, query: dict[str, Any], pages: int = 100) -> list[BrokerOrder]:
        found: dict[str, BrokerOrder] = {}
        asked = {**query, "limit": _PAGE}
        for _ in range(pages):
            page: Any = await self._client.asked(lambda client: client.get("/orders", dict(asked)))
            found |= {str(each["id"]): self._kept(each) for each in page}
            if len(page) < _PAGE:
                break
            asked["after"] = page[-1]["submitted_at"]
        return list(found.values())

    async def _client_id(self, broker_order_id: str) -> str:
        if broker_order_id not in self._ids:
            found = await self._client.asked(lambda client: client.get_order_by_id(broker_order_id))
            self._kept(found)
        return self._ids[broker_order_id]

    def _kept(self, found: Any) -> BrokerOrder:
        order = order_of(found)
        self._ids[order.broker_order_id] = order.client_order_id
        return order
