"""warehouse/retention: what goes, what stays, and that no number moves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from mela.errors import NotFound
from mela.messages import MessagePosition
from mela.settings import PruneSettings, Settings
from services.runs.lineage import trace_result
from services.runs.results import results_of
from services.runs.stored_runs import trades_of
from tests.warehouse.given import NAME, TODAY, a_run, a_scene, rows
from tests.warehouse.results.test_trials import known, tried
from warehouse.database import transaction
from warehouse.pruning_lock import keep_pruning_out
from warehouse.results import finder as results
from warehouse.results.seals import broken_seals
from warehouse.retention.thinning import Thinned, measure, thin
from warehouse.scenes import records

pytestmark = pytest.mark.integration
FASTS = range(3, 9)
BEST = 2


@pytest.fixture(autouse=True)
def nothing_else(warehouse: Settings) -> None:
    """Scenes that other tests left would be thinned too."""
    with transaction(warehouse) as connection:
        connection.execute(
            text("UPDATE ops.scene SET finished_at = now() WHERE finished_at IS NOT NULL")
        )


def with_rules(settings: Settings, **rules: int) -> Settings:
    asked = {"scene_days": 365, "curve_days": 180, "keep_best": BEST, "batch": 3} | rules
    return settings.model_copy(update={"prune": PruneSettings(**asked)})


def ended(settings: Settings, scene_id: str, days: int = 400) -> str:
    with transaction(settings) as connection:
        connection.execute(
            text(
                "UPDATE ops.scene SET status = 'finished', runs = (SELECT count(*) FROM"
                " ops.scene_run a WHERE a.scene_id = scene.scene_id),"
                " planned_at = now() - make_interval(days => :days),"
                " finished_at = now() - make_interval(days => :days) WHERE scene_id = :id"
            ),
            {"days": days, "id": scene_id},
        )
    return scene_id


def a_search(settings: Settings, days: int = 400, fasts: Any = FASTS) -> str:
    """Record a scene whose runs have a sharpe as large as their `fast`."""
    scene_id = a_scene(settings)
    for fast in fasts:
        tried(settings, scene_id, fast, sharpe=float(fast))
    return ended(settings, scene_id, days)


def kept(settings: Settings, scene_id: str) -> list[float]:
    with transaction(settings) as connection:
        return [one["sharpe"] for one in results.of_scene(connection, scene_id, order_by="sharpe")]


def statistics(settings: Settings, *scene_ids: str) -> list[tuple[int, bytes, list[bool]]]:
    found = [known(settings, scene_id) for scene_id in scene_ids]
    return [(one.n_trials, one.blocks.tobytes(), one.own.tolist()) for one in found]


def test_the_best_stay_and_no_statistic_moves(warehouse: Settings) -> None:
    old, other = a_search(warehouse), a_search(warehouse, fasts=(4, 20, 21, 22))
    young = a_search(warehouse, days=10, fasts=(5, 30, 31, 32))
    fresh = a_scene(warehouse)
    before = statistics(warehouse, old, other, young, fresh)
    assert before[0][0] == len({*FASTS, 20, 21, 22, 30, 31, 32})
    rules = with_rules(warehouse)
    would = measure(rules)

    went = thin(rules)

    assert (went.results, went.runs) == (would.results, would.runs) == (4, 4)
    assert went.result_bytes == would.result_bytes > 4 * 384
    assert kept(warehouse, old) == [8.0, 7.0, 5.0]  # 5 is a young scene's too
    assert kept(warehouse, other) == [22.0, 21.0]
    assert kept(warehouse, young) == [32.0, 31.0, 30.0, 5.0]
    assert statistics(warehouse, old, other, young, fresh) == before
    with transaction(warehouse) as connection:
        assert broken_seals(connection, scene_id=old) == ([], 3)
    assert thin(rules) == Thinned()


def test_what_was_pruned_is_computed_again_and_is_no_new_trial(warehouse: Settings) -> None:
    old, fresh = a_search(warehouse), a_scene(warehouse)
    before = statistics(warehouse, old, fresh)
    runs = [a_run(fast) for fast in FASTS]
    thin(with_rules(warehouse))
    with transaction(warehouse) as connection:
        assert len(results.find(connection, runs, TODAY, fresh)) <= BEST + 1
    again = a_search(warehouse, days=1)

    assert statistics(warehouse, old, fresh) == before
    ended(warehouse, again)
    thin(with_rules(warehouse))  # and pruned again
    assert statistics(warehouse, old, fresh) == before


def test_a_scene_that_comes_again_under_its_id_is_the_same_scene(warehouse: Settings) -> None:
    old = a_search(warehouse)
    thin(with_rules(warehouse))
    content: dict[str, Any] = {"name": "a scene"}
    with transaction(warehouse) as connection:
        receipt = records.receive(
            connection,
            old,
            content,
            "hash",
            runs=6,
            skipped=0,
            name=None,
            origin=MessagePosition("mela.scenes", 0, 9),
        )
        [counted] = results.progress(connection, [old])
    assert (receipt.outcome, receipt.finished_at is not None) == ("repeated", True)
    assert (counted.recorded, counted.runs) == (len(FASTS), len(FASTS))


@pytest.mark.parametrize("reason", ["pinned", "holdout", "schedule", "unfinished", "young"])
def test_what_is_referred_to_stays(warehouse: Settings, reason: str) -> None:
    old = a_search(warehouse, days=364 if reason == "young" else 400)
    statement = {
        "pinned": "INSERT INTO ops.scene_pin (scene_id) VALUES (:id)",
        "holdout": (
            "INSERT INTO ops.holdout (scene_id, instruments, interval, strategies, start_at,"
            f" end_at, run_key) VALUES (:id, '{{{NAME}}}', '1h', '{{sma_cross}}', '2024-01-02Z',"
            f" '2024-01-03Z', '{a_run(3).run_key}')"
        ),
        "schedule": (
            "INSERT INTO ops.scene_schedule (name, content, interval, span, last_scene_id,"
            " last_covered_until) VALUES (CAST(:id AS text), '{}', '1h', '30d', :id, now())"
        ),
        "unfinished": "UPDATE ops.scene SET status = 'planned' WHERE scene_id = :id",
    }.get(reason, "SELECT CAST(:id AS uuid)")
    with transaction(warehouse) as connection:
        connection.execute(text(statement), {"id": old})
    thin(with_rules(warehouse))
    assert len(kept(warehouse, old)) == len(FASTS)


def test_reading_what_was_pruned_says_when_by_which_rule_and_the_way_back(
    warehouse: Settings,
) -> None:
    old = a_search(warehouse, fasts=range(40, 46))
    gone = a_run(40).run_key
    thin(with_rules(warehouse))

    said = results_of(UUID(old), warehouse).pruned
    assert said is not None
    assert said.sentence.startswith("4 of its results were pruned on 20")
    assert "ended more than 365 days ago keeps its best 2" in said.sentence
    assert f"`mela prune --restore {old}`" in said.sentence
    for reading in (
        lambda: trace_result(gone[:12], warehouse),
        lambda: trades_of(UUID(old), warehouse, run=gone[:9]),
        lambda: trades_of(UUID(old), warehouse, run="3"),
    ):
        with pytest.raises((NotFound, ValueError), match=f"pruned on .*--restore {old}"):
            reading()


def test_a_pass_that_is_killed_goes_on(warehouse: Settings) -> None:
    old = a_search(warehouse)
    before = statistics(warehouse, old)

    def killed(_: Thinned) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        thin(with_rules(warehouse), after_batch=killed)
    assert len(kept(warehouse, old)) == 3
    assert statistics(warehouse, old) == before
    thin(with_rules(warehouse))
    assert (len(kept(warehouse, old)), statistics(warehouse, old)) == (BEST, before)
    passes = "SELECT finished_at IS NULL FROM ops.prune ORDER BY id DESC LIMIT 2"
    assert rows(warehouse, passes) == [(False,), (True,)]


def test_an_answer_that_is_being_stored_is_not_pruned(warehouse: Settings) -> None:
    """A saver finds a result and records it as a new scene's answer: the pass waits for it."""
    old, new = a_search(warehouse), a_scene(warehouse)
    run = a_run(min(FASTS))
    with ThreadPoolExecutor(1) as pool:
        with transaction(warehouse) as connection:
            keep_pruning_out(connection)
            pass_ = pool.submit(thin, with_rules(warehouse))
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not rows(warehouse, waits)[0][0]:
                assert not pass_.done()
            assert results.answer(connection, [(new, run)], TODAY)
        pass_.result(timeout=30)
    assert kept(warehouse, new) == [float(min(FASTS))]
    assert float(min(FASTS)) in kept(warehouse, old)


