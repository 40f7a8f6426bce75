"""The candle series that runs read: those that they trade on, and those of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mela.candles import Candles
from mela.interval import Interval
from mela.run import Run
from streaming.clients import with_inputs
from warehouse.candles.reader import CandleReader, CandlesRead

Read = Callable[[str, Interval, int], CandlesRead]


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
