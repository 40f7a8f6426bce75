"""A candle series in memory: columns of float64, oldest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mela.errors import CandlesInvalid
from mela.instrument import Instrument
from mela.interval import Interval

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Closed candles of one series, oldest first, prices as the engine shall see them.

    opened_ms: (n,) int64, UTC milliseconds, strictly rising
    open, high, low, close, volume: (n,) float64, finite, prices > 0
    start_bar: candles before it are warm-up; n where the span holds none
    calendar: `24/7`, or the exchange_calendars name of the market's sessions
    tick, lot: the instrument's, for runs that ask to be rounded; None where it states none
    multiplier: units that one contract stands for; None for one
    about: what is known of the instrument; None for candles of nobody in particular
    inputs: further series that were read for a strategy's inputs, by instrument and interval
    """

    interval: Interval
    opened_ms: NDArray[np.int64]
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float
    start_bar: int = 0
    calendar: str = "24/7"
    tick: float | None = None
    lot: float | None = None
    multiplier: float | None = None
    about: Instrument | None = None
    inputs: Mapping[tuple[str, Interval], Candles] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def __len__(self) -> int:
        return len(self.opened_ms)

    @property
    def contract_units(self) -> float:
        """Return how many units of what the price is of one contract, coin or share stands for."""
        return self.multiplier or 1.0

    @property
    def lot_units(self) -> float:
        """Return the smallest step of a size in these units: the lot, or 1 where none is known."""
        return (self.lot or 1.0) * self.contract_units

    @property
    def volume_units(self) -> Float:
        """Return the volume in these units, (n,) float64, read-only as all columns are.

        Compiled code takes a writable array for another type, and would be compiled anew.
        """
        if self.multiplier is None:
            return self.volume
        units = self.volume * self.multiplier
        units.flags.writeable = False
        return units

    def span(self, start_ms: int, end_ms: int, warmup: int) -> Candles:
        """Return the candles of [start, end) and exactly `warmup` before them, as far as there are.

        start_ms, end_ms: UTC milliseconds. The arrays are views of this series' own.
        """
        first, last = np.searchsorted(self.opened_ms, [start_ms, end_ms])
        begin = max(0, int(first) - warmup)
        return replace(self.rows(begin, int(last)), start_bar=int(first) - begin)

    def rows(self, begin: int, end: int) -> Candles:
        """Return the candles of rows [begin, end), views of this series' own; its inputs whole."""
        part = slice(begin, end)
        opened_ms = self.opened_ms[part]
        return replace(
            self,
            opened_ms=opened_ms,
            open=self.open[part],
            high=self.high[part],
            low=self.low[part],
            close=self.close[part],
            volume=self.volume[part],
            start_bar=min(max(self.start_bar - begin, 0), len(opened_ms)),
        )

    def check(self) -> None:
        """Raise CandlesInvalid at the first broken law, naming the row, its time and the field."""
        if len(self) == 0:
            return
        behind = np.flatnonzero(np.diff(self.opened_ms) <= 0)
        if len(behind):
            row = int(behind[0]) + 1
            raise CandlesInvalid(
                f"opened_at must rise, but {self._at(row)} does not follow the row before it"
            )
        for column in ("open", "high", "low", "close", "volume"):
            values: Float = getattr(self, column)
            usable = np.isfinite(values) & ((values >= 0) if column == "volume" else (values > 0))
            if not usable.all():
                row = int(np.flatnonzero(~usable)[0])
                wanted = "finite and at least 0" if column == "volume" else "finite and above 0"
                raise CandlesInvalid(
                    f"{column} must be {wanted}, but {self._at(row)} has {values[row]}"
                )
        inside = (self.high >= np.maximum(self.open, self.close)) & (
            self.low <= np.minimum(self.open, self.close)
        )
        if not inside.all():
            row = int(np.flatnonzero(~inside)[0])
            raise CandlesInvalid(
                f"open and close must lie within [low, high], but {self._at(row)} has "
                f"open {self.open[row]}, high {self.high[row]}, low {self.low[row]}, "
                f"close {self.close[row]}"
            )

    def _at(self, row: int) -> str:
        return f"row {row} ({np.datetime64(int(self.opened_ms[row]), 'ms')}Z)"
