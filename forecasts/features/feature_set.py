"""A set of features: its columns, its digest, the series it reads, and its matrix."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ValidationError

from backtests import ENGINE_VERSION
from backtests.strategy import source_digest
from forecasts.features import catalogue as _catalogue  # registers them
from forecasts.features.definition import FEATURES, Feature, Float
from forecasts.features.parts import Parts
from mela.candles import Candles
from mela.canonical import canonical_json, digest
from mela.errors import RejectionCode, SceneInvalid
from mela.inputs import Input
from mela.name_suggestions import did_you_mean
from mela.scene import fault_sentence, field_path
from mela.training import FeatureChoice

__all__ = ["Chosen", "FeatureSet"]
_ = _catalogue


class Chosen(NamedTuple):
    """A feature with its parameters; column: how its column is called."""

    column: str
    feature: Feature
    params: BaseModel


class FeatureSet:
    """Features in the order in which they were chosen.

    Raises SceneInvalid for an unknown name, for parameters that a feature refuses, and for the
    same feature with the same parameters twice.

    >>> chosen = [FeatureChoice(name="returns", params={"span": 3}), FeatureChoice(name="hour_sin")]
    >>> FeatureSet(chosen).names
    ('returns(span=3)', 'hour_sin')
    """

    def __init__(self, choices: Sequence[FeatureChoice]) -> None:
        self.choices = tuple(choices)
        self.chosen = tuple(_chosen(bar, one) for bar, one in enumerate(choices))
        for bar, one in enumerate(self.chosen):
            if one.column in self.names[:bar]:
                raise SceneInvalid(
                    RejectionCode.INVALID_FIELD,
                    f"features.{bar}",
                    f"expected each feature once, but found {one.column} again. Leave it out.",
                )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns, k of them."""
        return tuple(one.column for one in self.chosen)

    @cached_property
    def digest(self) -> str:
        """Return the hash of the features, their parameters and the source that computes them."""
        told = [[one.feature.name, one.params.model_dump(mode="json")] for one in self.chosen]
        return digest(canonical_json(told), _source(), ENGINE_VERSION)

    @cached_property
    def window(self) -> int:
        """Return how many candles before one its features depend on."""
        return max(one.feature.window(one.params) for one in self.chosen)

    @cached_property
    def inputs(self) -> Mapping[str, Input]:
        """Return the further series that they read, by name, as a strategy declares them."""
        found: dict[str, Input] = {}
        for one in self.chosen:
            for name, series in one.feature.reads(one.params).items():
                other = found.get(name, series)
                found[name] = max(series, other, key=lambda each: each.warmup)
        return found

    def compute(self, candles: Candles, instrument: str, first: int = 0) -> Float:
        """Return the features on each candle, (n, k) float64, NaN where undefined.

        candles: with the other series in `candles.inputs`. Raises CandlesMissing without one.
        first: the first bar that is asked for, of which the first row is
        """
        matrix = np.empty((len(self.chosen), len(candles) - first))
        parts = Parts(candles, instrument, self.window, self.inputs, first)

        def fill(begin: int, end: int) -> None:
            reading, lead = parts.reading(begin, end)
            for row, one in enumerate(self.chosen):
                matrix[row, begin - first : end - first] = one.feature.compute(reading, one.params)[
                    lead:
                ]

        if len(parts.bounds) == 1:
            fill(*parts.bounds[0])
        else:
            with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
                list(threads.map(lambda bounds: fill(*bounds), parts.bounds))
        return matrix.T

    def latest(self, candles: Candles, instrument: str) -> Float:
        """Return the features on the last candle, (k,) float64: the last row of `compute`.

        Reads the last `window + 1` candles alone, so that it costs the same however many there are.
        """
        return self.compute(candles, instrument, len(candles) - 1)[-1]


def _chosen(place: int, choice: FeatureChoice) -> Chosen:
    found = FEATURES.get(choice.name)
    if found is None:
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            f"features.{place}.name",
            f"no feature is called {choice.name!r}{did_you_mean(choice.name, FEATURES)} "
            f"There are {', '.join(sorted(FEATURES))}.",
        )
    try:
        params = found.params.model_validate(choice.params)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        path = field_path(fault, f"features.{place}.params")
        raise SceneInvalid(RejectionCode.INVALID_FIELD, path, fault_sentence(fault)) from error
    values = params.model_dump(mode="json", exclude_none=True)
    told = ", ".join(f"{name}={_plain(value)}" for name, value in values.items())
    return Chosen(f"{choice.name}({told})" if told else choice.name, found, params)


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _source() -> str:
    """Return the hash of the modules that compute features."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    parts = [source_digest(file.read_text(encoding="utf-8")) for file in files]
    return hashlib.sha256("".join(parts).encode()).hexdigest()
