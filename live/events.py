"""The events of a session's log, and their text.

Input events are what the world said; they alone decide the state. Derived events are what the
engine made of them: they are stored for people and programs, and made again on every replay.
Numbers are written so that they come back bit for bit, NaN and -0.0 too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from live.event_parts import Difference, Facts, Held, History
from live.orders import Order, OrderState, Side
from live.plain import plain, read
from mela.interval import Interval

CommandKind = Literal["pause", "resume", "stop", "halt", "release", "flatten"]
Level = Literal["info", "warning", "error", "critical"]
RiskState = Literal["active", "reducing", "halted"]


# Input events: what the world said


@dataclass(frozen=True, slots=True)
class Started:
    """The session begins. document: of the session; first_open_ms: the first candle it trades."""

    session_id: str
    document: dict[str, Any]
    first_open_ms: int
    facts: tuple[Facts, ...]
    history: tuple[History, ...]
    at_ms: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """The process began anew: whatever order has no answer must be looked up."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class CandleClosed:
    """A candle has closed.

    received_ms: when we heard of it; is_late: so long after its close that its price is stale
    """

    instrument: str
    interval: Interval
    opened_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    received_ms: int
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class CandleAbsent:
    """These series have no candle that opened then: what waits for one goes on without it."""

    interval: Interval
    opened_ms: int
    instruments: tuple[str, ...]
    at_ms: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class OrderAnswered:
    """A broker said what became of an order; `unknown` where its answer did not come."""

    client_order_id: str
    state: OrderState
    broker_order_id: str
    at_ms: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A broker was asked for an order by its id. is_found: else it has never had it."""

    client_order_id: str
    is_found: bool
    state: OrderState
    broker_order_id: str
    at_ms: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """A broker filled an order, in whole or in part. fill_id: the same however often it is told."""

    client_order_id: str
    fill_id: str
    instrument: str
    side: Side
    units: float
    price: float
    fee: float
    at_ms: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Ours and the broker's were compared. at_start: no order leaves before the first of these."""

    differences: tuple[Difference, ...]
    at_start: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """The broker's state counts. units: signed, held now; cash: added to ours."""

    instrument: str
    units: float
    average_price: float
    cash: float
    at_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Lent:
    """A broker said what may be sold short. units: of each instrument, NaN where that is unknown.

    why: what it said of those that may not, or why that is unknown
    """

    instruments: tuple[str, ...]
    units: tuple[float, ...]
    at_ms: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """An instrument is halted, or trades again. at_ms: from when on.

    source: the stream of its market, or the asset as the broker has it; each ends its own halts
    """

    instrument: str
    is_halted: bool
    at_ms: int
    why: str = ""
    source: Literal["stream", "asset"] = "stream"


@dataclass(frozen=True, slots=True)
class Commanded:
    """A person or a rule asked for something. by: who."""

    kind: CommandKind
    by: str
    at_ms: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class HeadlineHeard:
    """News of some of the session's instruments; without any, of all."""

    title: str
    instruments: tuple[str, ...]
    published_ms: int
    received_ms: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed: what waits for something may have waited too long."""

    at_ms: int


Input = (
    Started | Recovered | CandleClosed | CandleAbsent | OrderAnswered | LookedUp | Filled
    | Reconciled | Adopted | Lent | MarketStatus | Commanded | HeadlineHeard | Ticked
)  # fmt: skip


# Derived events: what the engine decided


@dataclass(frozen=True, slots=True)
class Intended:
    """An order is to be given. for_broker: to be submitted; else our own paper broker has it.

    is_again: the broker never had it, and it is submitted under the same id
    """

    order: Order
    for_broker: bool
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class CancelIntended:
    """An order is to be cancelled, if it is open at all."""

    client_order_id: str
    for_broker: bool
    why: str


@dataclass(frozen=True, slots=True)
class LookupIntended:
    """An order must be looked up at the broker before anything else happens to it."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Candles are missing: from_ms ≤ opened_ms < to_ms. Ask for them; say which are absent."""

    instrument: str
    interval: Interval
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order as it is now."""

    order: Order


@dataclass(frozen=True, slots=True)
class FillBooked:
    """A fill is in the account, once."""

    client_order_id: str
    fill_id: str
    instrument: str
    side: Side
    units: float
    price: float
    fee: float
    at_ms: int


@dataclass(frozen=True, slots=True)
class Judged:
    """The risk engine judged an entry. saw: what it looked at; lasted_us is not part of it."""

    instrument: str
    candle_ms: int
    is_allowed: bool
    code: str
    units: float
    granted_units: float
    saw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Traded:
    """A round trip is over. Instants: openings of candles, as `mela backtest` tells them.

    size: signed; other fields as of `mela.curve.Trade`
    """

    instrument: str
    entry_ms: int
    exit_ms: int
    size: float
    entry_price: float
    exit_price: float
    fees: float
    profit: float
    exit_reason: str
    slippage: float
    borrow: float
    mae: float
    mfe: float


@dataclass(frozen=True, slots=True)
class Valued:
    """An account on a close. account: its number, 0 where there is one."""

    account: int
    opened_ms: int
    at_ms: int
    equity: float
    cash: float
    positions: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The mode of the session has changed. account: its number, -1 for the whole session."""

    what: Literal["session", "risk"]
    account: int
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Alerted:
    """A person should know. key: the same for the same matter."""

    level: Level
    key: str
    text: str


Derived = (
    Intended | CancelIntended | LookupIntended | Wanted | OrderChanged | FillBooked | Judged
    | Traded | Valued | StateChanged | Alerted
)  # fmt: skip
Event = Input | Derived

INPUTS: dict[str, type[Any]] = {one.__name__: one for one in get_args(Input)}
DERIVED: dict[str, type[Any]] = {one.__name__: one for one in get_args(Derived)}
KINDS = {**INPUTS, **DERIVED}
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)  # dumps makes one each time


def kind_of(event: Event) -> str:
    """Return the name under which a log keeps an event."""
    return type(event).__name__


def encode(event: Event) -> str:
    """Return an event's fields as text, for `decode` with its kind."""
    return _ENCODER.encode(plain(event))


def decode(kind: str, text: str) -> Event:
    """Return an event from its kind and text, equal to what was encoded.

    Raises ValueError for a kind that this release does not know, and for fields that it lacks.
    """
    if kind not in KINDS:
        raise ValueError(
            f"expected a kind of event that this release knows, but found {kind!r}: the log was "
            "written by a later release; upgrade Mela"
        )
    try:
        return read(KINDS[kind], json.loads(text))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"an event {kind} has other fields than this release reads: {error}"
        ) from error
