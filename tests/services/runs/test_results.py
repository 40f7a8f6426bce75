"""Results of a scene, and how far it is, for any caller that has its id."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from mela.errors import Conflict, NotFound, RejectionCode, SceneInvalid
from mela.messages import SCENES, MessagePosition, State
from mela.result import Status
from mela.settings import Settings
from services.runs.results import report_of, result_rows, results_of
from services.scenes.cancel import cancel_scene
from services.scenes.follow import progress_of
from tests.warehouse.given import a_document, a_run, a_scene
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.scenes import records

pytestmark = pytest.mark.integration


def planned(settings: Settings, runs: int, stored: int) -> UUID:
    scene_id = a_scene(settings, runs=runs)
    with transaction(settings) as connection:
        records.set_planned(connection, scene_id, cached=0)
        documents = [a_document(a_run(fast), scene_id) for fast in range(1, stored + 1)]
        assert not finder.save(connection, documents)
    return UUID(scene_id)


def rejected(settings: Settings) -> UUID:
    scene_id = uuid4()
    with transaction(settings) as connection:
        records.reject(
            connection,
            scene_id,
            {"cash": -1},
            code=RejectionCode.INVALID_FIELD,
            field="cash",
            sentence="expected more than 0.",
            origin=MessagePosition(SCENES, 0, 0),
        )
    return scene_id


def test_results_come_with_how_far_the_scene_is(warehouse: Settings) -> None:
    scene_id = planned(warehouse, runs=3, stored=2)

    found = results_of(scene_id, warehouse, top=1)

    assert (found.status, found.runs, found.recorded, len(found.rows)) == ("planned", 3, 2, 1)
    assert found.report is None
    assert len(result_rows(scene_id, warehouse)) == 2
    assert report_of(scene_id, warehouse) is None


def test_an_unknown_scene_is_not_found(warehouse: Settings) -> None:
    for use_case in (results_of, result_rows, report_of, progress_of, cancel_scene):
        with pytest.raises(NotFound, match="no scene has the id"):
            use_case(uuid4(), warehouse)


def test_a_rejected_scene_says_which_field_was_wrong(warehouse: Settings) -> None:
    with pytest.raises(SceneInvalid) as refused:
        results_of(rejected(warehouse), warehouse)

    assert (refused.value.code, refused.value.field) == (RejectionCode.INVALID_FIELD, "cash")


def test_a_rejected_scene_has_nothing_to_cancel(warehouse: Settings) -> None:
    with pytest.raises(Conflict, match="ended already"):
        cancel_scene(rejected(warehouse), warehouse)


def test_progress_is_known_to_those_who_attach_late(warehouse: Settings) -> None:
    assert progress_of(UUID(a_scene(warehouse)), warehouse) is None  # not planned yet

    found = progress_of(planned(warehouse, runs=3, stored=0), warehouse)
    assert found is not None
    assert (found.state, found.runs, found.recorded) == (State.PLANNED, 3, 0)

    further = progress_of(planned(warehouse, runs=3, stored=2), warehouse)
    assert further is not None
    assert (further.state, further.recorded) == (State.RECORDED, 2)
    assert further.place > found.place

    ended = progress_of(rejected(warehouse), warehouse)
    assert ended is not None
    assert (ended.state, ended.field) == (State.REJECTED, "cash")


def ended(settings: Settings, *documents: dict[str, object]) -> UUID:
    scene_id = a_scene(settings, runs=len(documents))
    with transaction(settings) as connection:
        records.set_planned(connection, scene_id, cached=0)
        assert not finder.save(connection, [{**one, "scene_id": scene_id} for one in documents])
        records.set_finished(connection, scene_id, best=None, mlflow_run_id=None)
    return UUID(scene_id)


def test_a_scene_whose_runs_all_failed_says_so_with_each_reason_once(warehouse: Settings) -> None:
    error = {"class": "KeyError", "sentence": "'no such column'"}
    failed = [
        a_document(a_run(fast), str(uuid4()), status=Status.FAILED) | {"error": error}
        for fast in (1, 2)
    ]

    found = results_of(ended(warehouse, *failed), warehouse)

    assert found.is_without_numbers
    assert found.statuses == {"failed": 2}
    assert found.why_without_numbers() == ["KeyError: 'no such column' (2 runs)"]


def test_a_span_without_candles_names_the_command_that_loads_them(warehouse: Settings) -> None:
    empty = a_document(a_run(), str(uuid4()), status=Status.NO_DATA)

    found = results_of(ended(warehouse, empty), warehouse)

    assert found.is_without_numbers
    (sentence,) = found.why_without_numbers()
    assert "mela ingest binance:BTCUSDT --interval 1h --from 2024-01-02" in sentence


def test_one_run_with_numbers_is_enough(warehouse: Settings) -> None:
    good = a_document(a_run(1), str(uuid4()))
    bad = a_document(a_run(2), str(uuid4()), status=Status.FAILED)

    found = results_of(ended(warehouse, good, bad), warehouse)

    assert not found.is_without_numbers


def test_after_a_cancel_counts_say_what_they_count(warehouse: Settings) -> None:
    scene_id = planned(warehouse, runs=5, stored=2)
    with transaction(warehouse) as connection:
        records.cancel(connection, scene_id)
        late = a_document(a_run(7), str(scene_id), status=Status.CANCELLED)
        assert not finder.save(connection, [late])

    found, told = results_of(scene_id, warehouse), progress_of(scene_id, warehouse)

    assert (found.runs, found.recorded, found.cancelled, found.not_run) == (5, 2, 1, 2)
    assert told is not None
    assert (told.state, told.recorded, told.cancelled) == (State.CANCELLED, 2, 1)
    assert found.failures == ()  # nothing is wrong with what was not executed


def test_a_scene_that_goes_on_has_no_cancelled_runs(warehouse: Settings) -> None:
    found = results_of(planned(warehouse, runs=3, stored=2), warehouse)

    assert (found.recorded, found.cancelled, found.not_run) == (2, 0, 1)
