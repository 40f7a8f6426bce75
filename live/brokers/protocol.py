"""The protocol of a broker outside this process: requests, answers, and failures."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from mela.errors import MelaError

Side = Literal["buy", "sell"]
OrderKind = Literal["market", "limit", "stop"]
Validity = Literal["day", "gtc", "ioc"]
OrderState = Literal["accepted", "partly_filled", "filled", "cancelled", "rejected", "expired"]
LinkKind = Literal["connected", "lost", "mute", "caught_up", "refused", "stopped"]


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as it is sent. client_order_id: at most 48 characters; units: > 0, in base units.

    limit_price: for `limit` only; stop_price: for `stop` only, where it becomes a market order, or
        at a broker without such orders a limit order far beyond it
    good_for None: the broker's own default for the instrument
    is_extended_hours: of a limit, that it may fill before and after the session. Of a market order
        with a limit_price, that it leaves as such a limit if it leaves there
    """

    client_order_id: str
    instrument: str
    side: Side
    units: float
    kind: OrderKind = "market"
    limit_price: float | None = None
    stop_price: float | None = None
    good_for: Validity | None = None
    is_extended_hours: bool = False


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker has it. average_price: of what is filled; None if nothing is.

    at_ms: when the broker last changed it, UTC milliseconds; word: the broker's own state
    """

    client_order_id: str
    broker_order_id: str
    instrument: str
    side: Side
    units: float
    state: OrderState
    filled_units: float
    average_price: float | None
    at_ms: int
    word: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class BrokerFill:
    """One execution. fill_id: the same by whichever way it is told; client_order_id "" if unknown.

    units: > 0; fee: in the quote currency, 0.0 if the broker charges it otherwise or later
    """

    fill_id: str
    client_order_id: str
    broker_order_id: str
    instrument: str
    side: Side
    units: float
    price: float
    fee: float
    at_ms: int


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """A position in an instrument. units: signed, in base units; price: the last one, or NaN."""

    instrument: str
    units: float
    average_price: float
    price: float = math.nan


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    """The account behind a session. is_blocked: it may not trade now; `why` says so."""

    account_id: str
    currency: str
    cash: float
    equity: float
    buying_power: float
    may_short: bool
    is_blocked: bool
    is_paper: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class LinkNotice:
    """Something that happened to the stream of updates. is_alarm: a person should be told."""

    kind: LinkKind
    at_ms: int
    text: str
    is_alarm: bool = False


Update = BrokerOrder | BrokerFill | LinkNotice


class Unanswered(MelaError):
    """Say that nobody knows whether the broker took a request: look it up before anything else."""


class BrokerBusy(MelaError):
    """Say that the broker did not take a request, and may take the same one later.

    retry_after_s: the wait that it asked for, None if it did not say
    """

    def __init__(self, sentence: str, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class BrokerRefused(MelaError):
    """Say that the broker refused a request, and why. code: its own, 0 if it gave none."""

    def __init__(self, sentence: str, code: int = 0, status: int = 0) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status


class IdUsed(BrokerRefused):
    """Say that an order has this client order id already, maybe a cancelled one: look it up."""


class Broker(Protocol):
    """A broker. Every request ends within its time limit, in an answer or in an error.

    Requests that change something raise Unanswered if the answer did not come; those that only ask
    raise BrokerBusy then, as asking again does no harm.
    """

    async def submit(self, order: OrderRequest) -> BrokerOrder:
        """Send an order, once. Raises Unanswered, BrokerBusy, BrokerRefused or IdUsed."""
        ...

    async def cancel(self, broker_order_id: str) -> None:
        """Ask to cancel; what became of it comes as an update, or from `lookup`.

        Raises BrokerRefused if the order is no longer open, Unanswered, BrokerBusy.
        """
        ...

    async def cancel_all(self) -> None:
        """Ask to cancel every open order of the account."""
        ...

    async def lookup(self, client_order_id: str) -> BrokerOrder | None:
        """Return the order of this id, open or not; None if the broker says that there is none."""
        ...

    async def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all open orders of the account, oldest first, whoever sent them."""
        ...

    async def positions(self) -> Sequence[BrokerPosition]:
        """Return what the account holds, sorted by instrument."""
        ...

    async def account(self) -> BrokerAccount:
        """Return cash, equity and buying power."""
        ...

    async def lends(self, instrument: str) -> bool:
        """Tell whether the broker lends an instrument now, so that it can be sold short."""
        ...

    async def trades(self, instrument: str) -> str:
        """Return why the broker does not trade an instrument now; nothing where it does."""
        ...

    async def fills(self, since_ms: int) -> Sequence[BrokerFill]:
        """Return every execution since an instant (included), oldest first."""
        ...

    def updates(self, since_ms: int) -> AsyncIterator[Update]:
        """Yield orders and fills as they change, until `stop`; to be called once.

        On each (re)connection, what happened since the last update (at first: since_ms) is asked
        for and given before `caught_up`, so the same fill may be given twice; fill_id tells.
        """
        ...

    async def stop(self) -> None:
        """Close connections and end `updates`."""
        ...
