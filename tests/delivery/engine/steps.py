"""The steps: what docs/containers.md promises, done and looked at."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.delivery.engine import scenes, troubles
from tests.delivery.engine.asking import (
    FOREIGN,
    Browser,
    Starts,
    check_s,
    memory,
    until,
    unwell,
)
from tests.delivery.engine.stack import PORTS, ROOT, Failed, Stack

CHECK_S = 0.3  # of the processor, for one health check
WORKERS = 2


@dataclass
class Measured:
    """What the steps found.

    seconds: by step
    healthy_s: by container, from its start to its first health
    """

    versions: dict[str, str]
    without: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    healthy_s: dict[str, float] = field(default_factory=dict)
    check_s: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    image_mb: int = 0
    clone_seconds: float = 0.0
    published: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)


def clone(stack: Stack, _: Measured) -> str:
    """Copy this repository under umask 077; nothing starts there before it has secrets."""
    stack.copy()
    refused = stack.attempt(["docker", "compose", "up", "--detach"])
    lines = refused.stderr.strip().splitlines()
    if refused.returncode == 0 or not all("sh stack/env.sh" in line for line in lines):
        raise Failed(f"expected that it names the missing secrets, but it said:\n{refused.stderr}")
    stack.shell("sh stack/env.sh")
    stack.compose("config", "--quiet")
    is_ignored = stack.attempt(["sh", "-c", "git init --quiet . && git check-ignore backup/x"])
    if is_ignored.returncode != 0:
        raise Failed("expected that git ignores backup/, which holds secrets")
    return f"under umask 077; without secrets it says so in {len(lines)} line(s)"


def build(stack: Stack, found: Measured) -> str:
    """Build the image."""
    stack.compose("build")
    image = f"mela:{stack.version}"
    found.images.append(image)
    found.image_mb = int(stack.docker("image", "inspect", "--format", "{{.Size}}", image)) // 10**6
    return f"{found.image_mb / 1000:.1f} GB"


def up(stack: Stack, found: Measured) -> str:
    """Start everything with two workers and the replay of packaged candles."""
    starts = Starts(stack)
    try:
        stack.up("--scale", f"spark-worker={WORKERS}")
    finally:
        found.healthy_s = starts.end()
    _all_well(stack)
    slowest = list(found.healthy_s.items())[:3]
    return "slowest to be well: " + ", ".join(f"{name} {s:.0f} s" for name, s in slowest)


def health(stack: Stack, found: Measured) -> str:
    """Measure what a health check costs, and that the driver's is true after a restart."""
    services = {one["Config"]["Labels"]["com.docker.compose.service"] for one in _going(stack)}
    for name in sorted(services):
        found.check_s[name] = check_s(stack, name)
    dear = {name: s for name, s in found.check_s.items() if s > CHECK_S}
    if dear:
        raise Failed(f"expected at most {CHECK_S} s of the processor for a health check: {dear}")
    took = troubles.is_well_only_when_its_queries_run(stack)
    most = max(found.check_s.values())
    return f"at most {most:.2f} s a check; the driver, restarted, was well after {took:.0f} s"


def scene(stack: Stack, found: Measured) -> str:
    """Load candles and run a scene, from a container and from this machine."""
    span = ("--interval", "1h", "--from", "2022-12-01", "--to", "2024-01-01")
    stack.mela("ingest", "binance:BTCUSDT", *span)
    inside = scenes.publish(stack, scenes.FIRST)
    found.published.append(inside)
    client = ROOT / ".venv" / "bin" / "mela"
    if not client.exists():
        return "inside; nothing from this machine, as there is no .venv (`make setup`)"
    found.published.append(
        scenes.publish_from_here(stack, client, scenes.grid("here", 120, 10_001))
    )
    return "inside and from this machine"


