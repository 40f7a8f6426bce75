"""The commands of docs/live.md, typed in their order while the market plays."""

from __future__ import annotations

from pathlib import Path

import pytest

from mela.settings import Settings
from services.trading import sessions
from services.trading.answers import SessionRow
from services.trading.callers import at_this_machine
from tests.docs.checkout import make_checkout
from tests.docs.pages import commands_of
from tests.integration.asking import wait_for
from tests.integration.playing import playing

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
PAGE = "docs/live.md"
HOURS = 12  # of the market: 72 s
ENDS_BY_ITSELF = {"start", "list", "show", "pause", "resume", "log", "kill", "release", "stop"}


def typed_commands() -> list[list[str]]:
    """Return the words of the page's commands of trading, each once, without those that watch."""
    found: dict[tuple[str, ...], None] = {}
    for command in commands_of(PAGE):
        words = command.words.replace('"', "").split()[1:]
        if words[:1] == ["drift"] or (words[:1] == ["trade"] and words[1] in ENDS_BY_ITSELF):
            found[tuple(words)] = None
    return [list(words) for words in found]


def test_the_page_names_each_command_of_a_session() -> None:
    assert {words[1] for words in typed_commands() if words[0] == "trade"} == ENDS_BY_ITSELF


def test_a_session_does_what_the_page_says(
    platform: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = make_checkout(tmp_path, platform.home, monkeypatch)
    me = at_this_machine(platform)

    def row() -> SessionRow:
        return sessions.get_session(platform, me, sessions.meant(platform, me, "first")).row

    states = {"pause": "paused", "resume": "running", "stop": "stopped"}
    with playing(platform, HOURS):
        for words in typed_commands():
            done = checkout.type(words)
            assert done.exit_code == 0, f"mela {' '.join(words)}\n{done.output}"
            assert done.output.strip(), words
            word = words[1] if words[0] == "trade" else words[0]
            if word == "start":
                wait_for(lambda: row().trades > 0, 60, "the session trades")
            elif word in states:
                wait_for(lambda wanted=states[word]: row().state == wanted, 15, word)
            elif word == "kill":
                # A session that is flat already says nothing of whether it was halted.
                wait_for(lambda: row().risk_state == "halted", 15, "no new order is sent")
                wait_for(lambda: row().positions == 0, 15, "all is flat")
            elif word == "release":
                wait_for(lambda: row().risk_state == "active", 15, "it may trade again")
    assert row().state == "stopped"
