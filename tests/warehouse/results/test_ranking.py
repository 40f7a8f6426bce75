"""SQL ranks results as Python does, with a minimum of trades as without one."""

from __future__ import annotations

import pytest

from mela.metrics import Ranking, rank
from mela.settings import Settings
from tests.warehouse.given import METRICS, a_document, a_run, a_scene
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.scenes.stored_scene import ranking_of

pytestmark = pytest.mark.integration
FOUND = ((9.0, 2), (3.0, 40), (1.0, 30), (None, 50), (5.0, 29), (None, 0))  # sharpe, trades


@pytest.mark.parametrize("min_trades", [0, 1, 30, 1_000])
@pytest.mark.parametrize("metric", ["sharpe", "volatility_ann"])
def test_the_warehouse_and_the_engine_rank_alike(
    warehouse: Settings, metric: str, min_trades: int
) -> None:
    scene_id = a_scene(warehouse, runs=len(FOUND))
    documents = [
        a_document(
            a_run(number + 1),
            scene_id,
            metrics=METRICS._replace(trades=trades),
        )
        | {metric: value}
        for number, (value, trades) in enumerate(FOUND)
    ]
    with transaction(warehouse) as connection:
        assert not finder.save(connection, documents)

    by = Ranking(metric, min_trades)
    with transaction(warehouse) as connection:
        stored = finder.of_scene(connection, scene_id, order_by=by)
        keys = finder.ranked_keys(connection, scene_id, by)
        best = finder.best_of(connection, scene_id, by).overall
        value = finder.best_value(connection, scene_id, by)

    expected = [row["run_key"] for row in rank(documents, by)]
    assert [row["run_key"] for row in stored] == keys == expected
    assert best is not None
    assert (best["run_key"], value) == (expected[0], best[metric])


def test_a_run_with_too_few_trades_wins_no_search_that_asks_for_more(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse, runs=2)
    lucky = a_document(a_run(1), scene_id, metrics=METRICS._replace(sharpe=9.0, trades=2))
    steady = a_document(a_run(2), scene_id, metrics=METRICS._replace(sharpe=1.0, trades=60))
    with transaction(warehouse) as connection:
        assert not finder.save(connection, [lucky, steady])
        alone = finder.best_of(connection, scene_id, "sharpe").overall
        asked = finder.best_of(connection, scene_id, Ranking("sharpe", 30)).overall

    assert alone is not None
    assert asked is not None
    assert (alone["run_key"], asked["run_key"]) == (lucky["run_key"], steady["run_key"])


def test_a_rejected_scene_may_ask_for_any_nonsense() -> None:
    assert ranking_of({"min_trades": "many", "rank_by": "sharpe"}) == Ranking("sharpe")
    assert ranking_of({"min_trades": True}) == Ranking("sharpe")
    assert ranking_of({"min_trades": 30, "rank_by": "calmar"}) == Ranking("calmar", 30)
