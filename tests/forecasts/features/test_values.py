"""Values of features: against pandas, and by hand."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from benchmarks.candles import minute_candles
from benchmarks.forecast_features import NAME, apart
from benchmarks.forecast_twins import OTHER, TWINS, table
from forecasts.features import FEATURES, FeatureSet
from forecasts.features.sums import window_mean, window_moments, window_slope
from mela.candles import Candles
from mela.interval import Interval
from mela.training import FeatureChoice
from tests.forecasts.made import market, of, walk

PLAIN = {"hour_cos", "weekday_sin", "session", "relative_returns", "rank", "indicator"}


@pytest.fixture(scope="module")
def both() -> tuple[Candles, Candles]:
    own, other = minute_candles(3_000), minute_candles(3_000, seed=5)
    return replace(own, inputs=MappingProxyType({(OTHER, Interval.M1): other})), other


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: str(twin.choice.name))
def test_a_feature_is_what_pandas_says(both: tuple[Candles, Candles], twin) -> None:
    candles, other = both
    ours = FeatureSet([twin.choice]).compute(candles, NAME)[:, 0]
    theirs = twin.theirs(table(candles, other)).to_numpy(dtype=np.float64)
    assert np.isfinite(ours).sum() > 2_000
    assert apart(ours, theirs) < 1e-4
    # theirs begins no later; ours may wait for a candle on which pandas counts an unknown move as 0
    starts = [int(np.flatnonzero(np.isfinite(one))[0]) for one in (ours, theirs)]
    assert starts[0] - starts[1] in (0, 1)


def test_each_feature_is_compared_or_reckoned_by_hand() -> None:
    compared = {twin.choice.name for twin in TWINS}
    assert set(FEATURES) - compared == PLAIN | {"higher_returns", "higher_volatility"}


def computed(candles: Candles, name: str, /, **params) -> list[float]:
    features = FeatureSet([FeatureChoice(name=name, params=params)])
    return features.compute(candles, "test:A")[:, 0].tolist()


def test_the_clock_is_that_of_the_close() -> None:
    candles = walk(30)  # from Sunday 2023-01-01, 00:00; the first candle closes at 01:00
    assert computed(candles, "hour_cos")[:6] == pytest.approx(
        [np.cos(2 * np.pi * hour / 24) for hour in range(1, 7)]
    )
    assert computed(candles, "weekday_sin")[0] == pytest.approx(
        np.sin(2 * np.pi * (6 * 24 + 1) / 168)
    )
    assert computed(candles, "hour_sin")[22] != 0.0
    assert computed(candles, "hour_sin")[23] == pytest.approx(0.0, abs=1e-12)  # midnight


def test_the_session_is_told_where_a_market_has_one() -> None:
    opened = 1_672_704_000_000 + np.arange(24, dtype=np.int64) * 3_600_000  # Tuesday, 3 January
    price = np.full(24, 10.0)
    candles = of(Interval.H1, opened, price, price, price, price, price)
    assert set(computed(candles, "session")) == {2.0}
    phases = computed(replace(candles, calendar="XNYS"), "session")
    assert phases[8] == 0.0  # 03:00 in New York
    assert phases[10] == 1.0
    assert phases[15] == 2.0
    assert phases[22] == 3.0


def test_a_rank_counts_those_below_and_half_of_the_equal() -> None:
    candles = market(80)
    names = ("test:A", "test:B", "test:C")
    ranks = np.array(
        [
            FeatureSet(
                [FeatureChoice(name="rank", params={"instruments": list(names), "span": 6})]
            ).compute(candles[name], name)[:, 0]
            for name in names
        ]
    )
    moved = np.array([np.log(candles[name].close[6:] / candles[name].close[:-6]) for name in names])
    expected = np.argsort(np.argsort(moved, axis=0), axis=0) / 2.0
    assert ranks[:, 6:].tolist() == expected.tolist()
    assert np.isnan(ranks[:, :6]).all()


def test_a_return_is_told_relative_to_another() -> None:
    candles = market(40)["test:A"]
    other = candles.inputs["test:B", Interval.H1]
    found = computed(candles, "relative_returns", instrument="test:B", span=4)
    expected = np.log(candles.close[4:] / candles.close[:-4]) - np.log(
        other.close[4:] / other.close[:-4]
    )
    np.testing.assert_allclose(found[4:], expected, rtol=1e-9, atol=1e-12)


def test_an_indicator_in_prices_is_a_share_of_the_close() -> None:
    candles = walk(400)
    found = computed(candles, "indicator", name="sma", parameters=[5])
    mean = np.convolve(candles.close, np.ones(5) / 5, mode="valid")
    defined = np.flatnonzero(np.isfinite(found))
    assert defined[-1] == 399
    assert len(defined) > 250
    np.testing.assert_allclose(
        np.array(found)[defined], mean[defined - 4] / candles.close[defined] - 1, atol=1e-12
    )


def test_an_indicator_forgets_where_it_began() -> None:
    """Begun anew for each block, it is TA-Lib's on the whole series to a few billionths."""
    from backtests.indicators import Indicators

    candles = walk(3_000)
    found = np.array(computed(candles, "indicator", name="rsi", parameters=[14]))
    whole = Indicators(candles).rsi(14)
    defined = np.isfinite(found)
    assert defined.sum() > 2_000
    np.testing.assert_allclose(found[defined], whole[defined], atol=1e-6)


def test_nothing_moves_nothing_is_told() -> None:
    count = 60
    opened = walk(count).opened_ms
    price = np.full(count, 7.0)
    candles = of(Interval.H1, opened, price, price, price, price, np.full(count, 3.0))
    expected = {"rsi": 0.5, "place": 0.5, "body": 0.0, "zscore": 0.0, "volatility": 0.0}
    expected |= {"efficiency": 0.0, "slope": 0.0, "volume_zscore": 0.0, "autocorrelation": 0.0}
    for name, value in expected.items():
        assert computed(candles, name)[-1] == pytest.approx(value, abs=1e-15), name


def test_sums_leave_nothing_behind() -> None:
    """A large value that has left the window changes no bit, as it would of a running sum."""
    values = np.random.default_rng(1).normal(0, 1e-4, 200)
    spoilt = values.copy()
    spoilt[50] = 0.9
    for period in (2, 7, 30):
        for ours, other in zip(
            (window_mean(values, period, 1.0), *window_moments(values, period, 1.0)),
            (window_mean(spoilt, period, 1.0), *window_moments(spoilt, period, 1.0)),
            strict=True,
        ):
            assert ours[50 + period :].tolist() == other[50 + period :].tolist()
            assert ours[50 : 50 + period].tolist() != other[50 : 50 + period].tolist()


def test_a_straight_line_has_its_slope() -> None:
    line = 0.25 * np.arange(40) + 3
    assert window_slope(line, 9, 64.0)[8:].tolist() == pytest.approx([0.25] * 32, rel=1e-12)
    assert np.isnan(window_slope(line, 9, 64.0)[:8]).all()
