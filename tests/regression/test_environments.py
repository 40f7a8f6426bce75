"""A commit that pins other packages gets an environment of its own, made once."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from mela.settings import REPOSITORY
from regression.environments import differing_pins, environment_of
from regression.errors import NotCompared

HERE = metadata.version("pyyaml")


def tree(folder: Path, pins: str) -> Path:
    (folder / "requirements").mkdir(parents=True)
    (folder / "requirements" / "runtime.txt").write_text(pins, encoding="utf-8")
    return folder


def wheel(folder: Path) -> Path:
    """A package that no index has."""
    file = folder / "mela_tiny-7-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: mela-tiny\nVersion: 7\n"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mela_tiny.py", "ANSWER = 42\n")
        archive.writestr("mela_tiny-7.dist-info/METADATA", about)
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("mela_tiny-7.dist-info/WHEEL", tag)
        archive.writestr("mela_tiny-7.dist-info/RECORD", "")
    return file


def test_the_pins_of_this_repository_hold_in_the_environment_that_compares(tmp_path: Path) -> None:
    found = environment_of(REPOSITORY, tmp_path)
    assert (found.python, found.description) == (
        Path(sys.executable),
        "the interpreter that compares",
    )
    assert not list(tmp_path.iterdir())


def test_other_pins_get_an_environment_of_their_own_and_keep_it(tmp_path: Path) -> None:
    commit = tree(tmp_path / "commit", f"mela-tiny @ {wheel(tmp_path).as_uri()}\n")
    home = tmp_path / "home"

    found = environment_of(commit, home)

    assert found.description == "its own: mela-tiny from elsewhere (here none)"
    code = "import mela_tiny, sys; print(mela_tiny.ANSWER, sys.version_info[:2])"
    printed = subprocess.check_output([found.python, "-c", code], text=True)
    assert printed == f"42 {sys.version_info[:2]}\n"
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([found.python, "-c", "import yaml"], check=True, stderr=subprocess.DEVNULL)
    stamp = found.python.stat().st_ctime_ns
    assert environment_of(commit, home).python.stat().st_ctime_ns == stamp


def test_what_cannot_be_installed_is_said(tmp_path: Path) -> None:
    missing = (tmp_path / "none-1-py3-none-any.whl").as_uri()
    commit = tree(tmp_path / "commit", f"none @ {missing}\n")
    with pytest.raises(NotCompared, match="the packages that a commit pins could not be installed"):
        environment_of(commit, tmp_path / "home")


def test_only_pins_that_hold_here_are_looked_at() -> None:
    lines = [
        "# a comment",
        "--index-url https://example.org",
        "",
        f"pyyaml=={HERE} # why",
        "pywin32==1 ; sys_platform == 'win32'",
    ]
    assert differing_pins(lines) == ()
    assert differing_pins(["pyyaml==0.1"]) == (f"pyyaml 0.1 (here {HERE})",)
