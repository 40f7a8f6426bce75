"""Results of `mela backtest` say what a check on this home found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from backtests.strategies import CATALOGUE
from mela.settings import Settings
from mela.verdict import Verdict
from services.strategies.local_verdicts import keep_here, known_here
from services.strategies.strategy_page import with_stored
from tests.cli.backtested import SCENE, mela, write
from tests.cli.strategies.test_check import CHEAT
from warehouse.database import transaction
from warehouse.results import verdicts

DIGEST = "ab" * 32


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def kept(verdict: Verdict, settings: Settings) -> bool:
    return keep_here(DIGEST, "mine", verdict, [], settings)


def test_a_proof_stays_and_anything_else_gives_way(settings: Settings) -> None:
    assert known_here([DIGEST], settings) == {}
    for verdict in (Verdict.NOT_VERIFIED, Verdict.CLEAN, Verdict.FOUND):
        assert kept(verdict, settings)
        assert known_here([DIGEST, "cd" * 32], settings) == {DIGEST: verdict}

    assert not kept(Verdict.CLEAN, settings)
    assert known_here([DIGEST], settings) == {DIGEST: Verdict.FOUND}
    assert [file.name for file in (settings.home / "checks").iterdir()] == [f"{DIGEST}.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"lookahead": "sure"}', b"\xff"])
def test_a_file_that_says_no_verdict_says_nothing(settings: Settings, content: bytes) -> None:
    kept(Verdict.CLEAN, settings)
    (settings.home / "checks" / f"{DIGEST}.json").write_bytes(content)

    assert known_here([DIGEST], settings) == {}


def test_a_home_that_takes_no_files_stops_no_check(settings: Settings) -> None:
    settings.home.write_text("no folder")

    assert not kept(Verdict.CLEAN, settings)


def test_results_say_what_a_check_of_the_same_source_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELA_HOME", str(tmp_path / "home"))
    candles, cheat, scene = (tmp_path / name for name in ("c.parquet", "cheat.py", "scene.yaml"))
    write(candles)
    cheat.write_text(CHEAT)
    scene.write_text(yaml.safe_dump(SCENE | {"strategy": {"name": "cheat"}}))

    def verdict() -> Any:
        words = ("backtest", str(scene), "--candles", str(candles), "--strategies", str(cheat))
        done = mela(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)[0]["lookahead"]

    assert verdict() == "not_verified"
    checked = mela("check", str(cheat), "--candles", str(candles))
    assert (checked.exit_code, "`mela backtest` say it" in checked.output) == (1, True)
    assert verdict() == "found"

    cheat.write_text(CHEAT + "\n\nSOMETHING = 1\n")
    assert verdict() == "not_verified"


@pytest.mark.integration
def test_what_the_warehouse_knows_counts_unless_this_home_has_a_proof(warehouse: Settings) -> None:
    digests = {name: CATALOGUE[name].digest for name in ("sma_cross", "ema_cross", "adx_trend")}
    with transaction(warehouse) as connection:
        for name in ("sma_cross", "ema_cross"):
            verdicts.store(connection, digests[name], name, Verdict.CLEAN, [])
    known = {
        digests["sma_cross"]: Verdict.FOUND,
        digests["ema_cross"]: Verdict.NOT_VERIFIED,
        digests["adx_trend"]: Verdict.CLEAN,
    }

    found = with_stored(known, {name: CATALOGUE[name] for name in digests}, warehouse)

    assert [found[digests[name]] for name in digests] == [
        Verdict.FOUND,
        Verdict.CLEAN,
        Verdict.CLEAN,
    ]
