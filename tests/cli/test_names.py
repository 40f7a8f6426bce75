"""A name that is not in its list: each command asks whether the nearest one was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mela.settings import Settings
from services.scenes.schedules import add_schedule
from tests.cli.backtested import SCENE, mela, write
from tests.warehouse.given import NAME, answer, load


def said(*words: object) -> tuple[int, str]:
    done: Any = mela(*words)
    return done.exit_code, " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["check", "smacross"], "'smacross'; did you mean sma_cross or ema_cross? There are"),
        (["strategies", "sma_crs"], "did you mean sma_cross"),
        (["ask", "best_by_regim"], "did you mean best_by_regime?"),
        (["ask", "best_by_regime", "--set", "intervall=1d"], "did you mean interval?"),
        (["logs", "postgre"], "did you mean postgres?"),
        (["scenes", "--strategy", "smacross"], "'smacross'; did you mean sma_cross or ema_cross?"),
    ],
)
@pytest.mark.integration
def test_what_was_meant_is_asked(stored: Settings, words: list[str], meant: str) -> None:
    code, sentence = said(*words)

    assert code in (1, 2)
    assert meant in sentence


@pytest.fixture
def stored(warehouse: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A warehouse with an instrument."""
    monkeypatch.setenv("MELA_HOME", str(warehouse.home))
    monkeypatch.setenv("MELA_POSTGRES__DATABASE", warehouse.postgres.database)
    load(warehouse, answer([100.0] * 10))
    return warehouse


@pytest.mark.integration
@pytest.mark.parametrize(
    "words",
    [
        ["quality", "binance:BTCUSD"],
        ["instrument", "binance:BTCUSD"],
        ["watch", "add", "binance:BTCUSD", "--interval", "1h"],
    ],
)
def test_instruments_that_were_loaded_are_offered(stored: Settings, words: list[str]) -> None:
    code, sentence = said(*words)

    assert code in (1, 2)
    assert f"did you mean {NAME}? Load it: mela ingest binance:BTCUSD" in sentence


@pytest.mark.parametrize(
    "words",
    [
        ["ingest", NAME, "--from", "2022-01-01", "--to", "2022-02-01"],
        ["restate", NAME, "--at", "2022-01-01T00:00Z", "--close", "1"],
        ["check", "sma_cross"],
        ["quality"],
        ["snapshot", "--to", "nowhere"],
        ["watch", "add", NAME],
        ["watch", "remove", NAME],
        ["import", __file__, "--instrument", "my:THING"],
    ],
)
@pytest.mark.parametrize(
    ("written", "meant"),
    [("60min", "; did you mean 1h?"), ("Daily", "; did you mean 1d?"), ("7x", "")],
)
def test_the_interval_that_was_meant_is_asked(words: list[str], written: str, meant: str) -> None:
    code, sentence = said(*words, "--interval", written)

    assert code == 2
    assert "expected one of 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h" in sentence
    assert f"but found '{written}'{meant}" in sentence
    assert ("did you mean" in sentence) == bool(meant)


@pytest.mark.integration
def test_what_is_watched_and_scheduled_is_offered(stored: Settings) -> None:
    assert said("watch", "add", NAME, "--interval", "1h")[0] == 0
    scene = SCENE | {"instruments": [NAME]}
    add_schedule("nightly", scene, "30d", stored)

    for words, meant in (
        (("watch", "remove", "binance:BTCUSD", "--interval", "1h"), f"did you mean {NAME} 1h?"),
        (("schedule", "remove", "nightli"), "did you mean nightly?"),
    ):
        code, sentence = said(*words)
        assert (code, meant in sentence) == (1, True), sentence


def test_a_file_for_another_instrument_is_offered(tmp_path: Path) -> None:
    scene = tmp_path / "scene.yaml"
    scene.write_text(str(SCENE | {"instruments": ["my:THING", "my:OTHER"]}).replace("'", '"'))
    file = write(tmp_path / "candles.parquet")

    named = ("--candles", f"my:THINGS={file}", "--candles", f"my:OTHER={file}")
    code, sentence = said("backtest", scene, *named)

    assert code != 0
    assert "there are those of my:OTHER, my:THINGS; did you mean my:THINGS? Add" in sentence
