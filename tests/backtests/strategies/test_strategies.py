"""The registered strategies: parameters, warm-up, signals and sources."""

from __future__ import annotations

import hashlib
import inspect
import sys
from types import ModuleType

import numpy as np
import pytest
import talib
from pydantic import ValidationError

from backtests.indicators import Indicators
from backtests.signals import Signals
from backtests.strategies import CATALOGUE
from backtests.strategy import REGISTERED, source_digest, strategy
from backtests.testing.instrument import candles_of
from mela.run import Part, rounded_warmup

PRICES = [10, 9, 8, 7, 8, 10, 12, 11, 9, 6, 5, 8]


def signals(name: str, closes: list[float], **params) -> tuple[list[int], list[int]]:
    candles = candles_of([(p, p, p, p) for p in closes])
    model = CATALOGUE[name].params.model_validate(params)
    found = CATALOGUE[name].signals(candles, model, Indicators(candles)).signals()
    return np.flatnonzero(found.enter).tolist(), np.flatnonzero(found.exit).tolist()


def test_the_catalogue_names_the_strategies() -> None:
    assert {"sma_cross", "rsi_reversion"} <= CATALOGUE.keys()
    assert all(CATALOGUE[name].name == name for name in CATALOGUE)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_strategy_describes_itself_and_each_parameter(name: str) -> None:
    assert CATALOGUE[name].doc.endswith(".")
    for field in CATALOGUE[name].params.model_fields.values():
        assert field.description


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_strategy_says_nothing_on_too_few_candles(name: str, count: int) -> None:
    always = list(range(count)) if name == "buy_and_hold" else []  # it needs no candle to decide
    assert signals(name, [100.0] * count) == (always, [])


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_digest_is_of_the_modules_source(name: str) -> None:
    assert len(CATALOGUE[name].digest) == 64
    source = inspect.getsource(sys.modules[CATALOGUE[name].signals.__module__])
    assert CATALOGUE[name].source == source_digest(source)
    if not CATALOGUE[name].combines:
        assert CATALOGUE[name].digest == CATALOGUE[name].source


def test_a_digest_does_not_depend_on_line_ends() -> None:
    assert source_digest("a\r\nb\r\n") == source_digest("a\rb\r") == source_digest("a\nb\n")
    assert source_digest("a\nb") != source_digest("ab")


def test_a_digest_is_the_sha_256_of_the_source_with_its_lines_ended_alike() -> None:
    assert source_digest("a\r\nb") == hashlib.sha256(b"a\nb").hexdigest()


# sma_cross


def test_sma_cross_enters_and_exits_on_crossings() -> None:
    # means of 2: - 9.5 8.5 7.5 7.5 9.0 11.0 11.5 10.0 7.5 5.5 6.5
    # means of 3: - -   9.0 8.0 7.67 8.33 10 11 10.67 8.67 6.67 6.33
    assert signals("sma_cross", PRICES, fast=2, slow=3) == ([5, 11], [8])


def test_sma_cross_needs_both_means_on_both_candles() -> None:
    # On bar 2 the fast mean is above the slow one, which has no value on bar 1.
    assert signals("sma_cross", [3, 1, 5, 6, 7], fast=1, slow=3) == ([], [])


def test_sma_cross_follows_talibs_rounding() -> None:
    closes = (100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 400)))).round(1)
    fast, slow = talib.SMA(closes, 3), talib.SMA(closes, 7)
    expected = [i for i in range(1, 400) if fast[i - 1] <= slow[i - 1] and fast[i] > slow[i]]

    assert signals("sma_cross", closes, fast=3, slow=7)[0] == expected


