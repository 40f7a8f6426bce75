"""docker-compose.yml, the Dockerfile and the environment, as tests read them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from mela.settings import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"
DOCKERFILE = REPOSITORY / "Dockerfile"
IMAGE_PYTHON = "/opt/venv/bin/python"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def loaded(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return docker-compose.yml with its variables filled in. Raises KeyError as compose refuses.

    Reads what this one file uses of the format; `test_compose_itself_reads_the_same` holds it
    against compose's own library.
    """

    def value(match: re.Match[str]) -> str:
        name, kind, other = match.groups()
        found = environment.get(name, "")
        if not found and kind == "?":
            raise KeyError(f"{name} is missing a value: {other}")
        return found or (other if kind == "-" else "")

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(part) for key, part in node.items()}
        if isinstance(node, list):
            return [filled(part) for part in node]
        return _VARIABLE.sub(value, node) if isinstance(node, str) else node

    return filled(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))


def environment_of(service: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that a service is given; those passed on from nowhere are left out."""
    given = service.get("environment", {})
    return {key: str(value) for key, value in given.items() if value is not None}


def ours(project: Mapping[str, Any]) -> dict[str, Any]:
    """Return the services that run our image."""
    return {name: one for name, one in project["services"].items() if "build" in one}


def serving(project: Mapping[str, Any]) -> dict[str, Any]:
    """Return the containers that are a service of the stack, by the name they are told."""
    found = {name: one for name, one in ours(project).items() if one["command"][0] == "serve"}
    assert all(one["command"] == ["serve", name] for name, one in found.items())
    return found


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the Dockerfile's instructions with their arguments, comments and line breaks gone."""
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), " ".join(rest.split())


def last(word: str) -> str:
    """Return the arguments of the Dockerfile's last such instruction."""
    return [rest for name, rest in instructions() if name == word][-1]


def on_this_machine(command: list[str]) -> list[str]:
    """Return a command of the image with this environment's Python in place of the image's."""
    assert command[0] == IMAGE_PYTHON, command
    return [sys.executable, *command[1:]]


def image_entry() -> list[str]:
    """Return the image's entry point."""
    return json.loads(last("ENTRYPOINT"))


def program(name: str) -> str:
    """Return a program of this environment, or of PATH."""
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=str(beside)) or shutil.which(name)
    assert found, f"{name} is neither in {beside} nor on PATH; requirements/dev.txt pins it"
    return found


def said(*command: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it said."""
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)
