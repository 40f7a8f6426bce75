"""What goes wrong on purpose: restarts, and kills with -9 inside the containers."""

from __future__ import annotations

import json
import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tests.delivery.engine import scenes
from tests.delivery.engine.asking import Browser, until
from tests.delivery.engine.stack import Failed, Stack

RUNS = 6_000  # of the grid before each deed
PATIENCE_S = 1500
_KILL = """import json, os, signal
name, pid = json.load(open('/var/lib/mela/run/serving.json'))
os.kill(pid, signal.SIGKILL)
print(name, pid)"""
_WORKERS = """import json, urllib.request
with urllib.request.urlopen('http://spark-master:8080/json/') as answer:
    print(sum(one['state'] == 'ALIVE' for one in json.load(answer)['workers']))"""


@dataclass(frozen=True)
class Done:
    """What the grids came to. deeds: what was done meanwhile, in order."""

    scene_ids: tuple[str, ...]
    runs: int
    seconds: float
    deeds: tuple[str, ...]


def python(stack: Stack, service: str, text: str, index: int = 1) -> str:
    """Run a text of Python in a container of our image; return what it said."""
    words = ("exec", "-T", "--index", str(index), service, "/opt/venv/bin/python", "-c", text)
    return stack.compose(*words).strip()


def alive(stack: Stack) -> int:
    """Return how many workers the master believes in."""
    return int(python(stack, "spark-master", _WORKERS))


def state(stack: Stack) -> dict[str, object]:
    """Return what the streaming job last wrote of its queries."""
    return json.loads(stack.compose("exec", "-T", "spark", "cat", "/var/lib/mela/spark/state.json"))


def queries_run(stack: Stack) -> None:
    """Raise Failed unless the driver that runs now said that all its queries run."""
    (one,) = stack.containers("spark")
    started = datetime.fromisoformat(one["State"]["StartedAt"][:19] + "+00:00").timestamp()
    said = state(stack)
    at = datetime.fromisoformat(str(said["at"]).replace("Z", "+00:00")).timestamp()
    if not said["ready"] or at < started:
        raise Failed(f"the driver is called well, but its queries do not run: {said}")


def is_well_only_when_its_queries_run(stack: Stack) -> float:
    """Restart the driver; return after how many seconds it is called well. Raises Failed."""
    began = time.monotonic()
    stack.compose("restart", "spark")
    stack.up("--no-deps", "spark")
    took = time.monotonic() - began
    queries_run(stack)
    return took


def under_a_grid(stack: Stack) -> Done:
    """Restart and kill services while grids run; each of their runs is recorded once.

    A grid is published before each deed, so that there is work however quick the machine is.
    """
    browser = Browser(stack)
    browser.sign_in()
    before = scenes.stored(stack)["runs"]
    began = time.monotonic()
    scene_ids: list[str] = []
    told: list[str] = []
    for number, (name, deed) in enumerate(_deeds(stack).items()):
        asked = {"scene": scenes.grid(name, RUNS, 20_000 + number)}
        scene_ids.append(until(f"a scene is taken before `{name}`", _taken(browser, asked), 300))
        deed()
        told.append(f"{name}, {_recorded(browser, scene_ids[-1])} recorded after it")
    for scene_id in scene_ids:
        found = browser.ended(scene_id, PATIENCE_S)
        ended = [found[key] for key in ("state", "runs", "recorded", "failed")]
        if ended != ["finished", RUNS, RUNS, 0]:
            raise Failed(f"expected {RUNS} runs with results, but found {ended} after {told}")
    stored, wanted = scenes.stored(stack)["runs"] - before, RUNS * len(scene_ids)
    if stored != wanted:
        raise Failed(f"expected {wanted} more results in the warehouse, but found {stored}")
    print("".join(f"{'':12}{one}\n" for one in told), end="", flush=True)
    return Done(tuple(scene_ids), wanted, time.monotonic() - began, tuple(told))


def _taken(browser: Browser, asked: object) -> Callable[[], str | None]:
    """Return what publishes a scene, and gives its id; None while nobody answers."""

    def publish() -> str | None:
        try:
            return str(browser.ask("/api/v1/scenes", asked)["scene_id"])
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise
            return None
        except OSError:
            return None

    return publish


def _deeds(stack: Stack) -> dict[str, Callable[[], object]]:
    """Return what is done, in this order."""
    return {
        "kill a worker": lambda: python(stack, "spark-worker", _KILL, index=1),
        "restart Kafka": lambda: stack.compose("restart", "kafka"),
        "kill MLflow": lambda: python(stack, "mlflow", _KILL),
        "restart Postgres": lambda: stack.compose("restart", "postgres"),
        "kill the scheduler": lambda: python(stack, "airflow-scheduler", _KILL),
        "kill the driver": lambda: python(stack, "spark", _KILL),
        "kill the other worker": lambda: python(stack, "spark-worker", _KILL, index=2),
    }


def _recorded(browser: Browser, scene_id: str) -> int:
    found = browser.scene(scene_id)
    return int(found["recorded"]) if found else 0
