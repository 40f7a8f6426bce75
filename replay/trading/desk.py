"""All accounts of the replayed Alpaca, and what moves their orders as the clock goes on."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
import structlog

from mela.market_hours import next_end_ms
from replay.series import STOCKS, Catalog
from replay.streams.channel import Channel
from replay.streams.disturbances import Disturbances
from replay.streams.socket import WebSocket
from replay.streams.tape import Tape
from replay.trading import checks
from replay.trading.behaviours import ORDINARY, Behaviour
from replay.trading.matching import Happening, execute, happened, look
from replay.trading.prices import Prices
from replay.trading.records import Account, Order, read, written
from replay.trading.refusals import Refusal, wrong
from replay.trading.updates import UpdatesChannel, update_json

_TICK_S = 0.01
_SAVE_S = 0.5
log = structlog.get_logger()


@dataclass(slots=True)
class Told:
    """The updates of an account that its streams tell. first: the number of the oldest kept."""

    first: int = 0
    updates: deque[dict[str, Any]] = field(default_factory=deque[dict[str, Any]])


class Desk:
    """Take orders, fill them at the replayed price, and keep them: in a file too, if asked.

    Every key has an account of its own, with 100,000 in cash until `endow` says otherwise.
    """

    def __init__(self, catalog: Catalog, file: Path | None = None) -> None:
        self.catalog = catalog
        self.prices = Prices(catalog)
        self.lock = threading.RLock()
        self._accounts: dict[str, Account] = {}
        self._told: dict[str, Told] = {}
        self._behaviours: list[list[Any]] = []
        self._asked: dict[str, deque[float]] = {}
        self._file = file
        self._stopped = threading.Event()
        self._ticker: threading.Thread | None = None
        if file is not None:
            self._read(file)

    def updates(self, socket: WebSocket, tape: Tape, disturbances: Disturbances) -> Channel:
        """Return a stream of trade updates to one client."""
        channel = UpdatesChannel(socket, self.catalog.clock, tape, disturbances)
        channel.told_since, channel.told_so_far = self.told_since, self.told_so_far
        return channel

    def account(self, key: str) -> Account:
        """Return the account of a key."""
        with self.lock:
            if key not in self._accounts:
                self._accounts[key] = Account(key, self.catalog.now_ms)
            return self._accounts[key]

    def endow(
        self, key: str, cash: float | None = None, *, fresh: bool = False, **more: Any
    ) -> dict[str, Any]:
        """Give an account cash and properties: is_blocked, may_short, multiplier, per_minute.

        fresh: begin with an account without orders and positions
        """
        with self.lock:
            if fresh:
                self._accounts.pop(key, None)
            account = self.account(key)
            unknown = set(more) - {"is_blocked", "may_short", "multiplier", "per_minute"}
            if unknown:
                raise ValueError(f"an account has no {', '.join(sorted(unknown))}")
            if cash is not None:
                account.cash = Decimal(repr(cash))
            if "multiplier" in more:
                more["multiplier"] = Decimal(str(more["multiplier"]))
            for name, value in more.items():
                setattr(account, name, value)
            self._keep()
            return {"key": key, "cash": str(account.cash), "orders": len(account.orders)}

    def behave(self, behaviour: Behaviour) -> None:
        """Treat the next orders in a certain way."""
        with self.lock:
            self._behaviours.append([behaviour, behaviour.times])

    def calm(self) -> None:
        """Treat all orders, those that are held too, as usual."""
        with self.lock:
            self._behaviours.clear()
            for account in self._accounts.values():
                for order in account.open_orders():
                    order.behaviour = replace(order.behaviour, hold=False, fill_after_cancel=0.0)

    def too_many(self, key: str) -> bool:
        """Count a request of a key by this machine's clock; True if it exceeds its limit."""
        most = self.account(key).per_minute
        if most is None:
            return False
        with self.lock:
            asked, now_s = self._asked.setdefault(key, deque()), monotonic()
            while asked and asked[0] <= now_s - 60:
                asked.popleft()
            asked.append(now_s)
            return len(asked) > most

    def submit(self, key: str, asked: dict[str, Any]) -> Order:
        """Take an order. Raises Refusal; a client order id stays used by whatever was taken."""
        with self.lock:
            self.settle(key)
            account, now_ms = self.account(key), self.catalog.now_ms
            number = str(uuid5(NAMESPACE_URL, f"replay-order:{key}:{len(account.orders)}"))
            order, listed = checks.order_of(account, asked, self.prices, now_ms, number)
            checks.check_means(account, order, listed, self.prices, now_ms)
            order.behaviour = self._next_behaviour(order.symbol)
            if listed.is_stock and order.good_for == "day":
                order.expires_ms = next_end_ms(STOCKS, now_ms, order.hours)
            account.orders[order.id] = order
            account.by_client[order.client_order_id] = order.id
            self._keep()
            self._start()
            return order

    def cancel(self, key: str, order: Order) -> None:
        """Cancel an order. Raises Refusal if it is no longer open."""
        with self.lock:
            self.settle(key)
            if not order.is_open:
                raise wrong(f'order is already in "{order.status}" state')
            account, now_ms = self.account(key), self.catalog.now_ms
            order.canceled_ms = now_ms
            self._tell(account, [happened(account, order, "canceled", "canceled", now_ms)])
            late = Decimal(repr(order.behaviour.fill_after_cancel))
            listed = self.prices.listed(order.symbol)
            price = listed and self.prices.last(listed, now_ms)
            if late and price and order.qty is not None:
                qty = min((order.qty * late).quantize(Decimal("0.000000001")), order.left)
                self._tell(account, [execute(account, order, qty.normalize(), price, now_ms)])
            self._keep()

    def settle(self, key: str) -> None:
        """Move an account's open orders on to the replayed now."""
        with self.lock:
            account, now_ms = self.account(key), self.catalog.now_ms
            happenings: list[Happening] = []
            for order in account.open_orders():
                listed = self.prices.listed(order.symbol)
                if listed is not None:
                    happenings += look(account, order, listed, self.prices, now_ms)
            if happenings:
                self._tell(account, happenings)
                self._keep()

    def told_so_far(self, key: str) -> int:
        """Return the number that the next update of a key will have."""
        with self.lock:
            told = self._told.setdefault(key, Told())
            return told.first + len(told.updates)

    def told_since(self, key: str, number: int) -> tuple[list[dict[str, Any]], int]:
        """Return the updates of a key from a number on, and the number of the next one."""
        with self.lock:
            told = self._told.setdefault(key, Told())
            after = told.first + len(told.updates)
            first = max(number - told.first, 0)
            return list(told.updates)[first:], after

    def stop(self) -> None:
        """Fill no more orders."""
        self._stopped.set()
        if self._ticker is not None:
            self._ticker.join()
        with self.lock:
            self._keep()

    def _next_behaviour(self, symbol: str) -> Behaviour:
        for entry in self._behaviours:
            behaviour, left = entry
            if left > 0 and behaviour.symbol in ("*", symbol):
                entry[1] -= 1
                return behaviour
        return ORDINARY

    def _tell(self, account: Account, happenings: list[Happening]) -> None:
        told = self._told.setdefault(account.key, Told())
        for happening in happenings:
            behaviour = happening.order.behaviour
            update = update_json(happening)
            told.updates.extend([] if behaviour.untold else [update] * (1 + behaviour.doubled))
        while len(told.updates) > 10_000:
            told.updates.popleft()
            told.first += 1

    def _start(self) -> None:
        if self._ticker is None and not self._stopped.is_set():
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def _tick(self) -> None:
        saved_s = monotonic()
        while not self._stopped.wait(_TICK_S):
            for key in list(self._accounts):
                try:
                    self.settle(key)
                except (ValueError, ArithmeticError, Refusal) as error:
                    log.exception("replay_not_settled", key=key, reason=str(error))
            if monotonic() - saved_s > _SAVE_S:
                saved_s = monotonic()
                with self.lock:
                    self._keep()

    def _keep(self) -> None:
        if self._file is None:
            return
        clock = self.catalog.clock
        document = {
            "now_ms": clock.now_ms(),
            "speed": clock.speed,
            "accounts": {key: written(account) for key, account in self._accounts.items()},
        }
        whole = self._file.with_suffix(".new")
        whole.write_bytes(orjson.dumps(document))
        whole.replace(self._file)

    def _read(self, file: Path) -> None:
        with suppress(FileNotFoundError):
            document = orjson.loads(file.read_bytes())
            for key, each in document["accounts"].items():
                self._accounts[key] = read(each)
            if document["speed"] > 0:
                self.catalog.clock.play(document["now_ms"], document["speed"])
            if any(account.open_orders() for account in self._accounts.values()):
                self._start()
