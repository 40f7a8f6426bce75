"""The row that the metrics of a run are written into, field by field, in the registry's order."""

from __future__ import annotations

from typing import Any

import numpy as np

from mela.metrics import TYPES, Metrics

ROW = np.dtype([(name, np.int64 if kind is int else np.float64) for name, kind in TYPES])
RowType = Any  # a record of ROW; a Protocol would list the registry a second time


def new_rows() -> np.ndarray:
    """Return room for one run's metrics, (1,) ROW, as the measuring functions take it."""
    return np.zeros(1, ROW)


def metrics_of(rows: np.ndarray) -> Metrics:
    """Return the metrics that were written into (1,) ROW."""
    return Metrics._make(rows.item())