def web(stack: Stack, found: Measured) -> str:
    """Open the web application, MLflow and Airflow, with their passwords and without."""
    browser = Browser(stack)
    if browser.ask("/api/v1/health")["status"] != "ok":
        raise Failed("expected that the web application is well")
    if "<div id=" not in browser.ask("/"):
        raise Failed("expected the application's page at /")
    if not browser.is_refused():
        raise Failed("expected that a wrong password is refused with 401")
    me = browser.sign_in()
    listed = {one["scene_id"] for one in browser.ask("/api/v1/scenes")["items"]}
    if not set(found.published) <= listed:
        raise Failed(f"expected the scenes {found.published} in the list, but found {listed}")
    secrets = stack.secrets()
    account = f"mela:{secrets['MELA_MLFLOW__PASSWORD']}".encode()
    given = {"Authorization": f"Basic {base64.b64encode(account).decode()}"}
    runs = f"http://127.0.0.1:{PORTS['MLFLOW']}/api/2.0/mlflow/experiments/search?max_results=5"
    with urllib.request.urlopen(urllib.request.Request(runs, headers=given)) as answer:
        experiments = json.load(answer)["experiments"]
    airflow = f"http://127.0.0.1:{PORTS['AIRFLOW']}/auth/token"
    body = {"username": "admin", "password": secrets["MELA_AIRFLOW__PASSWORD"]}
    asked = urllib.request.Request(
        airflow, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        if not json.load(answer)["access_token"]:
            raise Failed("expected a token of Airflow")
    return f"{me['user']} signed in; {len(listed)} scenes; {len(experiments)} experiments"


def monitoring(stack: Stack, found: Measured) -> str:
    """Start Prometheus and Grafana: metrics are read, rules and boards are there."""
    wanted = [name for name in ("prometheus", "grafana") if name not in found.without]
    stack.environment["COMPOSE_PROFILES"] = "offline,monitoring"
    if not wanted:
        return "not tried, as told"
    stack.up("--no-deps", *wanted)
    if "prometheus" in wanted:
        base = f"http://127.0.0.1:{PORTS['PROMETHEUS']}/api/v1"

        def reads() -> bool:
            with urllib.request.urlopen(f"{base}/query?query=up%7Bjob=%22mela%22%7D") as answer:  # noqa: S310
                series = json.load(answer)["data"]["result"]
            return [one["value"][1] for one in series] == ["1"]

        until("Prometheus reads the monitor", reads, 120)
        with urllib.request.urlopen(f"{base}/rules") as answer:  # noqa: S310
            groups = json.load(answer)["data"]["groups"]
        if not sum(len(one["rules"]) for one in groups):
            raise Failed("expected alert rules in Prometheus")
    if "grafana" in wanted:
        for board in ("mela", "mela-trading"):
            at = f"http://127.0.0.1:{PORTS['GRAFANA']}/api/dashboards/uid/{board}"
            with urllib.request.urlopen(at) as answer:
                json.load(answer)
    return ", ".join(wanted) + "".join(f"; {name} not tried" for name in found.without)


def scale(stack: Stack, _: Measured) -> str:
    """Add a worker, and take it away again."""
    for count in (WORKERS + 1, WORKERS):
        stack.up("--no-recreate", "--scale", f"spark-worker={count}", "spark-worker")
        until(f"the master has {count} workers", lambda n=count: troubles.alive(stack) == n, 120)
    return f"{WORKERS + 1} workers, then {WORKERS}"


def trouble(stack: Stack, found: Measured) -> str:
    """Restart Kafka and Postgres and kill services while a grid runs: each run is recorded once."""
    done = troubles.under_a_grid(stack)
    found.published += done.scene_ids
    stack.up("--scale", f"spark-worker={WORKERS}")
    _all_well(stack)
    found.memory_mb = memory(stack)
    return f"{done.runs} runs in {done.seconds:.0f} s, {len(done.deeds)} deeds meanwhile"


def backup(stack: Stack, _: Measured) -> str:
    """Back up by the page's words, and go on."""
    stop, *steps = stack.page("docker compose stop spark", "pg_dump")
    stack.shell("umask 077\n" + stop + "".join(steps))
    stack.up("--scale", f"spark-worker={WORKERS}")
    sizes = {one.name: one.stat().st_size for one in (stack.folder / "backup").iterdir()}
    if len(sizes) != 9 or not all(sizes.values()):
        raise Failed(f"expected four dumps and five volumes in backup/, but found {sizes}")
    return f"{sum(sizes.values()) / 1e6:.0f} MB"


def restore(stack: Stack, found: Measured) -> str:
    """Remove every volume, restore by the page's words, and find all as it was."""
    before = scenes.stored(stack)
    stack.compose("down", "--volumes", "--timeout", "30")
    stack.shell("".join(stack.page("run --rm migrations", "pg_restore")))
    began = time.monotonic()
    stack.up("--scale", f"spark-worker={WORKERS}")
    took = time.monotonic() - began
    troubles.queries_run(stack)
    scenes.must_be_as_before(stack, before)
    again = scenes.publish(stack, scenes.FIRST.replace("my first", "my restored"))
    found.published.append(again)
    return f"{before['runs']} results are back; a scene ran; start in {took:.0f} s"


def upgrade(stack: Stack, found: Measured) -> str:
    """Build another version beside this one and go over to it by the page's words."""
    before = scenes.stored(stack)
    stack.version = "smoke-next"
    marker = stack.folder / "mela" / "__init__.py"
    marker.write_text(marker.read_text(encoding="utf-8") + "# the next version\n", encoding="utf-8")
    (words,) = stack.page("--remove-orphans")
    stack.shell("\n".join(line for line in words.splitlines() if "git pull" not in line))
    found.images.append(f"mela:{stack.version}")
    images = {one["Config"]["Image"] for one in stack.containers() if not _is_foreign(one)}
    if images != {f"mela:{stack.version}"}:
        raise Failed(f"expected that all run mela:{stack.version}, but found {images}")
    _all_well(stack)
    scenes.must_be_as_before(stack, before)
    found.published.append(scenes.publish(stack, json.dumps(scenes.grid("upgraded", 120, 10_000))))
    return f"{before['runs']} results are there; a scene ran"


def down(stack: Stack, _: Measured) -> str:
    """Stop all and start again: data stay, and nothing is left that runs."""
    before = scenes.stored(stack)
    stack.compose("down", "--timeout", "30")
    left = stack.compose("ps", "--all", "--quiet").split()
    if left:
        raise Failed(f"expected no container after `down`, but found {len(left)}")
    stack.up()
    scenes.must_be_as_before(stack, before)
    return f"{before['runs']} results stayed"


def end(_: Stack, found: Measured) -> str:
    """Remove all of it, which the caller does: also after a step that does not hold."""
    return f"memory {sum(found.memory_mb.values()) / 1000:.1f} GB in all"


def _going(stack: Stack) -> list[dict[str, Any]]:
    return [one for one in stack.containers() if one["State"].get("Health")]


def _is_foreign(one: dict[str, Any]) -> bool:
    return one["Config"]["Labels"]["com.docker.compose.service"] in FOREIGN


def _all_well(stack: Stack) -> None:
    if wrong := unwell(stack):
        raise Failed(f"expected that all is well, but {'; '.join(wrong)}")


STEPS: dict[str, Callable[[Stack, Measured], str]] = {
    one.__name__: one
    for one in (
        clone,
        build,
        up,
        health,
        scene,
        web,
        monitoring,
        scale,
        trouble,
        backup,
        restore,
        upgrade,
        down,
        end,
    )
}
