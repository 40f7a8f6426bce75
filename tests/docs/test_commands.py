"""Every command on a page is executed: here, on the running stack, or by a test that is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from backtests.strategies import refresh
from cli.main import app
from mela.settings import REPOSITORY
from sources.replay import create_server
from tests.docs.account import ELSEWHERE, elsewhere, way_of
from tests.docs.checkout import CANDLES, Checkout, make_checkout
from tests.docs.forms import filled_in, spelled_out
from tests.docs.pages import Command, commands, commands_of, pages
from tests.docs.references import fault

ROOT = typer.main.get_command(app)
PLACES = {
    "SCENE.yaml": "docs/scenes/first.yaml",
    "SCENE": "docs/scenes/first.yaml",
    "FILE.parquet": CANDLES,
    "FILE": CANDLES,
    "FILE.html": "picture.html",
    "PATHS": "20",
    "STRATEGY": "rsi_reversion",
}
WITHOUT_SERVICES = [page for page in pages() if "alone" in map(way_of, commands_of(page))]


@pytest.mark.parametrize("page", pages())
def test_every_command_of_a_page_is_executed_somewhere(page: str) -> None:
    open_ones = [command for command in commands_of(page) if way_of(command) is None]
    assert not open_ones, "\n".join(
        f"{command.place}: no test executes `{command.text}`. Write it with a command of `mela` that"
        " tests/docs/account.py knows, or name there what executes it, in ELSEWHERE"
        for command in open_ones
    )


def test_what_executes_the_others_is_there_and_each_is_on_a_page() -> None:
    for line in ELSEWHERE:
        assert not [fault(one) for one in line.held_by if fault(one)], line.pattern
        assert line.because
    said = {elsewhere(command) for command in commands()}
    future = {"git (pull|clone .*)", "make docs"}  # named before their pages are merged
    assert not {line.pattern for line in ELSEWHERE if line not in said} - future


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    folder, home = tmp_path / "clone", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    with create_server() as server:
        made = make_checkout(folder, home, monkeypatch)
        monkeypatch.setenv("MELA_REPLAY_URL", server.url)
        yield made
    refresh()


@pytest.mark.parametrize("page", WITHOUT_SERVICES)
def test_commands_without_services_do_what_the_page_says(page: str, checkout: Checkout) -> None:
    for command in commands_of(page):
        way = way_of(command)
        if way == "files" and command.is_typed:
            checkout.prepare(command)
        if way != "alone" or not command.is_typed:
            continue
        for form in spelled_out(command.words):
            _, *words = filled_in(form, PLACES)
            done = checkout.type(words)
            assert done.exit_code == 0, f"{command.place}: mela {' '.join(words)}\n{done.output}"
            assert done.output.strip(), f"{command.place}: mela {' '.join(words)} said nothing"


SPOKEN_OF = [command for command in commands() if command.words.startswith("mela ")]


@pytest.mark.parametrize("command", SPOKEN_OF, ids=lambda command: command.place)
def test_every_command_and_option_of_mela_that_is_named_exists(command: Command) -> None:
    """Also where a sentence only speaks of it, and where another test executes it."""
    found: Any = ROOT
    names: list[str] = []
    _, *words = re.sub(r"[\[\]]", "", command.words).split()
    while hasattr(found, "commands") and words and not words[0].startswith("-"):
        names = words.pop(0).split("|")
        assert set(names) <= set(found.commands), f"{command.place}: `{command.text}`"
        found = found.commands[names[0]]
    if names == ["airflow"]:
        return  # all words behind it are Airflow's own
    options = {option for parameter in found.params for option in parameter.opts}
    named = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert named <= options, f"{command.place}: `{command.text}`"


def test_what_sentences_speak_of_is_executed_where_a_block_shows_it() -> None:
    executed = {verb(command) for command in commands() if command.is_typed}
    for command in commands():
        if not command.is_typed and way_of(command) in ("alone", "stack"):
            assert verb(command) in executed, f"{command.place}: show `{command.text}` in a block"


def verb(command: Command) -> str:
    return command.words.split()[1]


@pytest.mark.parametrize(
    "command",
    [one for one in commands() if one.words.startswith("make ")],
    ids=lambda one: one.place,
)
def test_every_target_of_make_exists(command: Command) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    target = command.words.split()[1]
    if target != "docs":  # comes with the site
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), command.place
