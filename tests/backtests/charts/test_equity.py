"""The picture of an equity curve that MLflow keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.image as mpimg
import pytest

from backtests.charts.equity import equity_chart
from tests.backtests.charts.outcomes import both_sides, walk

RESULT = {
    "cash": 1_000.0,
    "instruments": ["binance:BTCUSDT"],
    "interval": "1d",
    "strategy": {"name": "sma_cross"},
    "params": {"fast": 10, "slow": 50},
    "sharpe": None,
    "total_return": -0.25,
    "max_drawdown": -0.5,
    "trades": 21,
}


@pytest.mark.parametrize("scale", [1, 1e6])
def test_nothing_is_cut_off_at_the_edges_however_large_the_amounts(
    scale: float, tmp_path: Path
) -> None:
    """The places are given: nobody moves them when a label needs more."""
    curve = both_sides(walk(400)).curve
    assert curve is not None
    curve = replace(curve, equity=curve.equity * scale)

    with mpl.rc_context({"font.size": 18}):  # as libraries set it that draw, too
        equity_chart(curve, RESULT | {"cash": 1_000.0 * scale}, tmp_path / "equity.png")

    drawn = mpimg.imread(tmp_path / "equity.png")[..., :3]
    assert drawn.shape[:2] == (660, 1100)
    assert drawn.min() < 0.2
    for edge in (drawn[:4], drawn[-4:], drawn[:, :4], drawn[:, -4:]):
        assert edge.min() == 1.0
