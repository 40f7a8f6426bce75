"""Trades are made when somebody looks at them, and equal those that were written."""

from __future__ import annotations

import numpy as np

from execution.trades import TRADES
from mela.curve import EXIT_REASONS, Trade, Trades
from mela.run import from_ms

OPENED_MS = np.arange(5, dtype=np.int64) * 60_000


def two() -> Trades:
    fills = np.zeros(2, TRADES)
    fills["entry_bar"], fills["exit_bar"], fills["reason"] = [0, 2], [1, 4], [1, 6]
    fills["size"], fills["entry_price"], fills["exit_price"] = [1.0, -2.0], 100.0, [110.0, 90.0]
    fills["profit"], fills["fees"] = [9.0, 18.0], [1.0, 2.0]
    fills["slippage"], fills["borrow"] = [0.5, 0.25], [0.0, 0.125]
    fills["mae"], fills["mfe"] = [-0.1, 0.0], [0.2, 0.3]
    return Trades(fills, OPENED_MS)


EXPECTED = (
    Trade(from_ms(0), from_ms(60_000), 1.0, 100.0, 110.0, 1.0, 9.0, "signal", 0.5, 0.0, -0.1, 0.2),
    Trade(
        *(from_ms(120_000), from_ms(240_000), -2.0, 100.0, 90.0, 2.0, 18.0, "daily_loss"),
        *(0.25, 0.125, 0.0, 0.3),
    ),
)


def test_rows_become_trades() -> None:
    trades = two()

    assert tuple(trades) == EXPECTED
    assert trades == EXPECTED
    assert trades == two()
    assert trades != EXPECTED[:1]
    assert (trades[-1], trades[1:], trades.index(EXPECTED[1])) == (EXPECTED[1], EXPECTED[1:], 1)


def test_they_are_plain_values() -> None:
    assert [type(value) for value in two()[0][2:-1]] == [float] * 5 + [str] + [float] * 4


def test_counting_them_makes_none() -> None:
    trades = two()

    assert len(trades) == 2
    assert trades._made is None
    assert trades[0] is trades[0]


def test_every_reason_of_the_kernel_has_a_name() -> None:
    assert EXIT_REASONS == (
        "signal",
        "stop_loss",
        "take_profit",
        "trailing_stop",
        "time_stop",
        "daily_loss",
        "delisted",
    )
