"""The indicators by name: TA-Lib's, and what the registry says of each."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
import talib
from talib import abstract

from backtests.indicators import CACHE_BYTES, INDICATORS, Indicators, warmup_of
from backtests.indicators.registry import OTHER_NAMES
from backtests.testing.instrument import candles_of
from mela.candles import Candles
from mela.interval import HOUR_MS, Interval

COLUMNS = ("opened_ms", "open", "high", "low", "close", "volume")
TALIBS = {one.name: one.source.removeprefix("TA-Lib ") for one in INDICATORS.values()}
OWN = {name for name, one in INDICATORS.items() if one.source == "Mela"}
# What is undefined until the price itself has done something, however many candles there are
BEGINS_WITH_A_TURN = {"zigzag", "schaff_trend_cycle"}
# What TA-Lib's own functions take beyond the parameters of ours
TAKEN = {
    "stochastic": lambda p: [p[0], p[1], 0, p[2], 0],
    "ppo": lambda p: [p[0], p[1], 1],
    "bollinger": lambda p: [p[0], p[1], p[1], 0],
    "standard_deviation": lambda p: [p[0], 1.0],
    "stochastic_rsi": lambda p: [*p, 0],
}
SHORT = {
    "sar": [0.05, 0.3],
    "supertrend": [5, 1.5],
    "keltner": [4, 7, 1.5],
    "bollinger": [6, 1.5],
    "t3": [4, 0.5],
    "alma": [7, 0.6, 4.0],
    "chandelier_exit": [7, 2.0],
    "zigzag": [2.0],
    "schaff_trend_cycle": [5, 8, 15, 0.3],
    "ease_of_movement": [5, 1_000.0],
}


def market(count: int, seed: int = 3) -> Candles:
    """Return hourly candles of a random walk, volumes included."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    opened = np.concatenate([[100.0], close[:-1]])[:count]
    high = np.maximum(opened, close) * (1 + random.exponential(0.004, count))
    low = np.minimum(opened, close) * (1 - random.exponential(0.004, count))
    volume = random.exponential(10, count)
    times = np.arange(count, dtype=np.int64) * HOUR_MS
    return Candles(Interval.H1, times, opened, high, low, close, volume)


def lines(candles: Candles, name: str, parameters: list) -> tuple[np.ndarray, ...]:
    found = getattr(Indicators(candles), name)(*parameters)
    return found if isinstance(found, tuple) else (found,)


def defaults(name: str) -> list:
    return [parameter.default for parameter in INDICATORS[name].parameters]


def small(name: str) -> list:
    """Return parameters unlike the defaults, and all of them different."""
    return SHORT.get(name) or [4 + 3 * place for place, _ in enumerate(defaults(name))]


def closes(*prices: float) -> Indicators:
    return Indicators(candles_of([(p, p, p, p) for p in prices]))


def test_there_are_many_of_every_kind() -> None:
    kinds = [one.kind for one in INDICATORS.values()]

    assert len(INDICATORS) >= 25
    assert {kind: kinds.count(kind) >= 5 for kind in kinds} == dict.fromkeys(
        ("trend", "momentum", "volatility", "volume"), True
    )


@pytest.mark.parametrize("name", INDICATORS)
def test_an_indicator_describes_itself(name: str) -> None:
    one = INDICATORS[name]
    method = inspect.signature(getattr(Indicators, name)).parameters.values()

    assert (one.name, one.doc[-1]) == (name, ".")
    assert [each.name for each in method][1:] == [each.name for each in one.parameters]
    given = [each.default for each in method if each.default is not inspect.Parameter.empty]
    assert given in ([], defaults(name))  # where the method has defaults they are the list's
    assert all(each.least <= each.default <= each.most and each.says for each in one.parameters)
    assert all(line.unit for line in one.lines)


def test_every_public_method_is_listed() -> None:
    assert {name for name in vars(Indicators) if name[0] != "_"} == INDICATORS.keys()


