"""Indicators that TA-Lib lacks, against plain readings, other libraries and examples by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtests.indicators import INDICATORS, Indicators
from backtests.testing.instrument import candles_of
from mela.candles import Candles
from mela.interval import HOUR_MS, Interval

ROOT = Path(__file__).parents[3]
HOURS = ROOT / "replay" / "data" / "binance_BTCUSDT_1h.parquet"
PARTS = ("open", "high", "low", "close", "volume")


def hours(count: int) -> Candles:
    """Return the first packaged hours of BTCUSDT."""
    table = pd.read_parquet(HOURS).head(count)
    times = np.arange(count, dtype=np.int64) * HOUR_MS
    return Candles(Interval.H1, times, *(table[part].to_numpy(np.float64) for part in PARTS))


def frame(candles: Candles) -> pd.DataFrame:
    return pd.DataFrame({part: getattr(candles, part) for part in PARTS})


def line_of(found: Any, name: str) -> np.ndarray:
    return found if name == "value" else getattr(found, name)


# Other libraries

# Each entry says the library and the call that gave its values on the first 400 packaged hours,
# where `o`, `h`, `l`, `c` and `v` are their columns.
PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "entry", PUBLISHED, ids=lambda each: f"{each['indicator']}.{each['line']}-{each['library']}"
)
def test_other_libraries_say_the_same(entry: dict[str, Any]) -> None:
    found = getattr(Indicators(hours(400)), entry["indicator"])(*entry["parameters"])
    line = line_of(found, entry["line"])

    bars = [int(bar) for bar in entry["values"]]
    # Recursive means of other libraries begin otherwise: their values are taken far from there.
    np.testing.assert_allclose(line[bars], list(entry["values"].values()), rtol=1e-6, atol=2e-6)


def test_alma_is_the_series_that_stock_indicators_publishes() -> None:
    """Source: DaveSkender/Stock.Indicators, tests: alma.standard.json and its quotes of SPY."""
    closes = [212.8, 214.06, 213.89, 214.66, 213.95, 213.95]
    closes += [214.55, 214.02, 214.51, 213.75, 214.22, 213.43]
    published = [214.26115905208576, 214.1828154472624, 214.1391982895064, 213.95778275956803]

    alma = Indicators(candles_of([(c, c, c, c) for c in closes])).alma(9, 0.85, 6.0)

    np.testing.assert_allclose(alma[8:], published, rtol=1e-14)


# Plain readings


def ema(values: pd.Series, period: int) -> pd.Series:
    """Return an exponential mean that begins with the simple mean of its first values."""
    known = values.dropna()
    seeded = known.copy()
    seeded.iloc[: period - 1] = np.nan
    seeded.iloc[period - 1] = known.iloc[:period].mean()
    tail = seeded.iloc[period - 1 :].ewm(alpha=2 / (period + 1), adjust=False).mean()
    return tail.reindex(values.index)


def wilder(values: pd.Series, period: int) -> pd.Series:
    known = values.dropna()
    seeded = known.copy()
    seeded.iloc[period - 1] = known.iloc[:period].mean()
    tail = seeded.iloc[period - 1 :].ewm(alpha=1 / period, adjust=False).mean()
    return tail.reindex(values.index)


def true_range(of: pd.DataFrame) -> pd.Series:
    before = of.close.shift()
    reach = np.maximum(of.high, before) - np.minimum(of.low, before)
    return reach.where(before.notna())


def middle(of: pd.DataFrame, period: int) -> pd.Series:
    return (of.high.rolling(period).max() + of.low.rolling(period).min()) / 2


def signalled(line: pd.Series, period: int) -> dict[str, pd.Series]:
    signal = ema(line, period)
    return {"line": line.where(signal.notna()), "signal": signal, "histogram": line - signal}


def share(values: pd.Series, fast: int, slow: int) -> pd.Series:
    return 100 * (ema(values, fast) - ema(values, slow)) / ema(values, slow)


def alma(of: pd.DataFrame, period: int, offset: float, sigma: float) -> pd.Series:
    weights = [
        np.exp(-((place - offset * (period - 1)) ** 2) / (2 * (period / sigma) ** 2))
        for place in range(period)
    ]
    return of.close.rolling(period).apply(lambda window: np.average(window, weights=weights))


def t3(of: pd.DataFrame, period: int, factor: float) -> pd.Series:
    """Return (1 + v) of a mean less v of its mean, thrice over, multiplied out."""
    means = [of.close]
    for _ in range(6):
        means.append(ema(means[-1], period))
    generalised = np.polymul(
        np.polymul([-factor, 1 + factor], [-factor, 1 + factor]), [-factor, 1 + factor]
    )
    return sum(weight * mean for weight, mean in zip(generalised, reversed(means), strict=False))


def heikin_ashi(of: pd.DataFrame) -> dict[str, pd.Series]:
    close = (of.open + of.high + of.low + of.close) / 4
    opened = [(of.open[0] + of.close[0]) / 2]
    for before in close[:-1]:
        opened.append((opened[-1] + before) / 2)
    first = pd.Series(opened)
    high = np.maximum(of.high, np.maximum(first, close))
    low = np.minimum(of.low, np.minimum(first, close))
    return {"open": first, "high": high, "low": low, "close": close}


def ichimoku(
    of: pd.DataFrame, conversion: int, base: int, span_b: int, ago: int
) -> dict[str, pd.Series]:
    lines = {
        "conversion": middle(of, conversion),
        "base": middle(of, base),
        "span_a": ((middle(of, conversion) + middle(of, base)) / 2).shift(ago),
        "span_b": middle(of, span_b).shift(ago),
        "past_close": of.close.shift(ago),
    }
    return {name: line.where(lines["span_b"].notna()) for name, line in lines.items()}


def kst(of: pd.DataFrame, *parameters: int) -> dict[str, pd.Series]:
    line = sum(
        weight
        * (100 * of.close.pct_change(parameters[weight - 1])).rolling(parameters[weight + 3]).mean()
        for weight in (1, 2, 3, 4)
    )
    signal = line.rolling(parameters[8]).mean()
    return {"line": line.where(signal.notna()), "signal": signal}


def schaff(of: pd.DataFrame, cycle: int, fast: int, slow: int, smoothing: float) -> pd.Series:
    values = ema(of.close, fast) - ema(of.close, slow)
    for _ in range(2):
        low, high = values.rolling(cycle).min(), values.rolling(cycle).max()
        place = (100 * (values - low) / (high - low).where(high > low)).ffill()
        values = place.ewm(alpha=smoothing, adjust=False, ignore_na=True).mean()
    return values


def ease(of: pd.DataFrame, period: int, scale: float) -> pd.Series:
    moved = ((of.high + of.low) / 2).diff()
    return (moved / (of.volume / scale / (of.high - of.low))).rolling(period).mean()


def ulcer(of: pd.DataFrame, period: int) -> pd.Series:
    fall = 100 * (of.close / of.close.rolling(period).max() - 1)
    return (fall**2).rolling(period).mean() ** 0.5


def choppiness(of: pd.DataFrame, period: int) -> pd.Series:
    reach = of.high.rolling(period).max() - of.low.rolling(period).min()
    return 100 * np.log10(true_range(of).rolling(period).sum() / reach) / np.log10(period)


def line_through(window: np.ndarray) -> np.ndarray:
    return np.polyfit(np.arange(len(window)), window, 1)


PLAIN: dict[str, Callable[..., Any]] = {
    "smma": lambda of, period: wilder(of.close, period),
    "zlema": lambda of, period: ema(2 * of.close - of.close.shift((period - 1) // 2), period),
    "t3": t3,
    "alma": alma,
    "slope": lambda of, period: of.close.rolling(period).apply(lambda w: line_through(w)[0]),
    "r_squared": lambda of, period: of.close.rolling(period).corr(of.index.to_series()) ** 2,
    "ichimoku": ichimoku,
    "heikin_ashi": heikin_ashi,
    "chandelier_exit": lambda of, period, times: {
        "long": of.high.rolling(period).max() - times * wilder(true_range(of), period),
        "short": of.low.rolling(period).min() + times * wilder(true_range(of), period),
    },
    "ppo_with_signal": lambda of, fast, slow, signal: signalled(
        share(of.close, fast, slow), signal
    ),
    "awesome_oscillator": lambda of, fast, slow: (
        ((of.high + of.low) / 2).rolling(fast).mean()
        - ((of.high + of.low) / 2).rolling(slow).mean()
    ),
    "dpo": lambda of, period: of.close.shift(period // 2 + 1) - of.close.rolling(period).mean(),
    "kst": kst,
    "schaff_trend_cycle": schaff,
    "choppiness": choppiness,
    "ulcer_index": ulcer,
    "vpt": lambda of: (of.close.pct_change() * of.volume).fillna(0).cumsum(),
    "force_index": lambda of, period: ema(of.close.diff() * of.volume, period),
    "ease_of_movement": ease,
    "pvo": lambda of, fast, slow, signal: signalled(share(of.volume, fast, slow), signal),
}


@pytest.mark.parametrize("name", PLAIN)
def test_an_indicator_is_its_definition_written_plainly(name: str) -> None:
    candles = hours(600)
    parameters = [each.default for each in INDICATORS[name].parameters]
    plain = PLAIN[name](frame(candles), *parameters)
    plain = plain if isinstance(plain, dict) else {"value": plain}

    found = getattr(Indicators(candles), name)(*parameters)

    assert plain.keys() == {line.name for line in INDICATORS[name].lines}
    for line, expected in plain.items():
        # Equal where both are undefined, too.
        scale = np.nanmax(np.abs(expected))
        np.testing.assert_allclose(line_of(found, line), expected, rtol=1e-8, atol=1e-9 * scale)


# Examples by hand


def walk(*closes: float, volume: float = 1.0) -> Indicators:
    candles = candles_of([(c, c, c, c) for c in closes])
    return Indicators(replace(candles, volume=np.full(len(closes), volume)))


def test_ichimoku_meets_a_span_that_was_known_before() -> None:
    # Channels of 1, 1 and 2 candles of closes 10, 20, 40, 80, told one candle later
    found = walk(10, 20, 40, 80, 160).ichimoku(2, 2, 2, 1)

    # At 80 (the fourth) the spans are the middle of 20 and 40, and the close behind is 40.
    assert (found.conversion[3], found.base[3]) == (60.0, 60.0)
    assert (found.span_a[3], found.span_b[3], found.past_close[3]) == (30.0, 30.0, 40.0)


def test_without_displacement_the_spans_are_the_cloud_that_is_drawn_ahead() -> None:
    ahead, under = walk(10, 20, 40, 80, 160).ichimoku(2, 2, 3, 0), walk(10, 20, 40, 80, 160)

    assert ahead.span_b[3] == under.ichimoku(2, 2, 3, 1).span_b[4] == 50.0


def test_a_line_explains_all_of_a_line_and_nothing_of_a_tent() -> None:
    assert walk(1, 2, 3, 4).r_squared(3)[2:].tolist() == [1.0, 1.0]
    assert walk(1, 2, 1).r_squared(3)[2] == pytest.approx(0.0)
    # 1, 2, 4: slope 1.5, mean 7/3; 4.5 of 4.6667 explained
    assert walk(1, 2, 4).r_squared(3)[2] == pytest.approx(4.5 / (14 / 3))


def test_r_squared_forgets_a_large_close_that_has_left_the_window() -> None:
    found = walk(1e12, 3.3, *[0.1] * 6, 1, 2, 3).r_squared(3)

    assert np.isnan(found[4:8]).all()
    assert found[10] == 1.0


def test_ulcer_index_by_hand() -> None:
    # Below the highest of two closes: 0 % (from 100 to 110), 10 % (110 to 99): √(100 / 2)
    assert walk(100, 110, 99).ulcer_index(2)[2] == pytest.approx(50**0.5)


def test_choppiness_is_0_on_a_straight_way_and_100_to_and_fro() -> None:
    way = candles_of([(c, c, c, c) for c in (10, 11, 12, 13)])
    fro = candles_of([(10, 12, 10, 11)] * 5)

    # Two steps of 1 over closes that are 1 apart: log 2 / log 2
    assert Indicators(way).choppiness(2)[2] == pytest.approx(100.0)
    # Four candles of range 2 over a window of 2: log 4 / log 4
    assert Indicators(fro).choppiness(4)[4] == pytest.approx(100.0)
    # One candle that holds all of the way: its range is the window's
    still = candles_of([(10, 10, 10, 10), (10, 12, 8, 10), (10, 10, 10, 10)])
    assert Indicators(still).choppiness(2)[2] == pytest.approx(0.0)


def test_ease_of_movement_by_hand() -> None:
    candles = candles_of([(10, 11, 9, 10), (12, 14, 10, 12)])
    candles = replace(candles, volume=np.array([5.0, 8.0]))

    # The middle rises by 2, the range is 4, for 100 of volume: 2 × 4 × 100 / 8
    assert Indicators(candles).ease_of_movement(1, 100.0)[1] == 100.0


def test_ease_of_movement_knows_no_ease_without_volume() -> None:
    candles = candles_of([(10, 11, 9, 10)] * 2 + [(10, 12, 9, 10)] + [(10, 10, 10, 10)] * 4)
    candles = replace(candles, volume=np.array([1.0, 1, 0, 0, 0, 0, 0]))

    found = Indicators(candles).ease_of_movement(2, 1.0)

    assert np.isnan(found[2:4]).all()  # the third candle moved, but nothing was traded
    assert found[4:].tolist() == [0.0, 0.0, 0.0]  # candles without range count as 0


def test_pvo_of_nothing_traded_is_0() -> None:
    assert walk(*range(1, 60), volume=0.0).pvo().histogram[-1] == 0.0


def test_still_prices_leave_undefined_what_divides_by_their_range() -> None:
    still = walk(*[100.1] * 300)

    assert still.alma()[-1] == pytest.approx(100.1)
    assert (still.slope(5)[-1], still.ulcer_index(5)[-1]) == (0.0, 0.0)
    assert still.vpt()[-1] == still.force_index()[-1] == 0.0
    for undefined in (still.r_squared(5), still.choppiness(), still.schaff_trend_cycle()):
        assert np.isnan(undefined).all()
    assert all(np.isnan(line).all() for line in still.zigzag())


def test_schaff_stays_where_the_macd_stands_still() -> None:
    random = np.random.default_rng(5)
    moving = 100 + np.cumsum(random.normal(0, 1, 200))
    found = walk(*moving, *[moving[-1]] * 2_000).schaff_trend_cycle()

    assert not np.isnan(found[200:]).any()
    assert found[-1] == found[-2]
