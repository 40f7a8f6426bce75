"""Warnings that a reader of a result should see before believing it, as codes.

`backtests.candles.coverage` gives those about coverage (`starts_late`, `ends_early`, `gaps`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mela.result import Metrics

FEW_TRADES = 30
SHORT_YEARS = 0.95  # a calendar year of sessions still counts without the holidays at its ends
FEW_PERIODS = 100
AMBIGUOUS_SHARE = 0.01  # of the candles
HIGH_SHARPE = 5.0
ONE_TRADE_SHARE = 0.5  # of all profits above 0

NO_OUT_OF_SAMPLE = "no_out_of_sample"
NO_OUT_OF_SAMPLE_SAID = (
    "the best run was chosen on the candles it was measured on; what is left of it on others is "
    "not known. Search with walk-forward or a holdout."
)
OUT_OF_SAMPLE_FIELDS = ("validation", "holdout")


def caveats(
    metrics: Metrics | None, candles: int, periods: int, years: float, top_share: float
) -> tuple[str, ...]:
    """Return the codes of what makes a result hard to believe.

    metrics: None for a run without any, of which nothing is said
    candles, periods, years: of the span
    top_share: the largest profit of a trade as a share of all profits above 0; NaN without one

    Comparisons with what is undefined do not hold, so that it is never warned of.
    """
    if metrics is None:
        return ()
    found: list[str] = []
    if metrics.trades < FEW_TRADES:
        found.append("too_few_trades")
    if years < SHORT_YEARS or periods < FEW_PERIODS:
        found.append("short_span")
    if metrics.ambiguous_bars > AMBIGUOUS_SHARE * candles:
        found.append("ambiguous_bars")
    if metrics.sharpe > HIGH_SHARPE:
        found.append("sharpe_above_5")
    if top_share > ONE_TRADE_SHARE:
        found.append("one_trade_profit")
    if metrics.large_fills > 0:
        found.append("large_fills")
    return tuple(found)


def lacks_out_of_sample(scene: Mapping[str, Any], runs: int) -> bool:
    """Return whether a scene chose its best among several runs by the candles they were run on.

    scene: its content; a search says itself, or the scene does, how it was checked
    runs: how many it has; with one per instrument there was nothing to choose
    """
    search = scene.get("search")
    if not search or runs <= len(scene.get("instruments", ())):
        return False
    return not any(part.get(name) for part in (scene, search) for name in OUT_OF_SAMPLE_FIELDS)
