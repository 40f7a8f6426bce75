"""The programs on the page of the client, as a reader copies them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mela.settings import REPOSITORY

PAGE = (REPOSITORY / "docs/client.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run_block(place: int, folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Return what a program of the page prints; it runs in the clone, and writes into a folder."""
    program = folder / "program.py"
    program.write_text(BLOCKS[place].replace('"best.png"', repr(str(folder / "best.png"))))
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=REPOSITORY,
        env={**kept, "MELA_HOME": str(folder), **(env or {})},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
