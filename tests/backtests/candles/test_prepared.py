"""The extremes that walks pass over candles by."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.candles.prepared import prepare_candles
from backtests.kernel.ledger import CLOSES_PER_BLOCK, closes_of, write_hold, write_rest
from benchmarks.candles import minute_candles
from mela.interval import Interval
from mela.run import Run, from_ms


@pytest.mark.parametrize(
    "candles",
    [1, 2, CLOSES_PER_BLOCK - 1, CLOSES_PER_BLOCK, CLOSES_PER_BLOCK + 1, 5 * CLOSES_PER_BLOCK - 3],
)
def test_a_span_knows_the_least_and_greatest_close_of_each_block(candles: int) -> None:
    given = minute_candles(candles)
    first, last = from_ms(int(given.opened_ms[0])), from_ms(int(given.opened_ms[-1]) + 60_000)
    span = prepare_candles(given, Run("", "", Interval.M1, first, last, "", {}, warmup=0))
    blocks = [given.close[at : at + CLOSES_PER_BLOCK] for at in range(0, candles, CLOSES_PER_BLOCK)]
    assert span.lowest.tolist() == [block.min() for block in blocks]
    assert span.highest.tolist() == [block.max() for block in blocks]


def test_no_close_of_some_bars_is_beyond_those_of_their_blocks() -> None:
    close = minute_candles(4 * CLOSES_PER_BLOCK).close
    lowest, highest = close.reshape(4, -1).min(axis=1), close.reshape(4, -1).max(axis=1)
    for first, end in [
        (0, 1),
        (3, 40),
        (CLOSES_PER_BLOCK, 2 * CLOSES_PER_BLOCK),
        (5, 4 * CLOSES_PER_BLOCK),
        (90, 97),
    ]:
        low, high = closes_of(lowest, highest, first, end)
        assert low <= close[first:end].min()
        assert high >= close[first:end].max()
    assert closes_of(lowest, highest, CLOSES_PER_BLOCK, 2 * CLOSES_PER_BLOCK) == (
        lowest[1],
        highest[1],
    )


@pytest.mark.parametrize("bars", [1, 15, 16, 17, 50])
@pytest.mark.parametrize("start", [0, 7])
def test_equity_written_in_strides_is_that_of_each_candle(bars: int, start: int) -> None:
    close = minute_candles(start + bars).close
    for split in {0, bars // 3, bars}:
        equity = np.full(bars, np.nan)
        write_rest(equity, 0, split, 5.0)
        write_hold(equity, start, start + split, start + bars, 1.5, 2.0, close)
        expected = np.where(np.arange(bars) < split, 5.0, 1.5 + 2.0 * close[start:])
        np.testing.assert_array_equal(equity, expected)