@pytest.mark.parametrize("name", sorted(INDICATORS.keys() - OWN))
@pytest.mark.parametrize("choose", [defaults, small])
def test_an_indicator_is_talibs_to_the_last_bit(name: str, choose) -> None:
    candles, parameters = market(700), choose(name)
    columns = {part: getattr(candles, part) for part in ("open", "high", "low", "close", "volume")}
    function = abstract.Function(TALIBS[name])

    found = lines(candles, name, parameters)

    asked = TAKEN.get(name, list)(parameters)
    function.parameters = dict(zip(function.parameters, asked, strict=True))
    expected = function(columns)
    expected = expected if isinstance(expected, list) else [expected]
    assert len(found) == len(expected) == len(INDICATORS[name].lines)
    for mine, theirs in zip(found, expected, strict=True):
        known = ~np.isnan(mine)  # TA-Lib gives trend as whole numbers, 0 where undefined
        np.testing.assert_array_equal(mine[known], theirs[known])
        assert np.isnan(theirs[~known]).all() or not theirs[~known].any()
    assert function.lookback == INDICATORS[name].lookback(*parameters)


@pytest.mark.parametrize("name", sorted(INDICATORS.keys() - BEGINS_WITH_A_TURN))
@pytest.mark.parametrize("choose", [defaults, small])
def test_lines_begin_after_the_lookback(name: str, choose) -> None:
    candles, parameters = market(700), choose(name)
    lookback = INDICATORS[name].lookback(*parameters)

    for line in lines(candles, name, parameters):
        assert (line.dtype, line.shape) == (np.float64, (700,))
        assert np.flatnonzero(~np.isnan(line))[0] <= lookback
        assert not np.isnan(line[lookback:]).any()


@pytest.mark.parametrize("name", INDICATORS)
def test_too_few_candles_leave_it_undefined(name: str) -> None:
    parameters = small(name)
    lookback = INDICATORS[name].lookback(*parameters)

    for count in {0, 1, lookback} - set(range(lookback + 1, 5)):
        for line in lines(market(count), name, parameters):
            assert np.isnan(line).all()
            assert len(line) == count


@pytest.mark.parametrize("name", INDICATORS)
def test_still_prices_and_no_volume_are_no_error(name: str) -> None:
    flat = np.full(300, 100.1)
    still = replace(market(300), open=flat, high=flat, low=flat, close=flat, volume=np.zeros(300))

    for candles in (still, replace(market(300), volume=np.zeros(300))):
        for line in lines(candles, name, defaults(name)):
            assert line.shape == (300,)
            assert not np.isinf(line).any()


@pytest.mark.parametrize("name", [name for name, one in INDICATORS.items() if one.parameters])
def test_a_parameter_out_of_bounds_is_named(name: str) -> None:
    first = INDICATORS[name].parameters[0]

    with pytest.raises(ValueError, match=f"{name} takes a {first.name} from"):
        lines(market(50), name, [first.least - 1, *small(name)[1:]])


def test_a_period_that_talib_refuses_is_named_where_it_matters() -> None:
    many = candles_of([(100, 100, 100, 100)])
    wide = {part: np.full(100_002, 100.0) for part in ("open", "high", "low", "close", "volume")}
    many = replace(many, opened_ms=np.arange(100_002) * HOUR_MS, **wide)

    with pytest.raises(ValueError, match="sma takes a period from 1 to 100,000, but found 100,001"):
        Indicators(many).sma(100_001)


@pytest.mark.parametrize(
    "name", [name for name, one in INDICATORS.items() if one.warmup(*defaults(name)) is not None]
)
def test_where_candles_begin_does_not_matter_after_the_warmup(name: str) -> None:
    """More history changes what follows by at most some parts in a hundred million."""
    parameters = small(name)
    warmup = warmup_of(name, *parameters)
    candles = market(warmup + 400, seed=8)
    later = replace(
        candles,
        **{part: getattr(candles, part)[200:] for part in COLUMNS},
    )

    for long, short in zip(
        lines(candles, name, parameters), lines(later, name, parameters), strict=True
    ):
        scale = np.nanmax(np.abs(long))
        np.testing.assert_allclose(
            short[warmup:], long[200 + warmup :], rtol=0, atol=2e-8 * scale, equal_nan=False
        )


def test_a_sum_over_all_candles_has_no_warmup() -> None:
    assert [name for name, one in INDICATORS.items() if one.warmup(*defaults(name)) is None] == [
        "obv",
        "ad",
        "vpt",
    ]
    with pytest.raises(ValueError, match="obv sums over all candles"):
        warmup_of("obv")


