"""TA-Lib without pandas and Polars, until somebody wants its package."""

from __future__ import annotations

import subprocess
import sys

FIRST = """
import sys
import numpy as np
from backtests.indicators.talib_functions import talib as ours
assert not {"pandas", "polars", "talib"} & set(sys.modules), "loaded beside the engine"
close = np.arange(1.0, 60.0) ** 1.5 % 7
before = ours.RSI(close, 5)
"""
THEN = """
import pandas, polars, talib
import talib.abstract as of_frames
assert talib.set_unstable_period and np.array_equal(talib.RSI(close, 5), before, equal_nan=True)
assert isinstance(talib.RSI(pandas.Series(close), 5), pandas.Series)
assert isinstance(talib.RSI(polars.Series(close), 5), polars.Series)
frame = {"close": close}
assert np.array_equal(of_frames.RSI(pandas.DataFrame(frame), timeperiod=5), before, equal_nan=True)
assert isinstance(of_frames.RSI(polars.DataFrame(frame), timeperiod=5), polars.Series)
assert np.array_equal(ours.RSI(close, 5), before, equal_nan=True)
"""


def outcome(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return done.stderr


def test_a_strategy_of_ones_own_gives_series_and_frames_to_talib() -> None:
    assert outcome(FIRST + THEN) == ""


def test_talib_that_is_there_already_is_taken() -> None:
    program = "import talib, numpy as np\n" + FIRST.replace("assert not", "assert")
    assert outcome(program + THEN) == ""


def test_the_engine_and_what_trades_load_neither_pandas_nor_polars() -> None:
    many = "backtests.simulate, backtests.strategies, live.process"
    program = f"import sys, {many}\nfound = {{'pandas', 'polars'}} & set(sys.modules)"
    assert outcome(f"{program}\nassert not found, found") == ""
