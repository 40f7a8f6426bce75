"""The benchmark of the engine, as far as it can be held without measuring."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks import engine
from benchmarks.candles import first, minute_candles, read, write
from benchmarks.indicators import TWINS, differs, frame
from benchmarks.limit import pass_seconds, sum_columns
from benchmarks.pairs import Pair, faster, pairs, slower
from benchmarks.peer import PEERS, requirements
from benchmarks.same import check_same
from benchmarks.scenes import CASH, caught, runs_of, timed
from mela.errors import MelaError

NAMES = ("backtesting", "backtrader", "vectorbt")


@pytest.mark.parametrize("name", NAMES)
def test_the_packages_of_a_peer_are_pinned_and_name_no_index(name):
    lines = requirements(name).read_text(encoding="utf-8").splitlines()

    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [^:]+)?", line), line


@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_of_a_peer_is_what_is_pinned(name):
    asked = (PEERS / f"{name}.in").read_text(encoding="utf-8").split()[0]
    pinned = requirements(name).read_text(encoding="utf-8").splitlines()

    assert re.sub(r"\[\w+\]", "", asked) in pinned


@pytest.mark.parametrize("script", sorted(PEERS.glob("*.py")), ids=lambda path: path.name)
def test_a_worker_knows_nothing_of_mela(script):
    source = script.read_text(encoding="utf-8")

    assert not re.search(r"^\s*(from|import) (mela|backtests|benchmarks)\b", source, re.MULTILINE)


def test_the_reference_pass_sums_the_five_columns():
    of = minute_candles(1_001)
    columns = of.open, of.high, of.low, of.close, of.volume

    assert sum_columns(*columns) == pytest.approx(sum(column.sum() for column in columns), 1e-12)
    assert pass_seconds(of) > 0


def test_the_candles_are_lawful_seeded_and_read_back(tmp_path):
    candles = minute_candles(2_000)
    candles.check()

    write(candles, tmp_path)
    again = read(tmp_path)

    assert np.array_equal(again.close, minute_candles(2_000).close)
    assert np.array_equal(again.opened_ms, candles.opened_ms)
    assert len(first(again, 10)) == 10
    assert np.allclose(candles.close * 100, np.round(candles.close * 100), atol=1e-6, rtol=0)


def test_a_scene_is_timed_from_its_first_candle():
    """Peers have no candles before it, so the same trades need the same start."""
    candles = minute_candles(3_000)

    (outcome,) = timed(candles, runs_of(candles), with_curve=True).outcomes

    assert outcome.candles == 3_000
    assert outcome.run.cash == CASH
    assert outcome.metrics is not None
    assert outcome.metrics.trades > 10
    assert abs(caught(outcome)) < 1


def test_a_faster_row_is_held_against_its_minimum_by_its_median():
    measured = [Pair(1.0, 10.0), Pair(1.0, 30.0), Pair(2.0, 40.0)]

    one = faster("engine.x", measured, "peer", minimum=20, aim=40, note="why")

    assert (one.value, one.lowest, one.highest, one.runs) == (20, 10, 30, 3)
    assert one.met
    assert one.part == "engine"
    assert one.unit == "× peer"
    assert one.note == "Mela 1.00 s, peer 30.00 s; why"


def test_a_slower_row_is_met_at_or_below_its_minimum():
    measured = [Pair(9.0, 1.0)]

    assert not slower("engine.x", measured, "one pass", minimum=8).met
    assert slower("engine.x", measured, "one pass", minimum=9).met


def test_measurements_take_turns():
    said: list[str] = []

    def ours() -> float:
        said.append("ours")
        return 1.0

    def theirs() -> float:
        said.append("theirs")
        return 2.0

    assert pairs(ours, theirs, repeats=2, tries=2) == [Pair(1.0, 2.0)] * 2
    assert said == ["ours", "theirs", "ours"] * 2


def test_different_answers_are_not_compared():
    assert check_same("trades", [100, 200], [100, 201], absolute=1) == 1

    with pytest.raises(MelaError, match=r"trades must agree .* at 1 Mela has 200 and the peer 202"):
        check_same("trades", [100, 200], [100, 202], absolute=1)
    with pytest.raises(MelaError, match="expected 2 values as Mela has, but found 1"):
        check_same("trades", [100, 200], [100])


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_pandas_finds_the_same_indicator(twin):
    candles = minute_candles(5_000)

    assert differs(twin.ours(candles), twin.theirs(frame(candles))) < 1e-6


def test_rows_of_the_engine_alone_are_well_formed(monkeypatch):
    monkeypatch.setattr(engine, "CANDLES", (200, 400, 800))
    monkeypatch.setattr(engine, "RUNS", (2, 4, 8))
    candles = minute_candles(2_000)

    rows = [
        engine.fused(candles),
        engine.grid_step(candles),
        engine.threads(candles),
        engine.growth_in_candles(candles),
        engine.growth_in_runs(candles),
    ]

    assert [one.name for one in rows] == [
        "engine.limit_fused_500k",
        "engine.limit_grid_step_500k",
        "engine.threads",
        "engine.growth_candles",
        "engine.growth_runs",
    ]
    for one in rows:
        assert one.lowest <= one.value <= one.highest
        assert one.note


def test_the_memory_of_a_grid_is_that_of_its_own_process(tmp_path):
    """A child's peak as getrusage tells it is at least its parent's."""
    write(minute_candles(2_000), tmp_path)
    ballast = np.ones(50_000_000)  # 400 MB here, which the child does not hold

    one = engine.memory(tmp_path, runs=20)

    assert ballast[-1] == 1
    assert 0 <= one.value < 200
    assert one.note.startswith("20 of 20 runs")
