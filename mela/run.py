"""A run: one strategy with one parameter set on one instrument, and its identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from pydantic_core import PydanticUndefined

from mela.canonical import canonical_object, canonical_scalar
from mela.interval import Interval

if TYPE_CHECKING:
    from mela.portfolio import Portfolio

SCALARS = (int, float, str, type(None))  # a truth value is an int
MIN_WARMUP = 64
MAX_WARMUP = 2**20  # candles: two years of minutes


def _integral(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _instant(value: Any) -> Any:
    if isinstance(value, datetime | str):
        return value
    raise ValueError("expected an instant in ISO 8601 with its zone, as 2023-01-01T00:00:00Z")


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("expected an instant of the years 1 to 9999 in UTC") from error


Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_integral), Field(strict=True, ge=-(2**53), le=2**53)]
Instant = Annotated[AwareDatetime, BeforeValidator(_instant), AfterValidator(_in_utc)]
Direction = Literal["long", "short", "both"]
Engine = Literal["mela", "backtrader"]
Prices = Literal["split_adjusted", "total_return", "raw"]


class Part(BaseModel):
    """Base of what a scene is made of: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Costs(Part):
    """What a fill costs: fractions of its notional, 0.001 being 0.1 %."""

    kind: Literal["flat"] = Field(default="flat", description="the same fractions for every fill")
    fee: Real = Field(
        default=0.001, ge=0, lt=1, description="fraction of the notional, on each fill"
    )
    slippage: Real = Field(
        default=0.0005, ge=0, lt=1, description="fraction by which the price is worse"
    )
    minimum_fee: Real = Field(
        default=0.0, ge=0, description="least fee of a fill, in the quote currency"
    )
    borrow_rate: Real | None = Field(
        default=None,
        ge=0,
        description="what a short position costs in a year, as a fraction of its value; null: "
        "nothing, which a spot instrument refuses",
    )
    impact: Real = Field(
        default=0.0,
        ge=0,
        description="square-root impact: the price is worse by impact × √(units / candle's volume)",
    )
    round_to_tick: bool = Field(
        default=False, description="round prices to the instrument's tick, against the trader"
    )


class _SizingRules(Part):
    whole_units: bool = Field(
        default=False, description="round down to the instrument's lot (1 where it has none)"
    )
    max_exposure: Real = Field(
        default=1.0, gt=0, le=100, description="most that a position may be worth, per equity"
    )
    sized_at: Literal["fill", "signal"] = Field(
        default="fill",
        description="the price that sizes: the fill's, fee included, or Backtrader's way the "
        "signal candle's close, without it",
    )

    @property
    def candles_needed(self) -> int:
        """Return how many candles before the start this sizing needs."""
        return 0


class FractionSizing(_SizingRules):
    """How much to trade: a fraction of the cash, the fee included."""

    kind: Literal["fraction"] = Field(default="fraction", description="of the cash")
    fraction: Real = Field(default=0.95, gt=0, le=1, description="of the cash, fee included")


class CashSizing(_SizingRules):
    """How much to trade: a fixed sum, the fee included."""

    kind: Literal["cash"] = Field(default="cash", description="a sum")
    amount: Real = Field(gt=0, description="in the quote currency")


class UnitsSizing(_SizingRules):
    """How much to trade: a fixed number of units."""

    kind: Literal["units"] = Field(default="units", description="a number of units")
    units: Real = Field(gt=0, description="in the base currency, or shares")


class RiskSizing(_SizingRules):
    """How much to trade: so much that the stop loss costs a fraction of the equity."""

    kind: Literal["risk_per_trade"] = Field(
        default="risk_per_trade", description="what the stop loss may cost"
    )
    risk: Real = Field(default=0.01, gt=0, lt=1, description="fraction of the equity")


class AtrSizing(_SizingRules):
    """How much to trade: so much that a move of some average true ranges costs a fraction."""

    kind: Literal["atr_risk"] = Field(
        default="atr_risk", description="what a move of average true ranges may cost"
    )
    risk: Real = Field(default=0.01, gt=0, lt=1, description="fraction of the equity")
    period: Whole = Field(default=14, ge=2, le=10_000, description="candles in the range")
    multiple: Real = Field(default=2.0, gt=0, description="ranges that the risk stands for")

    @property
    def candles_needed(self) -> int:
        """Return the candles after which Wilder's smoothing has forgotten its start."""
        return 20 * self.period


class VolatilitySizing(_SizingRules):
    """How much to trade: so much that the position's volatility is a target's."""

    kind: Literal["volatility_target"] = Field(
        default="volatility_target", description="how much the position may swing"
    )
    target: Real = Field(default=0.2, gt=0, description="per year, as a fraction")
    period: Whole = Field(default=30, ge=2, le=1_000, description="candles that it is taken of")

    @property
    def candles_needed(self) -> int:
        """Return the candles that so many returns need."""
        return self.period + 1


class MarketEntry(Part):
    """Enter at the next open."""

    kind: Literal["market"] = Field(default="market", description="at the next open")


class _RestingEntry(Part):
    offset: Real = Field(gt=0, lt=1, description="distance from the signal's close, as a fraction")
    valid_bars: Whole = Field(default=1, ge=1, description="candles that the order rests")


class LimitEntry(_RestingEntry):
    """Enter at a better price, below the signal's close for a long position."""

    kind: Literal["limit"] = Field(default="limit", description="rests at a better price")


class StopEntry(_RestingEntry):
    """Enter when the price has moved on, above the signal's close for a long position."""

    kind: Literal["stop"] = Field(default="stop", description="rests at a worse price")


