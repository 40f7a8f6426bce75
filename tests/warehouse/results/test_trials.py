"""What was tried is found across scenes; an opened holdout stays opened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from mela.block_returns import BlockReturns
from mela.result import Status
from mela.settings import Settings
from tests.warehouse.given import METRICS, NAME, a_document, a_run, a_scene, at
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.results import holdouts, trials

pytestmark = pytest.mark.integration
SPAN = at("2024-01-02"), at("2024-01-03")


def blocks(number: float) -> BlockReturns:
    sums = [number + at / 64 for at in range(16)]
    return BlockReturns.of([sums, [number * number] * 16, [3] * 16])


def tried(settings: Settings, scene_id: str, fast: int, **change: Any) -> str:
    """Record a run and its answer; return its key."""
    status = change.pop("status", Status.SUCCEEDED)
    sharpe = change.pop("sharpe", 1.0)
    run = a_run(fast, **change)
    metrics = METRICS._replace(sharpe=sharpe)
    document = a_document(run, scene_id, status=status, metrics=metrics)
    if status is Status.SUCCEEDED:
        document["blocks"] = blocks(fast).packed()
    with transaction(settings) as connection:
        assert not results.save(connection, [document])
    return run.run_key


def known(settings: Settings, scene_id: str, **change: Any) -> trials.Known:
    asked: dict[str, Any] = {
        "instruments": [NAME],
        "strategies": ["sma_cross"],
        "dates": SPAN,
        "interval": "1h",
        "span": SPAN,
    }
    with transaction(settings) as connection:
        return trials.known(connection, scene_id, **asked | change)


def test_runs_of_all_scenes_count_and_give_their_blocks_this_scenes_first(
    warehouse: Settings,
) -> None:
    mine, other = a_scene(warehouse), a_scene(warehouse)
    for fast in (3, 4):
        tried(warehouse, mine, fast)
    tried(warehouse, other, 4)  # the same run again is one trial
    tried(warehouse, other, 5)

    found = known(warehouse, mine)

    assert found.n_trials == 3
    assert found.own.tolist() == [True, True, False]
    assert sorted(found.blocks[:2, 0, 0].tolist()) == [3.0, 4.0]
    assert found.blocks[2].tolist() == blocks(5).rows.tolist()


def test_only_overlapping_dates_and_the_same_family_count(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse)
    tried(warehouse, scene_id, 3)
    tried(warehouse, scene_id, 3, start=at("2024-01-01"), end=at("2024-01-02"))  # ends before
    tried(warehouse, scene_id, 3, start=at("2024-01-01"), end=at("2024-01-04"))
    tried(warehouse, scene_id, 3, strategy="rsi_reversion", params={})
    tried(warehouse, scene_id, 9, status=Status.FAILED)

    found = known(warehouse, scene_id)

    assert found.n_trials == 2
    assert len(found.blocks) == 1  # of the very same span
    both = known(warehouse, scene_id, strategies=["sma_cross", "rsi_reversion"])
    assert (both.n_trials, len(both.blocks)) == (3, 2)


def test_nothing_tried_is_no_trial(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse)
    found = known(warehouse, scene_id)
    assert (found.n_trials, found.blocks.shape, found.own.tolist()) == (0, (0, 3, 16), [])


def test_no_more_blocks_are_read_than_memory_shall_hold(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_id = a_scene(warehouse)
    for fast in range(3, 8):
        tried(warehouse, scene_id, fast)
    monkeypatch.setattr(trials, "MOST_KNOWN", 4)
    found = known(warehouse, scene_id)
    assert (found.n_trials, len(found.blocks)) == (5, 4)
    assert np.isfinite(found.blocks).all()


def test_the_best_of_each_window(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse)
    later = {"start": at("2024-01-03"), "end": at("2024-01-05")}
    best = [
        tried(warehouse, scene_id, 3, sharpe=2.0),
        tried(warehouse, scene_id, 5, sharpe=0.5, **later),
    ]
    tried(warehouse, scene_id, 4, sharpe=1.0)
    tried(warehouse, scene_id, 6, sharpe=-3.0, **later)
    with transaction(warehouse) as connection:
        found = trials.best_by_window(connection, scene_id, "sharpe")
        top = trials.best_in_span(connection, scene_id, found[0], "sharpe", 9)
    assert {one["run_key"] for one in found} == set(best)
    assert {one["start"] for one in top} == {found[0]["start"]}
    assert [one["sharpe"] for one in top] == sorted((one["sharpe"] for one in top), reverse=True)
    assert len(top) == 2


WINNER = text("""
    INSERT INTO ops.run
    SELECT :key, min(id), '1h', '2024-01-01', '2024-03-01', 'sma_cross', '{}', '{}'
    FROM ops.instrument ON CONFLICT DO NOTHING
""")


def opened(settings: Settings, scene_id: str, **change: Any) -> holdouts.Opening:
    asked: dict[str, Any] = {
        "instruments": [NAME, "binance:ETHUSDT"],
        "interval": "1h",
        "strategies": ["sma_cross"],
        "span": (at("2024-03-01"), at("2024-06-01")),
        "run_key": "a" * 64,
    }
    with transaction(settings) as connection:
        connection.execute(WINNER, {"key": (asked | change)["run_key"]})
        return holdouts.open_once(connection, scene_id, **asked | change)


def test_a_scene_that_comes_again_opens_its_holdout_no_more(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse)
    first = opened(warehouse, scene_id)
    again = opened(warehouse, scene_id, run_key="b" * 64)
    assert first == again
    assert (first.reopened, first.run_key, bool(first.opened_by)) == (0, "a" * 64, True)


@pytest.mark.parametrize(
    ("change", "reopened"),
    [
        ({}, 1),
        ({"instruments": ["binance:ETHUSDT"]}, 1),
        ({"instruments": ["binance:BNBUSDT"]}, 0),
        ({"strategies": ["rsi_reversion"]}, 0),
        ({"interval": "4h"}, 0),
        ({"span": (at("2024-05-31"), at("2024-09-01"))}, 1),
        ({"span": (at("2024-06-01"), at("2024-09-01"))}, 0),
    ],
)
def test_a_later_opening_that_overlaps_is_labelled(
    warehouse: Settings, change: dict[str, Any], reopened: int
) -> None:
    opened(warehouse, a_scene(warehouse))
    assert opened(warehouse, a_scene(warehouse), **change).reopened == reopened
