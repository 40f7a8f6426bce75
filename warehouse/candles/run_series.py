"""The candle series that runs read: those that they trade on, and those of their inputs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from mela.candles import Candles
from mela.interval import Interval
from mela.run import Run
from warehouse.candles.reader import CandleReader, CandlesRead

Read = Callable[[str, Interval, int], CandlesRead]
SERIES_KEPT = 2  # a scene's chunks come series by series
_joined: OrderedDict[tuple[Any, ...], Candles] = OrderedDict()


class SeriesRead(NamedTuple):
    """The candles that runs read.

    candles: of each instrument of the account, with those of the inputs
    revisions: of each series, the instruments first, then the inputs as `Run.input_series` has them
    """

    candles: Mapping[str, Candles]
    revisions: tuple[int, ...]


def read_run(reader: CandleReader, run: Run) -> SeriesRead:
    """Return the candles of one run. Raises CandlesMissing for an unknown instrument."""

    def read(instrument: str, interval: Interval, warmup: int) -> CandlesRead:
        return reader.read(instrument, interval, run.start, run.end, warmup, run.prices)

    return read_series([run], read)


def read_series(runs: Sequence[Run], read: Read) -> SeriesRead:
    """Return the candles of runs of one account and span, whose warm-up may differ.

    runs: at least one; their inputs read the same series
    read: (instrument, interval, candles before the start) → candles of the span
    """
    first, warmup = runs[0], max(run.warmup for run in runs)
    traded = {name: read(name, first.interval, warmup) for name in first.instruments}
    warmups: dict[tuple[str, Interval], int] = {}
    for run in runs:
        for series in run.input_series:
            key = series.instrument, series.interval
            warmups[key] = max(warmups.get(key, 0), series.warmup)
    inputs = {key: read(*key, warmups[key]) for key in sorted(warmups)}
    candles = {key: one.candles for key, one in inputs.items()}
    return SeriesRead(
        {name: with_inputs(one.candles, candles) for name, one in traded.items()},
        tuple(one.revision for one in (*traded.values(), *inputs.values())),
    )


def with_inputs(candles: Candles, inputs: Mapping[tuple[str, Interval], Candles]) -> Candles:
    """Return candles with the series of a strategy's inputs, the same object for the same ones."""
    if not inputs:
        return candles
    key = (candles, *inputs.items())
    if key not in _joined:
        _joined[key] = replace(candles, inputs=inputs)
        while len(_joined) > SERIES_KEPT:
            _joined.popitem(last=False)
    _joined.move_to_end(key)
    return _joined[key]
