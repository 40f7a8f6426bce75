"""The lookahead check finds what cheats, clears what does not, and doubts what it could not see."""

from __future__ import annotations

import doctest
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from backtests.lookahead.check import CHECKED, check
from backtests.lookahead.cut_candles import ALL_CUTS, LEAST_CUTS, choose_cuts
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategies import CATALOGUE
from backtests.testing.instrument import candles_of
from cli.candles.candle_file import read_candles
from mela.candles import Candles
from mela.interval import Interval
from mela.settings import REPOSITORY
from mela.verdict import Verdict
from replay.series import PACKAGED
from services.strategies.lookahead import PACKAGED_CANDLES, random_walk
from sources.longer_intervals import longer_candles
from tests.backtests.lookahead import offenders
from tests.backtests.lookahead.lean import Lean, registered
from tests.backtests.lookahead.offenders import crosses, planted

WALK = random_walk(Interval.H1, 1_200, seed=7)
COLUMNS = ("opened_ms", "open", "high", "low", "close", "volume")


@cache
def bitcoin() -> Candles:
    """Hourly Bitcoin, packaged."""
    name, instrument = PACKAGED_CANDLES[Interval.H1]
    candles = read_candles(PACKAGED / name, instrument, Interval.H1)
    return replace(candles, **{name: getattr(candles, name)[:2_500] for name in COLUMNS})


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_registered_strategy_looks_ahead(name: str, desk: Lean) -> None:
    found, _ = desk.check(bitcoin, partial(registered, name))

    assert [difference.sentence() for difference in found.differences] == []
    assert found.verdict is Verdict.CLEAN, found.unverified
    assert found.cuts == found.cuts_possible == 2_499
    assert found.onsets_cut == found.onsets
    assert found.signals > 0
    assert found.compared > 20_000


@pytest.mark.parametrize(
    ("offender", "how", "what"),
    [
        (offenders.shifted, "cut", "e"),
        (offenders.scaled, "cut", "e"),
        (offenders.centred, "cut", "e"),
        (offenders.day_known_at_its_open, "cut", "e"),
        (offenders.counting, "cut", "e"),
        (offenders.best_day_ever, "cut", "exit"),
        (offenders.only_short, "cut", "exit_short"),
        (offenders.remembering, "again", "e"),
        (offenders.scribbling, "writes", "close"),
    ],
)
def test_a_planted_offender_is_found(offender, how: str, what: str) -> None:
    found = check(WALK, planted(offender), {})

    assert found.verdict is Verdict.FOUND
    named = {difference.how: difference for difference in found.differences}
    assert how in named
    assert named[how].what.startswith(what)  # "e": enter or exit, whichever comes first


@pytest.mark.parametrize("offender", [offenders.scaled, offenders.centred, offenders.counting])
def test_lookahead_of_more_than_a_candle_shows_in_the_orders_too(offender) -> None:
    """The signal of a cut's last candle would fill behind it."""
    found = check(WALK, planted(offender), {})
    assert "orders" in {difference.how for difference in found.differences}


def test_the_first_candle_that_differs_is_named() -> None:
    """Bar 6 alone is cheated about, and shows as soon as bar 9 is cut away."""

    def cheat(candles, _params, _indicators) -> Signals:
        enter = np.arange(len(candles)) % 5 == 0
        if len(candles) > 9:
            enter[6] = True
        return Signals(enter, np.zeros(len(candles), dtype=bool))

    found = check(candles_of([(100, 100, 100, 100)] * 20), planted(cheat, 2), {})

    [cut] = [difference for difference in found.differences if difference.how == "cut"]
    assert (cut.bar, cut.what, cut.whole, cut.part) == (6, "enter", "True", "False")
    assert (cut.first, cut.last, cut.count) == (0, 6, 3)  # cuts behind bars 6, 7 and 8
    assert cut.sentence() == (
        "candle 2024-01-07T00:00:00Z (bar 6), enter: on all candles True, "
        "cut short behind bar 6 False"
    )


def test_a_long_series_is_cut_at_signals_at_its_end_and_everywhere() -> None:
    """One candle in 200 is enough to find what looks only one candle ahead, seldom."""
    random = np.random.default_rng(3)
    onsets = np.sort(random.choice(200_000, 20, replace=False))

    cuts = choose_cuts(200_000, onsets, random)

    assert LEAST_CUTS - 10 <= len(cuts) <= LEAST_CUTS
    assert np.isin(onsets + 1, cuts).all()
    assert set(range(200_000 - 33, 200_000)) <= set(cuts.tolist())
    assert np.diff(cuts).max() < 25_000
    assert len(choose_cuts(ALL_CUTS + 1, onsets[:0], random)) == ALL_CUTS


def test_a_rare_look_ahead_on_a_long_series_is_found() -> None:
    walk = random_walk(Interval.M1, 50_000, seed=1)

    def rarely(candles, _params, _indicators) -> Signals:
        ahead = np.append(candles.close[1:] / candles.close[:-1], 1.0)
        return Signals(ahead > 1.04, ahead < 0.96)

    found = check(walk, planted(rarely, 0), {})

    assert found.signals < 20
    assert found.cuts < 500
    assert found.differences[0].how == "cut"


