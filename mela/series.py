"""Candle series: the key of one, and those that runs read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mela.candles import Candles
from mela.interval import Interval


class SeriesKey(NamedTuple):
    """Identify a candle series."""

    instrument: str
    interval: Interval


class SeriesRead(NamedTuple):
    """The candles that runs read.

    candles: of each instrument of the account, with those of the inputs
    revisions: of each series, the instruments first, then the inputs as `Run.input_series` has
        them; empty for candles that have none, as those of files
    """

    candles: Mapping[str, Candles]
    revisions: tuple[int, ...] = ()
