"""The strategy `forecast`: a loaded model as a strategy, for scenes like any other.

Its digest covers the model's SHA-256, so that a result's key names the very model that it asked.
All runs of the same candles share one prediction, whatever their thresholds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from backtests.context import StrategyContext
from backtests.indicators import Indicators
from backtests.signals import Signals
from backtests.strategy import Strategy, source_digest
from forecasts.artifact import Model
from forecasts.labels import is_class
from forecasts.signals import signals_of
from mela.candles import Candles
from mela.fields import Part, Real

Float = NDArray[np.float64]
NAME = "forecast"
IN_SAMPLE = "in_sample"
LINES_KEPT = 8  # predictions, the latest asked
SOURCES = ("strategy.py", "signals.py", "artifact.py")


class ReturnThresholds(Part):
    """Which forecasts are traded: returns, net of the costs of the training."""

    enter: Real = Field(default=0.0, ge=-10, le=10, description="enter above this forecast")
    leave: Real = Field(default=0.0, ge=-10, le=10, description="leave below this forecast")


class ClassThresholds(Part):
    """Which forecasts are traded: probabilities of the label's upper class."""

    enter: Real = Field(default=0.5, ge=0, le=1, description="enter above this probability")
    leave: Real = Field(default=0.5, ge=0, le=1, description="leave below this probability")


def forecasting(model: Model) -> Strategy:
    """Return a model as the strategy `forecast`.

    Raises InputInvalid where its features are computed by other code by now.
    """
    features = model.features
    lines: OrderedDict[tuple[Candles, str, tuple[Candles, ...]], Float] = OrderedDict()

    def line_of(candles: Candles, context: StrategyContext) -> Float:
        name = f"{context.instrument.venue}:{context.instrument.symbol}"
        series = {
            (one.instrument, one.candles.interval): one.candles for one in context.inputs.values()
        }
        key = candles, name, tuple(series.values())
        if key not in lines:
            read = replace(candles, inputs=MappingProxyType(series)) if series else candles
            line = model.predict(features.compute(read, name), name)
            line.flags.writeable = False
            lines[key] = line
            while len(lines) > LINES_KEPT:
                lines.popitem(last=False)
        lines.move_to_end(key)
        return lines[key]

    def forecast(
        candles: Candles,
        params: ReturnThresholds | ClassThresholds,
        _indicators: Indicators,
        context: StrategyContext,
    ) -> Signals:
        """Enter where a model's forecast is above a threshold, exit where it is below one."""
        return signals_of(line_of(candles, context), params.enter, params.leave)

    thresholds = ClassThresholds if is_class(model.training.label) else ReturnThresholds
    digest = source_digest(f"{_source()}\n{model.sha}")
    return Strategy(
        name=NAME,
        doc="Enter where a model's forecast is above a threshold, exit where it is below one.",
        params=thresholds,
        digest=digest,
        signals=forecast,
        candles_needed=lambda _: features.window,
        source=digest,
        declares=(lambda _: features.inputs) if features.inputs else None,
        takes_context=True,
        warns=lambda start_ms: in_sample(model, start_ms),
    )


def in_sample(model: Model, start_ms: int) -> tuple[str, ...]:
    """Return the warning of a run that begins before what its model has not seen; else nothing."""
    return (IN_SAMPLE,) if start_ms < model.facts.unseen_from_ms else ()


def strategies_of(model: Model) -> Mapping[str, Strategy]:
    """Return what `backtests.catalogue.own_file.registered` takes."""
    return {NAME: forecasting(model)}


def _source() -> str:
    here = Path(__file__).parent
    return "".join((here / name).read_text(encoding="utf-8") for name in SOURCES)
