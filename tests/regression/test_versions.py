"""The golden scenes give the same bits on every Python that Mela runs on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mela.settings import REPOSITORY
from regression.commits import Tree
from regression.environments import Environment
from regression.golden import golden_scenes, write_candles
from regression.sides import SideProcess

SETUP = (REPOSITORY / "stack" / "setup.sh").read_text(encoding="utf-8")
VERSIONS = re.findall(r'^VERSIONS="([\d. ]+)"', SETUP, re.MULTILINE)[0].split()
HERE = ".".join(map(str, sys.version_info[:2]))
INSTALL_S = 900


def uv(*words: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(REPOSITORY / "stack" / "uv.sh"), *words],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )


def interpreters() -> Iterator[tuple[str, str]]:
    """Yield the other Pythons of this machine that Mela runs on: version, path."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in VERSIONS:
        folders = [str(one / "bin") for one in sorted(pyenv.glob(f"{version}.*"))]
        path = os.pathsep.join([*folders, os.environ["PATH"]])
        found = uv("python", "find", "--no-python-downloads", "--system", version, path=path)
        if version != HERE and found.returncode == 0:
            yield version, found.stdout.strip()


def environment(place: Path, interpreter: str) -> Path:
    """Return the Python of an environment with the packages that the lock pins for it."""
    assert uv("venv", "--quiet", "--python", interpreter, str(place)).returncode == 0
    python = place / "bin" / "python"
    pins = str(REPOSITORY / "requirements" / "runtime.txt")
    words = ("pip", "install", "--quiet", "--python", str(python), "-r", pins)
    done = uv(*words, "--offline")
    if done.returncode:  # uv's cache lacks something for this version
        done = uv(*words)
    assert done.returncode == 0, done.stderr
    return python


def answers(python: Path, work: Path, home: Path) -> tuple[str, dict[str, Any]]:
    """Return the version that answered, and its answer to each golden scene."""
    work.mkdir()
    scenes = golden_scenes(REPOSITORY, REPOSITORY)
    tree = Tree("here", "as it is", "", REPOSITORY)
    process = SideProcess(tree, Environment(python), write_candles(scenes, work), home, work)
    try:
        version = process.about()["python"]
        return version, {one.name: process.answer(one) for one in scenes}
    finally:
        process.stop()


@pytest.mark.nightly  # an environment is made, and the engine compiled, for each other version
@pytest.mark.timeout(2400)
def test_the_golden_scenes_give_the_same_bits_on_each_python(tmp_path: Path) -> None:
    home = tmp_path / "home"
    _, expected = answers(Path(sys.executable), tmp_path / "here", home)
    assert len(expected) > 20
    assert {one.error for one in expected.values()} == {None}

    for version, interpreter in interpreters():
        python = environment(tmp_path / version, interpreter)
        answered, found = answers(python, tmp_path / f"work-{version}", home)

        assert answered.startswith(f"{version}.")
        assert {one.error for one in found.values()} == {None}
        assert {name: one.digest for name, one in found.items()} == {
            name: one.digest for name, one in expected.items()
        }
        assert {name: one.report for name, one in found.items()} == {
            name: one.report for name, one in expected.items()
        }
