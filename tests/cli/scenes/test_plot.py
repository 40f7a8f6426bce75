"""`mela backtest --plot` as a user types it."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.image as mpimg
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from mela.settings import REPOSITORY

CANDLES = REPOSITORY / "replay" / "data" / "binance_BTCUSDT_1h.parquet"
QUARTER = REPOSITORY / "docs" / "scenes" / "quarter.yaml"
PAGE = REPOSITORY / "docs" / "pictures" / "README.md"
SAMPLE = REPOSITORY / "docs" / "pictures" / "quarter.png"


def plot(path: Path, scene: Path = QUARTER) -> Any:
    words = ["backtest", str(scene), "--candles", str(CANDLES), "--plot", str(path)]
    return CliRunner().invoke(app, words)


def scene(tmp_path: Path, **change: Any) -> Path:
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(QUARTER.read_text()), **change}))
    return file


def test_the_sample_of_the_docs_is_what_its_command_draws(tmp_path: Path) -> None:
    """If it is not, and should not be, run the command that the page shows."""
    [command] = re.findall(r"^\$ mela (.*)$", PAGE.read_text(), re.MULTILINE)
    words = command.replace("docs/pictures/quarter.png", str(tmp_path / "drawn.png")).split()
    words = [str(REPOSITORY / w) if w.startswith(("docs/", "sources/")) else w for w in words]

    done = CliRunner().invoke(app, words)

    assert done.exit_code == 0, done.output
    drawn, kept = (mpimg.imread(file) for file in (tmp_path / "drawn.png", SAMPLE))
    assert drawn.shape == kept.shape
    assert np.abs(drawn - kept).mean() < 0.01
    assert SAMPLE.stat().st_size < 250_000


def test_results_stay_on_standard_output_and_the_picture_is_said_beside_them(
    tmp_path: Path,
) -> None:
    done = plot(tmp_path / "run.html")
    assert done.exit_code == 0, done.output
    assert "Sharpe" in done.stdout
    assert "picture" not in done.stdout
    assert "run.html" in done.stderr
    page = (tmp_path / "run.html").read_text()
    assert "<h1>binance:BTCUSDT 1h: sma_cross(fast=20, slow=100)</h1>" in page
    assert all(f'"name":"{line}"' in page for line in ("sma(20)", "sma(100)"))
    assert "<h1>Monthly returns</h1>" in page
    trades = int(re.findall(r"(\d+) trades", page)[0])
    assert f"enter long ({trades})" in page


def test_a_grid_draws_its_map_and_its_best_run(tmp_path: Path) -> None:
    space = {"strategy.params.fast": [5, 10, 20], "strategy.params.slow": [50, 100]}
    grid = scene(tmp_path, search={"kind": "grid", "space": space})

    done = plot(tmp_path / "grid.PNG", grid)

    assert done.exit_code == 0, done.output
    pixels = mpimg.imread(BytesIO((tmp_path / "grid.PNG").read_bytes()), format="png")
    assert pixels.shape[0] > 760 + 1_000  # the map above the run
    assert pixels.shape[1] == 1_600


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("run.svg", "expected a file ending in .html or .png"),
        ("run", "expected a file ending in .html or .png"),
        ("absent/run.html", "there is no folder"),
    ],
)
def test_a_file_that_cannot_be_drawn_is_refused_before_the_run(
    tmp_path: Path, name: str, said: str
) -> None:
    done = plot(tmp_path / name)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.html").mkdir()
    assert plot(tmp_path / "run.html").exit_code == 2


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "run.png").symlink_to(tmp_path / "absent" / "run.png")
    done = plot(tmp_path / "run.png")
    assert done.exit_code == 1
    assert "cannot be written: No such file or directory" in done.stderr


def test_a_span_without_candles_has_nothing_to_draw(tmp_path: Path) -> None:
    empty = scene(tmp_path, start="2010-01-01T00:00:00Z", end="2010-02-01T00:00:00Z")
    done = plot(tmp_path / "run.png", empty)
    assert done.exit_code == 1
    assert "no run gave any numbers" in done.stderr
    assert "has no 1h candles from 2010-01-01T00:00:00Z" in done.stderr
    assert not (tmp_path / "run.png").exists()
