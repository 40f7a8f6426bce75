"""`mela backtest --monte-carlo` as a user types it."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.image as mpimg
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from backtests.candles.prepared import prepare_candles
from backtests.search.period_returns import returns_of
from backtests.simulate import run_all
from backtests.statistics.montecarlo import (
    Quantiles,
    resample,
    shuffle_trades,
    trade_returns,
)
from backtests.strategies import CATALOGUE
from cli.candles.candle_file import reader_of_files
from cli.main import app
from cli.scenes.monte_carlo import fan_of, resampled
from mela.candles import Candles
from mela.grid import plan_runs
from mela.result import Outcome
from mela.scene import parse_scene
from mela.settings import REPOSITORY

CANDLES = REPOSITORY / "replay" / "data" / "binance_BTCUSDT_1h.parquet"
QUARTER = REPOSITORY / "docs" / "scenes" / "quarter.yaml"


def backtest(*words: object, scene: Path = QUARTER) -> Any:
    given = ["backtest", scene, "--candles", CANDLES, *words]
    return CliRunner().invoke(app, [str(word) for word in given])


def changed(tmp_path: Path, **change: Any) -> Path:
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(QUARTER.read_text()), **change}))
    return file


def said(done: Any) -> str:
    return " ".join(done.stderr.replace("│", " ").split())


@pytest.fixture(scope="module")
def quarter() -> tuple[Candles, Outcome]:
    scene = parse_scene(yaml.safe_load(QUARTER.read_text()))
    (run,) = plan_runs(scene, CATALOGUE, max_runs=1).expand()
    candles = reader_of_files([str(CANDLES)], [run.instrument])(run.instrument, run.interval)
    (outcome,) = run_all(candles, [run], with_curve=True)
    return candles, outcome


def test_it_prints_what_the_library_finds_with_that_seed(quarter: tuple[Candles, Outcome]) -> None:
    candles, outcome = quarter
    assert outcome.curve is not None
    cash, span = outcome.run.cash, prepare_candles(candles, outcome.run)
    paths = resample(
        returns_of(outcome.curve, span, cash),
        periods_per_year=span.periods_per_year,
        years=span.years,
        paths=300,
        seed=7,
    )
    profits = np.array([trade.profit for trade in outcome.curve.trades])
    trades = shuffle_trades(trade_returns(profits, cash), shuffles=300, seed=7)

    done = backtest("--monte-carlo", 300, "--seed", 7)

    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    rows = {" ".join(words[:-3]): words[-3:] for words in lines[-6:]}
    assert rows == {
        "": ["5%", "50%", "95%"],
        "return": shown(paths.total_return, ".1%"),
        "cagr": shown(paths.cagr, ".1%"),
        "Sharpe": shown(paths.sharpe, ".2f"),
        "drawdown between period ends": shown(paths.max_drawdown, ".1%"),
        f"drawdown of the {len(profits)} trades in other orders": shown(trades.max_drawdown, ".1%"),
    }
    blocks = "one by one" if paths.block == 1 else f"in blocks of {paths.block} on average"
    assert f"300 paths of {paths.periods} returns {blocks}, seed 7" in done.stdout


def shown(of: Quantiles, form: str) -> list[str]:
    assert of.values is not None
    low, _, middle, _, high = of.values
    return [format(value, form) for value in (low, middle, high)]


def test_the_same_seed_prints_the_same_and_another_does_not() -> None:
    once, again, other = (backtest("--monte-carlo", 100, "--seed", seed) for seed in (1, 1, 2))
    assert once.stdout == again.stdout
    assert once.stdout.splitlines()[-5:] != other.stdout.splitlines()[-5:]


def test_a_fan_begins_with_the_cash_and_ends_as_the_run_did(
    quarter: tuple[Candles, Outcome],
) -> None:
    candles, outcome = quarter
    assert outcome.curve is not None
    fan = fan_of(resampled(outcome, candles, paths=100, seed=0))
    assert fan.equity is not None
    assert fan.times_ms[0] == np.datetime64("2023-01-01", "ms").astype(int)
    assert fan.times_ms[-1] == np.datetime64("2023-04-01", "ms").astype(int)
    assert set(np.diff(fan.times_ms)) == {86_400_000}
    assert {curve[0] for curve in fan.quantiles.values()} == {outcome.run.cash}
    assert (fan.equity[0], fan.equity[-1]) == (outcome.run.cash, outcome.curve.equity[-1])


def test_a_page_has_the_fan_below_the_run(tmp_path: Path) -> None:
    done = backtest("--monte-carlo", 100, "--plot", tmp_path / "run.html")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "run.html").read_text()
    headings = re.findall("<h1>(.*)</h1>", page)
    first = [heading.partition(":")[0] for heading in headings]
    assert first == ["binance", "Monthly returns", "Monte Carlo"]
    assert f"<title>{headings[0]}</title>" in page
    below = page[page.index("<h1>Monte Carlo") :]
    for name in ("5% to 95% of the paths", "25% to 75% of the paths", "median", "what happened"):
        assert f'"name":"{name}"' in below


def test_a_png_grows_by_the_panel_and_keeps_the_others(tmp_path: Path) -> None:
    space = {"strategy.params.fast": [5, 10], "strategy.params.slow": [50, 100]}
    grid = changed(tmp_path, search={"kind": "grid", "space": space})
    backtest("--plot", tmp_path / "without.png", scene=grid)
    done = backtest("--monte-carlo", 100, "--plot", tmp_path / "with.png", scene=grid)

    assert done.exit_code == 0, done.output
    without, drawn = (
        mpimg.imread(BytesIO((tmp_path / name).read_bytes()), format="png")
        for name in ("without.png", "with.png")
    )
    assert without.shape[:2] == (2_070, 1_600)
    assert drawn.shape[:2] == (2_070 + 800, 1_600)
    assert np.abs(drawn[:2_070] - without).mean() < 0.005
    assert (drawn[2_070:, :, :3].min(axis=2) < 0.9).mean() > 0.05


def test_json_stays_json_and_the_picture_has_the_fan(tmp_path: Path) -> None:
    done = backtest("--json", "--monte-carlo", 100, "--plot", tmp_path / "run.png")
    assert len(json.loads(done.stdout)) == 1
    assert mpimg.imread(tmp_path / "run.png").shape[:2] == (2_110, 1_600)


@pytest.mark.parametrize("paths", [0, 99, 100_001, "many"])
def test_other_numbers_of_paths_are_refused_before_the_run(paths: object) -> None:
    done = backtest("--monte-carlo", paths)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--monte-carlo" in said(done)


def test_what_nothing_would_show_is_refused() -> None:
    done = backtest("--json", "--monte-carlo", 100)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "leave them out, or add --plot" in said(done)


def test_a_scene_of_several_instruments_together_is_refused() -> None:
    portfolio = REPOSITORY / "docs" / "scenes" / "portfolio.yaml"
    done = backtest("--monte-carlo", 100, scene=portfolio)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "this scene trades several together" in said(done)


def test_a_span_without_candles_has_nothing_to_resample(tmp_path: Path) -> None:
    empty = changed(tmp_path, start="2010-01-01T00:00:00Z", end="2010-02-01T00:00:00Z")
    done = backtest("--monte-carlo", 100, scene=empty)
    assert done.exit_code == 1
    assert "no run gave any numbers" in done.stderr
