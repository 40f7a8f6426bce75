"""The record of a closed trade."""

from __future__ import annotations

import numpy as np

from execution.terms import rule

SIGNAL, STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, TIME_STOP, DAILY_LOSS = 1, 2, 3, 4, 5, 6
DELISTED = 7
LARGE_FILL = 0.025  # share of a candle's volume above which a fill is large

TRADES = np.dtype(
    [
        ("entry_bar", np.int64),
        ("exit_bar", np.int64),
        ("size", np.float64),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("fees", np.float64),
        ("profit", np.float64),
        ("reason", np.int64),
        ("slippage", np.float64),
        ("borrow", np.float64),
        ("mae", np.float64),  # these two are measured by a stepper, or when a run is over
        ("mfe", np.float64),
    ]
)


@rule
def record_trade(
    row: np.void,
    entry_bar: int,
    exit_bar: int,
    size: float,
    entry_price: float,
    exit_price: float,
    fees: float,
    profit: float,
    reason: int,
    slippage: float,
    borrow: float,
) -> None:
    """Write a closed trade into one row of TRADES."""
    row["entry_bar"] = entry_bar
    row["exit_bar"] = exit_bar
    row["size"] = size
    row["entry_price"] = entry_price
    row["exit_price"] = exit_price
    row["fees"] = fees
    row["profit"] = profit
    row["reason"] = reason
    row["slippage"] = slippage
    row["borrow"] = borrow
    row["mae"] = row["mfe"] = 0.0


@rule
def is_large(units: float, volume: float) -> bool:
    """Tell whether a fill takes more than LARGE_FILL of its candle's volume, where it has one."""
    return 0.0 < LARGE_FILL * volume < units


@rule
def write_excursions(row: np.void, top: float, bottom: float) -> None:
    """Write how far prices went against a trade and for it, of the range that it has seen.

    top, bottom: greatest and least price, that of the exit included
    """
    price = row["entry_price"]
    against, beside = (bottom, top) if row["size"] > 0.0 else (top, bottom)
    side = 1.0 if row["size"] > 0.0 else -1.0
    row["mae"] = min(side * (against / price - 1.0), 0.0)
    row["mfe"] = max(side * (beside / price - 1.0), 0.0)
