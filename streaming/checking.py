"""Verdicts on lookahead for strategies, and a thread that obtains the missing ones.

No result waits: it says what is known when it is computed. A strategy that a scene names and nobody
has checked yet is checked in a process of its own, one at a time, at the lowest priority.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping

import structlog

from mela.settings import REPOSITORY, Settings
from mela.verdict import Verdict
from warehouse.database import transaction
from warehouse.results import verdicts

log = structlog.get_logger()
LIMIT_S = 300.0  # of a check, its imports included
NICE = "19"
KNOWN_S, UNKNOWN_S = 60.0, 2.0  # how long an answer of the warehouse is believed
_lock = threading.Lock()
_wanted: dict[str, str] = {}  # digest → name, of strategies that scenes named
_seen: dict[str, tuple[Verdict | None, float]] = {}


def want(strategies: Mapping[str, str]) -> None:
    """Note strategies that a scene names, as digests by name: `check_wanted` looks at them."""
    with _lock:
        _wanted.update({digest: name for name, digest in strategies.items()})


def is_wanted() -> bool:
    """Tell whether a strategy waits to be looked at."""
    return bool(_wanted)


def known(settings: Settings, digests: Collection[str]) -> dict[str, Verdict]:
    """Return the verdicts that are known, asking the warehouse at most every few seconds."""
    now = time.monotonic()
    old = [digest for digest in digests if _seen.get(digest, (None, 0.0))[1] <= now]
    if old:
        with transaction(settings) as connection:
            found = verdicts.find(connection, old)
        for digest in old:
            verdict = found[digest].verdict if digest in found else None
            _seen[digest] = verdict, now + (UNKNOWN_S if verdict is None else KNOWN_S)
    last_known = {digest: _seen[digest][0] for digest in digests}
    return {digest: verdict for digest, verdict in last_known.items() if verdict is not None}


def check_wanted(settings: Settings) -> None:
    """Check each noted strategy that has no verdict, one after the other."""
    while True:
        with _lock:
            if not _wanted:
                return
            digest, name = _wanted.popitem()
        with transaction(settings) as connection:
            if verdicts.find(connection, [digest]):
                continue
        why = _checked(name, digest)
        log.info("strategy_checked", strategy=name, digest=digest[:12], failed=why)
        if why is None:
            continue
        with transaction(settings) as connection:  # so that nobody tries again and again
            if not verdicts.find(connection, [digest]):
                verdicts.store(
                    connection, digest, name, Verdict.NOT_VERIFIED, [{"unverified": [why]}]
                )


def _checked(name: str, digest: str) -> str | None:
    """Check a strategy in a process of its own, which stores its verdict; return what failed."""
    words = [
        "nice",
        "-n",
        NICE,
        sys.executable,
        "-m",
        "services.strategies.strategy_check",
        name,
        digest,
    ]
    process = subprocess.Popen(
        words,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, output = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        return f"its check did not end within {LIMIT_S:g} s"
    lines = output.strip().splitlines() or ["it gave no message"]
    return None if process.returncode == 0 else f"its check failed: {lines[-1][:500]}"
