"""The search of a scene: the parameters that vary, and how their values are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from mela.fields import Part, Real, Whole

Scalar = Real | bool | str | None


class Steps(Part):
    """Values from `from` to `to`, both included, a decimal `step` apart."""

    start: Real = Field(alias="from", description="the first value")
    stop: Real = Field(alias="to", description="the last value, where the steps meet it")
    step: Real = Field(gt=0, description="from one value to the next, counted in decimals")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.stop < self.start:
            raise ValueError(f"`to` must not be below `from`, but {self.stop:g} < {self.start:g}")
        return self


class Range(Part):
    """Numbers from `low` to `high`, to draw from: six digits each, or whole numbers."""

    low: Real = Field(description="the least number that can be drawn")
    high: Real = Field(description="the largest number that can be drawn")
    log: bool = Field(default=False, description="spread evenly over magnitudes; low above 0")
    integer: bool = Field(default=False, description="draw whole numbers only")

    @model_validator(mode="after")
    def _can_be_drawn_from(self) -> Self:
        if self.high <= self.low:
            raise ValueError(f"`high` must be above `low`, but {self.high:g} ≤ {self.low:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"with `log`, `low` must be above 0, but is {self.low:g}")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(
                f"with `integer`, both ends must be whole, but are {self.low:g} and {self.high:g}"
            )
        return self


def _no_range(value: Any) -> Any:
    if isinstance(value, Range) or (isinstance(value, Mapping) and "low" in value):
        raise ValueError("a grid takes lists and steps; ranges are drawn from by `kind: random`")
    return value


def _axis_kind(value: Any) -> str:
    if isinstance(value, Steps) or (isinstance(value, Mapping) and "from" in value):
        return "kind=steps"
    return "kind=range" if isinstance(value, Range | Mapping) else "kind=values"


Axis = Annotated[Steps | tuple[Scalar, ...], BeforeValidator(_no_range)]
Drawn = Annotated[
    Annotated[Steps, Tag("kind=steps")]
    | Annotated[Range, Tag("kind=range")]
    | Annotated[tuple[Scalar, ...], Tag("kind=values")],
    Discriminator(_axis_kind),
]


class GridSearch(Part):
    """Run every combination of the values in `space`, its keys paths as `exits.stop_loss`."""

    kind: Literal["grid"] = Field(default="grid", description="every combination")
    space: dict[str, Axis] = Field(
        min_length=1,
        description="path of a field → its values: a list, or steps",
        examples=[
            {
                "strategy.params.fast": {"from": 5, "to": 25, "step": 5},
                "exits.stop_loss": [None, 0.05],
            }
        ],
    )


class _Trials(Part):
    space: dict[str, Drawn] = Field(
        min_length=1,
        description="path of a field → its values: a list, steps, or a range to draw from",
        examples=[
            {
                "strategy.params.fast": {"low": 2, "high": 50, "integer": True},
                "exits.stop_loss": {"low": 0.005, "high": 0.2, "log": True},
            }
        ],
    )
    trials: Whole = Field(
        ge=1, description="parameter sets drawn, for each instrument and each training window"
    )
    seed: Whole = Field(default=0, ge=0, description="the same seed draws the same")


class RandomSearch(_Trials):
    """Run parameter sets drawn from `space`: lists, steps, and ranges."""

    kind: Literal["random"] = Field(default="random", description="drawn by the seed")


class TpeSearch(_Trials):
    """Let each batch of trials learn from those before it (Optuna's TPE)."""

    kind: Literal["tpe"] = Field(default="tpe", description="each batch of trials learns")
    batch: Whole = Field(
        default=1,
        ge=1,
        le=1_000,
        description="trials that are asked for at once, before their results are told: 1 learns "
        "most, 10 is soonest done on the platform",
    )
