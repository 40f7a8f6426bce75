"""Decide which rows may be stored: rows of nulls are dropped, invalid rows are rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sources.protocol import Float, Int, Rejection

Mask = NDArray[np.bool_]
FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of an answer as arrays: opened_ms and closed_ms (n,) int64, the rest (n,) float64."""

    opened_ms: Int
    closed_ms: Int
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float

    def __len__(self) -> int:
        return len(self.opened_ms)

    def prices(self) -> Float:
        """Return open, high, low and close as one (4, n) array."""
        return np.stack([self.open, self.high, self.low, self.close])

    def where(self, keep: Mask) -> Rows:
        """Return the rows that the mask selects."""
        return Rows(*(getattr(self, name)[keep] for name in ("opened_ms", "closed_ms", *FIELDS)))

    def between(self, start_ms: int, end_ms: int, now_ms: int) -> Rows:
        """Return the rows that opened in [start, end) and had closed by now."""
        opened = (self.opened_ms >= start_ms) & (self.opened_ms < end_ms)
        return self.where(opened & (self.closed_ms <= now_ms))


def concatenate_rows(parts: Sequence[Rows]) -> Rows:
    """Concatenate rows. Raises ValueError if there are no parts."""
    names = ("opened_ms", "closed_ms", *FIELDS)
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def validate_rows(rows: Rows) -> tuple[Rows, tuple[Rejection, ...]]:
    """Split rows into valid candles, sorted by time, and rejected rows.

    A row without any price is not a candle and is dropped silently. If several rows have the same
    time, the first valid one stays.
    """
    rows = rows.where(_any(~np.isnan(rows.prices())))
    order = np.argsort(rows.opened_ms, kind="stable")
    rows = Rows(*(getattr(rows, name)[order] for name in ("opened_ms", "closed_ms", *FIELDS)))
    bad = np.full(len(rows), "", dtype=object)
    for broken, sentence in _laws(rows):
        bad[broken & (bad == "")] = sentence
    good = np.flatnonzero(bad == "")
    again = good[1:][rows.opened_ms[good[1:]] == rows.opened_ms[good[:-1]]]
    bad[again] = "a row with the same time came before"
    rejected = tuple(_rejection(rows, int(i), str(bad[i])) for i in np.flatnonzero(bad != ""))
    return rows.where(bad == ""), rejected


def _laws(rows: Rows) -> list[tuple[Mask, str]]:
    prices = rows.prices()
    top, bottom = np.fmax(rows.open, rows.close), np.fmin(rows.open, rows.close)
    return [
        (_any(~np.isfinite(prices)), "open, high, low and close must be finite numbers"),
        (~np.isfinite(rows.volume) | (rows.volume < 0), "volume must be a number and at least 0"),
        (_any(prices <= 0), "prices must be above 0"),
        (rows.high < top, "high must be at or above open and close"),
        (rows.low > bottom, "low must be at or below open and close"),
        (rows.closed_ms <= rows.opened_ms, "the market's calendar has no session at this time"),
    ]


def _any(table: Mask) -> Mask:
    return np.asarray(np.any(table, axis=0), dtype=np.bool_)


def _rejection(rows: Rows, index: int, sentence: str) -> Rejection:
    row = {name: float(getattr(rows, name)[index]) for name in FIELDS}
    finite = {name: value if np.isfinite(value) else None for name, value in row.items()}
    return Rejection(int(rows.opened_ms[index]), sentence, finite)
