"""The strategy `forecast`: scenes ask models as they ask strategies, by a parameter.

The parameter names the model's file by its SHA-256, so that the key of a result names the very
model that it asked. All runs of the same candles share one prediction, whatever their thresholds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticUndefined

from backtests.context import StrategyContext
from backtests.indicators import Indicators
from backtests.signals import Signals
from backtests.strategy import Strategy, source_digest
from forecasts.artifact import Model
from forecasts.features import FeatureSet
from forecasts.features.parts import same_until
from forecasts.labels import is_class
from forecasts.reference import pinned_file
from forecasts.signals import signals_of
from mela.candles import Candles
from mela.errors import InputInvalid, NotFound, SceneInvalid
from mela.fields import Part, Real
from mela.training import FeatureChoice

Float = NDArray[np.float64]
Load = Callable[[str], Model]  # of a pinned reference; raises InputInvalid or NotFound
NAME = "forecast"
IN_SAMPLE = "in_sample"
LINES_KEPT = 16  # predictions, the latest asked: a grid may ask several models in turn
SOURCES = ("strategy.py", "signals.py", "artifact.py")
NEUTRAL = {False: 0.0, True: 0.5}  # by `is_class`: what is traded where a scene says nothing
BOUNDS = {False: (-10.0, 10.0), True: (0.0, 1.0)}
KINDS = {False: "returns", True: "the probability of a class"}
Key = tuple[str, Candles, str, tuple[Candles, ...]]


class Lines:
    """The forecasts of models on candles, each computed once; the latest are kept.

    A live session asks on all of its candles each time that one has come: then the new ones alone
    are forecast, with the bits that all of them would give.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Float] = OrderedDict()
        self._grown: OrderedDict[tuple[str, str, int], tuple[Candles, Float]] = OrderedDict()

    def of(self, model: Model, candles: Candles, context: StrategyContext) -> Float:
        """Return a model's forecast on each candle, (n,) float64, NaN where it has none."""
        name = f"{context.instrument.venue}:{context.instrument.symbol}"
        series = {
            (one.instrument, one.candles.interval): one.candles for one in context.inputs.values()
        }
        key = model.sha, candles, name, tuple(series.values())
        line = self._kept.get(key)
        if line is None:
            read = replace(candles, inputs=MappingProxyType(series)) if series else candles
            line = self._kept[key] = self._line(model, read, name)
            while len(self._kept) > LINES_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return line

    def _line(self, model: Model, read: Candles, name: str) -> Float:
        place = model.sha, name, int(read.opened_ms[0]) if len(read) else 0
        before, known = self._grown.get(place, (None, np.empty(0)))
        first = same_until(before, read) if before is not None else 0
        came = model.predict(model.features.compute(read, name, first), name)
        line = np.concatenate([known[:first], came])
        line.flags.writeable = False
        self._grown[place] = read, line
        self._grown.move_to_end(place)
        while len(self._grown) > LINES_KEPT:
            self._grown.popitem(last=False)
        return line


def forecasting(load: Load, only: Model | None = None) -> Strategy:
    """Return the strategy `forecast`.

    load: gives the model of a reference
    only: a model that is asked where no parameter says which; the digest then covers it
    """
    lines = Lines()

    def forecast(
        candles: Candles,
        params: Any,
        _indicators: Indicators,
        context: StrategyContext | None = None,
    ) -> Signals:
        """Enter where a model's forecast is above a threshold, exit where it is below one."""
        if context is None:
            raise ValueError(
                f"{NAME} reads a context, which a part of a composite does not get; run it alone"
            )
        model = load(params.model)
        if candles.interval != model.training.interval:
            raise ValueError(
                f"expected {model.training.interval} candles, which the model was trained on, but "
                f"the run has {candles.interval}; change the interval, or train on it"
            )
        neutral = NEUTRAL[is_class(model.training.label)]
        enter = neutral if params.enter is None else params.enter
        leave = neutral if params.leave is None else params.leave
        return signals_of(lines.of(model, candles, context), enter, leave)

    digest = source_digest(f"{_source()}\n{only.sha if only else ''}")
    return Strategy(
        name=NAME,
        doc="Enter where a model's forecast is above a threshold, exit where it is below one.",
        params=_params(load, only),
        digest=digest,
        signals=forecast,
        candles_needed=lambda params: load(params.model).features.window,
        source=digest,
        declares=lambda params: load(params.model).features.inputs,
        takes_context=True,
        warns=lambda params, start_ms: in_sample(load(params.model), start_ms),
        stands_alone=True,
    )


def _params(load: Load, only: Model | None) -> type[Part]:
    default: Any = pinned_file("model.onnx", only.sha) if only else PydanticUndefined

    def loaded(reference: str) -> Model:
        try:
            model = load(reference)
            _ = model.features  # which are of this release's code, or the model is refused
        except (InputInvalid, NotFound, SceneInvalid) as error:
            raise ValueError(str(error)) from error
        return model

    class ForecastParams(Part):
        """A model, and which of its forecasts are traded."""

        model: str = Field(
            default=default,
            examples=["models:/first@champion"],
            description="the model, as models:/first@champion or models:/first/3; what runs is "
            "pinned to the file that this means when the scene is planned",
        )
        enter: Real | None = Field(
            default=None,
            description="enter above this forecast; none: 0 of a return, 0.5 of a class",
        )
        leave: Real | None = Field(
            default=None,
            description="leave below this forecast; none: 0 of a return, 0.5 of a class",
        )

        @field_validator("model")
        @classmethod
        def _can_be_asked(cls, value: str) -> str:
            loaded(value)
            return value

        @field_validator("enter", "leave")
        @classmethod
        def _is_a_forecast(cls, value: float | None, info: ValidationInfo) -> float | None:
            given = info.data.get("model")
            if value is None or given is None:  # the model is wrong, and said to be
                return value
            of = is_class(loaded(given).training.label)
            low, high = BOUNDS[of]
            if not low <= value <= high:
                raise ValueError(
                    f"expected {low:g} to {high:g}, as the model forecasts {KINDS[of]}, but found "
                    f"{value:g}"
                )
            return value

    return ForecastParams


def in_sample(model: Model, start_ms: int) -> tuple[str, ...]:
    """Return the warning of a run that begins before what its model has not seen; else nothing."""
    return (IN_SAMPLE,) if start_ms < model.facts.unseen_from_ms else ()


def strategies_of(model: Model) -> Mapping[str, Strategy]:
    """Return `forecast` on one model, by name, as `own_file.registered` takes it.

    Raises InputInvalid where its features are computed by other code by now.
    """
    _ = model.features
    return {NAME: forecasting(lambda _: model, model)}


def _source() -> str:
    """Return the source that decides, and the digest of the one that computes features."""
    here = Path(__file__).parent
    own = "".join((here / name).read_text(encoding="utf-8") for name in SOURCES)
    return f"{own}\n{FeatureSet([FeatureChoice(name='hour_sin')]).digest}"
