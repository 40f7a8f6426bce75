"""One user's mistake costs that user's runs: on the real stack, everybody else goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from mlflow.tracking import MlflowClient
from sqlalchemy import text

from mela.messages import State
from mela.settings import Settings
from tests.integration.asking import answers, mirrored, publish, scene_of, stored_scene
from warehouse.database import transaction

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
KILLER = """\
import os

from backtests.signals import Signals, crossings
from backtests.strategy import strategy
from mela.run import Part

print("842019382 is printed at the top level")


@strategy(Part, warmup=lambda params: 20)
def killer(candles, params, indicators):
    \"\"\"Kill the process that runs it.\"\"\"
    if len(candles.close) > 2:
        os._exit(9)
    return Signals(*crossings(candles.close, candles.open))
"""
ABSURD = """
    INSERT INTO raw.corporate_action
        (instrument_id, kind, effective_on, value, load_batch_id)
    SELECT i.id, 'dividend', '2023-01-15', 1e12, max(b.id)
    FROM ops.instrument i, ops.load_batch b
    WHERE i.venue = 'binance' AND i.symbol = 'BTCUSDT' GROUP BY i.id
"""


@pytest.fixture
def _killer(platform: Settings) -> Iterator[None]:
    """A package whose strategy kills; gone afterwards, as others share the platform."""
    install_killer(platform.packages)
    yield
    shutil.rmtree(platform.packages / "killer_ideas-1.dist-info")
    (platform.packages / "killer_ideas.py").unlink()


@pytest.mark.usefixtures("_killer")
def test_an_innocent_scene_ends_beside_each_kind_of_poison(platform: Settings) -> None:
    killed = publish(scene_of(strategy={"name": "killer"}), platform)
    assert killed.state is State.FINISHED
    [result] = answers(killed.scene_id, platform)
    assert (result["status"], result["error"]["class"]) == ("failed", "ProcessDied")
    innocent(platform)


def test_candles_that_cannot_be_adjusted_fail_one_scene(platform: Settings) -> None:
    with transaction(platform) as connection:
        connection.execute(text(ABSURD))
    try:
        ended = publish(scene_of(prices="total_return"), platform)
        assert ended.state is State.FINISHED
        [result] = answers(ended.scene_id, platform)
        assert (result["status"], result["error"]["class"]) == ("failed", "CandlesInvalid")
        innocent(platform)
    finally:
        with transaction(platform) as connection:
            connection.execute(text("DELETE FROM raw.corporate_action WHERE value = 1e12"))


def test_a_deleted_experiment_stops_no_scene_and_comes_back(platform: Settings) -> None:
    innocent(platform)
    client = MlflowClient(tracking_uri=platform.mlflow.url)
    experiment: Any = client.get_experiment_by_name("sma_cross")
    client.delete_experiment(experiment.experiment_id)

    last = innocent(platform)

    deadline = time.monotonic() + 150
    while run_of(last, platform) is None and time.monotonic() < deadline:
        time.sleep(1)
    assert mirrored(run_of(last, platform) or "", platform)
    restored: Any = client.get_experiment_by_name("sma_cross")
    assert restored.lifecycle_stage == "active"


def innocent(platform: Settings) -> UUID:
    """Run a scene that nothing is wrong with; return its id."""
    last = publish(scene_of(scene_id=str(uuid4())), platform)
    assert last.state is State.FINISHED
    assert last.scene_id is not None
    assert [one["status"] for one in answers(last.scene_id, platform)] == ["succeeded"]
    return last.scene_id


def run_of(scene_id: UUID, platform: Settings) -> str | None:
    return getattr(stored_scene(scene_id, platform), "mlflow_run_id", None)


def install_killer(packages: Path) -> None:
    """Lay a package out as pip would."""
    about = packages / "killer_ideas-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: killer-ideas\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[mela.strategies]\nkiller = killer_ideas\n")
    (packages / "killer_ideas.py").write_text(KILLER)
