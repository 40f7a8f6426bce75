"""A scene as people write it into a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.scene_file import scene_of
from mela.errors import RejectionCode, SceneInvalid

HEAD = "instruments: [my:X]\ninterval: 1d\nstart: 2024-01-01T00:00:00Z\nend: 2024-03-01T00:00:00Z\n"
SCENE = HEAD + "strategy: {name: buy_and_hold}\n"


def refusal(file: Path, text: str) -> SceneInvalid:
    file.write_text(text)
    with pytest.raises(SceneInvalid) as refused:
        scene_of(file)
    return refused.value


@pytest.mark.parametrize(
    ("written", "cash"), [("1e5", 1e5), ("1.5e3", 1500.0), ("1E+4", 1e4), ("2.5e+4", 25_000.0)]
)
def test_an_exponent_makes_a_number(tmp_path: Path, written: str, cash: float) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text(SCENE + f"cash: {written}\ncosts: {{fee: 1e-3, slippage: 5e-4}}\n")
    scene = scene_of(file)
    assert (scene.cash, scene.costs.fee, scene.costs.slippage) == (cash, 0.001, 0.0005)


def test_text_in_quotes_stays_text(tmp_path: Path) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text(SCENE + 'name: "1e5"\n')
    assert scene_of(file).name == "1e5"


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
    assert (scene_of(file).costs.fee, scene_of(file).costs.slippage) == (0.01, 0.2)


def test_a_time_without_a_zone_is_shown_as_it_was_read(tmp_path: Path) -> None:
    text = SCENE.replace("2024-01-01T00:00:00Z", "2024-01-01 00:00:00")
    refused = refusal(tmp_path / "scene.yaml", text)
    assert "found 2024-01-01T00:00:00" in str(refused)
    assert "datetime" not in str(refused)
