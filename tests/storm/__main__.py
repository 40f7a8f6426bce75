"""`python -m tests.storm --minutes 20 --seed 7`: a storm on a stack of its own, and its account.

The seed decides what is published, what is done and how long is waited between; what the machine
makes of it is never the same twice.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random, SystemRandom

from confluent_kafka import Producer

import stack
from mela.interval import Interval
from mela.messages import SCENES
from mela.scene import Scene
from mela.settings import Settings
from stack import environment
from tests.conftest import temporary_home
from tests.integration.asking import grid, scene_of
from tests.storm.disk import Disk, small_disk
from tests.storm.faults import PART, faults
from tests.storm.history import (
    Heard,
    account_for,
    letters_name_only,
    refused_whole,
    sent_whole,
)
from tests.storm.lines import lines
from tests.storm.proxy import Proxy
from warehouse.ingestion.ingest import ingest

INSTRUMENT = "binance:BTCUSDT"
SPAN = datetime(2022, 12, 1, tzinfo=UTC), datetime(2023, 3, 1, tzinfo=UTC)
MOST_OPEN = 6  # scenes under way at once
SILENT_S = 300.0  # once nothing is done any more: after so long without a word of any scene
NOBODY_HAS = "binance:NOSUCHCOIN"
# Kills weigh more than the other faults, but for the supervisor's, after which all starts anew.
WEIGHTS = {"kill supervisor": 0.25, "kill worker": 2.0, "kill spark": 1.5}
OTHERS = 0.35
# The whole picture of 1,000 runs in MLflow would take longer than the storm.
FEW = {"MELA_MLFLOW_TOP": "50"}


def main() -> None:
    """Run a storm; exit with 1 if its account does not hold."""
    words = argparse.ArgumentParser(prog="tests.storm", description=__doc__)
    words.add_argument("--minutes", type=float, default=20.0)
    words.add_argument("--seed", type=int, nargs="+", help="of earlier storms, to repeat them")
    words.add_argument("--kills", type=int, default=50, help="fail if there were fewer")
    given = words.parse_args()
    seeds: list[int] = given.seed or [SystemRandom().randrange(10**6)]
    with temporary_home() as folder, small_disk(folder / "home") as disk:
        home = folder / "home"
        environment.update(home, FEW)
        with lines(home) as proxies:
            settings = stack.up(Settings(home=home), only=PART, offline=True)
            ingest(INSTRUMENT, Interval.H1, SPAN[0], SPAN[1], settings)
            wrong = 0
            for seed in seeds:
                print(f"seed {seed}: repeat this storm with SEED={seed}", flush=True)
                storm = Storm(settings, seed, proxies, disk)
                storm.rage(given.minutes, given.kills)
                wrong += storm.account(given.kills)
            sys.exit(bool(wrong))


class Storm:
    """A history of scenes and faults on a running stack."""

    def __init__(
        self, settings: Settings, seed: int, proxies: Mapping[str, Proxy], disk: Disk | None
    ) -> None:
        self._settings, self._seed, self._proxies = settings, seed, proxies
        # What one draws must not change what another one is given.
        self._faults, self._scenes, inner = (
            Random(f"{seed} {what}")  # noqa: S311  the same each time
            for what in ("faults", "scenes", "details")
        )
        self._heard = Heard(settings)
        self._since = datetime.now(UTC)
        self._published: list[Scene] = []
        self._unsure: list[Scene] = []  # Kafka did not say in time that it had them
        self._done: Counter[str] = Counter()
        self._deeds = faults(settings, inner, self._in_the_middle, proxies, disk)

    def rage(self, minutes: float, least_kills: int) -> None:
        """Publish scenes and do what the seed says, for some minutes.

        On a machine so busy that there were too few kills by then it goes on, for as long again.
        """
        weights = [
            WEIGHTS.get(one, 1.0 if one.startswith("kill") else OTHERS) for one in self._deeds
        ]
        until = time.monotonic() + minutes * 60
        while (late_s := time.monotonic() - until) < 0 or (
            self._kills() < least_kills and late_s < minutes * 60
        ):
            self._publish()
            self._wait(self._faults.uniform(1, 8))
            name = self._faults.choices(list(self._deeds), weights)[0]
            was_done = self._deeds[name]()
            self._done[name] += was_done
            left, open_now = int(until - time.monotonic()), len(self._open())
            print(f"{left:>6} s left  {open_now} open  {name}{'' if was_done else ': not there'}")
            sys.stdout.flush()

    def _kills(self) -> int:
        return sum(count for name, count in self._done.items() if name.startswith("kill"))

    def _open(self) -> list[Scene]:
        return [one for one in self._published if not self._heard.has_ended(one.scene_id)]

    def _in_the_middle(self, seconds: float) -> None:
        """Let a fault last for so long, and publish while it does."""
        until = time.monotonic() + seconds
        self._publish(wait_s=seconds / 2)
        self._wait(max(0.0, until - time.monotonic()))

    def _publish(self, wait_s: float = 20.0) -> None:
        """Publish a scene unless enough are under way; it counts once Kafka acknowledged it."""
        if len(self._open()) >= MOST_OPEN:
            return
        wrong = {"instruments": [NOBODY_HAS]} if self._scenes.random() < 0.1 else {}
        fast, slow = self._scenes.choice(((1, 1), (3, 7), (20, 40), (40, 60)))
        scene = scene_of(search=grid(fast, slow), **wrong)
        acknowledged: list[object] = []
        brokers = self._settings.kafka.brokers
        producer = Producer({"bootstrap.servers": brokers, "log_level": 0})
        body = scene.model_dump_json(by_alias=True, exclude_none=True)
        producer.produce(
            SCENES, body, str(scene.scene_id), on_delivery=lambda why, _: acknowledged.append(why)
        )
        producer.flush(wait_s)
        (self._published if acknowledged == [None] else self._unsure).append(scene)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._heard.listen()

    def account(self, least_kills: int) -> int:
        """Wait until all is calm, hold every scene to account, and print the table."""
        stack.up(self._settings, only=PART)
        began = time.monotonic()
        give_up_at = began + SILENT_S
        while time.monotonic() < give_up_at and self._open():
            if self._heard.listen():
                give_up_at = time.monotonic() + SILENT_S
        took_s = time.monotonic() - began
        print(f"{len(self._open())} have not ended {took_s:.0f} s after the storm", flush=True)
        # one that Kafka may have: if anything was said of it, all of it must hold
        surprises = [one for one in self._unsure if self._heard.of(one.scene_id)]
        ended, wrong = self._held([*self._published, *surprises])
        kills = self._kills()
        print(f"\nstorm of seed {self._seed}: {kills} kills, {sum(self._done.values())} faults")
        forwarded = {f"connections of {name}": one.counts for name, one in self._proxies.items()}
        table = {
            **self._done,
            **ended,
            "scenes acknowledged": len(self._published),
            "scenes not acknowledged": len(self._unsure),
            **{name: counts["connections"] for name, counts in forwarded.items()},
        }
        for name, count in sorted(table.items()):
            print(f"  {name:<30}{count:>6}")
        for line in wrong:
            print(f"  WRONG {line}")
        if kills < least_kills:
            print(f"  expected at least {least_kills} kills, but there were {kills}")
        return int(bool(wrong) or kills < least_kills)

    def _held(self, scenes: list[Scene]) -> tuple[Counter[str], list[str]]:
        """Return how scenes ended, and what does not hold."""
        ended, wrong = Counter[str](), list[str]()
        stored: dict[str, list[dict[str, object]]] = {}
        refused = [one for one in scenes if NOBODY_HAS in one.instruments]
        for scene in scenes:
            try:
                if scene in refused:
                    said = self._heard.of(scene.scene_id)
                    refused_whole(scene, said, self._settings)
                    ended["rejected"] += 1
                else:
                    rows = account_for(scene, self._heard, self._settings)
                    stored[str(scene.scene_id)] = rows
                    ended["finished"] += 1
                    ended["runs"] += len(rows)
            except (AssertionError, ValueError) as error:
                wrong.append(f"{scene.scene_id}: {str(error)[:300]}")
        for held in (
            lambda: letters_name_only(refused, self._since, self._settings),
            lambda: sent_whole(stored, self._since, self._settings),
        ):
            try:
                held()
            except AssertionError as error:
                wrong.append(str(error)[:300])
        return ended, wrong


if __name__ == "__main__":
    main()
