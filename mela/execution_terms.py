"""The terms of execution that a scene states: costs, position sizing, entry orders, exits."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mela.fields import Part, Real, Whole, one_of

Direction = Literal["long", "short", "both"]
Engine = Literal["mela", "backtrader"]
MOST_TARGETS = 8
Prices = Literal["split_adjusted", "total_return", "raw"]


class Costs(Part):
    """Costs of a fill, as fractions of its notional: 0.001 is 0.1 %."""

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
    """Size a position as a fraction of the cash, fee included."""

    kind: Literal["fraction"] = Field(default="fraction", description="of the cash")
    fraction: Real = Field(default=0.95, gt=0, le=1, description="of the cash, fee included")


class CashSizing(_SizingRules):
    """Size a position as a fixed sum, fee included."""

    kind: Literal["cash"] = Field(default="cash", description="a sum")
    amount: Real = Field(gt=0, description="in the quote currency")


class UnitsSizing(_SizingRules):
    """Size a position as a fixed number of units."""

    kind: Literal["units"] = Field(default="units", description="a number of units")
    units: Real = Field(gt=0, description="in the base currency, or shares")


class RiskSizing(_SizingRules):
    """Size a position so that its stop loss costs a given fraction of the equity."""

    kind: Literal["risk_per_trade"] = Field(
        default="risk_per_trade", description="what the stop loss may cost"
    )
    risk: Real = Field(default=0.01, gt=0, lt=1, description="fraction of the equity")


class AtrSizing(_SizingRules):
    """Size a position so that a move of `multiple` average true ranges costs a given fraction."""

    kind: Literal["atr_risk"] = Field(
        default="atr_risk", description="what a move of average true ranges may cost"
    )
    risk: Real = Field(default=0.01, gt=0, lt=1, description="fraction of the equity")
    period: Whole = Field(default=14, ge=2, le=10_000, description="candles in the range")
    multiple: Real = Field(default=2.0, gt=0, description="ranges that the risk stands for")

    @property
    def candles_needed(self) -> int:
        """Return the number of candles after which Wilder's smoothing has forgotten its start."""
        return 20 * self.period


class VolatilitySizing(_SizingRules):
    """Size a position so that its annual volatility meets a target."""

    kind: Literal["volatility_target"] = Field(
        default="volatility_target", description="how much the position may swing"
    )
    target: Real = Field(default=0.2, gt=0, description="per year, as a fraction")
    period: Whole = Field(default=30, ge=2, le=1_000, description="candles that it is taken of")

    @property
    def candles_needed(self) -> int:
        """Return the number of candles that `period` returns need."""
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


SIZINGS = (FractionSizing, CashSizing, UnitsSizing, RiskSizing, AtrSizing, VolatilitySizing)
ENTRIES = (MarketEntry, LimitEntry, StopEntry)
if TYPE_CHECKING:
    Sizing = FractionSizing | CashSizing | UnitsSizing | RiskSizing | AtrSizing | VolatilitySizing
    Entry = MarketEntry | LimitEntry | StopEntry
else:
    Sizing = one_of(*SIZINGS)
    Entry = one_of(*ENTRIES)


class TargetStep(Part):
    """One step of a target that changes with time."""

    after: Whole = Field(ge=0, description="candles since the entry's from which it applies")
    gain: Real = Field(ge=0, description="profit that closes the position: 0.1 is 10 %")


class Exits(Part):
    """Exits besides the strategy's own. Levels are fractions of the entry's fill price."""

    stop_loss: Real | None = Field(
        default=None, gt=0, lt=1, description="loss that closes the position: 0.05 is 5 %"
    )
    take_profit: Real | None = Field(
        default=None, gt=0, description="profit that closes the position: 0.1 is 10 %"
    )
    targets: Annotated[
        tuple[TargetStep, ...] | None, Field(min_length=1, max_length=MOST_TARGETS)
    ] = Field(
        default=None,
        description="targets that change with time, instead of take_profit, `after` rising: the "
        "last one whose `after` the position has reached applies",
    )
    limit_offset: Real | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="an exit signal gives a limit order, better than its close by this fraction; "
        "null: a market order",
    )
    limit_bars: Whole = Field(
        default=1,
        ge=1,
        description="candles that an exit's limit order rests; then it is a market order",
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
    trailing_start: Real = Field(
        default=0.0,
        ge=0,
        description="gain, as a fraction of the entry's price, that starts the trailing stop",
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

    @model_validator(mode="after")
    def _steps_rise(self) -> Exits:
        ages = [step.after for step in self.targets or ()]
        if any(later <= age for age, later in itertools.pairwise(ages)):
            raise ValueError(f"`after` of targets must rise from step to step, but found {ages}")
        return self
