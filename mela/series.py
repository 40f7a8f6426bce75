"""The key of a candle series: an instrument at one interval."""

from __future__ import annotations

from typing import NamedTuple

from mela.interval import Interval


class SeriesKey(NamedTuple):
    """Identify a candle series."""

    instrument: str
    interval: Interval
