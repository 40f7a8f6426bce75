"""The environment that stack/env.sh makes, the compose file filled with it, and Go's programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from filelock import FileLock

from mela.settings import REPOSITORY
from tests.delivery.containers import Image, loaded, said
from tests.workers import shared_folder

_GO_PLACES = (None, "/usr/local/go/bin", "/usr/lib/go/bin")
_BUILD_S = 280
_notes: list[str] = []


def make_environment(folder: Path) -> dict[str, str]:
    """Run stack/env.sh on a copy of what it reads, and return what it wrote."""
    (folder / "stack").mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / "stack" / "env.sh", folder / "stack")
    shutil.copy(REPOSITORY / ".env.example", folder)
    done = said("sh", str(folder / "stack" / "env.sh"))
    assert done.returncode == 0, done.stderr
    return {key: value or "" for key, value in dotenv_values(folder / ".env").items()}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="session")
def project(environment: dict[str, str]) -> dict[str, Any]:
    return loaded(environment)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image's packages and files in a fresh environment of this machine.

    It is made once, by the worker that needs it first, and removed at the end (tests/workers.py).
    """
    folder = shared_folder(tmp_path_factory) / "image"
    made = Image(folder)
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a test that failed left half
            folder.mkdir()
            made.make()
            (folder / "made").touch()
    return made


@pytest.fixture(scope="session")
def compose_go(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Compose's own library, compiled; None where Go or its modules are not to be had."""
    return _built("compose", ".", tmp_path_factory)


@pytest.fixture(scope="session")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    return _built("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", tmp_path_factory)


@pytest.fixture(scope="session")
def rules_go(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Prometheus' own reader of alert rules, compiled; None where Go or its modules are away."""
    return _built("rules", ".", tmp_path_factory)


def _built(module: str, package: str, factory: pytest.TempPathFactory) -> Path | None:
    go = next((found for place in _GO_PLACES if (found := shutil.which("go", path=place))), None)
    if go is None:
        _notes.append(f"{module}: there is no Go here, so our own reading of the files decides")
        return None
    target = factory.mktemp("go") / module
    made = subprocess.run(
        [go, "build", "-mod=readonly", "-o", str(target), package],
        cwd=REPOSITORY / "tests" / "delivery" / module,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""},
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if made.returncode == 0:
        return target
    assert "dial tcp" in made.stderr or "lookup" in made.stderr, made.stderr
    _notes.append(f"{module}: Go cannot reach its modules, so our own reading of the files decides")
    return None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for note in _notes:
        terminalreporter.write_line(f"tests/delivery: {note}")
