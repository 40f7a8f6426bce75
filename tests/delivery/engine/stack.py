"""A clone of this repository under a strict umask, and its containers on an engine.

Loads what Python itself brings and nothing else: a machine with an engine needs no `make setup`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PROJECT = "mela-smoke"
ENGINE, COMPOSE = (25, 0), (2, 24)  # docs/containers.md says so too
PROFILES = "offline"
# Other ports than the usual ones, which a stack that is already here may hold.
PORTS = {
    "POSTGRES": 15432,
    "KAFKA": 19094,
    "MLFLOW": 15000,
    "AIRFLOW": 18080,
    "API": 18000,
    "PROMETHEUS": 19090,
    "GRAFANA": 13000,
}
START_S = 1800  # of a whole start on a busy machine
STEP_S = 3600


class Failed(Exception):
    """Say in a sentence what did not hold."""


class NoEngine(Exception):
    """Say in a sentence which engine is missing."""


def engine() -> dict[str, str]:
    """Return the versions of the engine and of compose. Raises NoEngine if they are too old."""
    found: dict[str, str] = {}
    asked = {
        "engine": (("version", "--format", "{{.Server.Version}}"), ENGINE),
        "compose": (("compose", "version", "--short"), COMPOSE),
    }
    for name, (words, least) in asked.items():
        wanted = f"expected Docker's {name} {least[0]}.{least[1]} or newer"
        try:
            done = _run(["docker", *words], timeout=60)
        except FileNotFoundError as error:
            raise NoEngine(f"{wanted}, but there is no `docker` on PATH") from error
        said = done.stdout.strip()
        version = re.match(r"v?(\d+)\.(\d+)", said)
        if done.returncode != 0 or version is None:
            why = (done.stderr or said).strip().splitlines()[-1:] or ["it said nothing"]
            raise NoEngine(f"{wanted}, but found none: {why[0]}")
        if (int(version[1]), int(version[2])) < least:
            raise NoEngine(f"{wanted}, but found {said}")
        found[name] = said
    return found


class Stack:
    """The clone in `folder` and the containers that are made of it."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder = folder
        self.log = log
        self.version = "smoke"
        self.environment = {
            **{key: text for key, text in os.environ.items() if key != "MELA_HOME"},
            **{f"MELA_PORT_{name}": str(port) for name, port in PORTS.items()},
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_PROFILES": PROFILES,
            "MELA_API__PUBLIC_URL": f"http://127.0.0.1:{PORTS['API']}",
            "MELA_REPLAY_URL": "http://replay:8765",
        }

    def copy(self) -> None:
        """Copy what git knows or would add, readable by the owner alone."""
        listed = _run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT
        )
        if listed.returncode != 0:
            raise Failed(f"expected a clone by git: {listed.stderr.strip()}")
        before = os.umask(0o077)
        try:
            for name in filter(None, listed.stdout.split("\0")):
                if (ROOT / name).is_file():
                    (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(ROOT / name, self.folder / name)
        finally:
            os.umask(before)

    def secrets(self) -> dict[str, str]:
        """Return what .env says."""
        lines = (self.folder / ".env").read_text(encoding="utf-8").splitlines()
        pairs = (line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
        return {line[0]: line[1] for line in pairs}

    def compose(self, *words: str, given: str | None = None, timeout: float = STEP_S) -> str:
        """Run `docker compose`; return what it said. Raises Failed if it fails."""
        return self.run(["docker", "compose", *words], given, timeout)

    def docker(self, *words: str) -> str:
        """Run `docker`; return what it said. Raises Failed if it fails."""
        return self.run(["docker", *words])

    def shell(self, text: str) -> str:
        """Run a part of a page in the clone, as a reader would. Raises Failed if it fails."""
        return self.run(["sh", "-euc", text])

    def run(self, words: list[str], given: str | None = None, timeout: float = STEP_S) -> str:
        """Run a command in the clone; its words go to the log. Raises Failed if it fails."""
        done = self.attempt(words, given, timeout)
        if done.returncode != 0:
            last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
            raise Failed(f"`{' '.join(words)[:200]}` ended with {done.returncode}:\n{last}")
        return done.stdout

    def attempt(
        self, words: list[str], given: str | None = None, timeout: float = STEP_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone and return how it ended."""
        environment = {**self.environment, "MELA_VERSION": self.version}
        began = time.monotonic()
        done = _run(words, cwd=self.folder, env=environment, input=given, timeout=timeout)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"\n$ {' '.join(words)}  [{time.monotonic() - began:.1f} s]\n")
            log.write(done.stdout + done.stderr)
        return done

    def up(self, *words: str) -> None:
        """Start what does not run, and return when all of it is well."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", str(START_S), *words)

    def mela(self, *words: str, given: str | None = None) -> str:
        """Run the command line in a container of its own."""
        return self.compose("run", "--rm", "--no-deps", "-T", "mela", *words, given=given)

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """Return what the engine says of the containers, those that ended too."""
        ids = self.compose("ps", "--all", "--quiet", *([service] if service else [])).split()
        return json.loads(self.docker("inspect", *ids)) if ids else []

    def sql(self, text: str, database: str = "mela") -> str:
        """Ask Postgres as its administrator, in its own container."""
        command = (
            'PGPASSWORD=$POSTGRES_PASSWORD exec psql -h 127.0.0.1 -U postgres -At -d "$name" -f -'
        )
        words = ("exec", "-T", "--env", f"name={database}", "postgres", "sh", "-ec", command)
        return self.compose(*words, given=text).strip()

    def page(self, *marks: str) -> list[str]:
        """Return those blocks of docs/containers.md that have one of the marks, for this project.

        The names that the page uses are replaced by those of this stack.
        """
        text = (self.folder / "docs" / "containers.md").read_text(encoding="utf-8")
        blocks = re.findall(r"```sh\n((?:.*\n)*?)```|((?:^    \S.*\n)+)", text, re.MULTILINE)
        found = [fenced or re.sub(r"^    ", "", plain, flags=re.M) for fenced, plain in blocks]
        ours = [block for mark in marks for block in found if mark in block]
        return [
            block.replace("mela_$volume", f"{PROJECT}_$volume").replace(
                "mela:0.1.0", f"mela:{self.version}"
            )
            for block in ours
        ]

    def end(self, images: Iterable[str]) -> None:
        """Remove the containers, the volumes and the images that were made."""
        self.environment["COMPOSE_PROFILES"] = "offline,monitoring,tools"
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "30")
        for image in images:
            self.attempt(["docker", "image", "rm", "--force", image])


def _run(words: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, **more)
