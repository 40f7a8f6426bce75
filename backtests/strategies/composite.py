"""Several strategies' signals as one: all of them, any of them, or so many."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from numba import njit
from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from backtests.indicators import Indicators
from backtests.signals import Bool, Cross, Float, MeanCross, Signals
from backtests.strategy import CATALOGUE, Strategy, strategy
from mela.candles import Candles
from mela.errors import StrategyBroken
from mela.run import Part, Whole

MOST_PARTS = 20


class CompositePart(Part):
    """One strategy and its parameters, as a scene's own `strategy`."""

    name: str = Field(description="the strategy")
    params: Annotated[Any, WithJsonSchema({"type": "object"})] = Field(
        default_factory=dict, validate_default=True, description="those unlike its defaults"
    )

    @field_validator("name")
    @classmethod
    def _is_simple(cls, name: str) -> str:
        _simple(name)
        return name

    @field_validator("params")
    @classmethod
    def _are_its_own(cls, params: Any, info: ValidationInfo) -> Any:
        name = info.data.get("name")
        # The model's own faults keep their paths, as parts.0.params.fast
        return params if name is None else _simple(name).params.model_validate(params)


class Composite(Part):
    """The parts, and how many of them it takes."""

    rule: Literal["all", "any", "vote"] = Field(
        "all", description="in while all parts are, any part is, or at least `votes` parts are"
    )
    votes: Whole | None = Field(
        None, ge=1, description="parts that must agree, for rule vote; without it more than half"
    )
    parts: tuple[CompositePart, ...] = Field(
        ({"name": "sma_cross"}, {"name": "macd_cross"}),  # pyright: ignore[reportArgumentType]
        validate_default=True,
        min_length=1,
        max_length=MOST_PARTS,
        description="strategies by name, each with params",
    )

    @model_validator(mode="after")
    def _votes_can_be_reached(self) -> Self:
        if self.votes is not None and self.rule != "vote":
            raise ValueError(f"votes count with rule vote only, but the rule is {self.rule}")
        if self.votes is not None and self.votes > len(self.parts):
            raise ValueError(
                f"votes must not be above the number of parts, but {self.votes} > {len(self.parts)}"
            )
        return self

    @property
    def needed(self) -> int:
        """Return how many parts must be in."""
        if self.rule == "vote":
            return self.votes or len(self.parts) // 2 + 1
        return len(self.parts) if self.rule == "all" else 1


def _warmup(params: Composite) -> int:
    return max(_simple(part.name).warmup(part.params) for part in params.parts)


@strategy(Composite, warmup=_warmup, combines=True)
def composite(candles: Candles, params: Composite, indicators: Indicators) -> Signals:
    """Enter when all (any, so many) of its parts are in a position, exit when no longer."""
    long = np.zeros(len(candles), dtype=np.int64)
    short = np.zeros(len(candles), dtype=np.int64)
    known = np.ones(len(candles), dtype=np.bool_)
    for part in params.parts:
        given = _simple(part.name).signals(candles, part.params, indicators)
        if isinstance(given, MeanCross):
            given = given.cross()
        if isinstance(given, Cross):
            _count_sides(given.line, given.level, long, short, known)
        else:
            enter, exit_, enter_short, exit_short = given.mirrored()
            _count_inside(enter, exit_, long)
            _count_inside(enter_short, exit_short, short)
    return Signals(*_changes(long, params.needed, known), *_changes(short, params.needed, known))


def _simple(name: str) -> Strategy:
    """Return the strategy of a part. Raises ValueError for one that cannot be a part."""
    try:
        found = CATALOGUE[name]
    except StrategyBroken as broken:
        raise ValueError(str(broken)) from broken
    except KeyError as unknown:
        simple = sorted(each for each in CATALOGUE if not CATALOGUE[each].combines)
        raise ValueError(
            f"no strategy is called {name!r}; there are {', '.join(simple)}"
        ) from unknown
    if found.combines:
        raise ValueError(f"{name} combines strategies, and cannot be a part itself")
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _count_inside(enter: Bool, exit_: Bool, count: np.ndarray) -> None:
    """Count a part where it is in a position: from its enter on, to its exit."""
    inside = False
    for bar in range(len(count)):
        inside = (inside or enter[bar]) and not exit_[bar]
        count[bar] += inside


@njit(cache=True, nogil=True, error_model="numpy")
def _count_sides(
    line: Float, level: Float, long: np.ndarray, short: np.ndarray, known: Bool
) -> None:
    """Count a part whose lines cross: the side it is on, however long ago it came there.

    Where both are equal it stays on its side, as a crossing counts once it is through.
    """
    side = 0
    for bar in range(len(long)):
        if line[bar] > level[bar]:
            side = 1
        elif line[bar] < level[bar]:
            side = -1
        long[bar] += side == 1
        short[bar] += side == -1
        known[bar] &= side != 0


@njit(cache=True, nogil=True, error_model="numpy")
def _changes(count: np.ndarray, needed: int, known: Bool) -> tuple[Bool, Bool]:
    """Return where a count reaches what is needed, and where it no longer does."""
    begins = np.zeros(len(count), dtype=np.bool_)
    ends = np.zeros(len(count), dtype=np.bool_)
    for bar in range(1, len(count)):
        before, now = count[bar - 1] >= needed, count[bar] >= needed
        begins[bar] = now and not before and known[bar - 1]
        ends[bar] = before and not now
    return begins, ends
