"""The backup without containers: stop, copy MELA_HOME with its owners, go on from the copy."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

import stack
from cli.main import app
from mela.settings import REPOSITORY, Settings
from tests.conftest import mela
from tests.docs.pages import commands
from tests.warehouse.lived import TODAY, Life, live
from warehouse.database import engine_for, transaction
from warehouse.results import finder as results

pytestmark = pytest.mark.integration
TABLES = text("""
    SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
    WHERE schemaname IN ('raw', 'ops') ORDER BY 1
""")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for two homes, which Postgres' own account can reach; in the end nothing runs."""
    folder = Path(tempfile.mkdtemp(prefix="mela-copied-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for home in folder.iterdir():
            stack.down(Settings(home=home))
        shutil.rmtree(folder)


def copying() -> str:
    """Return the command with which the pages copy a home."""
    found = {
        one.text for one in commands() if one.text.startswith('cp -a "$(.venv/bin/mela home)" ')
    }
    assert len(found) >= 1, "no page says how MELA_HOME is copied"
    return sorted(found)[0].rpartition(" ")[0]


def counted(settings: Settings) -> dict[str, int]:
    with transaction(settings) as connection:
        names = list(connection.scalars(TABLES))
        return {name: connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in names}


def answered(settings: Settings, life: Life) -> dict[str, Any]:
    with transaction(settings) as connection:
        found = results.find(connection, life.runs, TODAY, life.scenes["grid"].scene_id or "")
    return {key: orjson.loads(document) for key, document in found.items()}


def test_a_copied_home_goes_on_where_the_other_stood(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, copy = place / "home", place / "copy"
    settings = stack.up(Settings(home=home), only={"postgres"})
    life = live(settings)
    rows, answers = counted(settings), answered(settings, life)
    assert rows["raw.candle_1h_2023"] > 2_000
    assert len(answers) == len(life.runs) > 6
    engine_for(settings).dispose()

    stopped = mela("down", home=home)
    assert stopped.returncode == 0, stopped.stderr
    env = {"MELA_HOME": str(home), "PATH": "/usr/bin:/bin"}
    command = ["sh", "-ec", f"{copying()} {copy}"]
    subprocess.run(command, env=env, cwd=REPOSITORY, check=True, timeout=120)
    home.rename(place / "gone")  # so that nothing is read from where it was

    again = stack.up(Settings(home=copy), only={"postgres"})
    assert counted(again) == rows
    assert answered(again, life) == answers
    monkeypatch.setenv("MELA_HOME", str(copy))
    said = CliRunner().invoke(app, ["results", str(life.scenes["portfolio"].scene_id)])
    assert said.exit_code == 0, said.output
    assert "1 of 1 run recorded" in said.stdout
    engine_for(again).dispose()
