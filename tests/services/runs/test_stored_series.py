"""`mela backtest` on the warehouse's candles answers as the platform does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner
from typer.testing import Result as Ended

from cli.main import app
from mela.grid import plan_runs
from mela.messages import RunChunk
from mela.scene import parse_scene
from mela.settings import Settings
from services.scenes.publish import plan_scene
from streaming.run import Desk
from streaming.strategies import current
from tests.conftest import EMPTY
from tests.streaming.answered import documents_of
from tests.warehouse.lived import ASKED, BTC, ETH, GRID, PORTFOLIO, STOCKS, live
from warehouse.database import transaction

# what says where and when an answer was given, and is null outside the platform
OF_AN_ANSWER = (
    *("scene_id", "result_key", "candles_revision", "revisions", "computed_at", "cached"),
    "lookahead",  # the verdict that the warehouse has of a strategy; no part of the answer
)
Typed = Callable[..., Ended]
SCENES: dict[str, dict[str, Any]] = {
    "a grid": {**ASKED, "search": GRID},
    "two instruments, two starts": {
        **ASKED,
        "instruments": [BTC, ETH],
        "search": {"space": {"start": ["2023-01-01T00:00:00Z", "2023-02-01T00:00:00Z"]}},
    },
    "splits and dividends": {
        **STOCKS,
        "search": {"space": {"prices": ["raw", "split_adjusted", "total_return"]}},
    },
    "one account": {**ASKED, **PORTFOLIO},
    "training windows": {
        **ASKED,
        "search": GRID,
        "validation": {"kind": "walk_forward", "train": "20d", "test": "10d"},
    },
}


@pytest.fixture(scope="module")
def lived(scratch: Settings) -> Settings:
    with transaction(scratch) as connection:
        connection.execute(EMPTY)
    live(scratch)
    return scratch


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.chdir(tmp_path)

    def type_it(content: dict[str, Any], *words: str) -> Ended:
        Path("scene.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return CliRunner().invoke(app, ["backtest", "scene.yaml", *words])

    return type_it


@pytest.fixture
def at_home(lived: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MELA_HOME", str(lived.home))
    monkeypatch.setenv("MELA_POSTGRES__DATABASE", lived.postgres.database)
    return lived


def of_the_platform(content: dict[str, Any], settings: Settings) -> list[dict[str, Any]]:
    catalogue = current(settings)
    plan = plan_runs(parse_scene(content), catalogue, max_runs=100)
    chunk = RunChunk("00000000-0000-4000-8000-000000000042", 0, list(plan.expand()))
    return documents_of(Desk(settings, catalogue).answers(chunk))


def by_key(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        one["run_key"]: {name: one[name] for name in one if name not in OF_AN_ANSWER}
        for one in documents
    }


@pytest.mark.integration
@pytest.mark.parametrize("called", SCENES)
def test_a_run_here_is_the_run_of_the_platform_to_the_last_bit(
    at_home: Settings, typed: Typed, called: str
) -> None:
    done = typed(SCENES[called], "--json")

    assert done.exit_code == 0, done.output
    here, there = by_key(json.loads(done.stdout)), by_key(of_the_platform(SCENES[called], at_home))
    assert here.keys() == there.keys()
    differing = {
        (name, json.dumps(one[name]), json.dumps(there[key].get(name)))
        for key, one in here.items()
        for name in one
        if one[name] != there[key].get(name)
    }
    assert not differing
    assert here == there
    assert len(here) == plan_scene(SCENES[called], at_home)[1].runs
    assert {one["status"] for one in here.values()} == {"succeeded"}


@pytest.mark.integration
def test_an_instrument_that_was_never_loaded_is_answered_with_what_loads_it(
    at_home: Settings, typed: Typed
) -> None:
    done = typed({**ASKED, "instruments": ["binance:SOLUSDT"]})

    assert done.exit_code == 1
    assert "mela ingest binance:SOLUSDT --interval 1h" in done.stderr


@pytest.mark.integration
def test_a_span_without_candles_is_no_success(at_home: Settings, typed: Typed) -> None:
    done = typed({**ASKED, "start": "2019-01-01T00:00:00Z", "end": "2019-02-01T00:00:00Z"})

    assert done.exit_code == 1
    assert "no run gave any numbers" in done.stderr
    assert f"mela ingest {BTC} --interval 1h --from 2019-01-01T00:00:00Z" in done.stderr


def test_without_a_warehouse_it_is_said_what_to_give(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELA_HOME", str(tmp_path))
    monkeypatch.setenv("MELA_POSTGRES__PORT", "1")

    done = typed(ASKED)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "no candles were given (--candles FILE), and the warehouse does not ans" in done.stderr
    assert "mela up" in done.stderr


def test_what_is_said_of_files_needs_files(typed: Typed) -> None:
    done = typed(ASKED, "--timezone", "Europe/Paris")

    assert done.exit_code == 2
    assert "--timezone, --columns" in done.stderr