def test_curves_go_earlier_than_their_results(warehouse: Settings) -> None:
    run, shared = a_run(fast=60), a_run(fast=61)
    old = a_search(warehouse, days=200, fasts=(60, 61))
    a_search(warehouse, days=1, fasts=(61,))
    curves = (
        "INSERT INTO ops.trade (result_key, seq, entry_at, exit_at, size, entry_price, exit_price,"
        " fees, profit, exit_reason) SELECT result_key, 0, '2024-01-02Z', '2024-01-02Z', 1, 1, 1,"
        " 0, 0, 'signal' FROM ops.scene_run WHERE scene_id = CAST(:id AS uuid)",
        "INSERT INTO ops.equity (result_key, opened_at, equity) SELECT result_key, '2024-01-02Z', 1"
        " FROM ops.scene_run WHERE scene_id = CAST(:id AS uuid)",
    )
    with transaction(warehouse) as connection:
        for statement in curves:
            connection.execute(text(statement), {"id": old})
    rules = with_rules(warehouse)
    would = measure(rules)

    went = thin(rules)

    assert (went.curves, went.results) == (would.curves, would.results) == (1, 0)
    assert went.curve_bytes == would.curve_bytes > 0
    assert len(kept(warehouse, old)) == 2
    left = "SELECT run_key FROM ops.equity JOIN ops.result USING (result_key) GROUP BY 1"
    assert {shared.run_key} <= {one for (one,) in rows(warehouse, left)}
    assert run.run_key not in {one for (one,) in rows(warehouse, left)}


def test_only_the_functions_remove_and_not_outside_the_rules(warehouse: Settings) -> None:
    old = a_search(warehouse)
    answers = "SELECT result_key FROM ops.scene_run WHERE scene_id = CAST(:id AS uuid)"
    keys = [key for (key,) in rows(warehouse, answers, id=old)]
    public = "SELECT has_function_privilege('public', 'ops.{}', 'execute')"
    called = ("prune_results(bigint, text[])", "begin_prune(integer, integer, integer)")
    assert [rows(warehouse, public.format(one))[0][0] for one in called] == [False, False]
    with transaction(warehouse) as connection:
        number = connection.scalar(text("SELECT ops.begin_prune(1000, 1, 1000)"))
        call = text("SELECT results FROM ops.prune_results(:id, :keys)")
        assert connection.scalar(call, {"id": number, "keys": keys}) == 0
