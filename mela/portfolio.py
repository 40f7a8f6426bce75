"""One account for several instruments: their target weights, and when these are restored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from mela.canonical import canonical_json, canonical_object
from mela.fields import Part, Real, Whole, one_of

Weight = Annotated[Real, Field(gt=0, le=1)]
_FULL = 1.0 + 1e-9  # decimal weights that sum to 1 may sum to a little more in binary


class EqualWeights(Part):
    """Give each instrument of the scene the same share, whether it holds a position or not."""

    kind: Literal["equal"] = Field(default="equal", description="the same for each")


class FixedWeights(Part):
    """Give each instrument the share named for it; the rest stays cash."""

    kind: Literal["fixed"] = Field(default="fixed", description="named in `of`")
    of: dict[str, Weight] = Field(
        min_length=1,
        examples=[{"yahoo:AAPL": 0.6, "yahoo:SPY": 0.4}],
        description="instrument → its share of the equity; together at most 1",
    )

    @field_validator("of")
    @classmethod
    def _at_most_the_whole(cls, of: dict[str, float]) -> dict[str, float]:
        if math.fsum(of.values()) > _FULL:
            raise ValueError(f"weights sum to at most 1, but these to {math.fsum(of.values()):g}")
        return dict(sorted(of.items()))


class InverseVolatility(Part):
    """Weight each instrument by 1 / volatility, measured on each close; the weights sum to 1."""

    kind: Literal["inverse_volatility"] = Field(
        default="inverse_volatility", description="calm ones get more"
    )
    period: Whole = Field(default=60, ge=2, le=1_000, description="candles that it is taken of")


class StrategyWeights(Part):
    """Shares that the strategy gives on each close; where they sum to more than 1, scaled to 1."""

    kind: Literal["strategy"] = Field(
        default="strategy", description="as the strategy says on each close"
    )


class OnSignals(Part):
    """Trade an instrument on its entries and exits only, and let its share drift in between."""

    kind: Literal["signals"] = Field(
        default="signals", description="only when an instrument goes in or out"
    )


class OnSchedule(Part):
    """Also restore all shares at the first open of each day, week (from Monday) or month."""

    kind: Literal["schedule"] = Field(default="schedule", description="at fixed times")
    every: Literal["1d", "1w", "1mo"] = Field(default="1mo", description="how often")


class OnDrift(Part):
    """Also restore all shares when, at a close, one has moved too far from its weight."""

    kind: Literal["drift"] = Field(default="drift", description="when one has moved too far")
    threshold: Real = Field(
        default=0.05, gt=0, lt=1, description="of the account's equity: 0.05 is 5 points of it"
    )


WEIGHTS = (EqualWeights, FixedWeights, InverseVolatility, StrategyWeights)
REBALANCES = (OnSignals, OnSchedule, OnDrift)
if TYPE_CHECKING:
    Weights = EqualWeights | FixedWeights | InverseVolatility | StrategyWeights
    Rebalance = OnSignals | OnSchedule | OnDrift
else:
    Weights = one_of(*WEIGHTS)
    Rebalance = one_of(*REBALANCES)


class Portfolio(Part):
    """The target weights of the instruments in the market, and when they are restored."""

    weights: Weights = Field(
        default=EqualWeights(), description="the share of the equity that each instrument gets"
    )
    rebalance: Rebalance = Field(default=OnSignals(), description="when the shares are restored")
    delisted: Literal["close", "hold"] = Field(
        default="close",
        description="an instrument whose candles end within the span: closed at its last close, "
        "its share given to the others; or held at that price to the end",
    )

    @property
    def candles_needed(self) -> int:
        """Return how many candles before the start the weights need."""
        return self.weights.period + 1 if isinstance(self.weights, InverseVolatility) else 0

    def canonical(self) -> bytes:
        """Return the canonical JSON that enters the run_key; fields at their default are left out.

        >>> Portfolio(rebalance=OnDrift()).canonical()
        b'{"rebalance":{"kind":"drift"}}'
        """
        members: dict[str, bytes] = {}
        for name, default in (("weights", EqualWeights()), ("rebalance", OnSignals())):
            part: Part = getattr(self, name)
            if part != default:
                values = part.model_dump(mode="json", exclude_defaults=True)
                members[name] = canonical_json({**values, "kind": part.__dict__["kind"]})
        if self.delisted != "close":
            members["delisted"] = canonical_json(self.delisted)
        return canonical_object(members)
