"""The simulated queue keeps the laws that are known, and those of the job path's policy."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace

import pytest

from benchmarks import queue_law
from benchmarks.queue_law import (
    SLICE,
    Law,
    batch_law,
    erlang_c,
    pollaczek_khinchine,
    simulate,
)
from streaming.slices import SLICE_CHUNKS

MANY = 60_000


def test_the_same_seed_gives_the_same_waits() -> None:
    law = Law(cores=2, rate=1.0, small_s=1.0, giants=2, chunk_s=0.1, batch=64, batch_s=0.05)
    first, again, other = (simulate(law, 500, seed) for seed in (1, 1, 2))
    assert first.small.tolist() == again.small.tolist() != other.small.tolist()
    assert first.giants == again.giants


@pytest.mark.parametrize("load", [0.3, 0.7])
@pytest.mark.parametrize(("spread", "moment"), [("fixed", 1.0), ("exponential", 2.0)])
def test_one_core_is_the_queue_of_pollaczek_and_khinchine(
    load: float, spread: str, moment: float
) -> None:
    law = Law(cores=1, rate=load, small_s=1.0, spread=spread)  # type: ignore[arg-type]
    found = simulate(law, MANY, seed=1).small.mean()
    assert found == pytest.approx(pollaczek_khinchine(load, 1.0, moment), rel=0.06)


@pytest.mark.parametrize(("cores", "load"), [(2, 0.5), (2, 0.8), (8, 0.8)])
def test_several_cores_are_the_queue_of_erlang(cores: int, load: float) -> None:
    law = Law(cores=cores, rate=load * cores, small_s=1.0, spread="exponential")
    assert law.load == pytest.approx(load)
    found = simulate(law, MANY, seed=3).small.mean()
    assert found == pytest.approx(erlang_c(cores, law.rate, 1.0), rel=0.08)


def test_a_rare_scene_beside_giants_waits_for_half_a_batch() -> None:
    giants = Law(cores=2, rate=0.3, small_s=1e-6, giants=1, chunk_s=0.06, batch=64, batch_s=0.1)
    expected = batch_law(2, 32, 0.06, 0.1)
    for number in (1, 4):
        found = simulate(replace(giants, giants=number), 2_000, seed=4)
        assert found.small.mean() == pytest.approx(expected, rel=0.05)
        # never longer than a whole batch, its cost and that of the next
        assert found.small.max() <= 16 * 0.06 + 2 * 0.1 + 1e-9
        assert max(found.giants) - min(found.giants) <= 2 * SLICE  # giants share the machine


def test_without_the_bound_a_small_scene_waits_for_the_whole_giant() -> None:
    law = Law(
        cores=2,
        rate=1.0,
        small_s=0.01,
        giants=1,
        chunk_s=0.06,
        ahead=math.inf,
        unbounded=4_000,
        batch=64,
    )
    assert simulate(law, 1, seed=5).small[0] > 0.9 * 4_000 * 0.06 / 2
    bounded = replace(law, ahead=32)
    assert simulate(bounded, 1, seed=5).small[0] < 2 * 32 * 0.06 / 2


def test_the_slices_are_those_of_the_job() -> None:
    assert SLICE == SLICE_CHUNKS
    assert doctest.testmod(queue_law).failed == 0
    with pytest.raises(ValueError, match="below 2 cores"):
        erlang_c(2, 2.0, 1.0)
    with pytest.raises(ValueError, match="below 1"):
        pollaczek_khinchine(1.0, 1.0, 1.0)
