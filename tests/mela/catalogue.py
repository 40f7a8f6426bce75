"""A catalogue of one strategy, so that the shared language is tested without the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mela.inputs import Input
from mela.run import Whole


class CrossParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    fast: Whole = Field(default=10, ge=1)
    slow: Whole = Field(default=30, ge=1)

    @model_validator(mode="after")
    def _rule(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast must be below slow, but {self.fast} >= {self.slow}")
        return self


class Cross:
    name = "sma_cross"
    digest = "d" * 64
    params = CrossParams

    def warmup(self, params: Mapping[str, Any] | BaseModel) -> int:
        return CrossParams.model_validate(params).slow

    def inputs(self, params: Mapping[str, Any] | BaseModel) -> Mapping[str, Input]:
        return {}


CATALOGUE = {"sma_cross": Cross()}

SCENE: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2024-01-01T00:00:00Z",
    "strategy": {"name": "sma_cross"},
}


def with_space(**space: Any) -> dict[str, Any]:
    """Return a scene with a grid; `__` in a name stands for a dot."""
    return {
        **SCENE,
        "search": {"kind": "grid", "space": {k.replace("__", "."): v for k, v in space.items()}},
    }
