"""A strategy that reads another instrument, from Kafka to the store; who attaches late hears it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from mela.errors import NotFound
from mela.messages import PROGRESS, State
from mela.metrics import METRICS
from mela.settings import REPOSITORY, Settings
from messaging.codec import decode_progress
from messaging.consumer import backwards
from services.scenes.follow import follow_scene
from tests.conftest import typed
from tests.integration.asking import answers, publish, scene_of
from tests.warehouse.given import rows

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
BTC, ETH = "binance:BTCUSDT", "binance:ETHUSDT"
STRATEGY = '''\
from backtests.signals import Signals
from backtests.strategy import Input, strategy
from mela.run import Part

OTHER = {"other": Input(instrument="binance:ETHUSDT", warmup=30)}


@strategy(Part, warmup=lambda params: 30, inputs=lambda params: OTHER)
def led_by_another(candles, params, indicators, context):
    """Enter while the other instrument stands above its mean, exit while below."""
    other = context.inputs["other"]
    mean = other.aligned(other.indicators.sma(24))
    return Signals(other.close > mean, other.close <= mean)
'''
REVISION = """
    SELECT max(r.revision)
    FROM ops.candle_revision r JOIN ops.instrument i ON i.id = r.instrument_id
    WHERE i.venue || ':' || i.symbol = :name AND r.interval = '1h'
"""


@pytest.fixture
def led_by_another(platform: Settings) -> Iterator[str]:
    """Install the strategy as a package of the stack's own; return its name."""
    about = platform.packages / "led_ideas-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: led-ideas\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[mela.strategies]\nled_by_another = led_ideas\n")
    module = platform.packages / "led_ideas.py"
    module.write_text(STRATEGY, encoding="utf-8")
    yield "led_by_another"
    for file in (module, *about.iterdir()):
        file.unlink()
    about.rmdir()


def test_a_run_that_reads_another_instrument_is_the_one_that_files_give(
    platform: Settings, led_by_another: str, tmp_path: Path
) -> None:
    scene = scene_of(strategy={"name": led_by_another})
    last = publish(scene, platform)

    assert last.state is State.FINISHED
    [result] = answers(scene.scene_id, platform)
    assert result["status"] == "succeeded", result["error"]
    assert result["inputs"]["other"]["instrument"] == ETH
    assert result["trades"] > 0
    revisions = [rows(platform, REVISION, name=name)[0][0] for name in (BTC, ETH)]
    assert (result["candles_revision"], result["revisions"]) == (None, revisions)

    written = tmp_path / "scene.json"
    written.write_text(scene.model_dump_json(exclude={"scene_id"}), encoding="utf-8")
    files = [
        f"--candles={name}={REPOSITORY}/replay/data/binance_{name.partition(':')[2]}_1h.parquet"
        for name in (BTC, ETH)
    ]
    done = typed("backtest", str(written), *files, "--json", home=platform.home)
    assert done.returncode == 0, done.stderr
    [alone] = json.loads(done.stdout)
    assert alone["run_key"] == result["run_key"]
    assert {name: alone[name] for name in METRICS} == {name: result[name] for name in METRICS}


def test_whoever_attaches_to_a_finished_scene_hears_its_end_and_nothing_else(
    platform: Settings,
) -> None:
    scene = scene_of()
    last = publish(scene, platform)
    assert scene.scene_id is not None

    heard = list(follow_scene(scene.scene_id, platform))

    assert [one.state for one in heard] == [State.FINISHED]
    assert (heard[0].runs, heard[0].recorded, heard[0].best) == (1, 1, last.best)


def test_a_scene_that_nobody_published_is_not_found_after_a_while(platform: Settings) -> None:
    with pytest.raises(NotFound, match="no scene has the id"):
        list(follow_scene(uuid4(), platform, silence_s=2.0))


def test_the_newest_messages_of_a_topic_come_in_their_order_and_not_more_than_asked(
    platform: Settings,
) -> None:
    asked: list[UUID] = []
    for _ in range(2):
        scene = scene_of()
        publish(scene, platform)
        assert scene.scene_id is not None
        asked.append(scene.scene_id)

    newest = [one.value() for one in islice(backwards(platform, PROGRESS), 8)]
    heard = [decode_progress(value) for value in reversed(newest)]

    assert len(heard) == 8
    of_both = [one for one in heard if one.scene_id in asked]
    ends = [one.scene_id for one in of_both if one.state is State.FINISHED]
    assert ends == asked  # the older scene ended first
