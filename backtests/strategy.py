"""Strategies: how a function becomes one, what it declares, and the catalogue of all of them."""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import reprlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel

from backtests.context import StrategyContext
from backtests.indicators import Indicators
from backtests.signals import Cross, MeanCross, Signals, Weights
from mela.candles import Candles
from mela.errors import SourceUnavailable, StrategyBroken
from mela.inputs import Input
from mela.run import NO_INPUTS

__all__ = [
    "CATALOGUE",
    "Broken",
    "Catalogue",
    "Input",
    "SignalFunction",
    "Strategy",
    "StrategyContext",
    "strategy",
]

Answered = TypeVar("Answered")
Given = Signals | Cross | MeanCross | Weights
# (candles, validated params, indicators), and the context where the strategy takes one
SignalFunction = Callable[..., Given]


@dataclass(frozen=True, slots=True)
class Strategy:
    """A registered strategy.

    name: what scenes call it
    doc: one sentence
    params: the pydantic model of its parameters: defaults, bounds, rules
    digest: SHA-256 of its source, whatever the line ends: of its module; of all modules of its
        package, where that is a user's own; of all strategies, where it combines them
    signals: (candles, validated params, indicators) → signals in one of their forms, purely; a
        strategy that takes a context gets it as the fourth argument
    candles_needed: validated params → candles before the start that its signals need
    source: the digest of its own source alone
    combines: whether it gives other strategies' signals
    declares: validated params → the inputs that it reads, by name; None where it reads none
    takes_context: whether its function takes a context
    warns: (validated params, when a run starts in UTC milliseconds) → warnings that its result
        carries; None for none
    stands_alone: whether no composite may take it as a part, so that it is in no other's digest
    """

    name: str
    doc: str
    params: type[BaseModel]
    digest: str
    signals: SignalFunction
    candles_needed: Callable[[Any], int]
    source: str = ""
    combines: bool = False
    declares: Callable[[Any], Mapping[str, Input]] | None = None
    takes_context: bool = False
    warns: Callable[[Any, int], tuple[str, ...]] | None = None
    stands_alone: bool = False

    def decide(
        self,
        candles: Candles,
        params: BaseModel,
        indicators: Indicators,
        context: Callable[[], StrategyContext],
    ) -> Given:
        """Return what the strategy decides on these candles.

        params: validated; context: makes what the strategy may see, asked only where it looks
        """
        with np.errstate():  # a strategy that turns numpy's warnings into errors does it for itself
            if self.takes_context:
                return self.signals(candles, params, indicators, context())
            return self.signals(candles, params, indicators)

    def inputs(self, params: Mapping[str, Any] | BaseModel) -> Mapping[str, Input]:
        """Return the inputs that the strategy declares with these parameters, by name.

        Raises pydantic.ValidationError for parameters that the strategy refuses, and StrategyBroken
        where its own code fails.
        """
        if self.declares is None:
            return NO_INPUTS
        is_validated = type(params) is self.params
        model = params if is_validated else self.params.model_validate(params)
        found: Any = self._answer("inputs", self.declares, model)
        if not isinstance(found, Mapping) or not all(isinstance(x, Input) for x in found.values()):
            raise StrategyBroken(
                f"strategy {self.name}: `inputs` must give an Input for each name, but it gave "
                f"{reprlib.repr(found)}"
            )
        return found

    def warmup(self, params: Mapping[str, Any] | BaseModel) -> int:
        """Return how many candles before the start these parameters need, not yet rounded.

        params: as a scene gives them, or validated already
        Raises pydantic.ValidationError for parameters that the strategy refuses, and StrategyBroken
        where its own code fails or gives no number of candles.
        """
        is_validated = type(params) is self.params
        model = params if is_validated else self.params.model_validate(params)
        needed: Any = self._answer("warmup", self.candles_needed, model)
        is_number = isinstance(needed, int | float | np.number) and not isinstance(needed, bool)
        if not is_number or not 0 <= needed < math.inf:
            raise StrategyBroken(
                f"strategy {self.name}: `warmup` must give a number of candles, 0 or more, but it "
                f"gave {reprlib.repr(needed)}"
            )
        return math.ceil(needed)

    def _answer(self, what: str, ask: Callable[[Any], Answered], model: Any) -> Answered:
        try:
            return ask(model)
        except SourceUnavailable:  # it is no fault of the strategy, and passes
            raise
        except (Exception, SystemExit) as error:  # a strategy is anybody's code
            raise StrategyBroken(
                f"strategy {self.name}: `{what}` raises {type(error).__name__}: {error}"
            ) from error


@dataclass(frozen=True, slots=True)
class Broken:
    """Code that should register strategies and could not be loaded.

    origin: the file, or the entry point and its package
    names: the strategies that are missing for it, as far as they are known
    error: what went wrong, with its class and line
    last: these strategies as they were before, where they ever were
    """

    origin: str
    names: tuple[str, ...]
    error: str
    last: tuple[Strategy, ...] = ()

    def sentence(self, name: str) -> str:
        """Return what a scene that names one of them is told."""
        return f"strategy {name} could not be loaded from {self.origin}: {self.error}"


