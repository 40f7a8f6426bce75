"""`mela check` as a user types it: what it says, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from backtests.strategy import REGISTERED
from cli.main import app
from mela.interval import Interval
from mela.settings import REPOSITORY
from services.strategies.lookahead import random_walk

CHEAT = '''
"""A cheat."""

import numpy as np
from pydantic import Field

from backtests.signals import Signals
from backtests.strategy import strategy
from mela.run import Part, Whole


class Cheat(Part):
    """How far to look."""

    ahead: Whole = Field(1, ge=0, description="candles")


@strategy(Cheat, warmup=lambda params: 1)
def cheat(candles, params, indicators):
    """Know tomorrow."""
    if params.ahead == 0:
        return Signals(*np.zeros((2, len(candles)), dtype=bool))
    ahead = np.append(candles.close[params.ahead :], np.full(params.ahead, np.nan))[: len(candles)]
    return Signals(ahead > candles.close, ahead < candles.close)
'''


def mela(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test alone: verdicts are kept there."""
    monkeypatch.setenv("MELA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """Three hundred candles of 15 minutes."""
    walk = random_walk(Interval.M15, 300)
    columns = {name: getattr(walk, name) for name in ("open", "high", "low", "close", "volume")}
    opened = pa.array(walk.opened_ms, pa.timestamp("ms", tz="UTC"))
    pq.write_table(pa.table({"open_time": opened, **columns}), tmp_path / "walk.parquet")
    return tmp_path / "walk.parquet"


@pytest.fixture
def cheat(tmp_path: Path) -> Path:
    """A strategy that is not installed."""
    file = tmp_path / "cheat.py"
    file.write_text(CHEAT)
    return file


def test_an_honest_strategy_is_clean_on_the_packaged_candles() -> None:
    done = mela("check", "sma_cross")
    assert done.exit_code == 0, done.output
    assert "packaged binance:BTCUSDT: 8,760 candles of 1h" in done.stdout
    assert "a random walk: 3,000 candles" in done.stdout
    assert "of 8,759 candles" in done.stdout
    assert done.stdout.splitlines()[-1] == "clean"


def test_the_packaged_days_are_there_too() -> None:
    done = mela("check", "sma_cross", "--interval", "1d", "--params", '{"fast": 3, "slow": 8}')
    assert done.exit_code == 0, done.output
    assert "sma_cross(fast=3, slow=8) on packaged yahoo:SPY" in done.stdout


def test_a_cheat_in_a_file_is_found_and_named(cheat: Path, candles: Path) -> None:
    done = mela("check", cheat, "--candles", candles)
    assert done.exit_code == 1, done.output
    assert "300 candles of 15m" in done.stdout
    moves = int((np.diff(random_walk(Interval.M15, 300).close) != 0).sum())
    assert f"lookahead in signals, {moves} times. First:" in done.stdout
    assert "candle 2024-01-01T00:00:00Z (bar 0)" in done.stdout
    assert "cheat" not in REGISTERED


def test_findings_are_one_json_array(cheat: Path, candles: Path) -> None:
    done = mela("check", cheat, "--candles", candles, "--json", "--params", "ahead=3")
    assert done.exit_code == 1
    [found] = json.loads(done.stdout)
    assert found["verdict"] == "found"
    assert found["params"] == {"ahead": 3}
    assert found["differences"][0]["how"] == "cut"
    assert (found["cuts"], found["cuts_possible"]) == (299, 299)


def test_silence_is_not_verified(cheat: Path, candles: Path) -> None:
    done = mela("check", cheat, "--candles", candles, "--params", "ahead=0")
    assert done.exit_code == 2
    assert "not verified: it gave no signal on 300 candles" in done.stdout


def test_a_file_of_the_catalogue_is_the_strategy_registered(candles: Path) -> None:
    file = REPOSITORY / "backtests" / "strategies" / "sma_cross.py"
    done = mela("check", file, "--candles", candles)
    assert done.exit_code == 0, done.output
    assert "sma_cross(fast=10, slow=30) on walk.parquet" in done.stdout
    assert "sma_cross" in REGISTERED


def test_one_of_several_strategies_of_a_file_is_named(tmp_path: Path, candles: Path) -> None:
    file = tmp_path / "two.py"
    file.write_text(
        CHEAT
        + CHEAT.partition("\n\n\n@")[2].join(["\n\n\n@", ""]).replace("def cheat", "def other")
    )
    done = mela("check", file, "--candles", candles)
    assert done.exit_code == 2
    assert "registers cheat, other" in done.stderr
    assert mela("check", f"{file}:other", "--candles", candles).exit_code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hunch"], "no strategy is called 'hunch'"),
        (["absent.py"], "there is no file absent.py"),
        (["sma_cross", "--params", "fast=99"], "fast must be below slow, but 99 ≥ 30"),
        (["sma_cross", "--params", "fast"], "expected a parameter as k=v, but found 'fast'"),
        (["sma_cross", "--params", "fast=soon"], "fast: Input should be a valid integer"),
        (["sma_cross", "--params", "{fast"], "parameters are not JSON"),
        (["sma_cross", "--params", "fast=3", "--params", "fast=4"], "but found fast again"),
        (["sma_cross", "--params", '{"fast": 3, "fast": 4}'], "but found fast again"),
        (["sma_cross", "--params", "speed=1"], "speed: Extra inputs are not permitted"),
        (["sma_cross", "--interval", "4h"], "give a file with --candles"),
        (["sma_cross", "--candles", "absent.parquet"], "does not exist"),
        (["sma_cross", "--candles", str(REPOSITORY / "README.md")], "expected columns parted by"),
    ],
)
def test_wrong_usage_is_explained(words: list[str], said: str) -> None:
    done = mela("check", *words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""


# The verdicts that are no lookahead

NEEDS_TWENTY = """
import numpy as np
from backtests.signals import Signals
from backtests.strategy import strategy
from mela.run import Part


@strategy(Part, warmup=lambda params: 20)
def needs20(candles, params, indicators):
    past = np.lib.stride_tricks.sliding_window_view(candles.close, 20)
    high = np.full(len(candles), np.inf)
    high[20:] = past[:-1].max(axis=1)
    return Signals(candles.close > high, candles.close < high * 0.98)
"""
EXPANDING = """
import pandas as pd
from backtests.signals import Signals
from backtests.strategy import strategy
from mela.run import Part


@strategy(Part, warmup=lambda params: 20)
def grown(candles, params, indicators):
    closes = pd.Series(candles.close)
    return Signals(closes > closes.expanding().mean(), closes < closes.expanding().mean())
"""
READING = """
from pathlib import Path
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import strategy
from mela.run import Part

LEVEL = float(Path(__file__).with_name("level.txt").read_text())


@strategy(Part, warmup=lambda params: 20)
def reading(candles, params, indicators):
    mean = indicators.sma(20) * LEVEL
    return Signals(crosses_above(candles.close, mean), crosses_below(candles.close, mean))
"""


def test_a_strategy_that_raises_on_short_candles_is_not_verified(
    tmp_path: Path, candles: Path
) -> None:
    (tmp_path / "needs20.py").write_text(NEEDS_TWENTY)
    done = mela("check", tmp_path / "needs20.py", "--candles", candles)
    assert done.exit_code == 2, done.output
    assert "lookahead" not in done.stdout
    assert "it raises ValueError: window shape cannot be larger" in done.stdout
    assert "(needs20.py, line 10); so at" in done.stdout
    assert done.stdout.splitlines()[-1] == "not verified"


def test_an_expanding_mean_depends_on_history_and_has_its_own_exit_code(
    tmp_path: Path, candles: Path
) -> None:
    (tmp_path / "grown.py").write_text(EXPANDING)
    done = mela("check", tmp_path / "grown.py", "--candles", candles)
    assert done.exit_code == 3, done.output
    assert "lookahead" not in done.stdout
    assert done.stdout.splitlines()[-1] == "depends on where its history begins"


def test_a_file_read_at_load_is_not_verified_with_its_line(tmp_path: Path, candles: Path) -> None:
    """The digest is of the source, and a file of future returns is best read once."""
    (tmp_path / "reading.py").write_text(READING)
    (tmp_path / "level.txt").write_text("1.0")
    done = mela("check", tmp_path / "reading.py", "--candles", candles)
    assert done.exit_code == 2, done.output
    said = "it reads or writes files while it is loaded"
    assert f"{said}: {tmp_path / 'level.txt'} (reading.py, line 7)" in done.stdout


def test_a_file_with_cached_compiled_code_is_checked_twice_alike(
    tmp_path: Path, candles: Path
) -> None:
    """Numba finds what it kept by the module's name, in another process too."""
    (tmp_path / "jitted.py").write_text(
        """
import numpy as np
from numba import njit
from backtests.signals import Signals
from backtests.strategy import strategy
from mela.run import Part

print("loaded")


@njit(cache=True)
def rise(close):
    out = np.zeros(len(close))
    for bar in range(3, len(close)):
        out[bar] = close[bar] / close[bar - 3] - 1
    return out


@strategy(Part, warmup=lambda params: 3)
def jitted(candles, params, indicators):
    r = rise(candles.close)
    return Signals(r > 0.001, r < -0.001)
"""
    )
    words = [sys.executable, "-m", "cli.main", "check", "jitted.py", "--candles", str(candles)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    for _ in range(2):
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1] == "clean"
        assert "loaded" not in done.stdout


def test_a_strategy_of_a_package_that_is_listed_is_known(
    tmp_path: Path, candles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    package = home / "packages"
    metadata = package / "ideas_of_mine-1.dist-info"
    metadata.mkdir(parents=True)
    (package / "ideas_of_mine.py").write_text(EXPANDING.replace("def grown", "def packaged_grown"))
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ideas-of-mine\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[mela.strategies]\nmine = ideas_of_mine\n")
    monkeypatch.setenv("MELA_HOME", str(home))
    monkeypatch.setattr(sys, "path", [*sys.path])

    assert "packaged_grown" in mela("strategies").stdout
    done = mela("check", "packaged_grown", "--candles", candles)

    assert done.exit_code == 3, done.output
    assert "packaged_grown() on walk.parquet" in done.stdout


@pytest.mark.parametrize(
    ("warmup", "said"),
    [
        (
            "lambda params: 'x'",
            "`warmup` must give a number of candles, 0 or more, but it gave 'x'",
        ),
        ("lambda params: -5", "but it gave -5"),
        ("lambda params: None", "but it gave None"),
        ("lambda params: True", "but it gave True"),
        ("lambda params: 1 / 0", "`warmup` raises ZeroDivisionError: division by zero"),
        ("lambda params: exit(1)", "`warmup` raises SystemExit: 1"),
        ("lambda params: params.period", "`warmup` raises AttributeError"),
    ],
)
def test_a_warmup_that_is_none_is_wrong_usage_and_no_lookahead(
    tmp_path: Path, candles: Path, warmup: str, said: str
) -> None:
    source = EXPANDING.replace("lambda params: 20", warmup)
    (tmp_path / "grown.py").write_text(source)
    done = mela("check", tmp_path / "grown.py", "--candles", candles)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Odd(BaseException): pass\nraise Odd('boo')", "raises Odd: boo (line 2)"),
        ("import no_such_package", "No module named 'no_such_package' (line 1)"),
        ("from . import other", "raises ImportError: attempted relative import"),
        ("raise SystemExit(0)", "raises SystemExit: 0 (line 1)"),
        ("x = 1", "but it registers none; write @strategy(…) above a function"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_wrong_usage_and_no_lookahead(
    tmp_path: Path, candles: Path, source: str, said: str
) -> None:
    (tmp_path / "mine.py").write_text(source + "\n")
    done = mela("check", tmp_path / "mine.py", "--candles", candles)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.stderr.replace("│", " ").split())
