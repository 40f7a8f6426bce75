"""The two commits under comparison, each checked out in its own folder."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from regression.errors import NotCompared

HERE = "."  # the working tree, as it is
TOOK_TOO_LONG_S = 120


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a side.

    word: the user's name for it; name: the commit's short hash, plus the number of files changed
        since
    if it is the working tree; subject: the first line of its message
    """

    word: str
    name: str
    subject: str
    folder: Path


def repository_of(folder: Path) -> Path:
    """Return the root of the Git repository that contains a folder. Raises NotCompared."""
    return Path(_git(folder, "rev-parse", "--show-toplevel"))


def changed_files(repository: Path) -> list[str]:
    """Return the files that are uncommitted or differ from the last commit."""
    lines = _git(repository, "status", "--porcelain", "--untracked-files=all").splitlines()
    return [line[3:] for line in lines]


def hash_of(repository: Path, word: str) -> str:
    """Return the hash of a commit. Raises NotCompared with a way out."""
    try:
        return _git(repository, "rev-parse", "--verify", "--quiet", f"{word}^{{commit}}")
    except NotCompared as error:
        raise NotCompared(
            f"expected a commit of this repository, or {HERE} for its working tree, but found "
            f"{word!r}. `git fetch` brings commits, and a shallow clone lacks old ones."
        ) from error


@contextmanager
def tree_of(repository: Path, word: str, place: Path) -> Generator[Tree]:
    """Check out a commit at `place`, a new folder, and remove it afterwards.

    The word `.` means the working tree itself, which stays.
    """
    if word == HERE:
        yield _working_tree(repository)
        return
    commit = hash_of(repository, word)
    try:
        # no hook of the repository's runs
        hooks = ("-c", "core.hooksPath=/dev/null")
        _git(repository, *hooks, "worktree", "add", "--detach", "--force", str(place), commit)
        yield Tree(word, *_named(repository, commit), place.resolve())
    finally:
        if place.exists():
            _git(repository, "worktree", "remove", "--force", "--force", str(place))


def _working_tree(repository: Path) -> Tree:
    name, subject = _named(repository, hash_of(repository, "HEAD"))
    changed = len(changed_files(repository))
    if changed:
        name = f"{name} and {changed} changed file{'s' if changed > 1 else ''}"
    return Tree(HERE, name, subject, repository.resolve())


def _named(repository: Path, commit: str) -> tuple[str, str]:
    name, _, subject = _git(repository, "log", "-1", "--format=%h %s", commit).partition(" ")
    return name, subject


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        timeout=TOOK_TOO_LONG_S,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise NotCompared(f"git {words[0]} failed: {lines[-1]}")
    return done.stdout.strip("\n")
