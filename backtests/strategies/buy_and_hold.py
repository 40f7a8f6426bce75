"""What every other strategy is measured by."""

import numpy as np

from backtests.indicators import Indicators
from backtests.signals import Signals
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part


class BuyAndHold(Part):
    """Nothing to choose."""


@strategy(BuyAndHold, warmup=lambda _params: 1)
def buy_and_hold(candles: Candles, params: BuyAndHold, indicators: Indicators) -> Signals:  # noqa: ARG001
    """Enter at the first open and hold; after a stop or a target, enter again. Never short."""
    never = np.zeros(len(candles), dtype=np.bool_)
    return Signals(np.ones(len(candles), dtype=np.bool_), never, never, never)
