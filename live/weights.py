"""The shares of a portfolio's instruments, as its strategy and its candles give them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from live.account import Trading
from live.decisions import Said, measure_of
from mela.portfolio import FixedWeights, InverseVolatility, Portfolio, StrategyWeights
from mela.run import Run, VolatilitySizing


class Weights:
    """The target weight of each instrument, as known on the last closes."""

    def __init__(self, run: Run, traded: Sequence[Trading]) -> None:
        self._run, self._traded = run, traded
        portfolio = run.portfolio or Portfolio()
        self._asked = portfolio.weights
        self.known = [0.0] * len(traded)

    def see(self, at: int, said: Said) -> None:
        """Take the close of one instrument."""
        if isinstance(self._asked, InverseVolatility):
            series = self._traded[at].series
            sizing = VolatilitySizing(period=self._asked.period)
            moves = measure_of(sizing, series.candles(0))
            self.known[at] = 1.0 / moves if moves > 0.0 else 0.0
        elif isinstance(self._asked, StrategyWeights):
            if not said.is_weight:
                raise ValueError(
                    "portfolio.weights of kind strategy needs a strategy that returns Weights, but "
                    f"{self._run.strategy} returned signals; take another kind of weights"
                )
            least = 0.0 if self._run.direction == "long" else -1.0
            most = 0.0 if self._run.direction == "short" else 1.0
            wanted = 0.0 if math.isnan(said.weight) else said.weight
            self.known[at] = abs(min(max(wanted, least), most))

    @property
    def are_the_strategys(self) -> bool:
        """Tell whether the strategy gives them, so that the strength of its signals is in them."""
        return isinstance(self._asked, StrategyWeights)

    def now(self) -> list[float]:
        """Return the weights, added up in the order of the instruments as a backtest adds them."""
        if isinstance(self._asked, FixedWeights):
            return [float(self._asked.of[one.instrument]) for one in self._traded]
        if isinstance(self._asked, InverseVolatility):
            total = _sum(self.known)
            return [one / total if total > 0.0 else 0.0 for one in self.known]
        if isinstance(self._asked, StrategyWeights):
            total = max(_sum(self.known), 1.0)
            return [one / total for one in self.known]
        return [1.0 / len(self._traded)] * len(self._traded)


def _sum(values: Sequence[float]) -> float:
    total = values[0]
    for value in values[1:]:  # one after the other: `sum` of Python 3.12 rounds otherwise
        total += value
    return total
