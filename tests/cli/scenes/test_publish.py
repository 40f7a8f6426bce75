"""Following a scene: what is said of its runs at the end, and to who leaves before it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
import typer

from cli.scenes.publish import show, watched
from mela.messages import Progress
from mela.result import Status
from mela.settings import Settings
from tests.warehouse.given import a_document, a_run, a_scene
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.scenes import records


def test_who_interrupts_is_told_that_the_scene_goes_on_and_how_to_come_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene_id = uuid4()

    def interrupted() -> Iterator[Progress]:
        raise KeyboardInterrupt
        yield

    with pytest.raises(typer.Exit) as left:
        watched(interrupted(), scene_id)

    said = capsys.readouterr().err
    assert left.value.exit_code == 130
    assert "the scene goes on" in said
    assert f"mela follow {scene_id}" in said
    assert f"mela cancel {scene_id}" in said


@pytest.mark.integration
def test_a_cancelled_scene_tells_recorded_from_cancelled_and_not_run(
    warehouse: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    scene_id = a_scene(warehouse, runs=5)
    with transaction(warehouse) as connection:
        records.set_planned(connection, scene_id, cached=0)
        documents = [a_document(a_run(fast), scene_id) for fast in (1, 2)]
        records.cancel(connection, scene_id)
        documents.append(a_document(a_run(3), scene_id, status=Status.CANCELLED))
        assert not finder.save(connection, documents)

    show(UUID(scene_id), warehouse)

    title = capsys.readouterr().out.splitlines()[0]
    assert "cancelled, 2 of 5 runs recorded, 1 cancelled, 2 not run" in title