class Catalogue(Mapping[str, Strategy]):
    """Strategies by name. It raises StrategyBroken for a name that could not be loaded."""

    def __init__(self, strategies: Mapping[str, Strategy], broken: Mapping[str, Broken]) -> None:
        self._strategies = strategies
        self._broken = broken

    def __getitem__(self, name: str) -> Strategy:
        found = self._strategies.get(name)
        if found is not None:
            return found
        for one in tuple(self._broken.values()):
            if name in one.names:
                raise StrategyBroken(f"{one.sentence(name)}.")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._strategies))  # it may change meanwhile, in another thread

    def __len__(self) -> int:
        return len(self._strategies)

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Return what could not be loaded, by origin."""
        return tuple(self._broken[origin] for origin in sorted(self._broken))

    def with_failing(self) -> Mapping[str, Strategy]:
        """Return these strategies, and those broken since, each run of which fails and says why.

        For whoever executes what was planned while the strategy still could be loaded.
        """
        last = {
            one.name: replace(one, signals=_failing(broken.sentence(one.name)))
            for broken in self.broken
            for one in broken.last
        }
        return {**last, **{name: self[name] for name in self}}


REGISTERED: dict[str, Strategy] = {}
BROKEN: dict[str, Broken] = {}
CATALOGUE = Catalogue(REGISTERED, BROKEN)
# While files are loaded: what shall be registered once all of them are, and each module's digest
Stage = tuple[dict[str, Strategy], Callable[[str], str]]
STAGE: ContextVar[Stage | None] = ContextVar("STAGE", default=None)


def strategy(
    params: type[BaseModel],
    *,
    warmup: Callable[[Any], int],
    inputs: Callable[[Any], Mapping[str, Input]] | None = None,
    combines: bool = False,
) -> Callable[[SignalFunction], SignalFunction]:
    """Register a function under its own name, its docstring's first line as the description.

    params: the model of its parameters
    warmup: validated params → candles before the start that its signals need
    inputs: validated params → further candle series that it reads, by name; its function then
        takes a fourth argument, the context
    combines: whether it gives other strategies' signals, so that theirs is part of its digest
    Raises ValueError for a name that another module has taken, and for inputs that no argument
    takes.
    """

    def register(signals: SignalFunction) -> SignalFunction:
        name, module = signals.__name__, signals.__module__
        stage = STAGE.get()
        registered, digest_of = stage or (REGISTERED, _digest_of_file)
        taken = registered.get(name)
        if taken is not None and taken.signals.__module__ != module:
            raise ValueError(
                f"strategy {name} of {module} is already registered by {taken.signals.__module__}; "
                "give it another name"
            )
        takes_context = _takes_context(signals)
        if inputs is not None and not takes_context:
            raise ValueError(
                f"strategy {name} declares inputs, so that its function takes four arguments "
                "(candles, params, indicators, context), but it takes fewer; add `context`"
            )
        if takes_context:
            signals = _with_context(signals)
        sentence = inspect.getdoc(signals) or ""
        source = digest_of(module)
        registered[name] = Strategy(
            name=name,
            doc=sentence.partition("\n")[0],
            params=params,
            digest=source,
            signals=signals,
            candles_needed=warmup,
            source=source,
            combines=combines,
            declares=inputs,
            takes_context=takes_context,
        )
        if stage is None:
            registered.update(covering(registered))
        return signals

    return register


def _takes_context(signals: SignalFunction) -> bool:
    kinds = inspect.Parameter
    positional = [
        one
        for one in inspect.signature(signals).parameters.values()
        if one.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        and one.default is kinds.empty
    ]
    return len(positional) > 3  # candles, params, indicators


def _with_context(signals: SignalFunction) -> SignalFunction:
    """Return a function that says why it cannot answer where no context is given."""

    @functools.wraps(signals)
    def signals_with_context(
        candles: Candles,
        params: Any,
        indicators: Indicators,
        context: StrategyContext | None = None,
    ) -> Given:
        if context is None:
            raise ValueError(
                f"{signals.__name__} reads a context, which a part of a composite does not get; "
                "run it alone"
            )
        return signals(candles, params, indicators, context)

    return signals_with_context


def covering(registered: Mapping[str, Strategy]) -> dict[str, Strategy]:
    """Return the strategies that combine others, with all others in their digest."""
    simple = [
        f"{name} {one.source}"
        for name, one in registered.items()
        if not one.combines and not one.stands_alone
    ]
    return {
        name: replace(one, digest=source_digest("\n".join([one.source, *sorted(simple)])))
        for name, one in registered.items()
        if one.combines
    }


def source_digest(source: str) -> str:
    r"""Return the hash of a module's source, the same for every kind of line end.

    >>> source_digest("a = 1\r\n") == source_digest("a = 1\n")
    True
    """
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of_file(module: str) -> str:
    return source_digest(inspect.getsource(sys.modules[module]))


def _failing(sentence: str) -> SignalFunction:
    def fail(*_given: Any) -> Signals:
        raise StrategyBroken(sentence)

    return fail
