"""Every command on a page is executed: here, on the running stack, or by a test that is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backtests.strategies import refresh
from mela.settings import REPOSITORY
from replay import create_server
from tests.docs.account import ELSEWHERE, FOREIGN, elsewhere, way_of
from tests.docs.checkout import CANDLES, Checkout, make_checkout
from tests.docs.forms import filled_in, is_only_named, named, spelled_out
from tests.docs.pages import Command, commands, commands_of, pages
from tests.docs.references import fault

PLACES = {
    "SCENE.yaml": "docs/scenes/first.yaml",
    "SCENE": "docs/scenes/first.yaml",
    "FILE.parquet": CANDLES,
    "FILE": CANDLES,
    "FILE.html": "picture.html",
    "PATHS": "100",
    "STRATEGY": "rsi_reversion",
}
# By pages that had prepared nothing, on which equal words do the same: `mela check` takes seconds.
TYPED: set[tuple[str, ...]] = set()
WITHOUT_SERVICES = [page for page in pages() if "alone" in map(way_of, commands_of(page))]


@pytest.mark.parametrize("page", pages())
def test_every_command_of_a_page_is_executed_somewhere(page: str) -> None:
    open_ones = [command for command in commands_of(page) if way_of(command) is None]
    assert not open_ones, "\n".join(
        f"{command.place}: no test executes `{command.text}`. Use a command of `mela` that"
        " tests/docs/account.py knows, or name there, in ELSEWHERE, the test that executes it"
        for command in open_ones
    )


def test_what_executes_the_others_is_there_and_each_is_on_a_page() -> None:
    for line in ELSEWHERE:
        assert not [fault(one) for one in line.held_by if fault(one)], line.pattern
        assert line.because
    said = {elsewhere(command) for command in commands()}
    future = {"git (pull|clone .*)"}  # a page may speak of it or not
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
    prepares = False
    for command in commands_of(page):
        way = way_of(command)
        if way == "files":
            checkout.prepare(command)
            prepares = True
        if way != "alone" or is_only_named(command):
            continue
        for form in spelled_out(command.words):
            words = tuple(filled_in(form, PLACES)[1:])
            if prepares or words not in TYPED:
                done, place = checkout.type(list(words)), f"{command.place}: mela {' '.join(words)}"
                assert done.exit_code == 0, f"{place}\n{done.output}"
                assert done.output.strip(), f"{place} said nothing"
                TYPED.update([] if prepares else [words])


@pytest.mark.parametrize("page", pages())
def test_every_command_and_option_of_mela_that_is_named_exists(page: str) -> None:
    """Also where a sentence only speaks of it, and where another test executes it."""
    for command in commands_of(page):
        if not command.words.startswith("mela "):
            continue
        found, words = named(command)
        if found.name not in FOREIGN:
            options = {
                option
                for parameter in found.params
                for option in (*parameter.opts, *parameter.secondary_opts)
            }
            options.add("--help")  # click adds it to every command
            asked = {word.partition("=")[0] for word in words if word.startswith("-")}
            assert asked <= options, f"{command.place}: `{command.text}`"


def test_what_sentences_speak_of_is_executed_where_a_block_shows_it() -> None:
    ours = [command for command in commands() if way_of(command) in ("alone", "stack")]
    executed = {verb(command) for command in ours if not is_only_named(command)}
    for command in ours:
        assert verb(command) in executed, f"{command.place}: show `{command.text}` in a block"


def verb(command: Command) -> str:
    return command.words.split()[1]


@pytest.mark.parametrize("page", pages())
def test_every_target_of_make_exists(page: str) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for command in commands_of(page):
        if command.words.startswith("make "):
            target = command.words.split()[1]
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), command.place
