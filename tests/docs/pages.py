"""Find every command that the pages tell a reader to type.

Read are fenced blocks in sh, console, bash or no language, indented blocks, and words in `code`
that begin with `mela` or `make`, in tables and in sentences.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from mela.settings import REPOSITORY

SHELLS = ("sh", "bash", "shell", "console")
WORDS_OF_SHELLS = ("for", "while", "if", "export", "cd", "docker", "git", "mela", "make")
FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*([\w+-]*)")
LIST = re.compile(r"^\s*([-*+]|\d+[.)]|!!!|\?\?\?\+?|===)\s")
CODE = re.compile(r"`([^`]+)`")
ASSIGNED = re.compile(r"^(?:[A-Z_]+=\S*\s+)+")
HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")

Line = tuple[int, str]


@dataclass(frozen=True)
class Command:
    """A command as its page has it, without prompt and comment."""

    page: str
    line: int
    text: str
    within: str = "a block"  # or a table, or a sentence

    @property
    def words(self) -> str:
        """The text as it would be typed where Mela's environment is active."""
        return self.text.removeprefix(".venv/bin/")

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Return the pages for users and contributors, in the order in which one reads them."""
    docs = sorted(REPOSITORY.glob("docs/**/*.md"))
    first = [REPOSITORY / "README.md", REPOSITORY / "docs" / "getting-started.md"]
    order = [*first, *docs, REPOSITORY / "CONTRIBUTING.md"]
    there = [page for page in dict.fromkeys(order) if page.exists()]
    return [page.relative_to(REPOSITORY).as_posix() for page in there]


def commands() -> list[Command]:
    """Return every command of every page, in the order of the pages."""
    return [command for page in pages() for command in commands_of(page)]


@lru_cache
def commands_of(page: str) -> tuple[Command, ...]:
    """Return a page's commands from top to bottom."""
    return tuple(read((REPOSITORY / page).read_text(encoding="utf-8"), page))


def read(text: str, page: str = "page") -> list[Command]:
    """Return the commands of a page's text."""
    blocks, prose = divided(text)
    found = [
        Command(page, line, command)
        for language, block in blocks
        for line, command in typed(language, block, page)
    ]
    in_a_table = {line for line, said in prose if said.startswith("|")}
    found += [
        Command(page, line, command, "a table" if line in in_a_table else "a sentence")
        for line, command in within(prose)
    ]
    return sorted(found, key=lambda command: command.line)


def divided(text: str) -> tuple[list[tuple[str, list[Line]]], list[Line]]:
    """Tell blocks of code, each with its language, from all other lines.

    An indented block has the language "indented"; lines within lists are indented by their place.
    """
    blocks: list[tuple[str, list[Line]]] = []
    prose: list[Line] = []
    fence, within_list, before = "", False, ""
    for number, line in enumerate(text.splitlines(), start=1):
        opened = FENCE.match(line)
        if fence:
            if opened and opened[2].startswith(fence) and not opened[3]:
                fence = ""
            else:
                blocks[-1][1].append((number, line))
        elif opened:
            fence = opened[2]
            blocks.append((opened[3], []))
        elif line.startswith("        " if within_list else "    ") and (
            not before or (blocks and blocks[-1][1][-1:] == [(number - 1, before)])
        ):
            if not before:
                blocks.append(("indented", []))
            blocks[-1][1].append((number, line))
        else:
            if line.strip() and not line.startswith(" "):
                within_list = bool(LIST.match(line))
            prose.append((number, line))
        before = line if line.strip() else ""
    return blocks, prose


def typed(language: str, block: Sequence[Line], page: str) -> Iterator[Line]:
    """Return the commands of a block: of a session with prompts the lines behind them."""
    lines = [(number, line.strip()) for number, line in block]
    if any(line.startswith("$ ") for _, line in lines):
        lines = [(number, line[2:]) for number, line in lines if line.startswith("$ ")]
    elif language in SHELLS:
        lines = [(number, line.rstrip()) for number, line in block]
    elif language not in ("", "indented") or not (lines and starts_a_program(lines[0][1])):
        return
    yield from whole(lines, page)


def starts_a_program(line: str) -> bool:
    """Say whether a line looks like a command: its first word is a program's name."""
    first = (ASSIGNED.sub("", line).split() or [""])[0]
    if first in WORDS_OF_SHELLS or first.startswith(".venv/bin/"):
        return True
    return re.fullmatch(r"[a-z][\w.-]*", first) is not None and shutil.which(first) is not None


def whole(lines: Sequence[Line], page: str) -> Iterator[Line]:
    """Join lines to commands as a shell does: continued lines, loops, texts handed in."""
    gathered: list[str] = []
    start = 0
    for number, line in lines:
        if not gathered:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            start = number
        gathered.append(line)
        command = "\n".join(gathered)
        if is_whole(command):
            yield start, without_comment(command.strip())
            gathered = []
    if gathered:
        raise ValueError(f"{page}:{start}: expected a command of a shell, found {gathered}")


@cache
def is_whole(command: str) -> bool:
    ends = HEREDOC.search(command)
    if command.endswith("\\") or (ends and command.splitlines()[-1].strip() != ends[1]):
        return False
    return subprocess.run(["sh", "-n", "-c", command], capture_output=True).returncode == 0


def without_comment(command: str) -> str:
    """Return a command of one line without the remark behind it."""
    quote = ""
    for place, sign in enumerate(command):
        if "\n" in command:
            break
        if sign in "'\"" and quote in ("", sign):
            quote = "" if quote else sign
        if sign == "#" and not quote and command[place - 1] in " \t":
            return command[:place].rstrip()
    return command


def within(prose: Sequence[Line]) -> Iterator[Line]:
    """Return what sentences and tables say in `code` that begins with `mela` or `make`.

    In a cell of a table, what follows such a command behind a dot is one, too: `mela up` · `down`.
    """
    for first, paragraph in paragraphs(prose):
        for found in CODE.finditer(paragraph):
            line = first + paragraph[: found.start()].count("\n")
            words = " ".join(found[1].replace("\\|", "|").split())
            if re.match(r"(\.venv/bin/)?(mela|make) \S", words):
                yield line, words
            elif paragraph.startswith("|") and _goes_on(paragraph[: found.start()]):
                yield line, f"mela {words}"


def _goes_on(before: str) -> bool:
    cell = re.split(r"(?<!\\)\|", before)[-1]
    return re.fullmatch(r"\s*`mela [^`]+`( · `[^`]+`)* · ", cell) is not None


def paragraphs(prose: Sequence[Line]) -> Iterator[Line]:
    """Join lines to paragraphs; a row of a table is one by itself."""
    gathered: list[str] = []
    start = 0
    for number, line in [*prose, (0, "")]:
        apart = not line.strip() or line.startswith("|") or number != start + len(gathered)
        if gathered and apart:
            yield start, "\n".join(gathered)
            gathered = []
        if line.strip():
            start = start if gathered else number
            gathered.append(line)
