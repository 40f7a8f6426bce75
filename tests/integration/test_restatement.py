"""A vendor changes its mind: a new version, stale results, a re-run, the old results beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from mela.messages import State
from mela.settings import Settings
from services.scenes.follow import Follower
from tests.conftest import typed
from tests.integration.asking import answers, publish, scene_of
from warehouse.database import transaction

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
NAME, INTERVAL = "binance:ETHUSDT", "4h"  # a series that no other test reads
SPAN = ("--interval", INTERVAL, "--from", "2023-01-01", "--to", "2023-04-01")
AT = datetime(2023, 3, 31, 20, tzinfo=UTC)  # the last close, which values an open position
_VERSIONS = text("""
    SELECT close, known_until IS NULL AS is_current FROM (
        SELECT close, NULL AS known_until, instrument_id, interval, opened_at FROM raw.candle
        UNION ALL
        SELECT close, known_until, instrument_id, interval, opened_at FROM raw.candle_version
    ) AS version
    JOIN ops.instrument i ON i.id = instrument_id
    WHERE i.venue || ':' || i.symbol = :name AND interval = :interval AND opened_at = :at
    ORDER BY 2
""")


def test_a_restated_candle_ends_as_a_version_stale_results_and_a_rerun(platform: Settings) -> None:
    home = platform.home
    assert typed("ingest", NAME, *SPAN, home=home).returncode == 0
    scene = scene_of(
        instruments=[NAME],
        interval=INTERVAL,
        start="2023-01-15T00:00:00Z",
        end="2023-04-01T00:00:00Z",
        search={"kind": "grid", "space": {"strategy.params.fast": [3, 5, 8]}},
    )
    assert publish(scene, platform).state is State.FINISHED
    before = answers(scene.scene_id, platform)
    assert not stale_scenes(scene.scene_id, platform)

    [(said, _)] = versions(platform)
    told = round(said * 0.97, 2)
    words = (NAME, "--interval", INTERVAL, "--at", AT.isoformat())
    prices = ("--low", str(told), "--close", str(told))
    done = typed("restate", *words, *prices, home=home)
    assert done.returncode == 0, done.stderr
    done = typed("ingest", NAME, *SPAN, home=home)
    assert "1 updated" in done.stdout
    assert versions(platform) == [(said, False), (told, True)]

    [listed] = stale_scenes(scene.scene_id, platform)
    assert listed["stale"] == len(before) == 3
    rerun = UUID(listed["rerun_id"])
    with Follower(platform, [rerun]) as follower:
        done = typed("stale", "--scene", str(scene.scene_id), "--publish", home=home)
        assert done.returncode == 0, done.stderr
        last = follower.to_the_end()
    assert (last.state, last.runs, last.cached) == (State.FINISHED, 3, 0)

    after = answers(rerun, platform)
    assert answers(scene.scene_id, platform) == before  # to compare with
    for old, new in zip(before, after, strict=True):
        assert old["run_key"] == new["run_key"]
        assert old["result_key"] != new["result_key"]
        assert old["candles_revision"] < new["candles_revision"]
    assert [one["total_return"] for one in before] != [one["total_return"] for one in after]
    assert not stale_scenes(scene.scene_id, platform)
    assert "0 scenes again" in typed("stale", "--publish", home=home).stderr

    trail = typed("lineage", after[0]["result_key"], home=home)
    assert trail.returncode == 0, trail.stderr
    assert f"{NAME} {INTERVAL}" in trail.stdout


def stale_scenes(scene_id: UUID | None, settings: Settings) -> list[dict[str, Any]]:
    done = typed("stale", "--scene", str(scene_id), "--json", home=settings.home)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["scenes"]


def versions(settings: Settings) -> list[tuple[float, bool]]:
    values = {"name": NAME, "interval": INTERVAL, "at": AT}
    with transaction(settings) as connection:
        return [(close, is_current) for close, is_current in connection.execute(_VERSIONS, values)]
