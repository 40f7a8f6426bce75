"""Indicators of one run's candles, each computed once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from backtests.indicators.definition import Float
from backtests.indicators.registry import INDICATORS
from mela.candles import Candles

CACHE_BYTES = 64 * 2**20
LEAST_LINES = 4  # kept however long they are


class Bands(NamedTuple):
    """A channel: (n,) float64 each, prices."""

    upper: Float
    middle: Float
    lower: Float


class Macd(NamedTuple):
    """The difference of two averages, its mean, and the distance between these."""

    line: Float
    signal: Float
    histogram: Float


class Stochastic(NamedTuple):
    """A place between lowest and highest, and its mean: 0 to 100."""

    k: Float
    d: Float


class Supertrend(NamedTuple):
    """The band that follows the price; 1 where the price is above it, -1 where below."""

    line: Float
    trend: Float


class Aroon(NamedTuple):
    """How lately the lowest low and the highest high were: 100 is now."""

    down: Float
    up: Float


class Vortex(NamedTuple):
    """Movement upwards and downwards, as shares of the true range."""

    plus: Float
    minus: Float


class Indicators:
    """Compute indicators on exactly the candles that a run reads, warm-up included.

    Each line is (n,) float64, NaN where undefined (everywhere, where candles are too few), and
    read-only: runs that read the same candles share one instance. The most recent lines are kept,
    up to CACHE_BYTES. `INDICATORS` says of each what its units, bounds and warm-up are; a parameter
    out of bounds raises ValueError.
    """

    def __init__(self, candles: Candles) -> None:
        self._candles = candles
        self._kept: OrderedDict[tuple[str | float, ...], Any] = OrderedDict()
        self._most_lines = max(LEAST_LINES, CACHE_BYTES // (8 * len(candles) + 1))
        self._lock = threading.Lock()

    # Trend

    def sma(self, period: int) -> Float:
        """Return the simple moving average of the closes over `period` candles (period ≥ 1)."""
        return self._of("sma", period)

    def ema(self, period: int) -> Float:
        """Return the exponential moving average of the closes."""
        return self._of("ema", period)

    def wma(self, period: int) -> Float:
        """Return the linearly weighted moving average of the closes."""
        return self._of("wma", period)

    def dema(self, period: int) -> Float:
        """Return the double exponential average of the closes."""
        return self._of("dema", period)

    def tema(self, period: int) -> Float:
        """Return the triple exponential average of the closes."""
        return self._of("tema", period)

    def hma(self, period: int) -> Float:
        """Return Hull's moving average of the closes."""
        return self._of("hma", period)

    def kama(self, period: int) -> Float:
        """Return Kaufman's adaptive moving average of the closes."""
        return self._of("kama", period)

    def macd(self, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
        """Return the difference of two exponential averages, its own average, and their distance.

        Where `fast` is above `slow` the two change places, as TA-Lib has it.
        """
        return self._of("macd", fast, slow, signal)

    def sar(self, acceleration: float = 0.02, maximum: float = 0.2) -> Float:
        """Return Wilder's parabolic stop and reverse."""
        return self._of("sar", acceleration, maximum)

    def supertrend(self, period: int = 10, multiplier: float = 3.0) -> Supertrend:
        """Return the band that is `multiplier` true ranges away, and the side of the price."""
        return self._of("supertrend", period, multiplier)

    def linear_regression(self, period: int) -> Float:
        """Return the end of the straight line through the last closes."""
        return self._of("linear_regression", period)

    def adx(self, period: int = 14) -> Float:
        """Return Wilder's average directional index, 0 to 100."""
        return self._of("adx", period)

    def plus_di(self, period: int = 14) -> Float:
        """Return Wilder's directional indicator of rises, 0 to 100."""
        return self._of("plus_di", period)

    def minus_di(self, period: int = 14) -> Float:
        """Return Wilder's directional indicator of falls, 0 to 100."""
        return self._of("minus_di", period)

    def aroon(self, period: int = 14) -> Aroon:
        """Return how lately the lowest low and the highest high were, 0 to 100."""
        return self._of("aroon", period)

    def vortex(self, period: int = 14) -> Vortex:
        """Return upward and downward movement, as shares of the true range."""
        return self._of("vortex", period)

    # Momentum

    def rsi(self, period: int) -> Float:
        """Return Wilder's relative strength index of the closes, 0 to 100 (period ≥ 2).

        Closes that never move give 0, as TA-Lib has it.
        """
        return self._of("rsi", period)

    def stochastic(self, period: int = 14, slowing: int = 3, signal: int = 3) -> Stochastic:
        """Return the close's place between lowest low and highest high, 0 to 100, and its mean."""
        return self._of("stochastic", period, slowing, signal)

    def stochastic_rsi(self, period: int = 14, back: int = 14, signal: int = 3) -> Stochastic:
        """Return the RSI's place between its lowest and highest, 0 to 100, and its mean."""
        return self._of("stochastic_rsi", period, back, signal)

    def cci(self, period: int = 20) -> Float:
        """Return the commodity channel index."""
        return self._of("cci", period)

    def cmo(self, period: int = 14) -> Float:
        """Return Chande's momentum oscillator, -100 to 100."""
        return self._of("cmo", period)

    def momentum(self, period: int = 10) -> Float:
        """Return the change of the close over `period` candles, in the quote currency."""
        return self._of("momentum", period)

    def roc(self, period: int = 10) -> Float:
        """Return the change of the close over `period` candles, in percent."""
        return self._of("roc", period)

    def williams_r(self, period: int = 14) -> Float:
        """Return Williams' %R, -100 to 0."""
        return self._of("williams_r", period)

    def ultimate_oscillator(self, short: int = 7, middle: int = 14, long: int = 28) -> Float:
        """Return Williams' ultimate oscillator, 0 to 100."""
        return self._of("ultimate_oscillator", short, middle, long)

    def trix(self, period: int = 15) -> Float:
        """Return the change of a triple exponential average from candle to candle, in percent."""
        return self._of("trix", period)

    def tsi(self, first: int = 25, second: int = 13) -> Float:
        """Return the true strength index, -100 to 100."""
        return self._of("tsi", first, second)

    def ppo(self, fast: int = 12, slow: int = 26) -> Float:
        """Return the distance of two exponential averages, in percent of the slow one."""
        return self._of("ppo", fast, slow)

    # Volatility

    def atr(self, period: int = 14) -> Float:
        """Return Wilder's average true range, in the quote currency."""
        return self._of("atr", period)

    def natr(self, period: int = 14) -> Float:
        """Return Wilder's average true range, in percent of the close."""
        return self._of("natr", period)

    def true_range(self) -> Float:
        """Return each candle's range, the gap before it included."""
        return self._of("true_range")

    def standard_deviation(self, period: int) -> Float:
        """Return the standard deviation (ddof 0) of the closes."""
        return self._of("standard_deviation", period)

    def bollinger(self, period: int = 20, deviations: float = 2.0) -> Bands:
        """Return Bollinger's bands around the simple mean of the closes."""
        return self._of("bollinger", period, deviations)

    def keltner(self, period: int = 20, atr_period: int = 10, multiplier: float = 2.0) -> Bands:
        """Return Keltner's channel around the exponential mean."""
        return self._of("keltner", period, atr_period, multiplier)

    def donchian(self, period: int = 20) -> Bands:
        """Return the highest high and lowest low of `period` candles, this one included."""
        return self._of("donchian", period)

    def zscore(self, period: int = 20) -> Float:
        """Return the close's distance from its mean, in standard deviations (ddof 0).

        NaN where all closes of the window are equal.
        """
        return self._of("zscore", period)

    # Volume

    def obv(self) -> Float:
        """Return the on-balance volume; where candles begin it is the first volume."""
        return self._of("obv")

    def ad(self) -> Float:
        """Return the accumulation and distribution line; it begins where the candles do."""
        return self._of("ad")

    def adosc(self, fast: int = 3, slow: int = 10) -> Float:
        """Return Chaikin's oscillator, a volume."""
        return self._of("adosc", fast, slow)

    def cmf(self, period: int = 20) -> Float:
        """Return Chaikin's money flow, -1 to 1."""
        return self._of("cmf", period)

    def mfi(self, period: int = 14) -> Float:
        """Return the money flow index, 0 to 100."""
        return self._of("mfi", period)

    def vwma(self, period: int = 20) -> Float:
        """Return the mean of the closes, weighted by volume."""
        return self._of("vwma", period)

    def vwap(self, period: int) -> Float:
        """Return the mean typical price of `period` candles, weighted by volume.

        NaN where none of them has volume.
        """
        return self._of("vwap", period)

    def session_vwap(self) -> Float:
        """Return the mean typical price since the UTC day began, weighted by volume.

        NaN in the day whose beginning was not read, and until something was traded.
        """
        return self._of("session_vwap")

    def _of(self, name: str, *parameters: float) -> Any:
        key = (name, *parameters)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = self._compute(name, parameters)
        with self._lock:
            found = self._kept.setdefault(key, found)  # another thread may have been faster
            self._forget()
        return found

    def _forget(self) -> None:
        """Drop the longest unused, until what is left fits."""
        lines = sum(_count(found) for found in self._kept.values())
        while lines > self._most_lines and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            lines -= _count(dropped)

    def _compute(self, name: str, parameters: tuple[float, ...]) -> Any:
        indicator = INDICATORS[name]
        count = len(self._candles)
        for parameter, value in zip(indicator.parameters, parameters, strict=True):
            if value < parameter.least:
                parameter.check(name, value)
        if count <= indicator.lookback(*parameters):
            lines = tuple(np.full(count, np.nan) for _ in indicator.lines)
        else:
            # The upper bounds are TA-Lib's, and matter only where there are so many candles.
            for parameter, value in zip(indicator.parameters, parameters, strict=True):
                parameter.check(name, value)
            found = indicator.compute(self._candles, *parameters)
            lines = found if isinstance(found, tuple) else (found,)
        for line in lines:
            line.flags.writeable = False
        return lines[0] if len(lines) == 1 else _NAMED[name](*lines)


def _count(found: Any) -> int:
    return len(found) if isinstance(found, tuple) else 1


_NAMED: dict[str, Callable[..., Any]] = {
    "macd": Macd,
    "supertrend": Supertrend,
    "aroon": Aroon,
    "vortex": Vortex,
    "stochastic": Stochastic,
    "stochastic_rsi": Stochastic,
    "bollinger": Bands,
    "keltner": Bands,
    "donchian": Bands,
}
