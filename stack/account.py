"""The unprivileged account that runs Postgres if the stack is started by root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from mela.errors import StackFailed

_CANDIDATES = ("postgres", "nobody")


def account() -> pwd.struct_passwd | None:
    """Return the account to switch to; None for an ordinary user, who needs none."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _CANDIDATES:
        if name in known:
            return known[name]
    raise StackFailed(
        f"Postgres refuses to run as root, and none of the accounts {', '.join(_CANDIDATES)} "
        "exists; add one (`useradd --system postgres`), or run Mela as an ordinary user"
    )


def prefix() -> tuple[str, ...]:
    """Return the words that run a command under the account; empty for an ordinary user."""
    entry = account()
    if entry is None:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackFailed(
            "Postgres refuses to run as root and `setpriv` is missing; "
            "install util-linux, or run Mela as an ordinary user"
        )
    return (setpriv, f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--")


def can_run(command: tuple[str, ...]) -> bool:
    """Tell whether the account can read this program and all that it loads."""
    tried = subprocess.run(
        (*prefix(), *command), cwd="/", capture_output=True, timeout=30, check=False
    )
    return tried.returncode == 0


def own(path: Path) -> None:
    """Create `path` as a private folder of the account."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    give(path)


def give(path: Path) -> None:
    """Change the owner of a file or folder to the account."""
    entry = account()
    if entry is not None:
        os.chown(path, entry.pw_uid, entry.pw_gid)


def open_way(home: Path) -> None:
    """Let the account enter `home` without listing it. Raises StackFailed if that is impossible."""
    entry = account()
    if entry is None:
        home.chmod(0o700)
        return
    home.chmod(0o711)
    for folder in home.parents:
        if not _passable(folder, entry):
            raise StackFailed(
                f"Postgres runs as `{entry.pw_name}`, who cannot pass through {folder}; "
                f"set MELA_HOME to a folder that it can reach, or run `chmod o+x {folder}`"
            )


def _passable(folder: Path, entry: pwd.struct_passwd) -> bool:
    found = folder.stat()
    if found.st_uid == entry.pw_uid:
        return bool(found.st_mode & 0o100)
    if found.st_gid == entry.pw_gid:
        return bool(found.st_mode & 0o010)
    return bool(found.st_mode & 0o001)