def test_sma_cross_has_these_defaults_and_warms_up_for_the_slow_mean() -> None:
    assert CATALOGUE["sma_cross"].params().model_dump() == {"fast": 10, "slow": 30}
    assert CATALOGUE["sma_cross"].warmup({}) == 30
    assert CATALOGUE["sma_cross"].warmup({"slow": 70}) == 70
    assert rounded_warmup(CATALOGUE["sma_cross"].warmup({"slow": 70})) == 128


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"fast": 0}, ("fast",)),
        ({"fast": True}, ("fast",)),
        ({"fast": "10"}, ("fast",)),
        ({"fast": 1.5}, ("fast",)),
        ({"slow": None}, ("slow",)),
        ({"medium": 20}, ("medium",)),
        ({"fast": 30, "slow": 30}, ()),
        ({"fast": 40}, ()),
    ],
)
def test_sma_cross_refuses_what_it_cannot_mean(params: dict, where: tuple) -> None:
    with pytest.raises(ValidationError) as refused:
        CATALOGUE["sma_cross"].warmup(params)

    assert [error["loc"] for error in refused.value.errors()] == [where]


def test_a_whole_number_may_be_written_as_a_double() -> None:
    assert CATALOGUE["sma_cross"].params(fast=5.0, slow=9.0).model_dump() == {"fast": 5, "slow": 9}


# rsi_reversion


def test_rsi_reversion_enters_below_lower_and_exits_above_upper() -> None:
    # RSI of 2, seeded on bar 2: 100 100 50 25 | 62.5 81.25 by Wilder's means of gain and loss
    closes = [10, 11, 12, 11, 10, 11, 12]
    rsi = talib.RSI(np.array(closes, float), 2)
    assert rsi[2:] == pytest.approx([100, 50, 25, 62.5, 81.25])

    assert signals("rsi_reversion", closes, period=2, lower=30, upper=70) == ([4], [6])


def test_rsi_reversion_counts_a_level_as_not_yet_crossed() -> None:
    closes = [10, 11, 12, 11, 10, 11, 12]

    assert signals("rsi_reversion", closes, period=2, lower=25, upper=81.25) == ([], [])
    assert signals("rsi_reversion", closes, period=2, lower=50, upper=62.5) == ([4], [6])


def test_rsi_reversion_has_these_defaults_and_warms_up_for_twenty_periods() -> None:
    expected = {"period": 14, "lower": 30.0, "upper": 70.0}

    assert CATALOGUE["rsi_reversion"].params().model_dump() == expected
    assert CATALOGUE["rsi_reversion"].warmup({}) == 280


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"period": 1}, ("period",)),
        ({"lower": 0}, ("lower",)),
        ({"upper": 100}, ("upper",)),
        ({"lower": "30"}, ("lower",)),
        ({"lower": float("nan")}, ("lower",)),
        ({"lower": 70}, ()),
        ({"lower": 80, "upper": 20}, ()),
    ],
)
def test_rsi_reversion_refuses_what_it_cannot_mean(params: dict, where: tuple) -> None:
    with pytest.raises(ValidationError) as refused:
        CATALOGUE["rsi_reversion"].warmup(params)

    assert [error["loc"] for error in refused.value.errors()] == [where]


# Registration


@pytest.fixture
def rival(monkeypatch: pytest.MonkeyPatch, tmp_path) -> ModuleType:
    """Import a module whose strategy takes a name that is taken."""
    source = tmp_path / "rival.py"
    source.write_text('def sma_cross(candles, params, indicators):\n    """Rival."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("rival")
    monkeypatch.setitem(sys.modules, "rival", module)
    return module


def test_a_taken_name_is_refused(rival: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"already registered by backtests\.strategies\.sma_cross"):
        strategy(Part, warmup=lambda _params: 0)(rival.sma_cross)


def test_a_function_becomes_a_strategy_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stay_out(candles, params, indicators) -> Signals:
        """Never trade.

        For those who would rather not.
        """
        never = np.zeros(len(candles), dtype=bool)
        return Signals(never, never)

    monkeypatch.setitem(REGISTERED, "stay_out", None)  # so that it is taken out again
    assert strategy(Part, warmup=lambda _params: 3)(stay_out) is stay_out

    assert CATALOGUE["stay_out"].doc == "Never trade."
    assert CATALOGUE["stay_out"].warmup({}) == 3
