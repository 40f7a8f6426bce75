"""A scene as people write it into a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from cli.scene_file import read_document
from mela.errors import RejectionCode, SceneInvalid
from mela.scene import parse_scene

HEAD = "instruments: [my:X]\ninterval: 1d\nstart: 2024-01-01T00:00:00Z\nend: 2024-03-01T00:00:00Z\n"
SCENE = HEAD + "strategy: {name: buy_and_hold}\n"


def refusal(file: Path, text: str) -> SceneInvalid:
    file.write_text(text)
    with pytest.raises(SceneInvalid) as refused:
        parse_scene(read_document(file))
    return refused.value


@pytest.mark.parametrize(
    ("written", "cash"), [("1e5", 1e5), ("1.5e3", 1500.0), ("1E+4", 1e4), ("2.5e+4", 25_000.0)]
)
def test_an_exponent_makes_a_number(tmp_path: Path, written: str, cash: float) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text(SCENE + f"cash: {written}\ncosts: {{fee: 1e-3, slippage: 5e-4}}\n")
    scene = parse_scene(read_document(file))
    assert (scene.cash, scene.costs.fee, scene.costs.slippage) == (cash, 0.001, 0.0005)


@pytest.mark.parametrize(
    ("written", "cash"),
    [
        ("010", 10.0),
        ("+5", 5.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1_000", 1000.0),
        ("0x10", 16.0),
        ("0o10", 8.0),
    ],
)
def test_a_number_is_what_it_looks_like(tmp_path: Path, written: str, cash: float) -> None:
    """YAML 1.1 reads 010 as 8."""
    file = tmp_path / "scene.yaml"
    file.write_text(SCENE + f"cash: {written}\n")
    assert parse_scene(read_document(file)).cash == cash


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("cash: 1:30", "cash: Input should be a valid number, but found '1:30'"),
        ("cash: 2024-01-01", "found 2024-01-01."),
        ("cash:", "found null."),
        ("cash: yes", "found true."),
        ("cash: .nan", "finite number"),
        ("cash: !!float x", "a value does not fit its tag"),
        ("cash: !!int x", "expected a number, but found 'x'"),
        ("cash: !!timestamp x", "a value does not fit its tag"),
        ("holdout: " + "[" * 2000 + "]" * 2000, "it is nested too deeply"),
        ("cash: " + "9" * 5000, "expected a number, but found '9999"),
    ],
)
def test_what_is_no_number_is_shown_as_it_was_written(tmp_path: Path, line: str, said: str) -> None:
    refused = refusal(tmp_path / "scene.yaml", SCENE + line + "\n")
    assert said in f"{refused.field}: {refused}"


@pytest.mark.parametrize("start", ["2024-02-30", "2024-01-01T24:00:00Z", "2024-13-01", "2024-1-1"])
def test_a_day_that_no_calendar_has_names_its_field(tmp_path: Path, start: str) -> None:
    text = SCENE.replace("2024-01-01T00:00:00Z", start)
    refused = refusal(tmp_path / "scene.yaml", text)
    assert refused.field == "start"
    assert start in str(refused)


@pytest.mark.parametrize("start", ["2024-01-01 00:00", "2024-01-01T09:30", "2024-01-01 00:00:00"])
def test_a_time_without_a_zone_says_how_to_write_it(tmp_path: Path, start: str) -> None:
    text = SCENE.replace("2024-01-01T00:00:00Z", start)
    assert "Write it with a Z" in str(refusal(tmp_path / "scene.yaml", text))


def test_json_is_read_as_json(tmp_path: Path) -> None:
    file = tmp_path / "scene.json"
    document = {**yaml.safe_load(HEAD), "strategy": {"name": "buy_and_hold"}, "name": "a 🎉"}
    text = json.dumps(document, default=str, indent="\t")
    file.write_text("\ufeff" + text)
    assert parse_scene(read_document(file)).name == "a 🎉"
    again = text.replace('"name": "a', '"interval": "1h",\n\t"name": "a')
    assert "expected the key 'interval' once" in str(refusal(file, again.replace("\t", " ")))
    refusal(file, again)


def test_text_in_quotes_stays_text(tmp_path: Path) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text(SCENE + 'name: "1e5"\n')
    assert parse_scene(read_document(file)).name == "1e5"


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        (SCENE + "cash: 5\ncash: 7\n", "cash", "line 6 and again in line 7"),
        (SCENE + "costs: {fee: 0.1, fee: 0.2}\n", "fee", "line 6 and again in line 6"),
        ('{"cash": 5,\n "interval": "1d",\n "cash": 7}', "cash", "line 1 and again in line 3"),
        (HEAD + "costs:\n  fee: 0\n  slippage: 1\n  fee: 1\n", "fee", "line 6 and again in line 8"),
    ],
)  # fmt: skip
def test_a_key_that_comes_again_is_refused(tmp_path: Path, text: str, key: str, lines: str) -> None:
    refused = refusal(tmp_path / "scene.yaml", text)
    assert refused.code is RejectionCode.NOT_JSON
    assert f"expected the key {key!r} once, but found it in {lines}" in str(refused)


def test_what_an_anchor_brings_may_be_said_anew(tmp_path: Path) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text(SCENE + "costs:\n  <<: {fee: 0.1, slippage: 0.2}\n  fee: 0.01\n")
    costs = parse_scene(read_document(file)).costs
    assert (costs.fee, costs.slippage) == (0.01, 0.2)


def test_a_time_without_a_zone_is_shown_as_it_was_read(tmp_path: Path) -> None:
    text = SCENE.replace("2024-01-01T00:00:00Z", "2024-01-01 00:00:00")
    refused = refusal(tmp_path / "scene.yaml", text)
    assert "found 2024-01-01T00:00:00" in str(refused)
    assert "datetime" not in str(refused)


WRONG = """
instruments: [binance:BTCUSDT]
interval: 60m
start: 2023-01-01
end: 2023-02-01
strategy: {name: smacross}
cash: -1
commission: 0.1
"""


@pytest.mark.parametrize(
    "words",
    [["publish"], ["validate", "--offline"], ["backtest", "--candles", "pyproject.toml"]],
)
def test_all_that_is_wrong_is_said_at_once(tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text(WRONG)

    said = CliRunner().invoke(app, [words[0], str(file), *words[1:]])

    assert (said.exit_code, said.stdout) == (1, "")
    for sentence in (
        "did you mean 1h?",
        "did you mean costs.fee?",
        "did you mean sma_cross",
        "[invalid_field] cash: ",
        "[unknown_strategy] strategy.name: ",
    ):
        assert sentence in said.stderr