def test_sma_is_the_mean_of_the_last_closes() -> None:
    assert closes(1, 2, 6, 4).sma(2).tolist()[1:] == [1.5, 4.0, 5.0]
    assert np.isnan(closes(1, 2, 6, 4).sma(2)[0])


def test_rsi_is_defined_after_as_many_changes_as_its_period() -> None:
    # Changes +2 and -1: gains 1, losses 0.5 on average, 100 × 1 / 1.5
    rsi = closes(10, 12, 11).rsi(2)

    assert np.isnan(rsi[:2]).all()
    assert rsi[2] == pytest.approx(200 / 3)


def test_an_indicator_longer_than_its_candles_is_undefined_everywhere() -> None:
    few = closes(1, 2, 3)

    assert np.isnan(few.sma(4)).all()
    assert np.isnan(few.rsi(3)).all()
    assert np.isnan(few.sma(10**30)).all()
    assert closes().sma(5).tolist() == []


def test_indicators_are_read_from_the_closes_as_they_are() -> None:
    prices = market(500).close
    indicators = closes(*prices)

    np.testing.assert_array_equal(indicators.sma(20), talib.SMA(prices, timeperiod=20))
    np.testing.assert_array_equal(indicators.rsi(14), talib.RSI(prices, timeperiod=14))


def test_an_indicator_is_computed_once_and_cannot_be_written() -> None:
    indicators = closes(1, 2, 3)

    assert indicators.sma(2) is indicators.sma(2)
    with pytest.raises(ValueError, match="read-only"):
        indicators.sma(2)[0] = 1.0


def test_lines_of_one_indicator_are_kept_together_and_cannot_be_written() -> None:
    bands = Indicators(market(50)).bollinger(5)

    assert not any(line.flags.writeable for line in bands)


def test_what_is_kept_is_bounded() -> None:
    count = CACHE_BYTES // 8 // 10  # ten lines fit
    candles = replace(market(2), **{part: np.ones(count) for part in COLUMNS})
    indicators = Indicators(candles)

    first = indicators.momentum(1)
    for period in range(2, 9):
        indicators.momentum(period)
    assert indicators.momentum(1) is first
    assert indicators.momentum(9) is indicators.momentum(9)
    again = indicators.momentum(2)
    for period in range(20, 31):
        indicators.momentum(period)
    assert indicators.momentum(2) is not again


def test_a_name_of_another_library_leads_to_ours() -> None:
    assert set(OTHER_NAMES.values()) <= INDICATORS.keys()
    assert not OTHER_NAMES.keys() & INDICATORS.keys()
    for theirs, ours in OTHER_NAMES.items():
        for spelled in (theirs, theirs.upper()):
            with pytest.raises(AttributeError, match=f"{spelled!r}; here it is `{ours}`"):
                getattr(closes(1, 2), spelled)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bolinger", "did you mean `bollinger`"),
        ("supertrnd", "did you mean `supertrend`"),
        ("xyzzy", "called 'xyzzy'. `mela indicators` lists all"),
    ],
)
def test_a_wrong_name_is_answered_with_the_likely_one(name: str, said: str) -> None:
    with pytest.raises(AttributeError) as raised:
        getattr(closes(1, 2), name)
    assert said in str(raised.value)
    assert not hasattr(closes(1, 2), name)


def test_keltners_middle_is_the_exponential_mean_of_typical_prices() -> None:
    """Some programs take closes, of which the second mean here would be 14."""
    candles = candles_of([(10, 12, 6, 12), (12, 18, 12, 12), (12, 24, 9, 15)])
    bands = Indicators(candles).keltner(2, 1, 2.0)

    # typical prices 10, 14, 16: the mean of 10 and 14 first, then 2/3 of the way from 12 to 16
    assert bands.middle[1:] == pytest.approx([12.0, 12.0 + 4.0 * 2 / 3])
    # true ranges of one candle: 6 and 15, two of them on each side
    assert bands.upper[1:] == pytest.approx([24.0, 12.0 + 8.0 / 3 + 30.0])
    assert bands.lower[1:] == pytest.approx([0.0, 12.0 + 8.0 / 3 - 30.0])
