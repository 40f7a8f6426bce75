"""The interpreter of a side: the running one, or one with the packages that its commit pins."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from mela.settings import REPOSITORY
from regression.errors import NotCompared

PINS = Path("requirements") / "runtime.txt"
INSTALL_S = 900
NAMED = 5  # packages named in a sentence


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter, and the commit's pins that differ from the running environment's."""

    python: Path
    differing: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Return the environment's description for a report."""
        if not self.differing:
            return "the interpreter that compares"
        named = ", ".join(self.differing[:NAMED])
        more = len(self.differing) - NAMED
        return f"its own: {named}{f' and {more} more' if more > 0 else ''}"


def environment_of(tree: Path, home: Path) -> Environment:
    """Return an environment that fulfils the pins of a tree; create it under `home` if necessary.

    Raises NotCompared.
    """
    pins = tree / PINS
    lines = pins.read_text(encoding="utf-8").splitlines() if pins.is_file() else []
    differing = differing_pins(lines)
    if not differing:
        return Environment(Path(sys.executable))
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return Environment(_made(home / digest, pins), differing)


def differing_pins(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the pins that the running environment does not fulfil, as `name version, here …`.

    lines: the lines of a requirements file; comments and options are skipped

    >>> differing_pins(["# numbers", "numpy==0.1"])[0].startswith("numpy 0.1 (here ")
    True
    """
    found: list[str] = []
    for line in lines:
        pin = line.partition(" #")[0].strip()
        if not pin or pin.startswith(("#", "-")):
            continue
        requirement = Requirement(pin)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        here = _installed(requirement.name)
        if (
            requirement.url is not None
            or here is None
            or not requirement.specifier.contains(here, True)
        ):
            pinned = str(requirement.specifier).removeprefix("==") or "from elsewhere"
            found.append(f"{requirement.name} {pinned} (here {here or 'none'})")
    return tuple(found)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _made(place: Path, pins: Path) -> Path:
    """Return an environment's interpreter, and create it unless an earlier comparison did."""
    python, complete = place / "bin" / "python", place / "complete"
    if not complete.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place))
        _uv("pip", "install", "--quiet", "--python", str(python), "-r", str(pins))
        complete.touch()
    return python


def _uv(*words: str) -> None:
    """Run uv as `make setup` does, from the environment that compares."""
    own = Path(sys.executable).with_name("uv")
    script = REPOSITORY / "stack" / "uv.sh"
    is_clone = (REPOSITORY / ".venv" / "bin" / "uv").is_file()
    command = ["sh", str(script)] if is_clone else [str(own)]
    try:
        done = subprocess.run(
            [*command, *words],
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
    except OSError as error:
        raise NotCompared(
            "a commit pins other packages, and there is no uv to install them with. "
            "`make setup` installs it."
        ) from error
    if done.returncode:
        message = " ".join(done.stderr.split())[-500:]
        raise NotCompared(f"the packages that a commit pins could not be installed: {message}")
