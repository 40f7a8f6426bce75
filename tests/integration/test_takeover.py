"""A job of this release takes over from one of an older release, while scenes keep coming."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import orjson
import pyarrow as pa
import pytest

from backtests.strategies import CATALOGUE
from mela.errors import NotFound
from mela.grid import plan_runs
from mela.messages import (
    CHUNK_RESULTS,
    RESULTS,
    RUNS,
    SCENES,
    MessagePosition,
    Progress,
    RunChunk,
    State,
)
from mela.metrics import DEFINITIONS, METRICS
from mela.result_columns import columns_of
from mela.scene import Scene
from mela.settings import Settings
from messaging.columns import to_arrow
from messaging.publisher import Publisher
from services.scenes.follow import Follower, progress_of
from stack.supervision import Supervisor
from tests.integration.asking import answers, publish, scene_of, send
from tests.warehouse.given import rows
from warehouse.database import transaction
from warehouse.scenes import records as scenes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
BETWEEN_S = 1.5  # each scene costs a second of processor time until MLflow has it
LATER = [name for name in METRICS if DEFINITIONS[name].since > 1]  # an older release lacks them


def planned_before(scene: Scene, settings: Settings) -> None:
    """Record a scene as the older job left it: planned, its one run not answered yet."""
    assert scene.scene_id is not None
    with transaction(settings) as connection:
        scenes.receive(
            connection,
            scene.scene_id,
            scene.content(),
            scene.content_hash(),
            runs=1,
            skipped=0,
            name=None,
            origin=MessagePosition(SCENES, 0, 0),
        )
        scenes.set_planned(connection, scene.scene_id, cached=0)


def older_columns(document: dict[str, Any]) -> bytes:
    """Return a result as columns, as a release sent it that had fewer metrics."""
    [columns] = columns_of([document])
    table = pa.ipc.open_stream(to_arrow(columns)).read_all().drop_columns(LATER)
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue().to_pybytes()


def older_chunk(scene: Scene) -> bytes:
    """Return a scene's runs as a release sent them that did not say digests."""
    runs = tuple(plan_runs(scene, CATALOGUE, max_runs=10).expand())
    document = orjson.loads(RunChunk(str(scene.scene_id), 0, runs).to_bytes())
    return orjson.dumps({name: part for name, part in document.items() if name != "digests"})


@contextmanager
def under_load(settings: Settings) -> Iterator[list[Scene]]:
    """Publish scenes all the time; give those that were acknowledged."""
    sent: list[Scene] = []
    is_over = threading.Event()

    def publish_on() -> None:
        while not is_over.wait(BETWEEN_S):
            scene = scene_of()
            send(scene, settings)
            sent.append(scene)

    thread = threading.Thread(target=publish_on)
    thread.start()
    try:
        yield sent
    finally:
        is_over.set()
        thread.join()


def last_words(ids: list[UUID], settings: Settings) -> list[Progress]:
    """Return what was said last of each scene, once all have ended: one tail of Kafka for all."""
    said: dict[UUID, Progress] = {}
    with Follower(settings, ids) as follower:
        for scene_id in ids:
            with suppress(NotFound):  # it has not been read yet
                if now := progress_of(scene_id, settings):
                    follower.note(now)
                    said[scene_id] = now
        said |= {one.scene_id: one for one in follower.messages()}
    assert said.keys() == set(ids)
    return list(said.values())


def test_an_upgrade_under_load_loses_nothing_and_doubles_nothing(platform: Settings) -> None:
    asked = scene_of()
    publish(asked, platform)
    [document] = answers(asked.scene_id, platform)
    as_document, as_columns = (asked.model_copy(update={"scene_id": uuid4()}) for _ in range(2))
    as_chunk = scene_of()
    begun = [as_document, as_columns, as_chunk]
    first, second = ({**document, "scene_id": str(one.scene_id)} for one in begun[:2])
    supervisor = Supervisor(platform.home)
    checkpoint = platform.home / "spark" / "checkpoints" / "record"
    with under_load(platform) as sent:
        supervisor.stop("spark")
        try:
            for scene in begun:
                planned_before(scene, platform)
            (checkpoint / "offsets").mkdir(parents=True)
            with Follower(platform, [one.scene_id for one in begun]) as follower:
                with Publisher(platform.kafka) as publisher:
                    publisher.send(RESULTS, f"{as_document.scene_id}:x", orjson.dumps(first))
                    publisher.send(RESULTS, "nonsense", b"{}")
                    publisher.send(CHUNK_RESULTS, f"{as_columns.scene_id}:0", older_columns(second))
                    publisher.send(RUNS, f"{as_chunk.scene_id}:0", older_chunk(as_chunk))
                supervisor.start("spark")
                follower.to_the_end()
        finally:
            supervisor.start("spark")
    assert not checkpoint.exists()
    assert answers(as_document.scene_id, platform) == [first]
    assert answers(as_columns.scene_id, platform) == [second]  # of results with one key the first
    ids = [one.scene_id for one in (*begun, *sent) if one.scene_id]
    assert len(ids) > len(begun)
    for last in last_words(ids, platform):
        assert (last.state, last.recorded, last.runs) == (State.FINISHED, 1, 1)
    counted = rows(
        platform,
        "SELECT count(*), count(DISTINCT run_key), count(DISTINCT result_key) FROM ops.scene_run"
        " WHERE scene_id = ANY(CAST(:ids AS uuid[]))",
        ids=[str(one) for one in ids],
    )
    assert counted == [(len(ids), len(ids) - 1, len(ids) - 1)]  # two ask the same
