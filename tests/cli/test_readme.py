"""What the README shows is what happens: its scene, its strategy, its commands."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml

from backtests.simulate import run_all
from backtests.strategies import CATALOGUE, refresh
from backtests.strategy import REGISTERED
from cli.main import app
from mela.candles import Candles
from mela.grid import plan_runs
from mela.interval import HOUR_MS, Interval
from mela.result import Status
from mela.scene import Scene, parse_scene
from mela.settings import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
STRATEGIES = (REPOSITORY / "docs" / "strategies.md").read_text(encoding="utf-8")


def block(language: str, page: str = README) -> str:
    """Return a page's first block in a language."""
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_scene_is_the_file_that_it_names() -> None:
    file = REPOSITORY / "docs" / "scenes" / "first.yaml"
    assert yaml.safe_load(block("yaml")) == yaml.safe_load(file.read_text(encoding="utf-8"))


def test_the_strategy_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "breakout.py"
    file.write_text(block("python"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("readme_breakout", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "readme_breakout", module)
    monkeypatch.setitem(REGISTERED, "breakout", None)  # so that it is taken out again
    del REGISTERED["breakout"]
    spec.loader.exec_module(module)

    scene = parse_scene(
        {
            "instruments": ["a:X"],
            "interval": "1h",
            "start": "1970-01-05T00:00:00Z",
            "end": "1970-01-15T00:00:00Z",
            "strategy": {"name": "breakout", "params": {"period": 10}},
        }
    )
    close = 100 + 10 * np.sin(np.arange(480) / 7)
    opened_ms = np.arange(480, dtype=np.int64) * HOUR_MS
    candles = Candles(Interval.H1, opened_ms, close, close, close, close, np.ones(480))
    [outcome] = run_all(candles, list(plan_runs(scene, CATALOGUE, max_runs=1).expand()))
    assert outcome.status is Status.SUCCEEDED
    assert outcome.metrics is not None
    assert outcome.metrics.trades > 0


def test_the_package_of_the_page_of_strategies_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry points are written to where pip would write them; the rest is as the page says."""
    project = tomllib.loads(block("toml", STRATEGIES))
    [module] = project["tool"]["setuptools"]["py-modules"]
    (tmp_path / f"{module}.py").write_text(block("python", STRATEGIES), encoding="utf-8")
    metadata = tmp_path / "my_ideas-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['project']['name']}\n"
    )
    entries = project["project"]["entry-points"]["mela.strategies"]
    lines = [f"{entry} = {module}" for entry, module in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[mela.strategies]", *lines]))

    with monkeypatch.context() as patched:
        patched.setattr(sys, "path", [*sys.path, str(tmp_path)])
        catalogue = refresh()
    try:
        assert not catalogue.broken
        count = len(block("python", STRATEGIES).partition("@strategy")[2].splitlines())
        assert count <= 10
        close = 100 + 10 * np.sin(np.arange(480) / 30)
        opened_ms = np.arange(480, dtype=np.int64) * HOUR_MS
        candles = Candles(Interval.H1, opened_ms, close, close, close, close, np.ones(480))
        run = next(plan_runs(scene_of("above_average"), catalogue, max_runs=1).expand())
        [outcome] = run_all(candles, [run], catalogue=catalogue)
        assert outcome.metrics is not None
        assert outcome.metrics.trades > 0
    finally:
        refresh()


def scene_of(name: str) -> Scene:
    return parse_scene(
        {
            "instruments": ["a:X"],
            "interval": "1h",
            "start": "1970-01-05T00:00:00Z",
            "end": "1970-01-21T00:00:00Z",
            "strategy": {"name": name},
        }
    )


def test_the_composite_of_the_page_of_strategies_can_be_run() -> None:
    scene = parse_scene(yaml.safe_load(block("yaml", STRATEGIES)))

    assert plan_runs(scene, CATALOGUE, max_runs=10).runs == 3


def test_every_command_it_names_exists() -> None:
    named = set(re.findall(r"(?:\.venv/bin/|`)mela ([a-z]+)", README + STRATEGIES))
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert named
    assert named <= known
    assert {"publish", "results", "backtest", "demo"} <= named
