"""What a search hands on: the best of each training window that traded often enough."""

from __future__ import annotations

from typing import Any

from backtests.search.choice import chosen_by_window, training_window, winner_of
from mela.scene import Scene, parse_scene

NAME = "binance:BTCUSDT"


def scene_with(min_trades: int) -> Scene:
    return parse_scene(
        {
            "instruments": [NAME],
            "interval": "1d",
            "start": "2023-01-01T00:00:00Z",
            "end": "2023-07-01T00:00:00Z",
            "strategy": {"name": "sma_cross"},
            "search": {"kind": "grid", "space": {"strategy.params.fast": [5, 10]}},
            "validation": {"kind": "walk_forward", "train": "60d", "test": "30d"},
            "min_trades": min_trades,
        }
    )


def documents(scene: Scene) -> list[dict[str, Any]]:
    """A run that was lucky twice and one that traded often, in each training window."""
    found: list[dict[str, Any]] = []
    for fold in scene.folds:
        start, end = training_window(fold)
        asked = {"instruments": [NAME], "start": start, "end": end, "status": "succeeded"}
        found.append({**asked, "run_key": f"lucky {start}", "sharpe": 9.0, "trades": 2})
        found.append({**asked, "run_key": f"steady {start}", "sharpe": 1.0, "trades": 40})
    return found


def test_a_walk_forward_chooses_among_runs_with_enough_trades() -> None:
    for min_trades, kind in ((0, "lucky"), (30, "steady")):
        scene = scene_with(min_trades)
        chosen = chosen_by_window(scene, documents(scene))

        assert len(chosen[NAME]) == len(scene.folds) > 1
        assert all(one and one["run_key"].startswith(kind) for one in chosen[NAME])
        winner = winner_of(scene, None, chosen)
        assert winner is not None
        assert winner["run_key"].startswith(kind)


def test_where_no_run_has_enough_trades_the_best_of_them_is_chosen() -> None:
    scene = scene_with(1_000)

    chosen = chosen_by_window(scene, documents(scene))

    assert all(one and one["run_key"].startswith("lucky") for one in chosen[NAME])


def test_without_a_minimum_a_scene_is_the_question_that_it_was() -> None:
    assert "min_trades" not in scene_with(0).content()
    assert scene_with(30).content()["min_trades"] == 30
