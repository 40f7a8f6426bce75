"""What a strategy is, and how a function becomes one."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from backtests.indicators import Indicators
from backtests.signals import Cross, MeanCross, Signals
from mela.candles import Candles

SignalFunction = Callable[[Candles, Any, Indicators], Signals | Cross | MeanCross]


@dataclass(frozen=True, slots=True)
class Strategy:
    """A registered strategy.

    name: what scenes call it
    doc: one sentence
    params: the pydantic model of its parameters: defaults, bounds, rules
    digest: SHA-256 of its module's source, whatever the line ends
    signals: (candles, validated params, indicators) → signals in one of their forms, purely
    candles_needed: validated params → candles before the start that its signals need
    """

    name: str
    doc: str
    params: type[BaseModel]
    digest: str
    signals: SignalFunction
    candles_needed: Callable[[Any], int]

    def warmup(self, params: Mapping[str, Any] | BaseModel) -> int:
        """Return how many candles before the start these parameters need, not yet rounded.

        params: as a scene gives them, or validated already
        Raises pydantic.ValidationError for parameters that the strategy refuses.
        """
        return self.candles_needed(self.params.model_validate(params))


REGISTERED: dict[str, Strategy] = {}


def strategy(
    params: type[BaseModel], *, warmup: Callable[[Any], int]
) -> Callable[[SignalFunction], SignalFunction]:
    """Register a function under its own name, its docstring's first line as the description.

    params: the model of its parameters
    warmup: validated params → candles before the start that its signals need
    Raises ValueError for a name that another module has taken.
    """

    def register(signals: SignalFunction) -> SignalFunction:
        name, module = signals.__name__, signals.__module__
        taken = REGISTERED.get(name)
        if taken is not None and taken.signals.__module__ != module:
            raise ValueError(
                f"strategy {name} of {module} is already registered by {taken.signals.__module__}"
            )
        sentence = inspect.getdoc(signals) or ""
        REGISTERED[name] = Strategy(
            name=name,
            doc=sentence.partition("\n")[0],
            params=params,
            digest=source_digest(inspect.getsource(sys.modules[module])),
            signals=signals,
            candles_needed=warmup,
        )
        return signals

    return register


def source_digest(source: str) -> str:
    r"""Return the hash of a module's source, the same for every kind of line end.

    >>> source_digest("a = 1\r\n") == source_digest("a = 1\n")
    True
    """
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    return hashlib.sha256(text.encode()).hexdigest()
