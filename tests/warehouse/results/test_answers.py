"""warehouse/results/answers.py: stored results as columns are the documents that are found."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import text

from mela.portfolio import OnDrift, Portfolio
from mela.result import Result, Status
from mela.run import Run
from mela.settings import Settings
from tests.warehouse.given import NAME, TODAY, a_document, a_run, a_scene, at, load, rows
from tests.warehouse.given import answer as candles
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.results.answers import answer
from warehouse.results.seals import broken_seals
from warehouse.results.valid_results import VALID_RESULTS, array
from warehouse.results.validity import made_with_today

pytestmark = pytest.mark.integration
ETHER = "binance:ETHUSDT"
SHARED = Portfolio(rebalance=OnDrift(threshold=0.1))


def given(settings: Settings) -> list[Run]:
    """Store results of one scene that differ in all that a result can have, and return its runs."""
    scene_id = a_scene(settings, runs=9)
    for name in (NAME, ETHER):
        load(settings, candles([100.0] * 96, name=name))
    two = TODAY["sma_cross"].on([1, 1])
    later: dict[str, Any] = {"start": at("2024-01-03"), "end": at("2024-01-04")}
    other: dict[str, Any] = {"cash": 7.5}
    made: list[tuple[Run, dict[str, Any]]] = [
        (a_run(fast=3), {}),
        (a_run(fast=4), {"sharpe": None, "trades": None, "sqn": 5e-324, "alpha": -0.0}),
        (a_run(fast=5), {"blocks": None}),
        (a_run(fast=6), {"warnings": ["gaps", "few_trades"], "first_candle_at": None}),
        (a_run(fast=7), {"computed_at": "2024-05-06T07:08:09.000123Z", "status": Status.RUINED}),
        (a_run(fast=3, **later), {}),
        (a_run(fast=4, **other), {}),
        (a_run(others=(ETHER,), portfolio=SHARED), {"made_with": two, "revision": None}),
        (a_run(others=(ETHER,), portfolio=SHARED, **later), {"made_with": two, "revision": None}),
    ]
    documents = [a_document(run, scene_id, **changes) for run, changes in made]
    with transaction(settings) as connection:
        assert results.save(connection, documents) == []
    return [run for run, _ in made]


def test_columns_hold_the_documents_that_are_found(warehouse: Settings) -> None:
    runs = given(warehouse)
    first, second = a_scene(warehouse, runs=9), a_scene(warehouse, runs=2)
    wanted = [(first, run) for run in runs] + [(second, run) for run in (runs[1], runs[7])]
    unknown = [(first, a_run(fast=20))]
    with transaction(warehouse) as connection:
        answered = answer(connection, wanted + unknown, TODAY)
        for scene_id, mine in ((first, runs), (second, [runs[1], runs[7]])):
            found = results.find(connection, mine, TODAY, scene_id)
            [columns] = [one for one in answered if one.scene_id == scene_id]
            rendered = {one.run_key: orjson.loads(one.body) for one in columns.documents()}
            assert rendered == {key: orjson.loads(one) for key, one in found.items()}
            assert len(rendered) == len(mine)
            for document in rendered.values():
                assert Result.model_validate_json(orjson.dumps(document)).cached
    asked = "SELECT count(*) FROM ops.scene_run WHERE scene_id = '{}' AND cached"
    assert rows(warehouse, asked.format(first)) == [(9,)]
    assert rows(warehouse, asked.format(second)) == [(2,)]


def test_what_runs_share_is_spelled_once_for_all_of_them(warehouse: Settings) -> None:
    scene_id, asking = a_scene(warehouse, runs=3), a_scene(warehouse, runs=3)
    runs = [a_run(fast=fast) for fast in (3, 4, 5)]
    same: dict[str, Any] = {"computed_at": "2024-05-06T07:08:09Z"}
    with transaction(warehouse) as connection:
        assert results.save(connection, [a_document(run, scene_id, **same) for run in runs]) == []
        [columns] = answer(connection, [(asking, run) for run in runs], TODAY)
        assert (len(columns), len(columns.shared)) == (3, 1)
        # twice in a transaction, and asked again: the first answer stays
        [again] = answer(connection, [(asking, run) for run in runs], TODAY)
        assert list(again.documents()) == list(columns.documents())
        # what travels as columns can be stored again, and changes nothing
        assert results.save_columns(connection, [columns]) == []
        assert broken_seals(connection) == ([], 3)
    assert rows(warehouse, "SELECT count(*) FROM ops.scene_run") == [(6,)]


def test_each_run_is_looked_up_by_its_key_however_many_are_stored(warehouse: Settings) -> None:
    keys = [a_run(fast=fast).run_key for fast in range(2_000)]
    asked = {"scene_ids": array([str(uuid4())] * 2_000), "keys": array(keys)}
    values = {**asked, **made_with_today(TODAY)}
    with transaction(warehouse) as connection:
        explained = text(f"EXPLAIN SELECT count(*) FROM {VALID_RESULTS}")
        plan = "\n".join(connection.scalars(explained, values))
    assert "Index Scan using run_pkey on run" in plan, plan
    assert "Index Scan using run_family_idx" not in plan, plan
    assert "Seq Scan on run " not in plan, plan


def test_no_stored_result_is_no_answer(warehouse: Settings) -> None:
    given(warehouse)
    with transaction(warehouse) as connection:
        assert answer(connection, [(str(uuid4()), a_run(fast=20))], TODAY) == []
        assert answer(connection, [], TODAY) == []
