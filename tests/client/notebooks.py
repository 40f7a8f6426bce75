"""Execute a notebook as a user does: in a kernel of its own, in the folder in which it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from mela.settings import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"
SEARCH = NOTEBOOKS / "search.ipynb"
LOCAL = 'client = Client.local("../replay/data")'
EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
there = {"metadata": {"path": sys.argv[2]}}
NotebookClient(book, timeout=240, kernel_name="python3", resources=there).execute()
nbformat.write(book, sys.argv[3])
"""


def execute(book: NotebookNode, folder: Path, env: Mapping[str, str]) -> NotebookNode:
    """Return the notebook with its outputs. folder: for what is written meanwhile."""
    asked, answered = folder / "asked.ipynb", folder / "answered.ipynb"
    nbformat.write(book, asked)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MELA_")}
    paths = {"PYTHONPATH": str(REPOSITORY), "IPYTHONDIR": str(folder), "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(asked), str(NOTEBOOKS), str(answered)],
        env={**kept, **paths, "MELA_HOME": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return nbformat.read(answered, 4)


def outputs(book: NotebookNode, kind: str) -> list[str]:
    """Return what cells show of a kind, as `image/png`; text/plain is what they print, too."""
    found: list[str] = []
    for cell in book.cells:
        for one in cell.get("outputs", ()):
            if one.output_type == "stream" and one.name == "stdout" and kind == "text/plain":
                found.append(one.text)
            elif kind in one.get("data", {}):
                found.append(one.data[kind])
    return found
