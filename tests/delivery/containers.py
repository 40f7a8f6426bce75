"""docker-compose.yml, the Dockerfile and the environment, as tests read them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mela.settings import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"
DOCKERFILE = REPOSITORY / "Dockerfile"
IMAGE_PYTHON = "/opt/venv/bin/python"
_INSTALL_S = 600
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
_PASSED_ON = ("environment", "args")  # where a key without a value takes it from the environment


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
            found = {key: filled(part) for key, part in node.items()}
            for kind in _PASSED_ON:
                if isinstance(found.get(kind), dict):
                    found[kind] |= {
                        key: environment.get(key)
                        for key, text in found[kind].items()
                        if text is None
                    }
            return found
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
    return {name: one for name, one in project["services"].items() if is_ours(one)}


def is_ours(service: Mapping[str, Any]) -> bool:
    """Tell whether a service runs our image."""
    return service["image"].startswith("mela:")


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


@dataclass(frozen=True)
class Image:
    """What the Dockerfile puts into the image, made by its own words in a folder of this machine.

    root: with `venv`, where only the packages of the image are, and `mela`, the files that it has
    """

    root: Path

    def here(self, command: list[str]) -> list[str]:
        """Return a command of the image with this Python in place of the image's."""
        assert command[0] == IMAGE_PYTHON, command
        return [str(self.root / "venv" / "bin" / "python"), *command[1:]]

    def make(self) -> None:
        """Install and copy what the Dockerfile installs and copies."""
        venv, files = self.root / "venv", self.root / "mela"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        files.mkdir()
        for source, target in copies():
            place = files / target if target != "./" else files / source
            (shutil.copytree if (REPOSITORY / source).is_dir() else shutil.copy)(
                REPOSITORY / source, place
            )
        packages, ours = (
            words
            for words in re.findall(r"uv (pip install [^&\n]+)", _runs())
            if "--python" in words
        )
        for words in (packages, ours):
            told = words.replace("/opt/venv", str(venv)).replace(
                "/tmp/runtime.txt",  # noqa: S108 - where the Dockerfile lays it
                str(REPOSITORY / "requirements" / "runtime.txt"),
            )
            # as they lie in this machine's cache, and compiled where they are used
            other = ("--no-cache", "--compile-bytecode", "--offline")
            here = [word for word in told.split() if word not in other]
            done = self._install([*here, "--offline"])
            if done.returncode:  # nothing is kept here: uv has no cache, or somebody emptied it
                done = self._install(here)
            assert done.returncode == 0, done.stderr
        self._take_bytecode()

    def _install(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(REPOSITORY / "stack" / "uv.sh"), *words],
            cwd=self.root / "mela",
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )

    def _take_bytecode(self) -> None:
        """Take what this environment compiled; Python asks whether it is of the same file."""
        packages, other = sysconfig.get_path("purelib"), _packages_of(self.root / "venv")
        for place, _, _ in os.walk(packages):
            target = other / os.path.relpath(place, packages)
            if place.endswith("__pycache__") and target.parent.is_dir() and not target.exists():
                target.symlink_to(place)


def _packages_of(venv: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(venv)}))


def copies() -> list[tuple[str, str]]:
    """Return what the image's last stage copies from the repository, and to where."""
    found: list[tuple[str, str]] = []
    for word, rest in instructions():
        if word == "FROM":
            found = []
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            found += [(source, target) for source in sources]
    return found


def _runs() -> str:
    return "\n".join(rest for word, rest in instructions() if word == "RUN")


def image_entry() -> list[str]:
    """Return the image's entry point."""
    return json.loads(last("ENTRYPOINT"))


def health_check(image: Image) -> list[str]:
    """Return the image's health check by this machine's Python and the image's files."""
    words = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    inside = "/opt/mela/"
    return image.here([word.replace(inside, f"{image.root / 'mela'}/") for word in words])


def program(name: str) -> str:
    """Return a program of this environment, or of PATH."""
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=str(beside)) or shutil.which(name)
    assert found, f"{name} is neither in {beside} nor on PATH; requirements/dev.txt pins it"
    return found


def said(*command: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it said."""
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)
