"""Copy the commands of all pages to the running stack, in the order in which one reads them.

The last file of its folder, as it loads, schedules and publishes what other tests do not expect.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from sqlalchemy import text

from mela.settings import Settings
from services.scenes.rejected import latest_rejections
from tests.conftest import mela
from tests.docs.account import FOREIGN, way_of
from tests.docs.checkout import CANDLES, Checkout, make_checkout
from tests.docs.forms import filled_in, is_only_named, spelled_out
from tests.docs.pages import Command, commands_of, pages
from tests.integration.asking import stored_scene, wait_for
from warehouse.database import transaction

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
ENDLESS_S = 4
STARTS_S = 400  # for the whole stack, which some page has stopped
# These start programs of their own; here, too, no market data come from the internet.
APART = {"up": ["up", "--offline"]} | {name: [name] for name in FOREIGN}
ANYTHING = {"airflow": "version", "mlflow": "--version", "psql": "--version", "dbt": "--version"}
MAY_FIND = {"quality": (0, 1)}  # 1: an error is open, and Binance's halt of March 2023 is one
FIRST = """
    SELECT s.scene_id::text, a.result_key FROM ops.scene s JOIN ops.scene_run a USING (scene_id)
    WHERE s.status = 'finished' ORDER BY s.received_at, a.run_key LIMIT 1
"""


class Reader:
    """Somebody who types what the pages say, and puts in what they leave open."""

    def __init__(self, checkout: Checkout, settings: Settings) -> None:
        self.checkout, self.settings = checkout, settings
        self.typed: set[tuple[str, ...]] = set()
        with transaction(settings) as connection:
            scene_id, result_key = connection.execute(text(FIRST)).one()
        self.places = {
            "SCENE_ID": scene_id,
            "RESULT_KEY": result_key,
            "3f2a9c01": result_key[:8],
            "ID": latest_rejections(settings, most=1)[0].key,
            "CODE": "unknown_instrument",
            "SCENE.yaml": "docs/scenes/first.yaml",
            "NAME": "by_form",
            "INSTRUMENT": "binance:BTCUSDT",
            "SERVICE": "spark",
            "QUESTION": "best_by_regime",
            "DIR": "candles",
            "s3://…": "candles",
            "FILE": CANDLES,
            "FILE.parquet": CANDLES,
            "FILE.html": "picture.html",
            "FILE.csv": "trades.csv",
        }

    def follow(self, command: Command) -> None:
        """Type a command, each of its forms once."""
        self.places["…"] = ANYTHING.get(command.words.split()[1], "…")
        for form in spelled_out(command.words):
            words = filled_in(form, self.places)[1:]
            if words[0] == "cancel":
                words[1] = self.publish_much()
            if tuple(words) not in self.typed:
                self.typed.add(tuple(words))
                self.enter(words, f"{command.place}: mela {' '.join(words)}")

    def enter(self, words: list[str], place: str) -> None:
        if words[0] == "logs" and "--follow" in words:
            return self.watch(words, place)
        if words[0] in APART:
            words = [*APART[words[0]], *words[1:]]
            done = mela(*words, home=self.settings.home, timeout_s=STARTS_S)
            code, said, output = done.returncode, done.stdout, done.stdout + done.stderr
        else:
            ended = self.checkout.type(words)
            code, said, output = ended.exit_code, ended.stdout, ended.output
        assert code in MAY_FIND.get(words[0], (0,)), f"{place}\n{output}"
        assert output.strip(), f"{place} said nothing"
        if words[0] == "publish" and "--follow" in words:
            self.places["SCENE_ID"] = said.split()[0]
        elif words[0] == "results" and "--json" in words:
            self.places["RESULT_KEY"] = json.loads(said)[0]["result_key"]
        return None

    def leave(self, page: str) -> None:
        """Take away what a page has scheduled: another shows the same name."""
        for words in [words for words in self.typed if words[:2] == ("schedule", "add")]:
            self.typed.remove(words)
            self.enter(["schedule", "remove", words[2]], page)

    def watch(self, words: list[str], place: str) -> None:
        """Look for some seconds at what never ends."""
        with pytest.raises(subprocess.TimeoutExpired) as watched:
            mela(*words, home=self.settings.home, timeout_s=ENDLESS_S)
        assert watched.value.stdout, place

    def publish_much(self) -> str:
        """Publish more than can be done by the time it is cancelled."""
        space = {
            "strategy.params.fast": {"from": 2, "to": 101, "step": 1},
            "strategy.params.slow": {"from": 110, "to": 209, "step": 1},
        }
        scene: dict[str, Any] = yaml.safe_load(Path("docs/scenes/first.yaml").read_text())
        much = {**scene, "search": {"kind": "grid", "space": space}, "rank_by": "sharpe"}
        Path("much.yaml").write_text(yaml.safe_dump(much), encoding="utf-8")
        scene_id = self.checkout.type(["publish", "much.yaml"]).stdout.split()[0]
        wait_for(lambda: stored_scene(UUID(scene_id), self.settings), 60, "the scene was read")
        return scene_id


def test_every_command_of_the_pages_does_what_it_says_on_the_running_stack(
    platform: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = make_checkout(tmp_path, platform.home, monkeypatch)
    reader = Reader(checkout, platform)
    for page in pages():
        for command in commands_of(page):
            way = way_of(command)
            if way == "files":
                checkout.prepare(command)
            elif way == "stack" and not is_only_named(command):
                reader.follow(command)
        reader.leave(page)
    assert {"publish", "results", "stale", "cancel"} <= {words[0] for words in reader.typed}