def test_the_same_seed_makes_the_same_cuts() -> None:
    walk, strategy = random_walk(Interval.H1, 4_500), CATALOGUE["sma_cross"]
    assert check(walk, strategy, {}, seed=5) == check(walk, strategy, {}, seed=5)


# More history in front


def test_a_warmup_stated_too_short_is_found() -> None:
    rsi = CATALOGUE["rsi_reversion"]
    honest = replace(rsi, candles_needed=lambda _params: 280)
    short = replace(rsi, candles_needed=lambda _params: 20)

    assert check(WALK, honest, {}).verdict is Verdict.CLEAN
    found = check(WALK, short, {})
    assert {difference.how for difference in found.differences} == {"history"}
    assert found.verdict is Verdict.DEPENDS_ON_HISTORY


def test_a_difference_within_rounding_is_excused_and_counted() -> None:
    """On prices in cents two means tie now and then, and a rolling sum rounds by its history."""
    walk = random_walk(Interval.H1, 3_000)

    found = check(walk, CATALOGUE["sma_cross"], {"fast": 3, "slow": 8})

    assert found.verdict is Verdict.CLEAN
    assert 0 < found.ties < 0.01 * found.compared


def test_what_ties_everywhere_is_not_verified() -> None:
    """Two lines that are equal on paper and differ by rounding: what they say means nothing."""

    def noise(candles, _params, _indicators) -> Signals:
        sums = np.cumsum(candles.close)
        return crosses(sums - np.append(0.0, sums[:-1]), candles.close)

    found = check(random_walk(Interval.H1, 600), planted(noise, 5), {})

    assert found.ties > 0.01 * found.compared
    assert found.verdict is Verdict.NOT_VERIFIED


# Not verified


def silent(candles, _params, _indicators) -> Signals:
    return Signals(*np.zeros((2, len(candles)), dtype=bool))


def raising(_candles, _params, _indicators) -> Signals:
    raise ZeroDivisionError("division by zero")


def numbers(candles, _params, _indicators) -> Signals:
    return Signals(candles.close, candles.close)


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        (silent, "no signal on 1,200 candles"),
        (raising, "raises ZeroDivisionError: division by zero"),
        (numbers, "`enter` must be a NumPy bool array, got an array of float64"),
        (offenders.stumbling, "given the first candle alone, it raises IndexError"),
    ],
)
def test_what_was_not_put_to_the_test_is_not_clean(strategy, why: str) -> None:
    found = check(WALK, planted(strategy), {})

    assert found.verdict is Verdict.NOT_VERIFIED
    assert why in " ".join(found.unverified)


def test_signals_within_the_warmup_alone_are_not_verified() -> None:
    """Where no signal lies beyond the warm-up, more history has nothing to change."""

    def once(candles, _params, _indicators) -> Signals:
        march = candles.opened_ms == WALK.opened_ms[30]
        return Signals(march, np.zeros(len(candles), dtype=bool))

    found = check(WALK, planted(once, 60), {})

    assert found.verdict is Verdict.NOT_VERIFIED
    assert "no signal lies beyond the warm-up of 60 candles" in found.unverified[0]


def test_a_single_candle_is_not_verified() -> None:
    def always(candles, _params, _indicators) -> Signals:
        return Signals(np.ones(len(candles), dtype=bool), np.zeros(len(candles), dtype=bool))

    found = check(candles_of([(100, 100, 100, 100)]), planted(always, 0), {})
    assert found.verdict is Verdict.NOT_VERIFIED


def test_short_signals_that_mirror_are_spelled_out() -> None:
    def mirrored(candles, _params, indicators) -> Signals:
        return crosses(candles.close, indicators.sma(20))

    def spelled(candles, _params, indicators) -> Signals:
        mean = indicators.sma(20)
        above, below = crosses_above(candles.close, mean), crosses_below(candles.close, mean)
        return Signals(above, below, below, above)

    one, other = (check(WALK, planted(each), {}) for each in (mirrored, spelled))
    assert one.verdict is other.verdict is Verdict.CLEAN
    assert one.signals == other.signals


def test_every_example_of_the_lookahead_page_holds() -> None:
    page = REPOSITORY / "docs" / "lookahead.md"

    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")

    assert failed == 0
    assert tried > 15


# Inputs

WITH_DAYS = replace(WALK, inputs={(CHECKED, Interval.D1): longer_candles(WALK, Interval.D1)})


def test_a_strategy_that_peeks_into_an_unclosed_day_is_found() -> None:
    found = check(WITH_DAYS, offenders.reading_days(offenders.peeking_into_the_day), {})

    assert found.verdict is Verdict.FOUND
    assert "cut" in {difference.how for difference in found.differences}


def test_a_strategy_that_waits_for_the_day_to_close_is_clean() -> None:
    found = check(WITH_DAYS, offenders.reading_days(offenders.patient_with_the_day), {})

    assert [difference.sentence() for difference in found.differences] == []
    assert found.verdict is Verdict.CLEAN, found.unverified
    assert found.signals > 0


def test_a_strategy_whose_input_has_no_candles_is_not_verified() -> None:
    found = check(WALK, offenders.reading_days(offenders.patient_with_the_day), {})

    assert found.verdict is Verdict.NOT_VERIFIED
    assert "mela import FILE --instrument check:check --interval 1d" in found.unverified[0]
