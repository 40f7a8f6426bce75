"""The list of all indicators: what `mela indicators` shows and `Indicators` computes."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from backtests.indicators.definition import Indicator
from backtests.indicators.momentum import MOMENTUM
from backtests.indicators.trend import TREND
from backtests.indicators.volatility import VOLATILITY
from backtests.indicators.volume import VOLUME

INDICATORS: Mapping[str, Indicator] = MappingProxyType(
    {one.name: one for one in (*TREND, *MOMENTUM, *VOLATILITY, *VOLUME)}
)

# What other libraries and platforms call them
OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "rma": "smma",
        "wilder": "smma",
        "wilders": "smma",
        "zlma": "zlema",
        "linreg": "linear_regression",
        "linearreg": "linear_regression",
        "linearreg_slope": "slope",
        "linear_regression_slope": "slope",
        "rsquared": "r_squared",
        "r2": "r_squared",
        "psar": "sar",
        "ha": "heikin_ashi",
        "heikinashi": "heikin_ashi",
        "ce": "chandelier_exit",
        "chandelier": "chandelier_exit",
        "zig_zag": "zigzag",
        "di_plus": "plus_di",
        "di_minus": "minus_di",
        "stoch": "stochastic",
        "stochrsi": "stochastic_rsi",
        "stoch_rsi": "stochastic_rsi",
        "mom": "momentum",
        "willr": "williams_r",
        "ultosc": "ultimate_oscillator",
        "uo": "ultimate_oscillator",
        "ao": "awesome_oscillator",
        "stc": "schaff_trend_cycle",
        "schaff": "schaff_trend_cycle",
        "bbands": "bollinger",
        "bollinger_bands": "bollinger",
        "kc": "keltner",
        "dc": "donchian",
        "stdev": "standard_deviation",
        "stddev": "standard_deviation",
        "trange": "true_range",
        "tr": "true_range",
        "chop": "choppiness",
        "ui": "ulcer_index",
        "ulcer": "ulcer_index",
        "pvt": "vpt",
        "efi": "force_index",
        "fi": "force_index",
        "eom": "ease_of_movement",
        "emv": "ease_of_movement",
        "adl": "ad",
        "chaikin": "adosc",
    }
)


def no_such(name: str) -> str:
    """Return the sentence for a name that no indicator has, with what was probably meant.

    >>> no_such("rma")
    "no indicator is called 'rma'; here it is `smma`. `mela indicators` lists all."
    """
    fault = f"no indicator is called {name!r}"
    if own_name := OTHER_NAMES.get(name.lower()):
        return f"{fault}; here it is `{own_name}`. `mela indicators` lists all."
    if close := get_close_matches(name.lower(), INDICATORS, n=1):
        return f"{fault}; did you mean `{close[0]}`? `mela indicators` lists all."
    return f"{fault}. `mela indicators` lists all."


def warmup_of(name: str, *parameters: float) -> int:
    """Return how many candles before one make an indicator's value on it what it always is.

    Raises KeyError for an unknown name, ValueError for a sum over all candles (`obv`, `ad`).

    >>> warmup_of("sma", 30), warmup_of("rsi", 14)
    (29, 280)
    """
    candles = INDICATORS[name].warmup(*parameters)
    if candles is None:
        raise ValueError(
            f"{name} sums over all candles, so that no number of them is enough: use its changes"
        )
    return candles
