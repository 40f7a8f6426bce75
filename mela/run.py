"""A run is one strategy with one parameter set on one account; its run_key identifies it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mela.canonical import canonical_json, canonical_scalar
from mela.execution_terms import (
    ENTRIES,
    SIZINGS,
    AtrSizing,
    CashSizing,
    Costs,
    Direction,
    Engine,
    Entry,
    Exits,
    FractionSizing,
    LimitEntry,
    MarketEntry,
    Prices,
    RiskSizing,
    Sizing,
    StopEntry,
    TargetStep,
    UnitsSizing,
    VolatilitySizing,
)
from mela.fields import SCALARS, Instant, Part, Real, Whole, one_of
from mela.inputs import Input, InputSeries, series_of
from mela.instants import from_ms, instant_text, to_ms
from mela.interval import Interval
from mela.portfolio import Portfolio
from mela.risk_limits import RiskLimits, SessionHours
from mela.warmup import MAX_WARMUP, MIN_WARMUP, rounded_warmup

__all__ = [
    "ENTRIES",
    "MAX_WARMUP",
    "MIN_WARMUP",
    "SCALARS",
    "SIZINGS",
    "AtrSizing",
    "CashSizing",
    "Catalogue",
    "Costs",
    "Direction",
    "Engine",
    "Entry",
    "Exits",
    "FractionSizing",
    "Instant",
    "LimitEntry",
    "MarketEntry",
    "Part",
    "Prices",
    "Real",
    "RiskSizing",
    "Run",
    "Sizing",
    "StopEntry",
    "StrategyInfo",
    "TargetStep",
    "UnitsSizing",
    "VolatilitySizing",
    "Whole",
    "by_candles",
    "canonical_fields",
    "from_ms",
    "instant_text",
    "one_of",
    "rounded_warmup",
    "run_key_of",
    "to_ms",
]

NO_INPUTS: Mapping[str, Input] = MappingProxyType({})


class StrategyInfo(Protocol):
    """The part of a registered strategy that the shared language needs to know."""

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

    def inputs(self, params: Mapping[str, Any] | BaseModel) -> Mapping[str, Input]:
        """Return the further candle series that it declares, by name."""
        ...


Catalogue = Mapping[str, StrategyInfo]


@dataclass(frozen=True, slots=True)
class Run:
    """One validated execution. Runs with the same `run_key` ask the same question.

    start, end: UTC, half-open; params: all parameters, defaults filled in
    warmup: candles to read before start (a power of two, at least 64)
    others: further instruments of the same account, in order
    portfolio: the weights of the instruments; None for an account of one instrument
    inputs: further candle series that the strategy reads, as declared and as the scene chose
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
    risk_free_rate: float = 0.0
    required_return: float | None = None
    engine: Engine = "mela"
    risk: RiskLimits | None = None
    sessions: SessionHours | None = None
    others: tuple[str, ...] = ()
    portfolio: Portfolio | None = None
    inputs: Mapping[str, Input] = field(default_factory=lambda: NO_INPUTS)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Return all instruments of the run's account."""
        return self.instrument, *self.others

    @property
    def is_gated(self) -> bool:
        """Tell whether limits or hours keep some entries from filling."""
        return self.risk is not None or self.sessions is not None

    @property
    def input_series(self) -> tuple[InputSeries, ...]:
        """Return the candle series that the inputs read, each once, in a fixed order."""
        return series_of(self.inputs, self.instruments, self.interval) if self.inputs else ()


def canonical_fields(part: BaseModel) -> dict[str, bytes]:
    """Return the canonical JSON of each field of a flat model that is not at its default."""
    defaults = _defaults(type(part))
    fields: dict[str, bytes] = {}
    for name, value in part.__dict__.items():
        if value != defaults[name]:
            if isinstance(value, SCALARS):
                fields[name] = canonical_scalar(value)
            else:
                plain = part.model_dump(mode="json", include={name})[name]
                fields[name] = canonical_json(plain)
    return fields


@cache
def _defaults(part: type[BaseModel]) -> dict[str, Any]:
    """Return the values that a run_key omits. Only the first alternative may omit its kind."""
    defaults = {name: field.default for name, field in part.model_fields.items()}
    if part in (*SIZINGS[1:], *ENTRIES[1:]):
        defaults["kind"] = PydanticUndefined
    return defaults


def run_key_of(canonical: bytes) -> str:
    """Return the run_key of a run's fields: SHA-256 of the RFC 8785 object that they make.

    canonical: that object; fields at their default are left out by the caller
    """
    return hashlib.sha256(canonical).hexdigest()


def by_candles(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Yield groups of runs that read the same span of the same series; warm-up may differ."""

    def span(run: Run) -> tuple[Any, ...]:
        inputs = tuple(series[:2] for series in run.input_series)
        return run.instruments, run.interval, run.start, run.end, run.prices, inputs

    for _, group in itertools.groupby(sorted(runs, key=span), key=span):
        yield list(group)
