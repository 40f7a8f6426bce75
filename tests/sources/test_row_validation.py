"""sources/row_validation.py: which rows of an answer are candles."""

import numpy as np

from sources.row_validation import Rows, validate_rows

NOTHING = np.nan


def rows(*told: tuple[int, float, float]) -> Rows:
    """Return rows of (opened_ms, high, close); open and low are 1."""
    opened = np.array([row[0] for row in told], dtype=np.int64)
    high, close = (np.array([row[place] for row in told]) for place in (1, 2))
    ones = np.ones(len(told))
    return Rows(opened, opened + 60_000, ones, high, ones, close, ones)


def test_of_rows_with_one_time_the_first_that_is_a_candle_stays() -> None:
    kept, rejected = validate_rows(
        rows((0, NOTHING, 1.0), (0, 3.0, 2.0), (0, 4.0, 2.0), (0, 4.0, 2.0))
    )
    assert (kept.opened_ms.tolist(), kept.high.tolist()) == ([0], [3.0])
    assert [one.sentence.partition(" must ")[0] for one in rejected] == [
        "open, high, low and close",
        *["a row with the same time came before"] * 2,
    ]


def test_rows_come_back_in_order_of_time_and_none_of_nothing() -> None:
    kept, rejected = validate_rows(rows((120_000, 3.0, 2.0), (0, 4.0, 2.0), (60_000, 5.0, 2.0)))
    assert (kept.high.tolist(), rejected) == ([4.0, 5.0, 3.0], ())
    assert len(validate_rows(rows())[0]) == 0
