"""One account for several instruments: how much of it each may hold, and when that is restored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from mela.canonical import canonical_json, canonical_object
from mela.errors import RejectionCode, SceneInvalid
from mela.instrument import describe
from mela.run import FractionSizing, Part, Real, Whole, one_of

if TYPE_CHECKING:
    from mela.scene import Scene

Weight = Annotated[Real, Field(gt=0, le=1)]
_FULL = 1.0 + 1e-9  # decimal weights that sum to 1 may sum to a little more in binary


class EqualWeights(Part):
    """The same share for each instrument of the scene, whether it is in or not."""

    kind: Literal["equal"] = Field(default="equal", description="the same for each")


class FixedWeights(Part):
    """A share for each instrument by name; what they leave is cash."""

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
    """Shares in proportion to 1 / volatility, measured on each close; together they are 1."""

    kind: Literal["inverse_volatility"] = Field(
        default="inverse_volatility", description="calm ones get more"
    )
    period: Whole = Field(default=60, ge=2, le=1_000, description="candles that it is taken of")


class OnSignals(Part):
    """Trade an instrument when it goes in or out, and let its share drift in between."""

    kind: Literal["signals"] = Field(
        default="signals", description="only when an instrument goes in or out"
    )


class OnSchedule(Part):
    """Besides, restore all shares at the first open of each day, week (from Monday) or month."""

    kind: Literal["schedule"] = Field(default="schedule", description="at fixed times")
    every: Literal["1d", "1w", "1mo"] = Field(default="1mo", description="how often")


class OnDrift(Part):
    """Besides, restore all shares when one has moved too far from its weight on a close."""

    kind: Literal["drift"] = Field(default="drift", description="when one has moved too far")
    threshold: Real = Field(
        default=0.05, gt=0, lt=1, description="of the account's equity: 0.05 is 5 points of it"
    )


WEIGHTS = (EqualWeights, FixedWeights, InverseVolatility)
REBALANCES = (OnSignals, OnSchedule, OnDrift)
if TYPE_CHECKING:
    Weights = EqualWeights | FixedWeights | InverseVolatility
    Rebalance = OnSignals | OnSchedule | OnDrift
else:
    Weights = one_of(*WEIGHTS)
    Rebalance = one_of(*REBALANCES)


class Portfolio(Part):
    """Target weights of the instruments that are in, and when they are restored."""

    weights: Weights = Field(
        default=EqualWeights(), description="the share of the equity that each instrument gets"
    )
    rebalance: Rebalance = Field(default=OnSignals(), description="when the shares are restored")

    @property
    def candles_needed(self) -> int:
        """Return how many candles before the start the weights need."""
        return self.weights.period + 1 if isinstance(self.weights, InverseVolatility) else 0

    def canonical(self) -> bytes:
        """Return the canonical JSON that enters the run_key: what is at its default is left out.

        >>> Portfolio(rebalance=OnDrift()).canonical()
        b'{"rebalance":{"kind":"drift"}}'
        """
        said: dict[str, bytes] = {}
        for name, default in (("weights", EqualWeights()), ("rebalance", OnSignals())):
            part: Part = getattr(self, name)
            if part != default:
                values = part.model_dump(mode="json", exclude_defaults=True)
                said[name] = canonical_json({**values, "kind": part.__dict__["kind"]})
        return canonical_object(said)


def check_trials(scene: Scene) -> None:
    """Refuse trials that only single instruments have. Raises SceneInvalid naming the field."""
    kind = scene.search.kind if scene.search else None
    _refuse(
        kind == "tpe",
        "search.kind",
        "a search of kind tpe learns on one instrument at a time",
        "Take kind grid or random",
    )
    _refuse(
        scene.validation is not None,
        "validation",
        "a walk-forward chooses and tests on each instrument alone",
    )
    _refuse(scene.holdout is not None, "holdout", "a holdout tests a winner on its one instrument")


def check_together(scene: Scene, fields: Mapping[str, Iterable[Any]]) -> None:
    """Refuse what an account of several instruments cannot do.

    fields: name of a Run's field → the values that the runs of the scene would have
    Raises SceneInvalid naming the field.
    """
    _check_quotes(scene.instruments)
    _check_weights(scene)
    for entry in fields["entry"]:
        _refuse(entry.kind != "market", "entry.kind", "orders of a portfolio are market orders")
    for sizing in fields["sizing"]:
        meant = isinstance(sizing, FractionSizing) and sizing == FractionSizing(
            whole_units=sizing.whole_units
        )
        _refuse(
            not meant,
            "sizing",
            "in a portfolio the weights size the positions: of sizing only whole_units can be set",
        )
    for exits in fields["exits"]:
        for name in ("time_stop_bars", "daily_loss_limit"):
            _refuse(getattr(exits, name) is not None, f"exits.{name}", f"a portfolio has no {name}")
    for costs in fields["costs"]:
        _refuse(costs.impact > 0, "costs.impact", "a portfolio's fills have no impact")
        _refuse(costs.round_to_tick, "costs.round_to_tick", "a portfolio rounds no price")
    for engine in fields["engine"]:
        _refuse(engine != "mela", "engine", "only Mela's own engine runs portfolios")


def _check_quotes(names: tuple[str, ...]) -> None:
    first = describe(names[0])
    for name in names[1:]:
        quote = describe(name).quote
        if quote != first.quote:
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                "instruments",
                f"one account has one currency, but {first.name} is quoted in {first.quote} and "
                f"{name} in {quote}. Take instruments of one quote currency, or mode each.",
            )


def _check_weights(scene: Scene) -> None:
    weights = (scene.portfolio or Portfolio()).weights
    if isinstance(weights, FixedWeights) and set(weights.of) != set(scene.instruments):
        without = sorted(set(scene.instruments) - set(weights.of))
        unknown = sorted(set(weights.of) - set(scene.instruments))
        found = [f"none for {', '.join(without)}"] if without else []
        found += [f"one for {', '.join(unknown)}"] if unknown else []
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "portfolio.weights.of",
            f"expected a weight for each instrument of the scene, but found {' and '.join(found)}.",
        )


def _refuse(is_wrong: bool, field: str, why: str, way_out: str = "Leave it out") -> None:
    if is_wrong:
        sentence = f"{why} (mode: together). {way_out}, or take mode each."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, field, sentence)
