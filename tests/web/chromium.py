"""Chromium: the machine's own, or one that an npm package brings to machines that have none."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from mela.settings import REPOSITORY

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NODE = REPOSITORY / "web" / "node.sh"
PACKAGE = REPOSITORY / "tests" / "web" / "browser"
KEPT = REPOSITORY / "build" / "browser"
# The package brings libraries along for a system whose name this is, and only there.
BARE = {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x"}
INSTALL_S, UNPACK_S = 300, 120


@dataclass(frozen=True, slots=True)
class Program:
    """A browser to start, and what its environment needs besides."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)


def find(path: str | None = None) -> Program:
    """Return a Chromium of PATH, else the one that npm brings.

    path: what is searched instead of PATH
    """
    for name in NAMES:
        found = shutil.which(name, path=path)
        if found is not None:
            return Program(Path(found))
    return brought()


def brought() -> Program:
    """Return the Chromium of @sparticuz/chromium, installed and unpacked under build/ once."""
    KEPT.mkdir(parents=True, exist_ok=True)
    program, libraries = KEPT / "chromium", KEPT / "al2023" / "lib"
    if not program.is_file():
        for name in ("package.json", "package-lock.json", ".npmrc", "unpack.mjs"):
            shutil.copy(PACKAGE / name, KEPT / name)
        _node("npm", "ci", "--prefix", str(KEPT), "--loglevel=error", timeout_s=INSTALL_S)
        _node("node", str(KEPT / "unpack.mjs"), timeout_s=UNPACK_S, environment=BARE)
    missing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True)
    if "not found" not in missing.stdout:
        return Program(program)
    return Program(program, {"LD_LIBRARY_PATH": str(libraries)})


def _node(*words: str, timeout_s: float, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        ["sh", str(NODE), *words],
        env={**os.environ, "TMPDIR": str(KEPT), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
