"""`python -m tests.storm --minutes 20 --seed 7`: a storm on a stack of its own, and its account.

The seed decides what is published, what is done and how long is waited between; what the machine
makes of it is never the same twice.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random, SystemRandom

from confluent_kafka import Producer

import stack
from mela.messages import SCENES, State
from mela.scene import Scene
from mela.settings import Settings
from tests.conftest import DEMO_S, mela, stack_settings, temporary_home
from tests.integration.asking import grid, scene_of
from tests.storm.faults import faults
from tests.storm.history import Heard, account_for

MOST_OPEN = 6  # scenes under way at once
CALM_S = 900.0  # how long the last scenes may take once nothing is done any more
WEIGHTS = {"kill supervisor": 0.25, "kill worker": 2.0, "kill spark": 1.5}


def main() -> None:
    """Run a storm; exit with 1 if its account does not hold."""
    words = argparse.ArgumentParser(prog="tests.storm", description=__doc__)
    words.add_argument("--minutes", type=float, default=20.0)
    words.add_argument("--seed", type=int, default=None, help="of an earlier storm, to repeat it")
    words.add_argument("--kills", type=int, default=50, help="fail if there were fewer")
    words.add_argument("--home", type=Path, default=None, help="a running stack, instead of one")
    given = words.parse_args()
    seed = given.seed if given.seed is not None else SystemRandom().randrange(10**6)
    print(f"seed {seed}: repeat this storm with SEED={seed}", flush=True)
    if given.home is not None:
        sys.exit(run(stack_settings(given.home), seed, given.minutes, given.kills))
    with temporary_home() as home:
        done = mela("demo", "--offline", home=home, timeout_s=DEMO_S)
        if done.returncode:
            sys.exit(f"the stack did not start:\n{done.stdout}\n{done.stderr}")
        sys.exit(run(stack_settings(home), seed, given.minutes, given.kills))


def run(settings: Settings, seed: int, minutes: float, least_kills: int) -> int:
    """Storm for some minutes, wait until it is calm, and print the account."""
    rng = Random(seed)  # noqa: S311  the same each time
    heard, published = Heard(settings), list[Scene]()
    deeds = faults(settings, rng)
    done: Counter[str] = Counter()
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        _publish(published, heard, rng, settings)
        _wait(heard, rng.uniform(2, 14))
        name = rng.choices(list(deeds), [WEIGHTS.get(one, 1.0) for one in deeds])[0]
        if deeds[name]():
            done[name] += 1
        print(f"{int(until - time.monotonic()):>6} s left  {name}", flush=True)
    return _account(published, heard, done, settings, seed, least_kills)


def _publish(published: list[Scene], heard: Heard, rng: Random, settings: Settings) -> None:
    """Publish a scene unless enough are under way; it counts once Kafka has acknowledged it."""
    if sum(not heard.has_ended(one.scene_id) for one in published) >= MOST_OPEN:
        return
    wrong = {"instruments": ["binance:NOSUCHCOIN"]} if rng.random() < 0.1 else {}
    fast, slow = rng.choice(((1, 1), (3, 7), (20, 40), (40, 60)))
    scene = scene_of(search=grid(fast, slow), **wrong)
    acknowledged: list[object] = []
    producer = Producer({"bootstrap.servers": settings.kafka.brokers, "log_level": 0})
    body = scene.model_dump_json(by_alias=True, exclude_none=True)
    producer.produce(
        SCENES, body, str(scene.scene_id), on_delivery=lambda why, _: acknowledged.append(why)
    )
    producer.flush(20)
    if acknowledged == [None]:
        published.append(scene)


def _wait(heard: Heard, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        heard.listen()


def _account(
    published: list[Scene],
    heard: Heard,
    done: Counter[str],
    settings: Settings,
    seed: int,
    least_kills: int,
) -> int:
    stack.up(settings)
    until = time.monotonic() + CALM_S
    while time.monotonic() < until and not all(heard.has_ended(one.scene_id) for one in published):
        heard.listen()
    wrong: list[str] = []
    ended: Counter[str] = Counter()
    for scene in published:
        said = heard.of(scene.scene_id)
        if any(one.state is State.REJECTED for one in said) and "NOSUCH" in scene.instruments[0]:
            ended["rejected"] += 1
            continue
        try:
            account_for(scene, heard, settings)
            ended["finished"] += 1
        except (AssertionError, ValueError) as error:
            wrong.append(f"{scene.scene_id}: {str(error)[:300]}")
    kills = sum(count for name, count in done.items() if name.startswith("kill"))
    print(f"\nstorm of seed {seed}: {kills} kills, {sum(done.values())} faults")
    for name, count in sorted({**done, **ended, "scenes published": len(published)}.items()):
        print(f"  {name:<18}{count:>6}")
    for line in wrong:
        print(f"  WRONG {line}")
    if kills < least_kills:
        print(f"  expected at least {least_kills} kills, but there were {kills}")
    return int(bool(wrong) or kills < least_kills)


if __name__ == "__main__":
    main()
