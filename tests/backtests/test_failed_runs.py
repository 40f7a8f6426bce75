"""What makes a run fail, and what `run_all` says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtests.signals import Signals
from backtests.simulate import run_all
from backtests.strategy import Strategy
from backtests.testing.instrument import candles_of
from mela.interval import Interval
from mela.result import Status
from tests.backtests.simulated import asked, failing, giving, market, strategy_of

# Runs that fail alone


def test_a_strategys_exception_fails_its_run_and_no_other() -> None:
    runs = [asked(), asked("made"), asked()]

    outcomes = list(run_all(market(100), runs, catalogue=failing(KeyError("no such column"))))

    assert [o.status for o in outcomes] == [Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED]
    assert outcomes[1].error == ("KeyError", "'no such column'")
    assert (outcomes[1].metrics, outcomes[1].candles) == (None, 100)
    assert repr(outcomes[0].metrics) == repr(outcomes[2].metrics)


@pytest.mark.parametrize("error", [SystemExit(1), MemoryError(), RecursionError("too deep")])
def test_a_strategy_cannot_end_the_process(error: BaseException) -> None:
    (outcome,) = run_all(market(10), [asked("made")], catalogue=failing(error))

    is_memory = isinstance(error, MemoryError)
    assert outcome.status is (Status.OUT_OF_MEMORY if is_memory else Status.FAILED)
    assert outcome.error[0] == type(error).__name__
    assert outcome.error[1]


def test_an_error_is_said_in_characters_that_every_table_takes() -> None:
    (outcome,) = run_all(
        market(10), [asked("made")], catalogue=failing(ValueError("a\0b\ud800c" + "x" * 9_999))
    )

    assert outcome.error[1].startswith("a\ufffdb?c")
    assert len(outcome.error[1]) == 1_000


class Mute(Exception):
    def __str__(self) -> str:
        raise self


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (type("A" * 9_999, (Exception,), {})("c"), ("A" * 1_000, "c")),
        (Mute("nothing"), ("Mute", "its message could not be read")),
    ],
)
def test_an_error_that_is_odd_itself_fails_its_run(error: Exception, said: tuple[str, str]) -> None:
    runs = [asked(), asked("made"), asked()]

    outcomes = list(run_all(market(100), runs, catalogue=failing(error)))

    assert [o.status for o in outcomes] == [Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED]
    assert outcomes[1].error == said


def test_signals_of_another_form_fail_their_run_with_the_way_out() -> None:
    catalogue = giving([False] * 10, np.zeros(10, bool))

    (outcome,) = run_all(market(10), [asked("made")], catalogue=catalogue)

    assert outcome.error == (
        "ValueError",
        "made: `enter` must be a NumPy bool array, got a list; use `np.array(…, dtype=bool)`",
    )


def test_signals_may_be_views_of_any_kind() -> None:
    every_second = np.zeros(20, bool)[::2]
    every_second.flags.writeable = False

    (outcome,) = run_all(market(10), [asked("made")], catalogue=giving(every_second, every_second))

    assert outcome.status is Status.SUCCEEDED


def test_a_strategy_cannot_change_the_candles_of_others() -> None:
    def forge(candles, params, indicators) -> Signals:
        candles.close[:] = 1.0
        return Signals(np.zeros(10, bool), np.zeros(10, bool))

    candles = market(10)
    (outcome,) = run_all(candles, [asked("made")], catalogue=strategy_of(forge))

    assert outcome.error == ("ValueError", "assignment destination is read-only")
    candles.close[0] = 1.0  # the caller's own array stays writable


def test_an_unknown_strategy_fails_its_run() -> None:
    (outcome,) = run_all(market(10), [asked("moon")])

    assert outcome.error[0] == "LookupError"
    assert "'moon'" in outcome.error[1]


def test_refused_params_fail_their_run() -> None:
    (outcome,) = run_all(market(10), [asked(params={"fast": 5, "slow": 2})])

    assert outcome.status is Status.FAILED
    assert "fast must be below slow" in outcome.error[1]


def test_unusable_candles_fail_the_runs_that_read_them() -> None:
    candles = market(100)
    candles.close[80] = np.nan

    read, unread = run_all(candles, [asked(), asked(hours=(0, 80))])

    assert read.error[0] == "CandlesInvalid"
    assert "row 80" in read.error[1]
    assert unread.status is Status.SUCCEEDED


def test_unusable_warmup_candles_fail_the_run_too() -> None:
    candles = market(100)
    candles.high[10] = 1.0

    (outcome,) = run_all(candles, [asked(hours=(64, 100), warmup=64)])

    assert outcome.error[0] == "CandlesInvalid"


def test_candles_out_of_order_fail_every_run() -> None:
    candles = market(100)
    candles.opened_ms[[3, 4]] = candles.opened_ms[[4, 3]]

    outcomes = list(run_all(candles, [asked(), asked(hours=(50, 60))]))

    assert [outcome.error[0] for outcome in outcomes] == ["CandlesInvalid"] * 2


def test_columns_of_unequal_length_fail_the_run() -> None:
    candles = replace(market(100), close=np.ones(99))

    (outcome,) = run_all(candles, [asked()])

    assert outcome.status is Status.FAILED


def test_candles_of_another_interval_fail_the_run() -> None:
    (outcome,) = run_all(replace(market(10), interval=Interval.D1), [asked()])

    assert outcome.error == ("CandlesInvalid", "expected 1h candles, but found 1d ones")


def test_equity_beyond_all_numbers_fails_the_run() -> None:
    huge = candles_of([(1e-300,) * 4, (1e-300,) * 4, (1e300,) * 4], Interval.H1)
    enter, exit = np.array([True, False, False]), np.zeros(3, bool)

    (outcome,) = run_all(huge, [asked("made")], catalogue=giving(enter, exit))

    assert outcome.error == ("OverflowError", "equity must stay finite, but ends at inf")


def test_a_run_that_fails_has_neither_metrics_nor_blocks_nor_caveats() -> None:
    (outcome,) = run_all(market(100), [asked("unknown")])

    assert (outcome.metrics, outcome.blocks, outcome.warnings) == (None, None, ())


# What a signal carries besides its flags


def carrying(**values) -> dict[str, Strategy]:
    def carry(candles, params, indicators) -> Signals:
        enter = np.zeros(len(candles), bool)
        enter[3] = True
        return Signals(enter, np.zeros(len(candles), bool), **values)

    return strategy_of(carry)


@pytest.mark.parametrize("name", ["strength", "stop", "target"])
def test_what_a_signal_carries_is_float64_of_the_candles_shape(name: str) -> None:
    (outcome,) = run_all(
        market(10), [asked("made", hours=(0, 10))], catalogue=carrying(**{name: np.ones(9)})
    )

    assert outcome.error == (
        "ValueError",
        f"made: `{name}` must have one value for each of the 10 candles, got 9",
    )


@pytest.mark.parametrize("strength", [0.0, -0.5, 1.5, np.nan, np.inf])
def test_a_strength_on_an_entry_is_above_0_and_at_most_1(strength: float) -> None:
    values = np.full(10, strength)

    (outcome,) = run_all(
        market(10), [asked("made", hours=(0, 10))], catalogue=carrying(strength=values)
    )

    assert outcome.status == Status.FAILED
    assert "must give strength as above 0 and at most 1 on each entry" in str(outcome.error)


def test_a_strength_is_asked_only_on_candles_that_enter() -> None:
    values = np.full(10, np.nan)
    values[3] = 0.5

    (outcome,) = run_all(
        market(10), [asked("made", hours=(0, 10))], catalogue=carrying(strength=values)
    )

    assert (outcome.status, outcome.error) == (Status.SUCCEEDED, None)


@pytest.mark.parametrize("name", ["stop", "target"])
@pytest.mark.parametrize("level", [0.0, -1.0, np.inf])
def test_a_level_is_a_price_or_nan(name: str, level: float) -> None:
    values = np.full(10, np.nan)
    values[5] = level

    (outcome,) = run_all(
        market(10), [asked("made", hours=(0, 10))], catalogue=carrying(**{name: values})
    )

    assert outcome.error is not None
    assert outcome.error[1].startswith(
        f"made must give {name} as a price above 0, or NaN for no level, but gave {level} on the "
    )
