"""The page on scaling is what its figures give, and says what breaks first by arithmetic."""

from __future__ import annotations

import doctest

import pytest

from benchmarks import queue_law, scaling_figures, scaling_page
from benchmarks.scaling_figures import Figures, figures
from benchmarks.scaling_page import BLOCKS, PAGE, PICTURE, drawing, limits, page, partitions
from mela.settings import SparkSettings

GIVEN = Figures(
    path_rate=4_000.0,
    idle_s=0.3,
    worker_s=300e-6,
    jvm_s=100e-6,
    postgres_s=100e-6,
    broker_s=50e-6,
    plan_s=50e-6,
    postgres_rate=10_000.0,
    kafka_bytes={"runs": 100.0, "chunk_results": 900.0, "results": 1_500.0},
    postgres_bytes=1_000.0,
    wal_bytes=2_000.0,
    beside={0: 0.3, 1: 1.3},
    giants={1: 4_000.0},
)


def test_the_page_and_its_picture_are_what_the_figures_give() -> None:
    found, text = figures(), PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- computed: {name} -->" in text for name in BLOCKS)
    assert text == page(text, found), "run `make docs`"
    assert PICTURE.read_text(encoding="utf-8") == drawing(found), "run `make docs`"


def test_what_breaks_first_is_the_least_of_the_limits() -> None:
    [one, *_] = limits(GIVEN, 1)
    assert (one.part, one.runs_s) == ("its processors", pytest.approx(8 / 550e-6))
    [ten, *rest] = limits(GIVEN, 10)
    assert (ten.part, ten.runs_s) == ("planning in the driver", pytest.approx(20_000))
    assert [limit.runs_s for limit in rest] == sorted(limit.runs_s for limit in rest)
    executing = next(limit for limit in rest if limit.part == "executing")
    assert executing.runs_s == pytest.approx(5 * 8 / 350e-6)
    assert (partitions(1), partitions(10), partitions(1_000)) == (8, 40, 7_960)


def test_the_law_is_that_of_the_settings() -> None:
    defaults = {name: one.default for name, one in SparkSettings.model_fields.items()}
    assert defaults["chunks_ahead"] == scaling_page.AHEAD
    assert defaults["max_chunks_per_trigger"] == scaling_page.TAKEN
    assert doctest.testmod(scaling_figures).failed == 0
    assert queue_law.batch_law(2, 32, 0.0, 0.2) == pytest.approx(0.3)
