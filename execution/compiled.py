"""Keep Numba's cache apart for each state of the engine's source.

Numba's cache looks at the file of a function, not at those of the functions that it calls: after
an edit or an upgrade a kernel could go on with yesterday's code inside.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numba

ROOM = Path(__file__).parent
# Folders on which nothing compiled rests, so that an edit there costs nobody a minute. Strategies
# are among them: they call nothing of each other, and Numba looks at the file of each itself.
APART = frozenset({"catalogue", "charts", "lookahead", "search", "strategies", "testing"})


def keep_apart() -> None:
    """Let Numba cache in a folder named by the digest of the engine's source."""
    config: Any = numba.config
    if config.CACHE_DIR:  # somebody chose a place
        return
    digest = hashlib.sha256()
    rooms = ROOM, ROOM.with_name("backtests")
    for file in sorted(one for room in rooms for one in room.rglob("*.py")):
        if file.parent.name in APART:
            continue
        digest.update(file.relative_to(ROOM.parent).as_posix().encode())
        digest.update(file.read_bytes())
    is_ours = os.access(ROOM, os.W_OK)
    place = ROOM / "__pycache__" if is_ours else _cache_of_user() / "mela"
    config.CACHE_DIR = str(place / f"numba-{digest.hexdigest()[:16]}")


def _cache_of_user() -> Path:
    """Return where the user's caches are; a container names a folder that strategies may use."""
    named = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path.home() / ".cache"
