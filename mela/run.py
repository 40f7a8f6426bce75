"""A run: one strategy with one parameter set on one instrument, and its identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from mela.canonical import canonical_object, canonical_scalar
from mela.interval import Interval

SCALARS = (int, float, str, type(None))
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
Direction = Literal["long"]
Prices = Literal["split_adjusted", "total_return", "raw"]


class Part(BaseModel):
    """Base of what a scene is made of: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Costs(Part):
    """What a fill costs: fractions of its notional, 0.001 being 0.1 %."""

    kind: Literal["flat"] = "flat"
    fee: Real = Field(
        default=0.001, ge=0, lt=1, description="fraction of the notional, on each fill"
    )
    slippage: Real = Field(
        default=0.0005, ge=0, lt=1, description="fraction by which the price is worse"
    )


class Sizing(Part):
    """How much to buy: a fraction of the cash, the fee included."""

    kind: Literal["fraction"] = "fraction"
    fraction: Real = Field(default=0.95, gt=0, le=1)


class Exits(Part):
    """What closes a position besides the strategy. Levels: fractions of the entry's fill price."""

    stop_loss: Real | None = Field(default=None, gt=0, lt=1)
    take_profit: Real | None = Field(default=None, gt=0)
    cooldown_bars: Whole = Field(default=0, ge=0, description="entry signals ignored after an exit")
    protect_from: Literal["entry", "next"] = Field(
        default="entry",
        description="the candle from which stop and target live: the entry's, or the next",
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
    sizing: Sizing = Sizing()
    exits: Exits = Exits()
    direction: Direction = "long"
    prices: Prices = "split_adjusted"


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
    return {name: field.default for name, field in part.model_fields.items()}


def run_key_of(fields: Mapping[str, bytes]) -> str:
    """Return the run_key of canonical fields: SHA-256 of the RFC 8785 object that they make.

    fields: name → canonical JSON of its value; fields at their default are left out by the caller.
    """
    return hashlib.sha256(canonical_object(fields)).hexdigest()
