"""A large scene keeps nobody waiting, and stops at once when it is cancelled."""

from __future__ import annotations

import statistics
import time
from uuid import UUID

import pytest

from mela.messages import State
from mela.settings import Settings
from services.follow import Follower
from tests.conftest import typed
from tests.integration.asking import grid, publish, results_in_kafka, results_tail, scene_of, send
from warehouse.database import transaction
from warehouse.results import finder as results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
ANSWERED_WITHIN_S, STOPPED_WITHIN_S = 5.0, 5.0


def test_small_scenes_are_answered_while_large_ones_go_on_and_a_cancelled_one_stops(
    platform: Settings,
) -> None:
    giants = [scene_of(search=grid(90, 1_000), end="2024-01-01T00:00:00Z") for _ in range(2)]
    with Follower(platform, [giants[0].scene_id]) as follower:
        for giant in giants:
            send(giant, platform)
        begun = next(one for one in follower.messages(silence_s=120) if one.recorded)
    assert begun.runs == 90_000

    waited = [seconds_until_answered(platform) for _ in range(3)]
    assert statistics.median(waited) < ANSWERED_WITHIN_S, waited
    counts = [recorded(giant.scene_id, platform) for giant in giants]
    assert all(0 < count < 90_000 for count in counts), counts  # both go on

    for giant in giants:
        done = typed("cancel", str(giant.scene_id), home=platform.home)
        assert done.returncode == 0, done.stderr
    time.sleep(STOPPED_WITHIN_S)
    stopped = [recorded(giant.scene_id, platform) for giant in giants]
    assert publish(scene_of(), platform).state is State.FINISHED  # what lay before it is done
    assert [recorded(giant.scene_id, platform) for giant in giants] == stopped
    assert all(after >= before for before, after in zip(counts, stopped, strict=True))


def seconds_until_answered(settings: Settings) -> float:
    heard, small = results_tail(settings), scene_of()
    started = time.monotonic()
    send(small, settings)
    assert len(results_in_kafka(heard, small.scene_id, 1)) == 1
    took = time.monotonic() - started
    heard.close()
    return took


def recorded(scene_id: UUID | None, settings: Settings) -> int:
    assert scene_id is not None
    with transaction(settings) as connection:
        [counted] = results.progress(connection, [scene_id])
    return counted.recorded
