"""`mela backtest --candles` more than once: which file holds the candles of which instrument."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import candle_file
from cli.candle_file import reader_of_files
from mela.interval import Interval
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
    one: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candle_file, "read_candles", lambda path, *_: path)

    def files_of(*told: str) -> list[object]:
        read = reader_of_files(told)
        return [read(name, Interval.H1) for name in (*NAMES, "yahoo:EURUSD=X")]

    assert files_of(str(one)) == [one] * 3
    assert files_of(str(other)) == [other] * 3
    named = [f"there:B={other}", str(one)]
    assert files_of(*named) == files_of(*named[::-1]) == [one, other, one]
    assert files_of(f"yahoo:EURUSD=X={other}", str(one)) == [one, one, other]


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
