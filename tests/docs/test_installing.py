"""What the pages install: a strategy's package, the hooks. In an environment of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from backtests.strategies import refresh
from mela.settings import REPOSITORY
from tests.docs.pages import commands, divided

PIP = [command for command in commands() if command.words.startswith("pip install ")]
HOOKS = [command for command in commands() if command.words.startswith("pre-commit ")]
FOUND = """
from importlib import metadata, util
for entry in metadata.entry_points(group='mela.strategies'):
    assert util.find_spec(entry.module)
    print(entry.name)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package of docs/strategies.md beside an environment that installs from nowhere else."""
    text = (REPOSITORY / "docs" / "strategies.md").read_text(encoding="utf-8")
    files = {"python": "above_average.py", "toml": "pyproject.toml"}
    for language, lines in divided(text)[0]:
        if language in files:
            shown = "\n".join(line for _, line in lines)
            (tmp_path / files.pop(language)).write_text(shown, encoding="utf-8")
    assert not files
    made = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / ".venv")]
    subprocess.run(made, check=True, timeout=60)
    pip = tmp_path / ".venv" / "bin" / "pip"
    pip.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n', encoding="utf-8")
    pip.chmod(0o755)
    # pip and python are this environment's own, `mela` is the clone's
    (tmp_path / ".venv" / "bin" / "mela").symlink_to(REPOSITORY / ".venv" / "bin" / "mela")
    return tmp_path


def typed(command: str, folder: Path, **variables: str) -> str:
    """Type a line in a folder; pip and what it builds with are those of this environment."""
    here = {
        **os.environ,
        "PYTHONPATH": f"{sysconfig.get_path('purelib')}:{REPOSITORY}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # in pip's language: without
        **variables,
    }
    done = subprocess.run(
        ["sh", "-ec", command], cwd=folder, env=here, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("command", PIP, ids=lambda command: command.words[-12:])
def test_a_package_installed_as_the_page_says_is_known(
    command, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = package / "home"
    typed(command.text, package, MELA_HOME=str(home))
    if "--target" in command.text:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "path", [*sys.path])
            known = refresh(home / "packages")
        assert "above_average" in known
        assert "above_average" not in refresh()
    else:
        assert typed(f'.venv/bin/python -c "{FOUND}"', package) == "above_average\n"


@pytest.mark.parametrize("command", HOOKS, ids=lambda command: command.words)
def test_the_hooks_are_installed_into_a_clone(command, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(REPOSITORY / ".venv")
    config = (REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    (tmp_path / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
    typed("git init --quiet .", tmp_path)
    said = typed(command.text, tmp_path)
    assert "pre-commit installed at" in said
    assert os.access(tmp_path / ".git" / "hooks" / "pre-commit", os.X_OK)
