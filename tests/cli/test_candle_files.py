"""`mela backtest --candles` more than once: which file holds the candles of which instrument."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.candle_files import files_of
from mela.errors import CandlesMissing
from mela.result import Result
from tests.cli.test_backtest import SCENE, mela, write

NAMES = ("here:A", "there:B")


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write(tmp_path / "one.parquet")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A file whose path holds the sign that parts names from files."""
    folder = tmp_path / "kind=swing"
    folder.mkdir()
    return write(folder / "other.parquet")


def test_a_named_file_goes_to_its_instrument_and_the_other_to_the_rest(
    one: Path, other: Path
) -> None:
    assert files_of([str(one)], NAMES) == {"here:A": one, "there:B": one}
    assert files_of([str(other)], NAMES) == {"here:A": other, "there:B": other}
    named = [f"there:B={other}", str(one)]
    assert files_of(named, NAMES) == files_of(named[::-1], NAMES)
    assert files_of(named, NAMES) == {"here:A": one, "there:B": other}


def test_what_is_missing_is_told(one: Path) -> None:
    with pytest.raises(CandlesMissing, match="there:B=FILE"):
        files_of([f"here:A={one}"], NAMES)
    with pytest.raises(CandlesMissing, match="no instrument of the scene"):
        files_of([f"no:WHERE={one}", str(one)], NAMES)
    with pytest.raises(CandlesMissing, match="no such file"):
        files_of([f"{one}.gone"], NAMES)


def backtest(tmp_path: Path, *words: Any, **change: Any) -> Any:
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump({**SCENE, "instruments": list(NAMES), **change}))
    return mela("backtest", file, *words)


def test_instruments_together_give_one_result(tmp_path: Path, one: Path, other: Path) -> None:
    options = [f"--candles=here:A={one}", f"--candles=there:B={other}"]
    done = backtest(tmp_path, *options, "--json", mode="together")
    assert done.exit_code == 0, done.output
    [result] = json.loads(done.stdout)
    Result.model_validate(result)
    assert (result["status"], result["instruments"]) == ("succeeded", list(NAMES))
    # equal candles: two halves of the account do what the whole would do
    alone = backtest(tmp_path, "--candles", one, "--json", mode="together", instruments=["here:A"])
    [single] = json.loads(alone.stdout)
    assert result["final_equity"] == pytest.approx(single["final_equity"], rel=1e-12)
    assert result["trades"] == 2 * single["trades"]
    assert result["buy_hold_return"] == pytest.approx(single["buy_hold_return"], rel=1e-12)

    table = backtest(tmp_path, *options, mode="together")
    assert "here:A + there:B" in table.stdout


def test_no_picture_is_promised_of_several_instruments(tmp_path: Path, one: Path) -> None:
    words = ["--candles", one, "--plot", tmp_path / "out.html"]
    done = backtest(tmp_path, *words, mode="together")
    assert done.exit_code == 2
    assert not (tmp_path / "out.html").exists()
