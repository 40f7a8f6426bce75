"""`mela new strategy` writes what works at once, and `mela strategies NAME` shows one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mela.scene import parse_scene
from mela.settings import REPOSITORY

CANDLES = REPOSITORY / "replay" / "data" / "binance_BTCUSDT_1h.parquet"


def mela(home: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does, in a process that has loaded nothing."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *map(str, words)],
        cwd=REPOSITORY,
        env=os.environ | {"MELA_HOME": str(home), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_strategy_is_clean_runs_and_passes_its_own_test(tmp_path: Path) -> None:
    written = mela(tmp_path, "new", "strategy", "my_idea")
    assert written.returncode == 0, written.stderr
    source = tmp_path / "packages" / "my_idea.py"
    assert str(source) in written.stdout

    shown = mela(tmp_path, "strategies", "my_idea", "--json")
    assert shown.returncode == 0, shown.stderr
    page = json.loads(shown.stdout)
    assert (page["source"], page["warmup"]) == (str(source), 21)
    assert page["lookahead"] == "not_verified"
    assert page["parameters"]["properties"]["period"]["minimum"] == 2
    scene = yaml.safe_load(page["example"]) | {
        "start": "2025-01-01T00:00:00Z",
        "end": "2025-03-01T00:00:00Z",
    }
    assert parse_scene(scene).strategy.name == "my_idea"

    checked = mela(tmp_path, "check", "my_idea")
    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "clean"), checked.stdout

    (tmp_path / "scene.yaml").write_text(yaml.safe_dump(scene))
    ran = mela(tmp_path, "backtest", tmp_path / "scene.yaml", "--candles", CANDLES, "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)[0]["trades"] > 10

    test = source.with_name("test_my_idea.py")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", str(test)],
        cwd=REPOSITORY,
        env=os.environ | {"MELA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in tested.stdout, tested.stdout + tested.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My-Idea", "small letters, digits and _, as my_idea"),
        ("lambda", "small letters, digits and _"),
        ("sma_cross", "there is a strategy sma_cross already"),
        ("mela", "the name of a Python module"),
        ("json", "the name of a Python module"),
        ("twice", "is there already"),
    ],
)
def test_a_name_that_cannot_be_is_explained(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "twice.py").write_text("")

    done = mela(tmp_path, "new", "strategy", name)

    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert len(list((tmp_path / "packages").iterdir())) == 1


def test_one_strategy_is_shown_with_its_source_and_a_scene(tmp_path: Path) -> None:
    done = mela(tmp_path, "strategies", "sma_cross")

    assert done.returncode == 0, done.stderr
    assert "fast" in done.stdout
    assert "warm-up    30" in done.stdout
    assert f"source     {REPOSITORY / 'backtests' / 'strategies' / 'sma_cross.py'}" in done.stdout
    assert "lookahead  not verified: no check is stored" in done.stdout
    scene = yaml.safe_load(done.stdout.partition("A scene that names it:")[2])
    assert parse_scene(scene).strategy.params == {"fast": 10, "slow": 30}


def test_an_unknown_strategy_is_told_with_those_that_are_near(tmp_path: Path) -> None:
    done = mela(tmp_path, "strategies", "sma_cros")

    assert done.returncode == 2
    assert "did you mean sma_cross" in " ".join(done.stderr.split())
