"""What is asked of running containers: their health, their memory, the web application."""

from __future__ import annotations

import http.cookiejar
import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.delivery.engine.stack import PORTS, PROJECT, Failed, Stack

FOREIGN = ("postgres", "kafka", "prometheus", "grafana")
ENDED = ("finished", "rejected", "cancelled")


def until(what: str, is_so: Callable[[], Any], patience_s: float, pause_s: float = 1.0) -> Any:
    """Return the first true answer. Raises Failed after `patience_s` seconds."""
    deadline = time.monotonic() + patience_s
    while not (answer := is_so()):
        if time.monotonic() > deadline:
            raise Failed(f"after {patience_s:.0f} s not yet: {what}")
        time.sleep(pause_s)
    return answer


class Starts:
    """How long each container takes from its start to its first health."""

    def __init__(self, stack: Stack) -> None:
        filters = [f"label=com.docker.compose.project={PROJECT}", "event=start"]
        filters.append("event=health_status: healthy")
        words = ["docker", "events", "--format", "{{json .}}"]
        words += [word for one in filters for word in ("--filter", one)]
        self._heard = subprocess.Popen(
            words, env=stack.environment, stdout=subprocess.PIPE, text=True
        )

    def end(self) -> dict[str, float]:
        """Return the seconds by container, the slowest first."""
        self._heard.terminate()
        text, _ = self._heard.communicate()
        began: dict[str, float] = {}
        took: dict[str, float] = {}
        for event in map(json.loads, text.splitlines()):
            name = event["Actor"]["Attributes"]["name"].removeprefix(f"{PROJECT}-")
            at = event["timeNano"] / 1e9
            if event["Action"] == "start":
                began[name] = at
            elif name in began and name not in took:
                took[name] = round(at - began[name], 1)
        return dict(sorted(took.items(), key=lambda pair: -pair[1]))


def memory(stack: Stack) -> dict[str, float]:
    """Return the memory of each container in MB, the largest first."""
    ids = stack.compose("ps", "--quiet").split()
    lines = stack.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *ids)
    found: dict[str, float] = {}
    for line in lines.splitlines():
        name, used = line.split()[:2]
        number, unit = re.fullmatch(r"([\d.]+)(\w+)", used).groups()  # type: ignore[union-attr]
        scale = {"B": 1e-6, "KiB": 1024e-6, "MiB": 1.048576, "GiB": 1073.741824}[unit]
        found[name.removeprefix(f"{PROJECT}-")] = round(float(number) * scale, 1)
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def unwell(stack: Stack) -> list[str]:
    """Return what is not as it should be: not healthy, or ended with another status than 0."""
    wrong: list[str] = []
    for one in stack.containers():
        state, name = one["State"], one["Name"].removeprefix(f"/{PROJECT}-")
        health = state.get("Health", {}).get("Status")
        once = one["HostConfig"]["RestartPolicy"]["Name"] == "no"
        if once and (state["Running"] or state["ExitCode"] != 0):
            wrong.append(f"{name} is {state['Status']} with {state['ExitCode']}")
        if not once and (not state["Running"] or health != "healthy"):
            wrong.append(f"{name} is {state['Status']}, {health}")
    return wrong


def check_s(stack: Stack, service: str, times: int = 5) -> float:
    """Return the seconds of the processor that one health check of a service takes."""
    (one, *_) = stack.containers(service)
    kind, *words = one["Config"]["Healthcheck"]["Test"]
    if kind != "CMD":
        raise Failed(f"expected a health check of {service} as words, but found {kind}")
    repeated = f'i=0; while [ $i -lt {times} ]; do "$@"; i=$((i+1)); done; times'
    said = stack.docker("exec", one["Id"], "bash", "-ec", repeated, "check", *words)
    minutes = re.findall(r"(\d+)m([\d.]+)s", said)[-4:]  # of the shell, then of its children
    spent = [int(m) * 60 + float(s) for m, s in minutes]
    return round((spent[0] + spent[1] + spent[2] + spent[3]) / times, 3)


class Browser:
    """Somebody who signs in to the web application."""

    def __init__(self, stack: Stack) -> None:
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._open = urllib.request.build_opener(cookies).open
        self._at = f"http://127.0.0.1:{PORTS['API']}"
        self._password = stack.secrets()["MELA_STACK_API_PASSWORD"]
        self._csrf = ""

    def ask(self, path: str, body: Any = None) -> Any:
        """Return the answer to a GET, or to a POST of `body`. Raises OSError."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-CSRF-Token": self._csrf}
        asked = urllib.request.Request(f"{self._at}{path}", data=sent, headers=headers)  # noqa: S310
        with self._open(asked, timeout=30) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith(("{", "[")) else text

    def sign_in(self) -> Any:
        """Sign in as the first account; return who that is."""
        me = self.ask("/api/v1/session", {"user": "admin", "password": self._password})
        self._csrf = me["csrf_token"]
        return me

    def is_refused(self) -> bool:
        """Tell whether a wrong password is refused."""
        try:
            self.ask("/api/v1/session", {"user": "admin", "password": "not-the-password-of-it"})
        except urllib.error.HTTPError as error:
            return error.code == 401
        return False

    def scene(self, scene_id: str) -> dict[str, Any] | None:
        """Return how a scene is; None while nobody answers, as services are restarted."""
        try:
            return self.ask(f"/api/v1/scenes/{scene_id}")
        except urllib.error.HTTPError as error:
            if error.code in (404, 500, 502, 503, 504):
                return None
            raise
        except OSError:
            return None

    def ended(self, scene_id: str, patience_s: float) -> dict[str, Any]:
        """Wait until a scene has ended; return it. Raises Failed."""

        def is_so() -> dict[str, Any] | None:
            found = self.scene(scene_id)
            return found if found and found["state"] in ENDED else None

        return until(f"the scene {scene_id} has ended", is_so, patience_s, 2.0)
