"""`mela rejected`: a list, one message in full, its bytes in a file, and what a replay says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from mela.messages import SCENES, MessagePosition
from mela.settings import Settings
from messaging.publisher import publisher_of, send_again
from streaming.plan import SceneMessage, plan_scenes
from tests.hostile.given import ONE
from tests.warehouse.given import answer, load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def settings(warehouse: Settings, streams: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    found = warehouse.model_copy(update={"kafka": streams.kafka})
    database = found.postgres
    for name, value in {
        "HOME": str(found.home),
        "KAFKA__BROKERS": found.kafka.brokers,
        "POSTGRES__PORT": str(database.port),
        "POSTGRES__DATABASE": database.database,
        "POSTGRES__USER": database.user,
        "POSTGRES__PASSWORD": database.password.get_secret_value(),
    }.items():
        monkeypatch.setenv(f"MELA_{name}", value)
    return found


def rejected(*words: str) -> Result:
    return CliRunner().invoke(app, ["rejected", *words])


def refused(settings: Settings, value: bytes) -> str:
    position = send_again(settings.kafka, MessagePosition(SCENES, 0, 0), None, value, ("n", b""))
    plan_scenes([SceneMessage(value, position)], settings, publisher_of(settings))
    return position.key


def test_one_message_is_shown_in_full_and_saved_as_it_came(
    settings: Settings, tmp_path: Path
) -> None:
    raw = b'{"name": "\x1b[2J\xff", [bold]'
    name = refused(settings, raw)

    shown = rejected(name, "--save", str(tmp_path / "original"))

    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "original").read_bytes() == raw
    for part in (name, "not_json", "expected JSON", f"{len(raw)} bytes", "[bold]", r"\x1b[2J\xff"):
        assert part in shown.output
    assert "\x1b" not in shown.output
    listed = rejected("--last", "1", "--code", "not_json", "--topic", "scenes")
    assert name in listed.output
    assert rejected("--since", "2200-01-01").output.strip() == "no rejected message is such a one."
    document = json.loads(rejected(name, "--json").stdout)
    assert (document["code"], document["size"]) == ("not_json", len(raw))


def test_a_replay_says_where_the_message_is_and_the_id_of_its_scene(settings: Settings) -> None:
    name = refused(settings, json.dumps(ONE).encode())
    early = rejected("--replay", name)
    assert (early.exit_code, "unknown_instrument" in early.output) == (1, True)
    load(settings, answer(100.0 + np.sin(np.arange(60.0))))

    first, second = rejected("--replay", name), rejected("--replay", name)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "published again as mela.scenes:0:" in first.output
    assert "was published again before" in second.output
    assert first.stdout.strip() == second.stdout.strip()
    assert len(first.stdout.strip()) == 36


def test_what_is_no_id_is_a_sentence(settings: Settings) -> None:
    assert settings
    done = rejected("--replay", "41")
    assert (done.exit_code, "expected the id" in done.output) == (1, True)
    assert rejected("--save", "x").exit_code == 1
