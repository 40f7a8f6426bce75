"""The laws of all features: causal, windowed, the same bits in a batch and candle by candle."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.context import candle_closes_ms
from backtests.indicators import INDICATORS
from forecasts.features import FEATURES, FeatureSet, parts
from mela.candles import Candles
from mela.interval import Interval
from mela.training import FeatureChoice
from tests.forecasts.made import cut, market, part

OTHER = {"instrument": "test:B"}
NEEDED = {
    "relative_returns": OTHER,
    "beta": OTHER,
    "correlation": OTHER,
    "spread": OTHER,
    "rank": {"instruments": ["test:A", "test:B", "test:C"]},
    "indicator": {"name": "rsi"},
    "higher_returns": {"interval": "1d", "span": 2},
    "higher_volatility": {"interval": "1d", "span": 5},
}
ALL = FeatureSet([FeatureChoice(name=name, params=NEEDED.get(name, {})) for name in FEATURES])


def small(name: str) -> FeatureChoice:
    """Return a feature with short windows, so that few candles test it."""
    fields = FEATURES[name].params.model_fields
    params = dict(NEEDED.get(name, {}))
    if "span" in fields:
        params["span"] = 5
    if "short" in fields:
        params |= {"short": 3, "long": 7}
    if name == "indicator":
        params |= {"name": "sma", "parameters": [5]}
    return FeatureChoice(name=name, params=params)


FEW = FeatureSet([small(name) for name in FEATURES])


def window_of(candles: Candles, features: FeatureSet) -> Candles:
    """Return the last candles that features state to need, and those of their inputs."""
    closed = candle_closes_ms(candles)[-1]
    inputs = {}
    for one in features.inputs.values():
        key = one.instrument or "test:A", one.interval or candles.interval
        series = candles.inputs[key]
        known = int((candle_closes_ms(series) <= closed).sum())
        inputs[key] = part(series, max(0, known - one.warmup - 1), known)
    last = part(candles, max(0, len(candles) - features.window - 1), len(candles))
    return replace(last, inputs=MappingProxyType(inputs))


def test_there_are_at_least_25_features() -> None:
    assert len(FEATURES) >= 25
    assert all(one.doc.endswith(".") for one in FEATURES.values())


@pytest.mark.parametrize("gaps", [False, True])
def test_a_batch_and_the_last_window_give_the_same_bits(gaps: bool) -> None:
    candles = market(1_300, gaps=gaps)["test:A"]
    whole = ALL.compute(candles, "test:A")
    for bar in range(len(candles) - 24, len(candles)):
        seen = cut(candles, int(candle_closes_ms(candles)[bar]))
        alone = ALL.compute(window_of(seen, ALL), "test:A")[-1]
        np.testing.assert_array_equal(alone, whole[bar], err_msg=f"bar {bar}")
    assert not np.isnan(whole[-24:]).any(axis=0).all()


@pytest.mark.parametrize("gaps", [False, True])
def test_parts_of_a_long_series_give_the_bits_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, gaps: bool
) -> None:
    candles = market(3_000, 3, gaps=gaps)["test:A"]
    for features in (FEW, ALL):
        whole = features.compute(candles, "test:A")
        monkeypatch.setattr(parts, "CANDLES", 450)
        monkeypatch.setattr(parts, "WINDOWS", 0)
        assert len(parts.Parts(candles, "test:A", features.window, {}).bounds) > 4
        np.testing.assert_array_equal(features.compute(candles, "test:A"), whole)
        monkeypatch.undo()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), gaps=st.booleans(), data=st.data())
def test_the_last_rows_alone_are_those_of_the_whole(
    seed: int, gaps: bool, data: st.DataObject
) -> None:
    candles = market(420, seed, gaps=gaps)["test:A"]
    whole = FEW.compute(candles, "test:A")
    first = data.draw(st.integers(0, len(candles)))
    np.testing.assert_array_equal(FEW.compute(candles, "test:A", first), whole[first:])


def test_what_has_changed_is_seen_and_what_came_behind_is_no_change() -> None:
    candles = market(300, 5)["test:A"]
    before = cut(candles, int(candle_closes_ms(candles)[200]))
    assert parts.same_until(before, candles) == len(before) == 201
    assert parts.same_until(before, before) == 201
    assert parts.same_until(candles, before) == 0

    def changed(series: Candles, bar: int) -> Candles:
        close = series.close.copy()
        close[bar] *= 1.001
        return replace(series, close=close)

    assert parts.same_until(before, changed(candles, 200)) == 0
    assert parts.same_until(before, changed(candles, 201)) == 201
    key = next(key for key in candles.inputs if key[1] == Interval.D1)
    other = {**candles.inputs, key: changed(candles.inputs[key], 0)}
    assert parts.same_until(before, replace(candles, inputs=MappingProxyType(other))) == 0
    # one that closed before the last of ours, and was not there then
    late = {**before.inputs, key: part(before.inputs[key], 0, len(before.inputs[key]) - 1)}
    assert parts.same_until(replace(before, inputs=MappingProxyType(late)), candles) == 0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), gaps=st.booleans(), data=st.data())
def test_the_last_window_is_enough_wherever_a_series_begins(
    seed: int, gaps: bool, data: st.DataObject
) -> None:
    candles = market(420, seed, gaps=gaps)["test:A"]
    whole = FEW.compute(candles, "test:A")
    bar = data.draw(st.integers(0, len(candles) - 1))
    seen = cut(candles, int(candle_closes_ms(candles)[bar]))
    begin = data.draw(st.integers(0, max(0, bar - FEW.window)))
    later = part(seen, begin, len(seen))
    np.testing.assert_array_equal(FEW.compute(later, "test:A")[-1], whole[bar])
    np.testing.assert_array_equal(FEW.latest(seen, "test:A"), whole[bar])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), bar=st.integers(1, 400))
def test_no_feature_changes_when_later_candles_change(seed: int, bar: int) -> None:
    candles = market(420, 7)["test:A"]
    until = int(candle_closes_ms(candles)[bar])
    rng = np.random.default_rng(seed)

    def other_future(series: Candles) -> Candles:
        late = candle_closes_ms(series) > until
        factor = np.where(late, np.exp(rng.normal(0, 0.5, len(series))), 1.0)
        columns = {
            name: getattr(series, name) * factor for name in ("open", "high", "low", "close")
        }
        return replace(series, volume=np.where(late, series.volume + 5, series.volume), **columns)

    inputs = {key: other_future(one) for key, one in candles.inputs.items()}
    changed = replace(other_future(candles), inputs=MappingProxyType(inputs))
    before, after = FEW.compute(candles, "test:A"), FEW.compute(changed, "test:A")
    np.testing.assert_array_equal(before[: bar + 1], after[: bar + 1])
    assert not np.array_equal(before[bar + 1 :], after[bar + 1 :], equal_nan=True)


@pytest.mark.parametrize("name", sorted(INDICATORS))
def test_each_indicator_begins_anew_at_fixed_instants(name: str) -> None:
    if INDICATORS[name].warmup(*(one.default for one in INDICATORS[name].parameters)) is None:
        with pytest.raises(Exception, match="sums over all candles"):
            FeatureSet([FeatureChoice(name="indicator", params={"name": name})])
        return
    features = FeatureSet([FeatureChoice(name="indicator", params={"name": name})])
    if features.window > 6_000:
        features = FeatureSet(
            [FeatureChoice(name="indicator", params={"name": name, "parameters": SHORTER[name]})]
        )
    candles = market(features.window + 40, gaps=True, names=("a",))["test:A"]
    whole = features.compute(candles, "test:A")[:, 0]
    for bar in range(len(candles) - 3, len(candles)):
        last = part(candles, max(0, bar - features.window), bar + 1)
        np.testing.assert_array_equal(features.compute(last, "test:A")[-1, 0], whole[bar])


SHORTER: dict[str, list[float]] = {"kama": [10]}


def test_few_candles_give_nan_and_no_error() -> None:
    for count in range(4):
        candles = market(count + 60)["test:A"]
        candles = part(candles, 0, count)
        found = ALL.compute(candles, "test:A")
        assert found.shape == (count, len(ALL.names))


def test_a_day_is_joined_when_it_has_closed() -> None:
    candles = market(60)["test:A"]
    features = FeatureSet([FeatureChoice(name="higher_returns", params={"interval": "1d"})])
    found = features.compute(candles, "test:A")[:, 0]
    days = candles.inputs["test:A", Interval.D1]
    moved = np.diff(np.log(days.close))
    at = {int(ms): place for place, ms in enumerate(days.opened_ms)}
    first = at[int(candles.opened_ms[0])]  # the day that opens with the first candle
    # the 24th candle, of 23:00, closes with that day, and is the first to know it
    assert found[22] == moved[first - 2]
    assert found[23] == moved[first - 1]
