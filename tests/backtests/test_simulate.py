"""What `run_all` says of runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import backtests
from backtests.kernel.bars import walk_bars
from backtests.kernel.events import walk_events
from backtests.simulate import provenance, run_all, warm
from backtests.strategies import CATALOGUE
from backtests.testing.instrument import MONDAY_MS
from mela.interval import HOUR_MS
from mela.result import Status
from mela.run import Exits, from_ms
from tests.backtests.simulated import asked, market

# Outcomes of good runs


def test_outcomes_come_in_the_order_of_the_runs() -> None:
    runs = [asked(hours=(start, 100)) for start in (50, 0, 25)]

    outcomes = list(run_all(market(100), runs))

    assert [outcome.run for outcome in outcomes] == runs
    assert [outcome.candles for outcome in outcomes] == [50, 100, 75]


def test_an_outcome_says_what_was_read() -> None:
    (outcome,) = run_all(market(100), [asked(hours=(64, 100), warmup=64)])

    assert (outcome.status, outcome.error) == (Status.SUCCEEDED, None)
    assert outcome.candles == 36
    assert outcome.first_candle_ms == MONDAY_MS + 64 * HOUR_MS
    assert outcome.last_candle_ms == MONDAY_MS + 99 * HOUR_MS
    assert outcome.depends_from_ms == MONDAY_MS
    assert (outcome.warmup_missing, outcome.periods_per_year) == (0, 365.0)


def test_missing_warmup_is_counted_and_leaves_no_first_candle_to_depend_on() -> None:
    (outcome,) = run_all(market(100), [asked(hours=(60, 100), warmup=64)])

    assert (outcome.warmup_missing, outcome.depends_from_ms) == (4, None)


def test_a_span_only_partly_covered_runs_with_warnings() -> None:
    whole = market(100)
    kept = np.r_[5:50, 52:98]
    columns = ("opened_ms", "open", "high", "low", "close", "volume")
    candles = replace(whole, **{name: getattr(whole, name)[kept] for name in columns})

    (outcome,) = run_all(candles, [asked()])

    assert outcome.status is Status.SUCCEEDED
    assert outcome.warnings[:3] == ("starts_late", "ends_early", "gaps")
    assert (outcome.candles, outcome.depends_from_ms) == (91, None)


def test_a_curve_is_given_only_when_asked_for() -> None:
    (bare,) = run_all(market(100), [asked()])
    (full,) = run_all(market(100), [asked()], with_curve=True)

    assert bare.curve is None
    assert full.curve is not None
    assert repr(bare.metrics) == repr(full.metrics)


def test_curves_do_not_share_the_buffer_of_the_next_run() -> None:
    first, _ = run_all(market(100), [asked(), asked(cash=7.0)], with_curve=True)

    assert first.curve.equity[0] == 10_000.0


def test_each_run_reads_exactly_its_own_warmup() -> None:
    """An average of 20 is defined on the first candle of the span, or 20 later."""
    params = {"fast": 10, "slow": 20}
    runs = [asked(hours=(32, 200), warmup=warmup, params=params) for warmup in (0, 32)]

    cold, warmed = run_all(market(200), runs, with_curve=True)

    assert cold.curve.trades[0].entry_at >= from_ms(MONDAY_MS + 52 * HOUR_MS)
    assert warmed.curve.trades[0].entry_at < from_ms(MONDAY_MS + 52 * HOUR_MS)


def test_a_known_instrument_without_candles_in_the_span_has_no_data() -> None:
    (outcome,) = run_all(market(100), [asked(hours=(100, 200), warmup=64)])

    assert (outcome.status, outcome.metrics, outcome.error) == (Status.NO_DATA, None, None)
    assert (outcome.candles, outcome.first_candle_ms, outcome.last_candle_ms) == (0, None, None)
    assert (outcome.depends_from_ms, outcome.periods_per_year) == (None, None)


def test_a_series_without_any_candle_has_no_data() -> None:
    (outcome,) = run_all(market(0), [asked(warmup=64)])

    assert (outcome.status, outcome.warmup_missing) == (Status.NO_DATA, 64)


def test_one_candle_is_enough_to_run() -> None:
    (outcome,) = run_all(market(1), [asked()])

    assert (outcome.status, outcome.metrics.total_return) == (Status.SUCCEEDED, 0.0)


# Representation


@pytest.mark.parametrize("form", ["big-endian", "strided", "read-only", "unaligned", "float32"])
def test_columns_of_any_form_give_the_same_bits(form: str) -> None:
    def reform(values: np.ndarray) -> np.ndarray:
        if form == "big-endian":
            return values.astype(values.dtype.newbyteorder(">"))
        if form == "strided":
            return np.repeat(values, 3)[::3]
        if form == "unaligned":
            raw = np.frombuffer(b"\0" + values.tobytes(), np.uint8)[1:]
            return raw.view(values.dtype)
        if form == "float32":  # prices here are small whole numbers, exact in either
            return values.astype(np.float32) if values.dtype == np.float64 else values
        values.flags.writeable = False
        return values

    columns = ("opened_ms", "open", "high", "low", "close", "volume")
    candles = market(100)
    other = replace(candles, **{name: reform(getattr(candles, name)) for name in columns})

    (expected,) = run_all(market(100), [asked()])
    (outcome,) = run_all(other, [asked()])

    assert repr(outcome.metrics) == repr(expected.metrics)


def test_blocks_hold_every_return_once() -> None:
    (outcome,) = run_all(market(500), [asked(hours=(64, 500), warmup=64)])

    assert sum(outcome.blocks.counts) == 19  # days, the first and the last of them cut
    chained = outcome.metrics.volatility_ann**2 / 365 * 18 + sum(outcome.blocks.sums) ** 2 / 19
    assert sum(outcome.blocks.squares) == pytest.approx(chained, rel=1e-12)


# Versions


def test_provenance_names_the_source_and_the_engine() -> None:
    made_with = provenance("sma_cross", 7)

    assert made_with.strategy_digest == CATALOGUE["sma_cross"].digest
    assert made_with.engine_version == backtests.ENGINE_VERSION
    assert made_with.metrics_version == backtests.METRICS_VERSION
    assert made_with.candles_revision == 7


def test_warming_up_leaves_nothing_to_compile() -> None:
    warm()
    compiled = [list(walk.signatures) for walk in (walk_events, walk_bars)]
    plain = [asked(), asked("rsi_reversion")]

    list(run_all(market(100), [*plain, *(replace(run, direction="both") for run in plain)]))
    list(run_all(market(100), plain, with_curve=True))

    assert [list(walk.signatures) for walk in (walk_events, walk_bars)] == compiled
    assert [len(signatures) for signatures in compiled] == [1, 1]


FIXED = {
    "total_return": 1.9102704473754244,
    "final_equity": 29102.704473754242,
    "cagr": 2126248798.0377843,
    "volatility_ann": 2.3841888408728056,
    "sharpe": 9.934884320796396,
    "sortino": 23.395730825051757,
    "max_drawdown": -0.2848634692585118,
    "exposure_time": 0.14908256880733944,
    "trades": 75,
    "winning_trades": 35,
    "losing_trades": 40,
    "win_rate": 0.4666666666666667,
    "open_trades": 0,
    "fees_paid": 2746.454025970219,
    "ambiguous_bars": 0,
    "buy_hold_return": -0.19828326792727802,
    "calmar": 7464097813.497549,
    "omega": 3.498268448659128,
    "max_drawdown_days": 3.875,
    "avg_drawdown": -0.12609690048426347,
    "profit_factor": 1.4793696048376281,
    "expectancy": 254.70272631672321,
    "sqn": 1.5972740768207123,
    "kelly": 0.18107170582226784,
    "avg_trade": 0.01772692000000002,
    "best_trade": 0.0979000000000003,
    "worst_trade": -0.05242452500000025,
    "slippage_paid": 1041.8742127912699,
    "alpha": 24.00228711489623,
    "beta": 0.1372000953694676,
    "var_95": -0.08193222578712886,
    "cvar_95": -0.18464820431604,
    "tail_ratio": 2.935184822597744,
    "skew": -0.09978709576494996,
    "kurtosis": -0.833170342063255,
    "turnover": 2819.23609970474,
    "psr": 0.9809949441772015,
    "filled_bars": 0,
    "rejected_orders": 0,
    "large_fills": 150,
    "borrow_paid": 0.0,
    "downside_deviation": 1.0124342988098372,
    "up_capture": 1.7522010856129915,
    "down_capture": -0.06464454868636604,
    "avg_mae": -0.026920000000000013,
    "avg_mfe": 0.07620685986027816,
    "stability": 0.7803880269713062,
}


def test_the_numbers_of_a_fixed_run_change_only_with_the_versions() -> None:
    """Where this fails on purpose, raise ENGINE_VERSION or METRICS_VERSION with it."""
    exits = Exits(stop_loss=0.05, take_profit=0.1, cooldown_bars=2)
    levels = {"period": 5, "lower": 40, "upper": 60}
    runs = [
        asked(hours=(64, 500), warmup=64, exits=exits),
        asked("rsi_reversion", (0, 500), params=levels),
    ]

    cross, reversion = run_all(market(500), runs)

    assert (backtests.ENGINE_VERSION, backtests.METRICS_VERSION) == ("3", "3")
    assert cross.metrics._asdict() == pytest.approx(FIXED, rel=1e-12)
    assert cross.warnings == ("short_span", "sharpe_above_5", "large_fills")
    found = reversion.metrics
    assert (found.trades, found.winning_trades, found.exposure_time) == (67, 67, 0.76)
    assert found.total_return == pytest.approx(708283.5653280823, rel=1e-12)
