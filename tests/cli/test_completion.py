"""Tab, by the protocol that the shell's script speaks: words in the environment, lines out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from mela.settings import REPOSITORY, Settings
from services.scenes.publish import announce, plan_scene
from tests.conftest import MELA
from tests.warehouse.given import NAME, answer, load

SCENE_ID = UUID("6f1c3d0e-0000-4000-8000-00000000000a")


def tab(typed: str, *, home: Path, database: str | None = None) -> list[str]:
    """Return what is offered for the last word of a line."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MELA_")}
    env |= {
        "MELA_HOME": str(home),
        "_MELA_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split(" ")) - 1),
    }
    if database:
        env["MELA_POSTGRES__DATABASE"] = database
    else:
        env["MELA_POSTGRES__PORT"] = "1"
    done = subprocess.run(
        [str(MELA)],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("mela check sma_", ["sma_cross"]),
        ("mela scenes --strategy rsi", ["rsi_reversion"]),
        ("mela scenes --state can", ["cancelled"]),
        ("mela publish docs/scenes/fir", ["docs/scenes/first.yaml"]),
        ("mela backtest docs/scen", ["docs/scenes/"]),
        ("mela validate docs/none/x", []),
        ("mela ingest binance:BTCUSDT --interval 1m", ["1m", "1mo"]),
        ("mela ask best_by", ["best_by_regime"]),
        ("mela publ", ["publish"]),
    ],
)
def test_names_and_values_are_offered(typed: str, offered: list[str], tmp_path: Path) -> None:
    assert tab(typed, home=tmp_path) == offered


@pytest.mark.parametrize("typed", ["mela results ", "mela quality "])
def test_a_warehouse_that_is_away_offers_nothing_and_says_nothing(
    typed: str, tmp_path: Path
) -> None:
    assert set(tab(typed, home=tmp_path)) <= {"last"}


@pytest.mark.integration
def test_scenes_and_instruments_of_the_warehouse_are_offered(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 3))
    scene, plan = plan_scene(
        {
            "scene_id": str(SCENE_ID),
            "instruments": [NAME],
            "interval": "1h",
            "start": "2024-01-02",
            "end": "2024-01-03",
            "strategy": {"name": "sma_cross"},
        },
        warehouse,
    )
    announce(scene, plan, "ada", warehouse)
    where = {"home": warehouse.home, "database": warehouse.postgres.database}

    assert tab("mela plot 6f1", **where) == [str(SCENE_ID)]
    assert tab("mela follow ", **where) == ["last", str(SCENE_ID)]
    assert tab("mela quality bin", **where) == [NAME]
    assert tab("mela stale --scene 9", **where) == []
