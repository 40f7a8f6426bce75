"""Strategies from a file, a folder or a package: they run, and what they print spoils no answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mela.settings import REPOSITORY
from tests.cli.backtested import SCENE, mela, write


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """Twenty days of hourly candles that swing."""
    return write(tmp_path / "candles.parquet")


LOUD = """
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import strategy
from mela.run import Part

print("loading loud")


@strategy(Part, warmup=lambda params: 5)
def loud(candles, params, indicators):
    print("deciding loudly")
    mean = indicators.sma(5)
    return Signals(crosses_above(candles.close, mean), crosses_below(candles.close, mean))
"""


@pytest.mark.parametrize("place", ["loud.py", "."])
def test_strategies_of_a_file_or_folder_run_and_their_prints_spoil_no_json(
    tmp_path: Path, candles: Path, place: str
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "loud.py").write_text(LOUD)
    scene = SCENE | {"strategy": {"name": "loud"}}
    (tmp_path / "scene.yaml").write_text(yaml.safe_dump(scene))
    words = [sys.executable, "-m", "cli.main", "backtest", str(tmp_path / "scene.yaml")]
    words += ["--candles", str(candles), "--json", "--strategies", str(folder / place)]

    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    [result] = json.loads(done.stdout)
    assert (result["strategy"]["name"], result["status"]) == ("loud", "succeeded")
    assert "loading loud" in done.stderr
    assert "deciding loudly" in done.stderr


def test_a_package_that_prints_while_it_is_loaded_spoils_no_json(
    tmp_path: Path, candles: Path
) -> None:
    home = tmp_path / "home"
    metadata = home / "packages" / "loud_ideas-1.dist-info"
    metadata.mkdir(parents=True)
    (home / "packages" / "loud_ideas.py").write_text(LOUD)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: loud-ideas\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[mela.strategies]\nloud = loud_ideas\n")
    (tmp_path / "scene.yaml").write_text(yaml.safe_dump(SCENE))
    words = [sys.executable, "-m", "cli.main", "backtest", str(tmp_path / "scene.yaml")]
    words += ["--candles", str(candles), "--json"]
    environment = os.environ | {"MELA_HOME": str(home)}

    done = subprocess.run(
        words, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 1
    assert "loading loud" in done.stderr


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "there is no file"),
        ("x = 1", "no strategy is called"),
        ("def broken(:", "raises SyntaxError"),
        ("raise RuntimeError('no')", "raises RuntimeError: no (line 1)"),
    ],
)
def test_a_file_without_strategies_is_explained(
    tmp_path: Path, candles: Path, source: str | None, said: str
) -> None:
    file = tmp_path / "mine.py"
    if source is not None:
        file.write_text(source)
    (tmp_path / "scene.yaml").write_text(yaml.safe_dump(SCENE | {"strategy": {"name": "mine"}}))

    done = mela("backtest", tmp_path / "scene.yaml", "--candles", candles, "--strategies", file)

    assert done.exit_code != 0
    assert said in " ".join(done.stderr.replace("│", " ").split())
