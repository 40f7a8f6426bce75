"""A folder that looks like the clone, in which commands may write beside what they read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from mela.settings import REPOSITORY
from tests.docs.pages import Command, divided

CANDLES = "replay/data/binance_BTCUSDT_1h.parquet"
LINKED = ("replay", "backtests", "warehouse", "dbt", "stack", "dags", ".venv", "Makefile")
PROGRAMS = Path(sys.executable).parent


@dataclass
class Checkout:
    """Where a reader stands, and who types: what a page prepares stays there for its commands."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def type(self, words: list[str]) -> Result:
        """Run `mela` with these words in this process, as it takes seconds to start another."""
        return CliRunner().invoke(app, words)

    def prepare(self, command: Command) -> None:
        """Do what a page has before its commands: folders, files, variables of the shell."""
        done = subprocess.run(
            ["sh", "-ec", f"{command.text}\nenv -0"],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{command.place}: {command.text}\n{done.stderr}"
        for line in done.stdout.split("\0"):
            name, is_set, value = line.partition("=")
            if is_set and name.startswith("MELA_"):
                self.monkeypatch.setenv(name, value)


def make_checkout(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """Lay out the clone in an empty folder, go there, and forget settings made elsewhere."""
    for name in LINKED:
        (folder / name).symlink_to(REPOSITORY / name)
    shutil.copytree(REPOSITORY / "docs", folder / "docs")
    (folder / "btc.parquet").symlink_to(REPOSITORY / CANDLES)
    (folder / "my_strategy.py").write_text(strategy_of_the_readme(), encoding="utf-8")
    for name in [name for name in os.environ if name.startswith("MELA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MELA_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(folder)
    return Checkout(folder, monkeypatch)


def strategy_of_the_readme() -> str:
    """Return the file that the README shows."""
    blocks, _ = divided((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    shown = ["\n".join(line for _, line in lines) for kind, lines in blocks if kind == "python"]
    return next(text for text in shown if re.search(r"^@strategy", text, re.MULTILINE))
