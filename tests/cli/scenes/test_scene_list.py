"""`mela scenes`, and ids that are not typed whole, on a real Postgres."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Ended

from cli.main import app
from cli.scenes.scene_list import age_text
from mela.settings import Settings
from services.scenes.publish import announce, plan_scene
from tests.warehouse.given import NAME
from warehouse.database import transaction
from warehouse.scenes import records

FIRST, SECOND = (UUID(f"{digit}f1c3d0e-0000-4000-8000-00000000000a") for digit in "67")
STORY = {
    "instruments": [NAME, "binance:ETHUSDT", "binance:SOLUSDT"],
    "interval": "1h",
    "start": "2024-01-02T00:00:00Z",
    "end": "2024-01-03T00:00:00Z",
    "strategy": {"name": "sma_cross"},
}


@pytest.fixture
def published(settings: Settings) -> Settings:
    """Publish a scene of each of two users."""
    for scene_id, user in ((FIRST, "ada"), (SECOND, "bob")):
        scene, plan = plan_scene({**STORY, "scene_id": str(scene_id)}, settings)
        announce(scene, plan, user, settings)
    return settings


def mela(*words: str) -> Ended:
    return CliRunner().invoke(app, list(words))


@pytest.mark.integration
def test_scenes_are_listed_and_counted(published: Settings) -> None:
    said = mela("scenes")

    assert said.exit_code == 0, said.output
    header, newest, older = said.stdout.splitlines()
    assert header.split()[:6] == ["id", "state", "strategy", "instruments", "interval", "runs"]
    assert newest.split()[:3] == [str(SECOND)[:8], "received", "sma_cross"]
    assert f"{NAME}, binance:ETHUSDT and 1 more" in older
    assert "0/3" in older
    assert "ada" in older


@pytest.mark.integration
def test_scenes_as_json_have_every_field(published: Settings) -> None:
    newest, older = json.loads(mela("scenes", "--json").stdout)

    assert (newest["scene_id"], older["scene_id"]) == (str(SECOND), str(FIRST))
    assert (older["instruments"], older["runs"], older["best"]) == (STORY["instruments"], 3, None)
    assert older["received_at"].endswith("Z")
    assert older["finished_at"] is None


@pytest.mark.integration
def test_mine_are_those_of_the_user_that_is_set(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = mela("scenes", "--mine")
    assert (nobody.exit_code, "MELA_USER" in nobody.stderr) == (2, True)
    monkeypatch.setenv("MELA_USER", "ada")
    [mine] = json.loads(mela("scenes", "--mine", "--json").stdout)
    assert mine["scene_id"] == str(FIRST)


@pytest.mark.integration
def test_no_scene_is_said_and_no_error(published: Settings) -> None:
    said = mela("scenes", "--strategy", "rsi_reversion")

    assert (said.exit_code, said.stdout) == (0, "")
    assert "no such scene" in said.stderr


@pytest.mark.integration
@pytest.mark.parametrize("command", ["results", "follow", "cancel", "stale"])
def test_each_command_that_takes_a_scene_takes_the_beginning_of_its_id(
    published: Settings, command: str
) -> None:
    """A rejected scene ends each of them at once, and each names it."""
    option = ["--scene"] if command == "stale" else []

    wrong = mela(command, *option, "zzz")
    assert (wrong.exit_code, "its first digits, or `last`" in wrong.stderr) == (2, True)
    unknown = mela(command, *option, "abc")
    assert (unknown.exit_code, "begins with abc" in unknown.stderr) == (1, True)


@pytest.mark.integration
@pytest.mark.parametrize("told", ["6f1c", "last"])
def test_results_and_cancel_find_the_scene_that_is_meant(published: Settings, told: str) -> None:
    meant = SECOND if told == "last" else FIRST

    assert str(meant) in mela("results", told).stdout
    with transaction(published) as connection:
        assert records.cancel(connection, meant)
    assert f"the scene {meant} has ended already" in mela("cancel", told).stderr


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59, "59 s"), (60, "1 min"), (7_199, "1 h"), (1e6, "11 d")]
)
def test_an_age_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert age_text(timedelta(seconds=seconds)) == text
