"""`mela backtest` and its neighbours: an author's quick loop, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml

from mela.result import Result, rank
from mela.settings import REPOSITORY
from tests.cli.backtested import SCENE, mela, write

FIRST = REPOSITORY / "docs" / "scenes" / "first.yaml"
CSV = ("runs", "trades", "equity")


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """Twenty days of hourly candles that swing."""
    return write(tmp_path / "candles.parquet")


def backtest(tmp_path: Path, candles: Path, **change: Any) -> Any:
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump({**SCENE, **change}))
    return mela("backtest", file, "--candles", candles, "--json")


def test_json_is_one_array_of_results(tmp_path: Path, candles: Path) -> None:
    done = backtest(tmp_path, candles)
    assert done.exit_code == 0, done.output
    [result] = json.loads(done.stdout)
    Result.model_validate(result)
    assert (result["status"], result["candles"], result["warmup_missing"]) == ("succeeded", 240, 0)
    assert result["trades"] > 0
    assert result["scene_id"] is result["result_key"] is result["candles_revision"] is None


def run(tmp_path: Path, candles: Path, *words: object, **change: Any) -> Any:
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump({**SCENE, **change}))
    return mela("backtest", file, "--candles", candles, *words)


def test_trades_and_equity_come_with_the_json(tmp_path: Path, candles: Path) -> None:
    done = run(tmp_path, candles, "--json", "--trades", "--equity")
    assert done.exit_code == 0, done.output
    [result] = json.loads(done.stdout)
    curve = result.pop("curve")
    Result.model_validate(result)
    assert [one["opened_at"] for one in curve["equity"]][::239] == [
        "2023-01-05T00:00:00Z",
        "2023-01-14T23:00:00Z",
    ]
    assert curve["equity"][-1]["equity"] == result["final_equity"]
    assert len(curve["trades"]) == result["trades"] > 0
    assert sum(one["profit"] > 0 for one in curve["trades"]) == result["winning_trades"]
    assert {one["instrument"] for one in curve["trades"]} == {"anywhere:THING"}


def test_trades_alone_are_a_table_of_the_best_run(tmp_path: Path, candles: Path) -> None:
    done = run(tmp_path, candles, "--trades")
    assert done.exit_code == 0, done.output
    assert "entry_at" in done.stdout
    assert "2023-01-13T14:00:00Z  2023-01-14T12:00:00Z" in done.stdout


def test_csv_has_runs_trades_and_equity(tmp_path: Path, candles: Path) -> None:
    space = {"kind": "grid", "space": {"strategy.params.fast": [3, 4]}}
    words = ("--csv", tmp_path / "out", "--trades", "--equity", "--json")
    done = run(tmp_path, candles, *words, search=space)
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)
    tables = {name: pd.read_csv(tmp_path / "out" / f"{name}.csv") for name in CSV}
    assert tables["runs"]["run_key"].tolist() == [one["run_key"] for one in results]
    assert tables["runs"]["params.fast"].tolist() == [3, 4]
    assert tables["runs"]["sharpe"].tolist() == [one["sharpe"] for one in results]
    for one in results:
        trades, equity = (
            tables[name][tables[name]["run_key"] == one["run_key"]] for name in CSV[1:]
        )
        assert len(trades) == one["trades"]
        assert equity["equity"].iloc[-1] == one["final_equity"]


def test_of_many_runs_the_best_has_its_curve(tmp_path: Path, candles: Path) -> None:
    space = {"kind": "grid", "space": {"strategy.params.slow": list(range(8, 30))}}
    done = run(tmp_path, candles, "--json", "--trades", search=space)
    results = json.loads(done.stdout)
    assert len(results) == 22
    [best, *_] = rank(results, "sharpe")
    assert [one["run_key"] for one in results if one["curve"]] == [best["run_key"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--equity",), "add --json or --csv FOLDER"),
        (("--report", "--trades"), "--report prints no run"),
        (("--risk-free-rate", "-2"), "--risk-free-rate"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    tmp_path: Path, candles: Path, words: tuple[str, ...], said: str
) -> None:
    done = run(tmp_path, candles, *words)
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


def test_a_tick_that_nobody_knows_refuses_the_scene(tmp_path: Path, candles: Path) -> None:
    done = run(tmp_path, candles, "--json", costs={"round_to_tick": True})
    assert done.exit_code == 1
    assert done.stdout == ""
    said = " ".join(done.output.split())
    assert "costs.round_to_tick" in said
    assert "the tick of anywhere:THING is not known" in said


def test_a_trailing_start_without_a_trailing_stop_is_refused(tmp_path: Path, candles: Path) -> None:
    done = run(tmp_path, candles, exits={"trailing_start": 0.1})
    assert done.exit_code == 1
    assert "needs exits.trailing_stop" in " ".join(done.output.split())


def test_rates_of_the_command_line_stand_instead_of_the_scenes(
    tmp_path: Path, candles: Path
) -> None:
    [plain] = json.loads(run(tmp_path, candles, "--json").stdout)
    [told] = json.loads(run(tmp_path, candles, "--json", "--risk-free-rate", "0.5").stdout)
    [stated] = json.loads(run(tmp_path, candles, "--json", risk_free_rate=0.5).stdout)
    assert (plain["risk_free_rate"], told["risk_free_rate"]) == (0.0, 0.5)
    assert plain["run_key"] != told["run_key"] == stated["run_key"]
    assert told["sharpe"] == stated["sharpe"] < plain["sharpe"]
    assert told["total_return"] == plain["total_return"]
    volatility, periods = plain["volatility_ann"], plain["periods_per_year"]
    rate = 1.5 ** (1 / periods) - 1
    assert plain["sharpe"] - told["sharpe"] == pytest.approx(rate * periods / volatility)


def test_each_instrument_gives_its_own_result(tmp_path: Path, candles: Path) -> None:
    done = backtest_files(tmp_path, *for_both(candles), "--json", instruments=["here:A", "there:B"])
    first, second = json.loads(done.stdout)
    assert first["final_equity"] == second["final_equity"]
    assert first["run_key"] != second["run_key"]


def test_candles_before_the_start_are_warmup(tmp_path: Path, candles: Path) -> None:
    done = backtest(tmp_path, candles, start="2023-01-02T00:00:00Z")
    [result] = json.loads(done.stdout)
    assert result["warmup_missing"] == 64 - 24


def test_a_table_is_for_people(tmp_path: Path, candles: Path) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump(SCENE))
    done = mela("backtest", file, "--candles", candles)
    assert done.exit_code == 0
    assert "Sharpe" in done.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"close": None}, "lacks close"),
        ({"open_time": np.arange(480)}, "counted since 1970"),
        ({"close": np.full(480, np.nan)}, "row 0"),
        ({"high": np.full(480, 50.0)}, "within [low, high]"),
        ({"interval": ["1d"] * 480}, "holds 1d"),
    ],
)
def test_unusable_candles_are_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    done = backtest(tmp_path, write(tmp_path / "bad.parquet", **change))
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_file_that_holds_no_candles_is_named(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text("open,high")
    done = backtest(tmp_path, file)
    assert done.exit_code == 2
    assert f"{file}: expected columns parted by comma" in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cash": -1}, "cash"),
        ({"strategy": {"name": "hunch"}}, "rsi_reversion, sma_cross"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_scene_is_explained(
    tmp_path: Path, candles: Path, change: dict[str, Any], said: str
) -> None:
    done = backtest(tmp_path, candles, **change)
    assert done.exit_code == 1
    assert said in done.stderr


def test_yaml_that_cannot_be_read_is_explained(tmp_path: Path, candles: Path) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text("instruments: [")
    done = mela("backtest", file, "--candles", candles)
    assert done.exit_code == 1
    assert "not_json" in done.stderr


def test_the_schema_of_a_scene_accepts_the_example_of_the_docs() -> None:
    schema = json.loads(mela("schema", "scene").stdout)
    scene = yaml.safe_load(FIRST.read_text())
    for name in ("start", "end"):
        scene[name] = scene[name].isoformat()
    jsonschema.validate(scene, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**scene, "cash": -1}, schema)


def test_strategies_are_listed_with_defaults_and_bounds() -> None:
    said = mela("strategies").stdout
    for word in ("sma_cross", "fast", "rsi_reversion", "period"):
        assert word in said
    schemas = json.loads(mela("strategies", "--json").stdout)
    assert schemas["sma_cross"]["properties"]["fast"]["default"] == 10


def test_help_names_every_command() -> None:
    said = mela("--help").stdout
    for command in ("up", "down", "status", "logs", "ingest", "publish", "results", "backtest"):
        assert command in said


def table(tmp_path: Path, candles: Path, **change: Any) -> Any:
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump({**SCENE, **change}))
    return mela("backtest", file, "--candles", candles)


def test_a_search_without_other_candles_says_so(tmp_path: Path, candles: Path) -> None:
    search = {"kind": "grid", "space": {"strategy.params.fast": [3, 4]}}

    assert "no_out_of_sample: the best run was chosen" in table(
        tmp_path, candles, search=search
    ).stderr.replace("\n", " ")
    alone = table(tmp_path, candles).stderr
    assert "too_few_trades" in alone
    assert "no_out_of_sample" not in alone


def test_any_metric_can_rank_and_be_shown(tmp_path: Path, candles: Path) -> None:
    search = {"kind": "grid", "space": {"strategy.params.fast": [3, 4, 5]}}
    shown = table(tmp_path, candles, search=search, rank_by="profit_factor")
    assert (shown.exit_code, "profit_factor ▾" in shown.stdout) == (0, True)


WALK: dict[str, Any] = {
    "instruments": ["here:A", "there:B"],
    "search": {"space": {"strategy.params.fast": [2, 3, 4], "strategy.params.slow": [8, 9]}},
    "validation": {"train": "6d", "test": "2d"},
}


def for_both(candles: Path) -> list[object]:
    return [f"--candles={name}={candles}" for name in ("here:A", "there:B")]


def backtest_files(tmp_path: Path, *words: object, **change: Any) -> Any:
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump({**SCENE, **change}))
    return mela("backtest", file, *words)


def test_instruments_may_have_files_of_their_own(tmp_path: Path, candles: Path) -> None:
    flat = dict.fromkeys(("open", "high", "low", "close"), np.full(480, 100.0))
    other = write(tmp_path / "b.parquet", **flat)
    words = "--candles", candles, "--candles", f"there:B={other}", "--json"
    done = backtest_files(tmp_path, *words, instruments=["here:A", "there:B"])
    first, second = json.loads(done.stdout)
    assert first["trades"] > 0
    assert second["trades"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--candles", "here:A={file}"], "no candles of there:B were given"),
        (["--candles", "{file}", "--candles", "{file}"], "more than one file"),
        (["--candles", "here:A={file}", "--candles", "here:A={file}"], "more than one file"),
        (["--candles", "missing.parquet"], "there is no file missing.parquet"),
        (["--candles", "here:A=missing.parquet"], "there is no file missing.parquet"),
    ],
)
def test_files_that_are_not_there_are_named(
    tmp_path: Path, candles: Path, words: list[str], said: str
) -> None:
    told = [word.format(file=candles) for word in words]
    done = backtest_files(tmp_path, *told, instruments=["here:A", "there:B"])
    assert done.exit_code != 0
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_a_search_ends_with_what_it_has_proved(tmp_path: Path, candles: Path) -> None:
    done = backtest_files(tmp_path, *for_both(candles), **WALK)
    assert done.exit_code == 0, done.output
    for words in ("walk-forward", "2 folds out of sample", "winner", "trials", "robustness"):
        assert words in done.stdout
    assert "no_out_of_sample" not in done.stderr


def test_the_report_is_one_object(tmp_path: Path, candles: Path) -> None:
    held = {"holdout": {"start": "2023-01-13T00:00:00Z"}}
    done = backtest_files(tmp_path, *for_both(candles), "--report", **WALK | held)
    report = json.loads(done.stdout)
    assert report["holdout"]["start"] == "2023-01-13T00:00:00Z"
    assert report["recorded"] is False
    assert set(report["walk_forward"]["instruments"]) == {"here:A", "there:B"}
    alone = backtest_files(tmp_path, "--candles", candles, "--report")
    assert json.loads(alone.stdout) is None


def test_tpe_runs_here_and_says_nothing_of_itself(tmp_path: Path, candles: Path) -> None:
    space = {"strategy.params.fast": {"low": 2, "high": 8, "integer": True}}
    search = {"kind": "tpe", "trials": 4, "space": space}
    done = backtest_files(tmp_path, "--candles", candles, "--json", search=search)
    assert len(json.loads(done.stdout)) == 4
    assert "Trial" not in done.stderr
