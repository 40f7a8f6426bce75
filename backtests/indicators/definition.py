"""The definition of an indicator: its lines, their units, its parameters, and its history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mela.candles import Candles

Float = NDArray[np.float64]
Kind = Literal["trend", "momentum", "volatility", "volume"]
MOST_CANDLES = 100_000  # TA-Lib takes no longer period


@dataclass(frozen=True, slots=True)
class Line:
    """One output: its name, and the unit of its values.

    unit: `price`, `price change`, `percent`, `0..100`, `-100..100`, `deviations`, `volume`, …
    """

    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: a whole number of candles, or a factor where `default` is a float."""

    name: str
    default: float
    least: float
    says: str
    most: float = MOST_CANDLES

    def check(self, indicator: str, value: float) -> None:
        """Raise ValueError for a value that the indicator cannot mean."""
        if not self.least <= value <= self.most:
            raise ValueError(
                f"{indicator} takes a {self.name} from {self.least:,} to {self.most:,}, "
                f"but found {value:,}"
            )


@dataclass(frozen=True, slots=True)
class Indicator:
    """A named indicator: what it draws, and on what.

    source: TA-Lib's function, or `Mela` for what TA-Lib lacks
    compute: (candles, *parameters) → one (n,) float64, or a tuple of them, NaN where undefined
    lookback: parameters → how many candles come before the first value
    warmup: parameters → how many candles before one make its value independent of where the
        candles begin; None for a sum over all of them, of which only changes mean something
    """

    name: str
    kind: Kind
    doc: str
    source: str
    lines: tuple[Line, ...]
    parameters: tuple[Parameter, ...]
    compute: Callable[..., Any]
    lookback: Callable[..., int]
    warmup: Callable[..., int | None]


def candles_in(says: str, default: int, *, least: int = 2, name: str = "period") -> Parameter:
    """Return a parameter that counts candles."""
    return Parameter(name, default, least, says)


def factor(name: str, default: float, says: str) -> Parameter:
    """Return a parameter that multiplies a width."""
    return Parameter(name, default, 0.0, says, most=1_000_000.0)


def talib_of(function: Callable[..., Any], *columns: str) -> Callable[..., Any]:
    """Return TA-Lib's function on columns of the candles."""

    def compute(candles: Candles, *parameters: float) -> Any:
        return function(*(getattr(candles, column) for column in columns), *parameters)

    return compute


# What a difference of two averages with a signal takes: MACD, PPO, PVO
FAST_SLOW_SIGNAL = (
    candles_in("candles in the fast average", 12, name="fast"),
    candles_in("candles in the slow average", 26, name="slow"),
    candles_in("candles in the signal", 9, least=1, name="signal"),
)


def signalled(unit: str) -> tuple[Line, ...]:
    """Return the lines of such a difference."""
    return tuple(Line(name, unit) for name in ("line", "signal", "histogram"))
