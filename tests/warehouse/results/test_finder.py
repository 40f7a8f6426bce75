"""warehouse/results/finder.py: which stored answers hold, and what is kept of all."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from mela.block_returns import BlockReturns
from mela.interval import Interval
from mela.messages import MessagePosition
from mela.result import (
    METRICS,
    NEVER_REUSED,
    OWN,
    Curve,
    Result,
    Status,
    Trade,
    rank,
    result_key,
)
from mela.run import Run, to_ms
from mela.settings import Settings
from tests.warehouse.given import (
    METRICS as FOUND,
)
from tests.warehouse.given import (
    START,
    TODAY,
    a_document,
    a_run,
    a_scene,
    action,
    answer,
    at,
    load,
    rows,
)
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records as scenes

pytestmark = pytest.mark.integration
DAY = timedelta(days=1)
ETHER = "binance:ETHUSDT"


def save(settings: Settings, *documents: dict[str, Any]) -> list[results.UnstorableResult]:
    with transaction(settings) as connection:
        return results.save(connection, documents)


def find(settings: Settings, *runs: Run, today: Any = TODAY) -> dict[str, dict[str, Any]]:
    with transaction(settings) as connection:
        found = results.find(connection, runs, today, "the-asking-scene")
    return {key: json.loads(document) for key, document in found.items()}


def of_scene(settings: Settings, scene_id: str, **options: Any) -> list[dict[str, Any]]:
    with transaction(settings) as connection:
        return results.of_scene(connection, scene_id, **options)


def stored(settings: Settings, **changes: Any) -> Run:
    """Store one result, computed on the candles of revision 1, and return its run."""
    run = a_run(**{name: changes.pop(name) for name in ("end", "fast") if name in changes})
    assert save(settings, a_document(run, a_scene(settings), **changes)) == []
    return run


def test_what_is_found_is_what_was_saved(warehouse: Settings) -> None:
    run, scene_id = a_run(), a_scene(warehouse)
    document = a_document(run, scene_id, warnings=["gaps", 'a "quoted" \\ word, {braces}\n'])
    assert save(warehouse, document) == []
    assert of_scene(warehouse, scene_id) == [document]
    found = find(warehouse, run)[run.run_key]
    assert found == document | {"scene_id": "the-asking-scene", "cached": True}
    assert found.keys() == document.keys() == Result.model_fields.keys()
    parting = list(found).index("run_key")
    assert set(list(found)[parting:]) == OWN
    assert Result.model_validate(found).computed_at == Result.model_validate(document).computed_at


def test_doubles_come_back_bit_for_bit(warehouse: Settings) -> None:
    scene_id, chance = a_scene(warehouse), random.Random(1)  # noqa: S311
    numbers = [1 / 3, 5e-324, 1.7976931348623157e308, -0.1, 1e16, 123456789.12345679]
    numbers += [chance.uniform(-1, 1) * 10 ** chance.randint(-300, 300) for _ in range(200)]
    documents = [
        a_document(a_run(place, params={"level": number}), scene_id, sharpe=number, cash=number)
        for place, number in enumerate(numbers)
    ]
    save(warehouse, *documents)
    found = {document["run_key"]: document for document in of_scene(warehouse, scene_id)}
    for document, number in zip(documents, numbers, strict=True):
        back = found[document["run_key"]]
        assert back["sharpe"] == back["cash"] == back["params"]["level"] == number


def test_what_is_undefined_is_null_and_errors_are_kept(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse)
    document = a_document(
        a_run(),
        scene_id,
        status=Status.FAILED,
        error={
            "class": "ZeroDivisionError",
            "sentence": 'by "zero"\n\\ twice',
            "file": 'my "own" \\ ideas.py',
            "line": 17,
        },
        depends_from=None,
    )
    save(warehouse, document)
    assert of_scene(warehouse, scene_id) == [document]
    assert all(document[metric] is None for metric in METRICS)


def test_a_result_of_the_first_metrics_is_kept_with_nothing_where_it_says_nothing(
    warehouse: Settings,
) -> None:
    scene_id = a_scene(warehouse)
    document = a_document(a_run(), scene_id)
    later = {*METRICS[METRICS.index("calmar") :], "blocks"}
    old = {name: value for name, value in document.items() if name not in later}

    assert save(warehouse, old) == []

    assert of_scene(warehouse, scene_id) == [document | dict.fromkeys(later)]


def test_blocks_of_another_shape_are_refused(warehouse: Settings) -> None:
    blocks = BlockReturns.of([[0.1], [0.01], [1]]).packed()
    document = a_document(a_run(), a_scene(warehouse), blocks=blocks)

    (refused,) = save(warehouse, document)

    assert "result_blocks_check" in refused.sentence


def test_the_first_answer_stays(warehouse: Settings) -> None:
    run, scene_id = a_run(), a_scene(warehouse)
    first = a_document(run, scene_id)
    second = a_document(run, scene_id, revision=2, sharpe=9.0) | {"cached": True}
    again = first | {"computed_at": "2030-01-01T00:00:00Z", "cached": True}
    save(warehouse, first, second, again)
    save(warehouse, again, second)
    assert of_scene(warehouse, scene_id) == [first]
    assert rows(warehouse, "SELECT count(*) FROM ops.result") == [(2,)]


def test_what_cannot_be_stored_is_handed_back_and_spoils_nothing(warehouse: Settings) -> None:
    scene_id, unknown, rejected = a_scene(warehouse), str(uuid4()), str(uuid4())
    with transaction(warehouse) as connection:
        scenes.reject(
            connection,
            rejected,
            None,
            code="not_json",
            field=None,
            sentence="no JSON",
            origin=MessagePosition("mela.scenes", 0, 0),
        )
    good = [a_document(a_run(place), scene_id) for place in range(5)]
    bad = [
        a_document(a_run(10), unknown),
        a_document(a_run(11), rejected),
        a_document(a_run(12), "no uuid"),
        a_document(a_run(13), None),
        a_document(a_run(14, name=ETHER), scene_id),
        a_document(a_run(15), scene_id, trades=2**40),
        a_document(
            a_run(16), scene_id, status=Status.FAILED, error={"class": "a\0", "sentence": ""}
        ),
        a_document(a_run(17), scene_id, start="2030-01-01T00:00:00Z"),
        a_document(a_run(18), scene_id, result_key=good[0]["result_key"]),
    ]
    refused = save(warehouse, *[one for pair in zip(bad, good * 2, strict=False) for one in pair])
    assert {one.run_key for one in refused} == {one["run_key"] for one in bad}
    assert all(one.sentence for one in refused)
    assert {one["run_key"] for one in of_scene(warehouse, scene_id)} == {
        one["run_key"] for one in good
    }


def test_savers_at_once_wait_for_each_other_in_no_circle(warehouse: Settings) -> None:
    scene_ids = [a_scene(warehouse) for _ in range(4)]
    runs = [a_run(place) for place in range(60)]

    def save_all(scene_id: str) -> list[results.UnstorableResult]:
        order = random.Random(scene_id).sample(runs, len(runs))  # noqa: S311
        return save(warehouse, *[a_document(run, scene_id) for run in order])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(save_all, scene_ids)) == [[]] * 4
    assert rows(warehouse, "SELECT count(*) FROM ops.result") == [(60,)]
    assert rows(warehouse, "SELECT count(*) FROM ops.scene_run") == [(240,)]


@pytest.mark.parametrize("status", Status)
def test_failures_are_never_found(warehouse: Settings, status: Status) -> None:
    run = stored(warehouse, status=status)
    assert bool(find(warehouse, run)) == (status not in NEVER_REUSED)


@pytest.mark.parametrize("field", ["strategy_digest", "engine_version", "metrics_version"])
def test_other_code_finds_nothing(warehouse: Settings, field: str) -> None:
    run = stored(warehouse)
    changed = TODAY["sma_cross"]._replace(**{field: "other"})
    assert find(warehouse, run, today={"sma_cross": changed, "other": TODAY["sma_cross"]}) == {}
    assert find(warehouse, run, today={}) == {}


@pytest.mark.parametrize(
    ("touched", "depends_from", "is_valid"),
    [
        ("2023-12-31T23:00", START, True),  # before all that was read
        ("2024-01-01T00:00", START, False),  # the first candle read
        ("2024-01-02T23:00", START, False),  # the last one
        ("2024-01-03T00:00", START, True),  # the end itself is not read
        ("2023-12-01T00:00", None, False),  # warm-up was missing, and here it comes
        ("2024-01-03T00:00", None, True),
    ],
)
def test_a_later_revision_spoils_what_rests_on_its_candles(
    warehouse: Settings, touched: str, depends_from: Any, is_valid: bool
) -> None:
    load(warehouse, answer([1.0] * 48))
    run = stored(warehouse, depends_from=depends_from)
    assert find(warehouse, run)
    load(warehouse, answer([2.0], start=at(touched)), since=at(touched))
    assert bool(find(warehouse, run)) == is_valid


def test_revisions_of_other_series_spoil_nothing(warehouse: Settings) -> None:
    load(warehouse, answer([1.0] * 48))
    run = stored(warehouse)
    load(warehouse, answer([1.0] * 48, name=ETHER))
    load(warehouse, answer([1.0] * 48, interval=Interval.M1))
    assert find(warehouse, run)


def test_a_split_spoils_scenes_that_end_after_it(warehouse: Settings) -> None:
    candles = [1.0] * 96
    load(warehouse, answer(candles))
    before = stored(warehouse, end=at("2024-01-03"), fast=1)
    after = stored(warehouse, end=at("2024-01-04"), fast=2)
    load(warehouse, answer(candles, actions=[action("split", date(2024, 1, 3), 2.0)]))
    assert set(find(warehouse, before, after)) == {before.run_key}


def test_the_newest_valid_result_is_found(warehouse: Settings) -> None:
    run = a_run()
    save(
        warehouse,
        *[
            a_document(run, a_scene(warehouse), revision=revision, sharpe=float(revision))
            for revision in (2, 3, 1)
        ],
    )
    assert find(warehouse, run)[run.run_key]["candles_revision"] == 3


def test_a_scene_is_counted_from_the_tables(warehouse: Settings) -> None:
    scene_id, empty = a_scene(warehouse, runs=3), a_scene(warehouse)
    save(warehouse, a_document(a_run(1), scene_id), a_document(a_run(2), scene_id, cached=True))
    with transaction(warehouse) as connection:
        found = results.progress(connection, [scene_id, empty, str(uuid4())])
    assert [(one.scene_id, one.runs, one.recorded, one.cached) for one in found] == [
        (scene_id, 3, 2, 1),
        (empty, 1, 0, 0),
    ]
    assert found[0].status == "received"


@pytest.mark.parametrize("metric", ["sharpe", "fees_paid"])
def test_the_best_are_those_that_rank_puts_first(warehouse: Settings, metric: str) -> None:
    load(warehouse, answer([1.0], name=ETHER))
    scene_id = a_scene(warehouse)
    values: Sequence[float | None] = [0.5, None, 2.0, 2.0, -1.0, None]
    documents = [
        a_document(a_run(place, name=name), scene_id, **{metric: value})
        for place, value in enumerate(values)
        for name in ("binance:BTCUSDT", ETHER)
    ]
    best_but_failed = a_document(
        a_run(99), scene_id, status=Status.FAILED, sharpe=99.0, fees_paid=0.0
    )
    save(warehouse, *documents, best_but_failed)
    with transaction(warehouse) as connection:
        best = results.best_of(connection, scene_id, metric)
    assert best.overall == rank(documents, metric)[0]
    assert best.by_instrument == {
        name: rank([one for one in documents if one["instruments"] == [name]], metric)[0]
        for name in ("binance:BTCUSDT", ETHER)
    }
    ranked = of_scene(warehouse, scene_id, order_by=metric, limit=20)
    assert ranked == rank([*documents, best_but_failed], metric)
    assert of_scene(warehouse, scene_id, order_by=metric, limit=2) == ranked[:2]


def test_a_scene_without_successes_has_no_best(warehouse: Settings) -> None:
    with transaction(warehouse) as connection:
        assert results.best_of(connection, a_scene(warehouse), "sharpe") == (None, {})
        with pytest.raises(ValueError, match="expected a metric"):
            results.best_of(connection, str(uuid4()), "sharpe; DROP TABLE ops.result")


def test_a_curve_is_stored_once(warehouse: Settings) -> None:
    run, scene_id = a_run(), a_scene(warehouse)
    document = a_document(run, scene_id)
    key = document["result_key"]
    save(warehouse, document)
    opened = to_ms(START) + np.arange(3, dtype=np.int64) * 3_600_000
    trade = Trade(
        START, START + DAY, 0.5, 100.0, 110.0, 0.105, 4.895, "take_profit", 0.25, 0.0, -0.1, 0.2
    )
    short = trade._replace(size=-1 / 3, exit_reason="daily_loss", borrow=1 / 7)
    curve = Curve((trade, short), opened, np.array([1.0, 1 / 3, 2.0]))
    with transaction(warehouse) as connection:
        assert results.without_curve(connection, [key, "other"]) == {key, "other"}
        assert results.curve(connection, key) is None
        assert results.save_curve(connection, key, curve)
        assert not results.save_curve(connection, key, curve)
        assert results.without_curve(connection, [key]) == set()
        back = results.curve(connection, key)
    assert back is not None
    assert back.trades == curve.trades
    assert back.opened_ms.tolist() == curve.opened_ms.tolist()
    assert back.equity.tobytes() == curve.equity.tobytes()


def test_a_curve_needs_its_result(warehouse: Settings) -> None:
    curve = Curve((), np.array([0], dtype=np.int64), np.array([1.0]))
    with transaction(warehouse) as connection, pytest.raises(ValueError, match="stored result"):
        results.save_curve(connection, "0" * 64, curve)


def test_the_keys_of_the_given_results_are_the_contracts() -> None:
    document = a_document(a_run(), "a scene", revision=4)
    made_with = TODAY["sma_cross"]._replace(candles_revision=4)
    assert document["result_key"] == result_key(
        document["run_key"], Status.SUCCEEDED, made_with, "a scene"
    )
    assert document["sharpe"] == FOUND.sharpe


def test_runs_are_counted_by_how_they_ended(warehouse: Settings) -> None:
    ended = [Status.SUCCEEDED] * 3 + [Status.RUINED] * 2 + [Status.FAILED]
    scene_id = a_scene(warehouse, runs=len(ended))
    for fast, status in enumerate(ended, 3):
        save(warehouse, a_document(a_run(fast), scene_id, status=status))
    with transaction(warehouse) as connection:
        found = results.statuses(connection, scene_id)
        none = results.statuses(connection, a_scene(warehouse))

    assert list(found.items()) == [("succeeded", 3), ("ruined", 2), ("failed", 1)]
    assert none == {}


def test_some_of_the_best_are_the_first_of_all(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse, runs=4)
    for fast in range(3, 7):
        metrics = FOUND._replace(sharpe=float(fast % 3))
        save(warehouse, a_document(a_run(fast), scene_id, metrics=metrics))
    with transaction(warehouse) as connection:
        every = results.ranked_keys(connection, scene_id, "sharpe")
        best = results.ranked_keys(connection, scene_id, "sharpe", 2)

    assert len(every) == 4
    assert best == every[:2]
