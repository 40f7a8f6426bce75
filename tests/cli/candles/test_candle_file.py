"""`mela backtest --candles` more than once: which file holds the candles of which instrument."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml

from cli.candles.candle_file import reader_of_files
from mela.interval import Interval
from mela.result import Result
from sources.files.options import EVERY, file_options
from tests.cli.backtested import SCENE, mela, write

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


def test_a_file_without_a_name_is_of_the_one_instrument_that_none_is_named_for(
    one: Path, tmp_path: Path
) -> None:
    flat = dict.fromkeys(("open", "high", "low", "close"), np.full(480, 7.0))
    other = write(tmp_path / "other.parquet", **flat)

    def of(*told: str, traded: tuple[str, ...] = NAMES) -> list[bool]:
        read = reader_of_files(told, traded)
        return [read(name, Interval.H1).close[0] == 7.0 for name in traded]

    assert of(f"there:B={other}", str(one)) == [False, True]
    assert of(str(one), f"there:B={other}") == [False, True]
    assert of(f"yahoo:EURUSD=X={other}", str(one), traded=("here:A", "yahoo:EURUSD=X")) == [
        False,
        True,
    ]


def test_one_file_is_not_the_candles_of_two_instruments(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read = reader_of_files([str(one)], NAMES)
    with pytest.raises(typer.Exit) as refused:
        read("here:A", Interval.H1)
    assert refused.value.exit_code == 2
    assert "here:A, there:B have no file of their own" in capsys.readouterr().err


def test_a_file_of_the_scenes_instrument_is_not_that_of_an_input(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read = reader_of_files([str(one)], ["here:A"])
    assert len(read("here:A", Interval.H1))
    with pytest.raises(typer.Exit):
        read("there:B", Interval.H1)
    said = capsys.readouterr().err
    assert "it stands for here:A, the instrument that the scene trades, alone" in said
    assert "Add --candles there:B=FILE" in said


def test_a_file_that_says_whose_candles_it_holds_serves_each_of_them(tmp_path: Path) -> None:
    lines = ["symbol,opened_at,open,high,low,close,volume"]
    for day in range(1, 6):
        lines += [
            f"{symbol},2024-01-0{day}T00:00:00Z,9,9,9,{close},1"
            for symbol, close in (("A", 9), ("B", 9))
        ]
    file = tmp_path / "both.csv"
    file.write_text("\n".join(lines))
    read = reader_of_files([str(file)], NAMES)
    assert [len(read(name, Interval.D1)) for name in NAMES] == [5, 5]


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
    words = [f"--candles=here:A={one}", f"--candles=there:B={one}", "--plot", tmp_path / "out.html"]
    done = backtest(tmp_path, *words, mode="together")
    assert done.exit_code == 2
    assert not (tmp_path / "out.html").exists()


@pytest.mark.parametrize("name", ["here:C", "her:A", "here:A@1h"])
def test_a_fact_of_an_instrument_that_is_not_there_is_refused(
    tmp_path: Path, one: Path, other: Path, name: str
) -> None:
    """It would go unheard."""
    (tmp_path / "scene.yaml").write_text(yaml.safe_dump(SCENE | {"instruments": list(NAMES)}))
    words = ["backtest", tmp_path / "scene.yaml", "--candles", f"here:A={one}"]
    words += ["--candles", f"there:B={other}", "--calendar", f"{name}=XNYS"]
    done = mela(*words)
    assert done.exit_code == 2
    said = " ".join(done.output.replace("│", " ").split())
    assert f"the scene has no instrument {name}" in said
    assert "--calendar" in said


@pytest.mark.parametrize("calendar", ["NYSE", "xnys", "XNYS"])
def test_a_calendar_has_one_name(calendar: str) -> None:
    assert file_options(None, [], {"calendar": [calendar]}).facts[EVERY] == {"calendar": "XNYS"}
