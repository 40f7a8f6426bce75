"""Scenes as a list, and the one that somebody means."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from mela.errors import InputInvalid, NotFound, RejectionCode
from mela.messages import SCENES, MessagePosition
from mela.settings import Settings
from services.scenes.last_scene import note_published
from services.scenes.publish import announce, plan_scene
from services.scenes.scene_states import SceneState
from services.scenes.stored_scenes import list_scenes, scene_id_of
from tests.warehouse.given import METRICS, NAME, a_document, a_run, a_scene
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.scenes import records

pytestmark = pytest.mark.integration
STORY = {
    "instruments": [NAME],
    "interval": "1h",
    "start": "2024-01-02T00:00:00Z",
    "end": "2024-01-03T00:00:00Z",
    "strategy": {"name": "sma_cross"},
    "rank_by": "total_return",
}


def published(settings: Settings, user: str = "ada", **changes: object) -> UUID:
    scene_id = uuid4()
    scene, plan = plan_scene({**STORY, "scene_id": str(scene_id), **changes}, settings)
    announce(scene, plan, user, settings)
    return scene_id


def rejected(settings: Settings, content: object) -> UUID:
    scene_id = uuid4()
    why = {"code": RejectionCode.INVALID_FIELD, "field": "cash", "sentence": "expected more."}
    with transaction(settings) as connection:
        records.reject(connection, scene_id, content, **why, origin=MessagePosition(SCENES, 0, 0))  # type: ignore[arg-type]
    return scene_id


def test_the_newest_scene_comes_first_with_what_it_asks_for(warehouse: Settings) -> None:
    older = published(warehouse)
    newer = published(warehouse, name="a grid", search=grid("sma_cross", "rsi_reversion"))

    first, second = list_scenes(warehouse, most=20)

    assert (first.scene_id, second.scene_id) == (newer, older)
    assert (first.name, first.strategies) == ("a grid", ("sma_cross", "rsi_reversion"))
    assert (second.strategies, second.instruments, second.interval) == (
        *(("sma_cross",), (NAME,)),
        "1h",
    )
    assert (second.state, second.runs, second.recorded, second.best) == ("received", 1, 0, None)
    assert [one.scene_id for one in list_scenes(warehouse, most=1)] == [newer]


def grid(*names: str) -> object:
    return {"kind": "grid", "space": {"strategy.name": list(names)}}


def test_the_best_so_far_stands_beside_a_scene_that_runs(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse, runs=3)
    with transaction(warehouse) as connection:
        records.set_planned(connection, scene_id, cached=0)
        metrics = [METRICS._replace(sharpe=value) for value in (0.5, 2.0)]
        documents = [
            a_document(a_run(fast), scene_id, metrics=one) for fast, one in enumerate(metrics, 5)
        ]
        assert not finder.save(connection, documents)

    [found] = list_scenes(warehouse, most=20)

    assert (found.state, found.runs, found.recorded) == ("planned", 3, 2)
    assert (found.rank_by, found.best) == ("sharpe", 2.0)


@pytest.mark.parametrize("shape", ["several", "one"])
def test_the_best_of_a_finished_scene_is_what_it_ended_with(
    warehouse: Settings, shape: str
) -> None:
    """Early releases stored the best result itself, and not in a list."""
    scene_id = a_scene(warehouse)
    best = {"sharpe": 1.25}
    with transaction(warehouse) as connection:
        ending = {"best": [best] if shape == "several" else best}
        records.set_finished(connection, scene_id, best=ending, mlflow_run_id=None)

    [found] = list_scenes(warehouse, most=20)

    assert (found.state, found.best) == ("finished", 1.25)


def test_a_list_is_narrowed_by_state_strategy_and_user(warehouse: Settings) -> None:
    hers = published(warehouse, "ada")
    his = published(warehouse, "bob", search=grid("sma_cross", "rsi_reversion"))
    wrong = rejected(warehouse, {"cash": -1})

    def ids(**wanted: object) -> list[UUID]:
        return [one.scene_id for one in list_scenes(warehouse, most=20, **wanted)]  # type: ignore[arg-type]

    assert ids(user="ada") == [hers]
    assert ids(strategy="rsi_reversion") == [his]
    assert ids(states=[SceneState.REJECTED]) == [wrong]
    assert ids(states=[SceneState.RUNNING]) == [his, hers]
    assert ids(states=[SceneState.FINISHED, SceneState.CANCELLED]) == []


@pytest.mark.parametrize(
    "content",
    [
        {"instruments": 5, "strategy": [1], "search": {"space": 3}, "interval": {}, "rank_by": 7},
        {"strategy": {"name": None}, "search": {"space": {"strategy.name": {"from": 1}}}},
        [1, 2],
        "text",
    ],
)
def test_a_rejected_scene_is_listed_whatever_it_says(warehouse: Settings, content: object) -> None:
    rejected(warehouse, content)

    [found] = list_scenes(warehouse, most=20)

    assert (found.state, found.strategies, found.instruments) == ("rejected", (), ())
    assert found.why_rejected == "cash: expected more."


def test_the_first_digits_of_an_id_mean_its_scene(warehouse: Settings) -> None:
    scene_id = published(warehouse)

    for told in (str(scene_id), scene_id.hex, str(scene_id)[:8], str(scene_id)[:13].upper()):
        assert scene_id_of(told, warehouse) == scene_id


def test_an_id_that_nobody_knows_yet_is_believed_if_it_is_whole(warehouse: Settings) -> None:
    scene_id = uuid4()

    assert scene_id_of(str(scene_id), warehouse) == scene_id
    with pytest.raises(NotFound, match="begins with"):
        scene_id_of(str(scene_id)[:8], warehouse)


def test_digits_of_several_ids_mean_none_of_them(warehouse: Settings) -> None:
    ids = [UUID(f"abc00000-0000-4000-8000-00000000000{digit}") for digit in range(3)]
    for scene_id in ids:
        scene, plan = plan_scene({**STORY, "scene_id": str(scene_id)}, warehouse)
        announce(scene, plan, "ada", warehouse)

    with pytest.raises(InputInvalid, match="beginning of several ids") as ambiguous:
        scene_id_of("abc", warehouse)

    assert all(str(scene_id) in str(ambiguous.value) for scene_id in ids)


@pytest.mark.parametrize("told", ["", "-", "lost", "%", "z" * 32, "_"])
def test_what_is_no_id_is_refused(warehouse: Settings, told: str) -> None:
    published(warehouse)

    with pytest.raises(InputInvalid, match="expected a scene's id, its first digits, or `last`"):
        scene_id_of(told, warehouse)


def test_last_is_the_newest_scene_or_the_newest_of_the_user(warehouse: Settings) -> None:
    hers, his = published(warehouse, "ada"), published(warehouse, "bob")

    assert scene_id_of("last", warehouse) == his
    assert scene_id_of("last", warehouse.model_copy(update={"user": "ada"})) == hers
    with pytest.raises(NotFound, match="no scene was published yet by eve"):
        scene_id_of("last", warehouse.model_copy(update={"user": "eve"}))


def test_last_is_what_was_published_a_moment_ago_though_nobody_has_read_it(
    warehouse: Settings,
) -> None:
    """Otherwise the scene before it would answer, without a word."""
    published(warehouse)
    mine = uuid4()

    note_published(mine, warehouse)
    assert scene_id_of("last", warehouse) == mine

    newest = published(warehouse)
    assert scene_id_of("last", warehouse) == newest