def one_of(*kinds: type[Part]) -> Any:
    """Return the alternatives of a field; where the first is meant its kind may be left out."""
    first = kinds[0].model_fields["kind"].default

    def kind(value: Any) -> Any:
        said = value.get("kind", first) if isinstance(value, Mapping) else getattr(value, "kind", 0)
        return f"kind={said}"

    tagged = (Annotated[each, Tag(f"kind={each.model_fields['kind'].default}")] for each in kinds)
    names = ", ".join(str(each.model_fields["kind"].default) for each in kinds)
    said = Discriminator(
        kind,
        custom_error_type="unknown_kind",
        custom_error_message=f"expected kind to be one of {names}",
    )
    return Annotated[reduce(or_, tagged), said]


SIZINGS = (FractionSizing, CashSizing, UnitsSizing, RiskSizing, AtrSizing, VolatilitySizing)
ENTRIES = (MarketEntry, LimitEntry, StopEntry)
if TYPE_CHECKING:
    Sizing = FractionSizing | CashSizing | UnitsSizing | RiskSizing | AtrSizing | VolatilitySizing
    Entry = MarketEntry | LimitEntry | StopEntry
else:
    Sizing = one_of(*SIZINGS)
    Entry = one_of(*ENTRIES)


class Exits(Part):
    """What closes a position besides the strategy. Levels: fractions of the entry's fill price."""

    stop_loss: Real | None = Field(
        default=None, gt=0, lt=1, description="loss that closes the position: 0.05 is 5 %"
    )
    take_profit: Real | None = Field(
        default=None, gt=0, description="profit that closes the position: 0.1 is 10 %"
    )
    cooldown_bars: Whole = Field(default=0, ge=0, description="entry signals ignored after an exit")
    protect_from: Literal["entry", "next"] = Field(
        default="entry",
        description="the candle from which stop and target live: the entry's, or the next",
    )
    trailing_stop: Real | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="fraction below the highest high since the entry, up to the candle before",
    )
    time_stop_bars: Whole | None = Field(
        default=None, ge=1, description="candles after which the position is closed at the open"
    )
    daily_loss_limit: Real | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="loss since the day's start, as a fraction of its equity, that ends the day",
    )


class StrategyInfo(Protocol):
    """What the shared language must know of a registered strategy."""

    @property
    def name(self) -> str:
        """Return the name that scenes use."""
        ...

    @property
    def digest(self) -> str:
        """Return the hash of the strategy's source."""
        ...

    @property
    def params(self) -> type[BaseModel]:
        """Return the model of its parameters: defaults, bounds, rules."""
        ...

    def warmup(self, params: Mapping[str, Any] | BaseModel) -> int:
        """Return how many candles before the start its signals need."""
        ...


Catalogue = Mapping[str, StrategyInfo]


@dataclass(frozen=True, slots=True)
class Run:
    """One execution, validated. `run_key` names what was asked: equal keys, equal questions.

    start, end: UTC, half-open; params: the whole set, defaults filled in
    warmup: candles to read before start (a power of two, at least 64)
    others: the other instruments of one account, in order; portfolio: their weights, None without
    """

    run_key: str
    instrument: str
    interval: Interval
    start: datetime
    end: datetime
    strategy: str
    params: Mapping[str, Any]
    warmup: int
    cash: float = 10_000.0
    costs: Costs = Costs()
    sizing: Sizing = FractionSizing()
    entry: Entry = MarketEntry()
    exits: Exits = Exits()
    direction: Direction = "long"
    prices: Prices = "split_adjusted"
    engine: Engine = "mela"
    others: tuple[str, ...] = ()
    portfolio: Portfolio | None = None

    @property
    def instruments(self) -> tuple[str, ...]:
        """Return all instruments of the run's account."""
        return self.instrument, *self.others


def rounded_warmup(candles: int) -> int:
    """Round a warm-up up to a power of two, at least 64: so a grid's runs read the same candles.

    >>> rounded_warmup(30), rounded_warmup(64), rounded_warmup(280)
    (64, 64, 512)
    """
    return max(MIN_WARMUP, 1 << (candles - 1).bit_length())


def instant_text(at: datetime) -> str:
    """Return the one spelling of an instant: UTC, `Z`, a fraction only where there is one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_ms(at: datetime) -> int:
    """Return an aware instant as UTC milliseconds, rounded up to fit half-open bounds."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return -(-micros // 1000)


def from_ms(ms: int) -> datetime:
    """Return UTC milliseconds as an aware instant."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def canonical_fields(part: BaseModel) -> dict[str, bytes]:
    """Return the canonical JSON of each field of a flat model that is not at its default."""
    defaults = _defaults(type(part))
    fields: dict[str, bytes] = {}
    for name, value in part.__dict__.items():
        if value != defaults[name]:
            if not isinstance(value, SCALARS):
                value = part.model_dump(mode="json", include={name})[name]
            fields[name] = canonical_scalar(value)
    return fields


@cache
def _defaults(part: type[BaseModel]) -> dict[str, Any]:
    """Return the values that a key leaves out: of alternatives, only the first one's kind."""
    defaults = {name: field.default for name, field in part.model_fields.items()}
    if part in (*SIZINGS[1:], *ENTRIES[1:]):
        defaults["kind"] = PydanticUndefined
    return defaults


def run_key_of(fields: Mapping[str, bytes]) -> str:
    """Return the run_key of canonical fields: SHA-256 of the RFC 8785 object that they make.

    fields: name → canonical JSON of its value; fields at their default are left out by the caller.
    """
    return hashlib.sha256(canonical_object(fields)).hexdigest()
