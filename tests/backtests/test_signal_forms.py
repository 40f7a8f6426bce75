"""What a strategy may give, and the sentence that everything else gets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtests.signal_forms import taken
from backtests.signals import (
    Cross,
    Signals,
    Weights,
    crosses_above,
    crosses_below,
    crossings,
)

OFF = np.zeros(4, dtype=bool)
FLAGS = np.array([True, False, True, False])
DAYS = pd.date_range("2024-01-01", periods=4)


class Lazy:
    """Stands for a Series of polars, which Mela does not install."""


Lazy.__module__, Lazy.__name__ = "polars.series.series", "Series"


def refusal(given: Any) -> str:
    with pytest.raises(ValueError, match="mine") as refused:
        taken(given, "mine", 4)
    return str(refused.value)


@pytest.mark.parametrize(
    ("enter", "said"),
    [
        ([True] * 4, "got a list; use `np.array(…, dtype=bool)`"),
        ((True,) * 4, "got a tuple of 4; use `np.asarray(…)`"),
        (None, "got None; give np.zeros(len(candles), dtype=bool)"),
        (True, "got one bool; use `np.full(len(candles), …)`"),
        (FLAGS.astype(int), "got an array of int64; compare, as in `values > 0`"),
        (FLAGS.astype(float), "got an array of float64; compare, as in `values > 0`"),
        (FLAGS[:3], "one value for each of the 4 candles, got 3"),
        (FLAGS.reshape(4, 1), "of one dimension, got one of shape (4, 1)"),
        (np.bool_(1), "got one bool"),
        (np.array([True, None, False, True], dtype=object), "such as None, as a shift or a join"),
        (pd.DataFrame({"enter": FLAGS}), "a pandas DataFrame; choose one column"),
        (pd.Series(FLAGS, index=DAYS), "a pandas Series whose index is a DatetimeIndex"),
        (pd.Series(FLAGS)[::-1], "a pandas Series whose index is a RangeIndex"),
        (pd.Series(FLAGS)[1:], "whose index is a RangeIndex, not the plain 0, 1, 2, …"),
        (pd.Series(FLAGS).shift(1), "got an array of objects such as nan"),
        (pd.Series([1, 0, 1, 0]), "got an array of int64"),
        (pd.Series([True, None, False, True], dtype="boolean"), "such as <NA>"),
        (pd.array([True] * 4), "got a pandas array; use `.to_numpy(dtype=…)`"),
        (pd.Index(FLAGS), "got a pandas Index; use `.to_numpy()`"),
        (Lazy(), "got a polars Series; use `.to_numpy()`"),
        (np.ma.masked_array(FLAGS, OFF), "got a masked array; use `.filled(False)`"),
        ({"enter": FLAGS}, "got a dict"),
        ((flag for flag in FLAGS), "got a generator; use `np.fromiter"),
        (FLAGS.tolist, "got a function; call it"),
    ],
)
def test_each_wrong_kind_of_signal_gets_its_own_sentence(enter: Any, said: str) -> None:
    sentence = refusal(Signals(enter, OFF))
    assert sentence.startswith("mine: `enter` must ")
    assert said in sentence


def test_the_sentence_names_the_array_that_is_wrong() -> None:
    assert refusal(Signals(OFF, OFF, OFF, [True] * 4)).startswith("mine: `exit_short` must")  # type: ignore[arg-type]
    assert "`stop` must be a NumPy float64 array, got an array of int64" in refusal(
        Signals(OFF, OFF, stop=np.arange(4))
    )
    assert "`weights` must be a NumPy float64 array, got a list" in refusal(Weights([1.0]))  # type: ignore[arg-type]
    assert "`level` must be a NumPy float64 array, got one number" in refusal(
        Cross(np.ones(4), 3.0)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "got None; is its `return` missing?"),
        (FLAGS, "got one array of bool and shape (4,)"),
        ([FLAGS, OFF], "got a list"),
        ({"enter": FLAGS}, "got a dict"),
        ((FLAGS,), "got a tuple of one"),
        (pd.DataFrame({"enter": FLAGS}), "got a pandas DataFrame"),
    ],
)
def test_what_is_no_answer_at_all_is_told_apart(given: Any, said: str) -> None:
    sentence = refusal(given)
    assert sentence.startswith("mine must return Signals(enter, exit), Cross(line, level) or Weig")
    assert said in sentence


def test_a_series_with_a_plain_index_is_taken_by_position() -> None:
    closes = pd.Series([1.0, 3.0, 2.0, 4.0])
    given = taken(Signals(closes > 2.5, closes < 1.5, stop=closes - 0.5), "mine", 4)  # type: ignore[arg-type]

    assert isinstance(given, Signals)
    assert given.enter.tolist() == [False, True, False, True]
    assert given.stop is not None
    assert given.stop.tolist() == [0.5, 2.5, 1.5, 3.5]
    assert type(given.enter) is type(given.stop) is np.ndarray


def test_crossings_take_a_series_and_a_number_too() -> None:
    """Numba's own sentence about a Series is a page long."""
    line = pd.Series([1.0, 3.0, 2.0, 0.5])
    level = pd.Series([2.0, 2.0, 2.0, 2.0])

    assert crosses_above(line, level).tolist() == [False, True, False, False]  # type: ignore[arg-type]
    assert crosses_below(line, 2.0).tolist() == [False, False, False, True]  # type: ignore[arg-type]
    above, below = crossings(line, 2.0)  # type: ignore[arg-type]
    assert (above.tolist(), below.tolist()) == (
        crosses_above(line, 2.0).tolist(),  # type: ignore[arg-type]
        crosses_below(line, 2.0).tolist(),  # type: ignore[arg-type]
    )
