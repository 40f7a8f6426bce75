"""A large scene keeps nobody waiting, and stops at once when it is cancelled.

Waiting is counted in runs of the large scenes that are recorded meanwhile: on a machine that has
other work too, both take longer. `make bench ONLY=path` counts it in seconds.
"""

from __future__ import annotations

import statistics
import time
from uuid import UUID

import pytest

from mela.messages import State
from mela.scene import Scene
from mela.settings import Settings
from services.scenes.follow import Follower
from tests.conftest import typed
from tests.integration.asking import (
    grid,
    publish,
    results_in_kafka,
    results_tail,
    scene_of,
    send,
    wait_for,
)
from warehouse.database import transaction
from warehouse.results import finder as results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
# What a machine of two cores records in 5 s with nothing else to do; the scenes have 180,000.
FIVE_SECONDS = 20_000


def test_small_scenes_are_answered_while_large_ones_go_on_and_a_cancelled_one_stops(
    platform: Settings,
) -> None:
    giants = [scene_of(search=grid(90, 1_000), end="2024-01-01T00:00:00Z") for _ in range(2)]
    with Follower(platform, [giants[0].scene_id]) as follower:
        for giant in giants:
            send(giant, platform)
        begun = next(one for one in follower.messages(silence_s=120) if one.recorded)
    assert begun.runs == 90_000
    wait_for(lambda: recorded(giants[1].scene_id, platform), 120, "runs of the second one")

    waited = [recorded_until_answered(platform, giants) for _ in range(3)]
    assert statistics.median(waited) < FIVE_SECONDS, waited
    counts = [recorded(giant.scene_id, platform) for giant in giants]
    assert all(0 < count < 90_000 for count in counts), counts  # both go on

    for giant in giants:
        done = typed("cancel", str(giant.scene_id), home=platform.home)
        assert done.returncode == 0, done.stderr
    stopped = wait_for(lambda: unchanged(giants, platform), 60, "the end of both")
    assert sum(stopped) - sum(counts) < FIVE_SECONDS, (counts, stopped)
    assert publish(scene_of(), platform).state is State.FINISHED  # what lay before it is done
    assert [recorded(giant.scene_id, platform) for giant in giants] == stopped
    assert all(0 < count < 90_000 for count in stopped), stopped


def recorded_until_answered(settings: Settings, giants: list[Scene]) -> int:
    """Return how many runs of large scenes are recorded while a small one waits."""
    heard, small = results_tail(settings), scene_of()
    before = [recorded(giant.scene_id, settings) for giant in giants]
    send(small, settings)
    assert len(results_in_kafka(heard, small.scene_id, 1)) == 1
    after = [recorded(giant.scene_id, settings) for giant in giants]
    heard.close()
    return sum(after) - sum(before)


def unchanged(giants: list[Scene], settings: Settings) -> list[int] | None:
    """Return the recorded runs of each scene where three seconds add none."""
    before = [recorded(giant.scene_id, settings) for giant in giants]
    time.sleep(3)
    return before if [recorded(giant.scene_id, settings) for giant in giants] == before else None


def recorded(scene_id: UUID | None, settings: Settings) -> int:
    assert scene_id is not None
    with transaction(settings) as connection:
        counted = results.progress(connection, [scene_id])  # nothing of a scene not yet planned
    return sum(one.recorded for one in counted)
