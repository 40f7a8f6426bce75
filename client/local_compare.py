"""Runs of this process side by side, as the platform compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from api.models.runs import Comparison
from mela.candles import Candles
from mela.curve import Curve, Trade
from services.runs.run_compare import RunToCompare, side_by_side
from services.runs.run_series import WholeEquity
from warehouse.results.one_run import TradeRead

POINTS = 800  # of each curve


def run_to_compare(
    document: Mapping[str, Any],
    scene_id: UUID,
    scene_name: str | None,
    curve: Curve | None,
    equity: Mapping[str, Sequence[float | None]] | None,
    series: Mapping[str, Candles],
) -> RunToCompare:
    """Return a run with all that is compared of it.

    document: its result; curve: None where it gave no numbers; equity: its columns
    series: the candles of its instruments
    """
    if curve is None or equity is None:
        return RunToCompare(document, scene_id, scene_name, None, None)
    whole = WholeEquity(
        curve.opened_ms, curve.equity, np.array(equity["drawdown"], dtype=np.float64), None
    )
    instrument = document["instruments"][0]
    trades = [
        TradeRead(
            seq=seq,
            instrument=trade.instrument or instrument,
            return_=_return_of(trade, series[trade.instrument or instrument]),
            **{name: getattr(trade, name) for name in _SAME},
        )
        for seq, trade in enumerate(curve.trades)
    ]
    return RunToCompare(document, scene_id, scene_name, trades, whole)


_SAME = (
    *("entry_at", "exit_at", "entry_price", "exit_price", "size", "profit", "fees", "slippage"),
    *("borrow", "mae", "mfe", "exit_reason"),
)


def compared(runs: Sequence[RunToCompare]) -> Comparison:
    """Return what differs between runs."""
    return Comparison.of(side_by_side(runs, POINTS))


def _return_of(trade: Trade, candles: Candles) -> float | None:
    value = abs(trade.size) * trade.entry_price * candles.contract_units
    return trade.profit / value if value else None
