"""Scenes of kind train where scenes are planned: accepted once, or refused by their field."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from mela.errors import SourceUnavailable
from mela.messages import SCENES, MessagePosition, State
from mela.settings import Settings
from mela.training import parse_training
from services.accounts import quotas
from services.scenes.publish import announce_as
from services.scenes.trainings import checked
from sources.instruments import describe
from streaming.plan import SceneMessage, give_up, plan_scenes
from tests.streaming.test_admission import SCENE, Said
from tests.warehouse.given import NAME, rows
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.scenes import records, users

pytestmark = pytest.mark.integration
TRAINING: dict[str, Any] = {
    "kind": "train",
    "schema_version": 1,
    "name": "first",
    "instruments": [NAME],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2024-01-01T00:00:00Z",
    "features": [{"name": "returns", "params": {"span": 4}}, {"name": "hour_sin"}],
    "splits": {"kind": "walk_forward", "folds": 3},
    "model": {"name": "ridge"},
    "seeds": [1, 2],
}
PENALTY = "model.params.penalty"
FITS = 3 + 2 * 3 + 2 * 3 + 1  # ridge, LightGBM, shuffled labels, and the model that is kept


@pytest.fixture
def settings(warehouse: Settings) -> Settings:
    with transaction(warehouse) as connection:
        instruments.upsert(connection, describe(NAME))
    return warehouse


def asked(scene_id: UUID | None = None, offset: int = 1, **change: Any) -> SceneMessage:
    document = {**TRAINING, **change, "scene_id": str(scene_id or uuid4())}
    return SceneMessage(json.dumps(document).encode(), MessagePosition(SCENES, 0, offset))


def planned(settings: Settings, *messages: SceneMessage) -> Said:
    said = Said()
    publisher: Any = said
    plan_scenes(messages, settings, publisher)
    return said


def test_a_training_is_accepted_and_waits_for_the_trainer(settings: Settings) -> None:
    scene_id = uuid4()
    said = planned(settings, asked(scene_id))

    assert said.refused == []
    [told] = said.said
    assert (told.scene_id, told.state, told.runs, told.skipped) == (
        scene_id,
        State.PLANNED,
        FITS,
        0,
    )
    [scene] = rows(settings, "SELECT status, runs, name, content FROM ops.scene")
    assert (scene.status, scene.runs, scene.name) == ("planned", FITS, "first")
    assert parse_training(scene.content) == parse_training(TRAINING)
    [waiting] = rows(settings, "SELECT scene_id, name, done, ended_at FROM ops.training")
    assert tuple(waiting) == (scene_id, "first", 0, None)


def test_a_message_that_comes_again_is_one_training(settings: Settings) -> None:
    message = asked(uuid4())
    planned(settings, message, message._replace(source=MessagePosition(SCENES, 0, 2)))
    again = planned(settings, message)

    assert [one.state for one in again.said] == [State.PLANNED]
    assert again.refused == []
    assert len(rows(settings, "SELECT FROM ops.training")) == 1


def test_scenes_and_trainings_of_one_batch_go_their_ways(settings: Settings) -> None:
    scene = {**SCENE, "scene_id": str(uuid4())}
    of_scene = SceneMessage(json.dumps(scene).encode(), MessagePosition(SCENES, 0, 2))
    said = planned(settings, asked(), of_scene, asked(offset=3, name="second"))

    assert said.refused == []
    assert sorted(one.runs or 0 for one in said.said) == sorted([FITS, FITS, 10])
    assert len(rows(settings, "SELECT FROM ops.training")) == 2


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"schema_version": 2}, "unsupported_version", "schema_version"),
        ({"cash": 10_000}, "invalid_field", "cash"),
        ({"kind": "tarin"}, "invalid_field", "kind"),
        ({"model": {"name": "forest"}}, "invalid_field", "model.name"),
        ({"model": {"name": "ridge", "params": {"penalty": -1}}}, "invalid_field", PENALTY),
        ({"features": [{"name": "retruns"}]}, "invalid_field", "features.0.name"),
        ({"splits": {"kind": "walk_forward", "folds": 0}}, "invalid_field", "splits.folds"),
        ({"instruments": [NAME, "binance:NONEUSDT"]}, "unknown_instrument", "instruments.1"),
        (
            {"features": [{"name": "beta", "params": {"instrument": "binance:NONEUSDT"}}]},
            "unknown_instrument",
            "features.0.params.instrument",
        ),
    ],
)
def test_a_training_that_does_not_hold_is_refused_by_its_field(
    settings: Settings, change: dict[str, Any], code: str, field: str
) -> None:
    scene_id = uuid4()
    said = planned(settings, asked(scene_id, **change))

    [refused] = said.refused
    assert (refused.code, refused.field) == (code, field)
    [told] = said.said
    assert (told.state, told.code, told.field) == (State.REJECTED, code, field)
    [scene] = rows(settings, "SELECT status, rejection_field FROM ops.scene")
    assert tuple(scene) == ("rejected", field)
    assert rows(settings, "SELECT FROM ops.training") == []


def test_more_fits_than_runs_are_allowed_are_too_many(settings: Settings) -> None:
    few = settings.model_copy(update={"max_runs": FITS - 1})
    [refused] = planned(few, asked()).refused
    assert (refused.code, refused.field) == ("too_many_runs", "splits")
    assert planned(settings.model_copy(update={"max_runs": FITS}), asked()).refused == []


def test_an_id_of_another_training_is_refused_and_the_first_stays(settings: Settings) -> None:
    scene_id = uuid4()
    planned(settings, asked(scene_id))
    said = planned(settings, asked(scene_id, name="second"))

    [refused] = said.refused
    assert (refused.code, refused.field) == ("scene_id_reused", "scene_id")
    assert said.said == []
    assert [tuple(row) for row in rows(settings, "SELECT name FROM ops.training")] == [("first",)]


def test_a_quota_holds_for_fits_as_for_runs(settings: Settings) -> None:
    with transaction(settings) as connection:
        users.ensure(connection, "ann")
    quotas.set_quota(settings, "kafka", runs_per_day=FITS, scenes_at_once=0)
    first = planned(settings, asked())
    second = planned(settings, asked())
    assert first.refused == []
    [refused] = second.refused
    assert refused.code == "quota_exceeded"
    assert f"{FITS:,} runs" in refused.sentence


def test_a_training_that_was_announced_is_its_users(settings: Settings) -> None:
    training = parse_training({**TRAINING, "scene_id": str(uuid4())})
    announce_as(training, "ann", settings, runs=checked(training, settings).fits, skipped=0)
    message = SceneMessage(training.model_dump_json().encode(), MessagePosition(SCENES, 0, 1))
    assert planned(settings, message).refused == []
    [owner] = rows(settings, "SELECT u.name FROM ops.scene s JOIN ops.user u ON u.id = s.user_id")
    assert owner.name == "ann"


def test_a_planner_that_was_killed_plans_it_again(settings: Settings) -> None:
    class Away(Said):
        def flush(self) -> None:
            raise SourceUnavailable("Kafka is away")

    message = asked(uuid4())
    away: Any = Away()
    with pytest.raises(SourceUnavailable):
        plan_scenes([message], settings, away)
    [scene] = rows(settings, "SELECT status FROM ops.scene")
    assert scene.status == "received"  # so that the trainer does not take it yet

    assert [one.state for one in planned(settings, message).said] == [State.PLANNED]
    assert len(rows(settings, "SELECT FROM ops.training")) == 1


def test_one_that_cannot_be_planned_is_given_up_with_the_reason(settings: Settings) -> None:
    scene_id = uuid4()
    said: Any = Said()
    give_up(asked(scene_id), settings, said, RuntimeError("of its own"))
    [refused] = said.refused
    assert "RuntimeError: of its own" in refused.sentence
    with transaction(settings) as connection:
        stored = records.get(connection, scene_id)
    assert stored is not None
    assert stored.status == "rejected"
