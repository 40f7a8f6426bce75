"""Indicators of one run's candles, each computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backtests.indicators.definition import Float
from backtests.indicators.keeper import Computed, LineKeeper
from backtests.indicators.lines import (
    Aroon,
    Bands,
    ChandelierExit,
    HeikinAshi,
    Ichimoku,
    Kst,
    Oscillator,
    Stochastic,
    Supertrend,
    Vortex,
    ZigZag,
)
from backtests.indicators.registry import no_such
from mela.candles import Candles


class Indicators:
    """Compute indicators on exactly the candles that a run reads, warm-up included.

    Each line is (n,) float64, NaN where undefined (everywhere, where candles are too few), and
    read-only: runs that read the same candles share one instance. The most recent lines are kept,
    up to CACHE_BYTES. `INDICATORS` says of each what its units, bounds and warm-up are; a parameter
    out of bounds raises ValueError.
    """

    def __init__(self, candles: Candles) -> None:
        self.keeper = LineKeeper(candles)
        self._of = self.keeper.of

    if not TYPE_CHECKING:  # else a checker would take every name for an indicator

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(no_such(name), name=name, obj=self)

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

    def smma(self, period: int) -> Float:
        """Return the smoothed moving average of the closes: Wilder's, also called RMA."""
        return self._of("smma", period)

    def zlema(self, period: int) -> Float:
        """Return the exponential average of closes that are carried on by their own lag."""
        return self._of("zlema", period)

    def t3(self, period: int = 5, volume_factor: float = 0.7) -> Float:
        """Return Tillson's T3: six exponential averages; `volume_factor` 0 smooths the most."""
        return self._of("t3", period, volume_factor)

    def alma(self, period: int = 9, offset: float = 0.85, sigma: float = 6.0) -> Float:
        """Return Legoux' average: a bell of weights, `offset` of the way to the newest close."""
        return self._of("alma", period, offset, sigma)

    def macd(self, fast: int = 12, slow: int = 26, signal: int = 9) -> Oscillator:
        """Return the difference of two exponential averages, its own average, and their distance.

        If `fast` is above `slow`, the two change places, as in TA-Lib.
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

    def slope(self, period: int = 14) -> Float:
        """Return the slope of the straight line through the last closes, per candle."""
        return self._of("slope", period)

    def r_squared(self, period: int = 14) -> Float:
        """Return how much of the closes' variance the straight line explains, 0 to 1.

        NaN where all closes of the window are equal.
        """
        return self._of("r_squared", period)

    def ichimoku(
        self, conversion: int = 9, base: int = 26, span_b: int = 52, displacement: int = 26
    ) -> Ichimoku:
        """Return Ichimoku's lines as they lie at each candle, all known at its close.

        The spans were computed `displacement` candles before: the cloud under this candle. With
        0 they are the cloud that a chart draws ahead. `past_close` is the close that the lagging
        span (this close, drawn back) is compared with.
        """
        return self._of("ichimoku", conversion, base, span_b, displacement)

    def heikin_ashi(self) -> HeikinAshi:
        """Return the averaged candles. They are no prices that anybody traded at."""
        return self._of("heikin_ashi")

    def chandelier_exit(self, period: int = 22, multiplier: float = 3.0) -> ChandelierExit:
        """Return LeBeau's stops: `multiplier` true ranges from the highest high, lowest low."""
        return self._of("chandelier_exit", period, multiplier)

    def zigzag(self, deviation: float = 5.0) -> ZigZag:
        """Return the last turns of at least `deviation` percent that are confirmed.

        A turn is told on the candle that confirms it, and never changes afterwards. NaN until
        the first one.
        """
        return self._of("zigzag", deviation)

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

    def ppo_with_signal(self, fast: int = 12, slow: int = 26, signal: int = 9) -> Oscillator:
        """Return the PPO, its exponential average, and their distance, in percent."""
        return self._of("ppo_with_signal", fast, slow, signal)

    def awesome_oscillator(self, fast: int = 5, slow: int = 34) -> Float:
        """Return the distance of two simple averages of the candles' middles."""
        return self._of("awesome_oscillator", fast, slow)

    def dpo(self, period: int = 20) -> Float:
        """Return a close of `period` // 2 + 1 candles ago, less the mean that ends now."""
        return self._of("dpo", period)

    def kst(
        self,
        roc1: int = 10,
        roc2: int = 15,
        roc3: int = 20,
        roc4: int = 30,
        mean1: int = 10,
        mean2: int = 10,
        mean3: int = 10,
        mean4: int = 15,
        signal: int = 9,
    ) -> Kst:
        """Return Pring's sum of four smoothed rates of change, weighted 1 to 4, and its mean."""
        return self._of("kst", roc1, roc2, roc3, roc4, mean1, mean2, mean3, mean4, signal)

    def schaff_trend_cycle(
        self, cycle: int = 10, fast: int = 23, slow: int = 50, smoothing: float = 0.5
    ) -> Float:
        """Return the MACD's place in its own range, taken twice and smoothed, 0 to 100.

        NaN until the MACD and its place have moved; where one of them stands still for a whole
        cycle, the last place stays.
        """
        return self._of("schaff_trend_cycle", cycle, fast, slow, smoothing)

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
        """Return Keltner's channel around the exponential mean of typical prices."""
        return self._of("keltner", period, atr_period, multiplier)

    def donchian(self, period: int = 20) -> Bands:
        """Return the highest high and lowest low of `period` candles, this one included."""
        return self._of("donchian", period)

    def zscore(self, period: int = 20) -> Float:
        """Return the close's distance from its mean, in standard deviations (ddof 0).

        NaN where all closes of the window are equal.
        """
        return self._of("zscore", period)

    def choppiness(self, period: int = 14) -> Float:
        """Return how much of its way the price went to and fro: 100 much, 0 none.

        NaN where highest high and lowest low of the window are one.
        """
        return self._of("choppiness", period)

    def ulcer_index(self, period: int = 14) -> Float:
        """Return the root of the mean squared fall below the highest close, in percent."""
        return self._of("ulcer_index", period)

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

    def vpt(self) -> Float:
        """Return the volume-price trend; it begins at 0 where the candles do."""
        return self._of("vpt")

    def force_index(self, period: int = 13) -> Float:
        """Return Elder's force index: change times volume, averaged exponentially."""
        return self._of("force_index", period)

    def ease_of_movement(self, period: int = 14, scale: float = 1e8) -> Float:
        """Return Arms' ease of movement: how far the middle goes for `scale` volume, averaged.

        NaN where a candle of the window has a range but no volume; one without range counts 0.
        """
        return self._of("ease_of_movement", period, scale)

    def pvo(self, fast: int = 12, slow: int = 26, signal: int = 9) -> Oscillator:
        """Return the PPO of the volume, its exponential average, and their distance."""
        return self._of("pvo", fast, slow, signal)


def computed(indicators: Indicators) -> list[Computed]:
    """Return the indicators that somebody asked for and that are still kept."""
    return indicators.keeper.kept()
