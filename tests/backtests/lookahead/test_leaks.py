"""Planted leaks are found, reaches are named with their line, and honest strategies are cleared."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtests.lookahead.report import Checked
from mela.interval import Interval
from mela.verdict import Verdict
from services.strategies.lookahead import random_walk
from tests.backtests.lookahead import honest, leaks, memories
from tests.backtests.lookahead.lean import Lean, leaking

MADE = partial(random_walk, Interval.H1, 450, seed=11)
WALK = MADE()
WARMUP = 60
LEAKS = (
    leaks.resampled_day,
    leaks.centred_rolling,
    leaks.whole_series,
    leaks.shifted_back,
    leaks.sorted_by_future,
    leaks.filled_back,
    leaks.interpolated,
    leaks.quantile_of_all,
    leaks.ranked,
    leaks.filtered_both_ways,
    leaks.fourier,
    leaks.regressed,
    leaks.turning_points,
    leaks.stop_knows_the_low,
    leaks.sized_by_tomorrow,
    leaks.weighted_by_tomorrow,
    leaks.last_candle_is_other,
    leaks.fitted_on_first_call,
    leaks.fitted_once_there_is_enough,
    leaks.longest_seen,
    leaks.class_state,
    leaks.closure_state,
    leaks.mutable_default,
    leaks.function_attribute,
    leaks.cached_by_length,
    leaks.cached_by_begin_and_length,
    leaks.class_of_module,
)
REACHES = (
    (leaks.future_in_parquet, "file"),
    (leaks.future_in_numpy, "file"),
    (leaks.future_read_once, "file"),
    (leaks.csv_with_pandas, "file"),
    (leaks.network, "network"),
    (leaks.process, "process"),
    (leaks.clock, "clock"),
    (leaks.clock_of_datetime, "clock"),
    (leaks.clock_of_pandas, "clock"),
    (leaks.clock_of_numpy, "clock"),
    (leaks.environment, "environment"),
    (leaks.getenv, "environment"),
    (leaks.chance, "chance"),
    (leaks.chance_of_old_numpy, "chance"),
    (leaks.chance_of_python, "chance"),
)
LONG_MEMORIES = (
    memories.expanding_mean,
    memories.expanding_zscore,
    memories.seeded_by_row,
    memories.highest_ever,
    memories.warmup_too_short,
)
HONEST = (
    honest.causal_ema,
    honest.causal_rolling,
    honest.pandas_ewm,
    honest.shifted_on,
    honest.numba_channel,
    honest.seeded_by_time,
    honest.weekday,
    leaks.local_time,
    honest.cached_constants,
    honest.counting_calls,
    honest.loop,
    honest.lazy_import,
    honest.printing,
    honest.honest_stop,
)


@pytest.fixture
def checked(desk: Lean) -> Callable[[Any], Checked]:
    return lambda strategy: desk.check(MADE, leaking(strategy, WARMUP))[0]


@pytest.fixture
def future(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put what the next candles bring into files of the working folder."""
    rises = np.append(np.diff(WALK.close), 0.0)
    table = pa.table({"opened_ms": WALK.opened_ms, "rises": rises})
    pq.write_table(table, tmp_path / leaks.FUTURE)
    np.save(tmp_path / leaks.TIMES, WALK.opened_ms)
    np.save(tmp_path / leaks.LEVELS, rises)
    (tmp_path / "levels.csv").write_text("level\n1.0\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("leak", LEAKS, ids=lambda one: one.__name__)
def test_a_planted_leak_is_found(checked, leak) -> None:
    found = checked(leak)
    assert found.verdict is Verdict.FOUND, (found.unverified, found.reaches)


@pytest.mark.usefixtures("future")
@pytest.mark.parametrize(("reach", "kind"), REACHES, ids=lambda one: getattr(one, "__name__", one))
def test_a_reach_beside_the_candles_is_not_verified_and_has_its_line(
    checked, reach, kind: str
) -> None:
    found = checked(reach)

    assert found.verdict is Verdict.NOT_VERIFIED, found.differences
    first = reach.__code__.co_firstlineno
    end = first + len(inspect.getsource(reach).splitlines())
    mine = [one for one in found.reaches if one.kind == kind]
    assert mine, found
    assert all(Path(one.file) == Path(leaks.__file__) for one in mine)
    assert all(first <= one.line < end for one in mine), mine


@pytest.mark.usefixtures("future")
def test_a_reach_below_python_shows_beside_files_of_libraries(checked) -> None:
    found = checked(leaks.parquet_and_time_zones)

    assert found.verdict is Verdict.NOT_VERIFIED
    assert [one.what for one in found.reaches] == ["pq.read_table(FUTURE)"]


def test_chance_within_compiled_code_is_not_verified(checked) -> None:
    found = checked(leaks.chance_of_numba)

    assert found.verdict is Verdict.NOT_VERIFIED
    assert "two processes that had not seen it gave two answers" in found.unverified[0]


def test_a_strategy_that_raises_on_short_candles_is_not_verified(checked) -> None:
    found = checked(leaks.needs_twenty)

    assert found.verdict is Verdict.NOT_VERIFIED
    assert found.differences == ()
    assert "given the first candle alone, it raises ValueError" in found.unverified[0]
    assert "(leaks.py, line" in found.unverified[0]


@pytest.mark.parametrize("strategy", LONG_MEMORIES, ids=lambda one: one.__name__)
def test_what_depends_on_the_beginning_alone_is_named_so(checked, strategy) -> None:
    found = checked(strategy)

    assert found.verdict is Verdict.DEPENDS_ON_HISTORY, (found.unverified, found.differences)
    assert [difference.how for difference in found.differences] == ["history"]


@pytest.mark.parametrize("strategy", HONEST, ids=lambda one: one.__name__)
def test_an_honest_strategy_is_cleared(strategy, desk: Lean) -> None:
    found, printed = desk.check(MADE, leaking(strategy, 80))

    assert found.verdict is Verdict.CLEAN, (found.unverified, found.reaches, found.differences)
    assert found.fresh > 10
    assert printed == ""
