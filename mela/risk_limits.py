"""The limits that stand between a signal and its order (docs/risk.md)."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from mela.fields import Part, Real, Whole

SessionHours = Literal["regular", "extended"]


class RiskLimits(Part):
    """The limits that an order must keep. Every limit is optional; null does not limit.

    An order that only reduces a position passes them all. A limit whose value is not known (NaN,
    infinite, missing, too old) refuses the order.
    """

    # the order itself
    max_order_units: Real | None = Field(
        default=None, gt=0, description="most units of an order: coins, shares"
    )
    max_order_notional: Real | None = Field(
        default=None, gt=0, description="most that an order is worth, in the quote currency"
    )
    min_order_notional: Real | None = Field(
        default=None, gt=0, description="least that an order is worth, in the quote currency"
    )
    price_collar: Real | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="how far an order's price may lie from the last close: 0.05 is 5 %",
    )
    lot_and_tick: bool = Field(
        default=False,
        description="round units down to the instrument's lot, and refuse a price between ticks",
    )
    # what would be held after it
    max_position_notional: Real | None = Field(
        default=None,
        gt=0,
        description="most that the position in an instrument may be worth, in the quote currency",
    )
    max_position_share: Real | None = Field(
        default=None, gt=0, description="the same, as a fraction of the equity"
    )
    max_gross: Real | None = Field(
        default=None,
        gt=0,
        description="most that all positions may be worth, shorts counted as longs, in the quote "
        "currency",
    )
    max_net: Real | None = Field(
        default=None,
        gt=0,
        description="most that longs less shorts, or shorts less longs, may be worth, in the quote "
        "currency",
    )
    max_leverage: Real | None = Field(
        default=None,
        gt=0,
        description="most that all positions may be worth, as a multiple of the equity",
    )
    buying_power: bool = Field(
        default=False, description="an order costs at most the money that is free for it"
    )
    short_availability: bool = Field(
        default=False, description="units sold short must be there to be borrowed"
    )
    # how many
    max_open_orders: Whole | None = Field(
        default=None, ge=1, description="most orders that wait at a time"
    )
    max_orders_per_minute: Whole | None = Field(
        default=None, ge=1, description="most orders within any 60 seconds"
    )
    # the market and its data
    session_hours: Literal["refuse", "wait"] | None = Field(
        default=None,
        description="an entry ordered while the market is closed: refused; or, as null, it waits "
        "for the next candle of a session",
    )
    max_data_age_s: Real | None = Field(
        default=None, gt=0, description="most seconds since the last candle of the instrument ended"
    )
    max_volume_share: Real | None = Field(
        default=None,
        gt=0,
        description="most of an order, as a fraction of the mean volume of recent candles",
    )
    volume_candles: Whole = Field(
        default=20, ge=1, le=1_000, description="candles that the mean volume is taken of"
    )
    target_volatility: Real | None = Field(
        default=None,
        gt=0,
        description="where the closes move more than this, an order is made smaller in proportion: "
        "the deviation of their returns from candle to candle, 0.01 is 1 %",
    )
    volatility_candles: Whole = Field(
        default=20, ge=2, le=1_000, description="returns that the volatility is taken of"
    )
    # losses
    max_daily_loss: Real | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="loss since the day began (UTC), as a fraction of its first equity, from which "
        "on orders only reduce until the next day",
    )
    max_drawdown: Real | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="fall from the highest equity, as a fraction of it, from which on orders only "
        "reduce",
    )
    drawdown_pause_s: Real | None = Field(
        default=None,
        gt=0,
        description="seconds after which a drawdown no longer refuses, and is measured from the "
        "equity of then; null: until a person releases it",
    )
    max_losses_in_a_row: Whole | None = Field(
        default=None,
        ge=1,
        description="losing trades, one after the other, from which on orders only reduce",
    )
    losses_pause_s: Real = Field(
        default=86_400.0,
        gt=0,
        description="seconds for which losses in a row refuse; 86400 is a day",
    )
    cooldown_s: Real | None = Field(
        default=None,
        gt=0,
        description="seconds after a position of an instrument was closed in which it is not "
        "entered",
    )

    @model_validator(mode="after")
    def _least_is_not_above_most(self) -> Self:
        least, most = self.min_order_notional, self.max_order_notional
        if least is not None and most is not None and least > most:
            raise ValueError(
                f"min_order_notional must be at most max_order_notional, but {least:g} is above "
                f"{most:g}"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Spell what is limited, and not that the rest is not."""
        fields = type(self).model_fields
        return {name: one for name, one in handler(self).items() if one != fields[name].default}

    @property
    def candles_needed(self) -> int:
        """Return how many candles before a decision the limits look at."""
        volume = self.volume_candles if self.max_volume_share is not None else 0
        moves = self.volatility_candles + 1 if self.target_volatility is not None else 0
        return max(volume, moves)


def not_empty(limits: RiskLimits | None) -> RiskLimits | None:
    """Return limits, or None for those that limit nothing: both ask the same."""
    return None if limits == RiskLimits() else limits
