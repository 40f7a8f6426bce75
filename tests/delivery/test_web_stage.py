"""The stage of the Dockerfile that builds the pages, executed where no container runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mela.settings import REPOSITORY
from tests.delivery.containers import instructions

STAGE_S = 500


def made_here(folder: str, names: list[str]) -> list[str]:
    """Return what of `web` was made on this machine."""
    is_web = Path(folder) == REPOSITORY / "web"
    return [name for name in names if is_web and re.match("node_modules$|dist", name)]


def stage(name: str) -> list[tuple[str, str]]:
    """Return the instructions of a stage, without its FROM."""
    found: list[tuple[str, str]] = []
    is_in = False
    for word, rest in instructions():
        if word == "FROM":
            is_in = rest.endswith(f" AS {name}")
        elif is_in:
            found.append((word, rest))
    return found


@pytest.mark.nightly  # all packages of the pages are installed anew, 200 MB
@pytest.mark.timeout(STAGE_S + 60)
def test_the_stage_of_the_pages_builds_them_from_what_the_build_is_sent(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()

    def here(text: str) -> str:
        return re.sub(r"(?<![\w.-])/(opt|tmp)/", rf"{tmp_path}/\1/", text)

    folder = tmp_path
    done: list[str] = []
    for word, rest in stage("web"):
        if word == "WORKDIR":
            folder = Path(here(rest))
            folder.mkdir(parents=True)
        elif word == "COPY":
            source, goal = (here(one) for one in rest.split())
            if (REPOSITORY / source).is_dir():  # without what .dockerignore keeps out
                shutil.copytree(REPOSITORY / source, folder / goal, ignore=made_here)
            else:
                shutil.copy(REPOSITORY / source, folder / goal)
        else:
            assert word == "RUN", word
            ran = subprocess.run(
                ["sh", "-euc", here(rest)],
                cwd=folder,
                env={**os.environ, "PATH": f"{REPOSITORY}/.venv/bin:{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                timeout=STAGE_S,
                check=False,
            )
            assert ran.returncode == 0, ran.stdout + ran.stderr
            done.append(rest)

    assert len(done) == 2
    assert not (folder / ".venv").exists()  # its Node is the stage's own
    built = folder / "web" / "dist"
    assert (built / "index.html").is_file()
    ours = {file.name for file in (REPOSITORY / "web" / "dist" / "assets").iterdir()}
    assert {file.name for file in (built / "assets").iterdir()} == ours
