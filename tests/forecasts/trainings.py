"""Trainings for tests: a few features with short windows, on made candles."""

from __future__ import annotations

from typing import Any

from mela.training import Training, parse_training

FEATURES: list[dict[str, Any]] = [
    {"name": "returns", "params": {"span": 3}},
    {"name": "volatility", "params": {"span": 12}},
    {"name": "zscore", "params": {"span": 12}},
    {"name": "volume_zscore", "params": {"span": 12}},
    {"name": "hour_sin"},
    {"name": "higher_returns", "params": {"interval": "1d"}},
    {"name": "beta", "params": {"instrument": "test:B", "span": 12}},
]


def training(**changes: Any) -> Training:
    """Return a training of two instruments; changes: fields of its file."""
    document = {
        "name": "first",
        "instruments": ["test:A", "test:B"],
        "interval": "1h",
        "start": "2023-01-02",
        "end": "2024-01-01",
        "features": FEATURES,
        "label": {"kind": "forward_return", "horizon": 4},
        "splits": {"kind": "walk_forward", "folds": 3},
        "model": {"name": "ridge"},
    }
    return parse_training(document | changes)
