"""Verdicts of `mela check` on this machine: a file for each digest, and no service is needed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from mela.settings import Settings
from mela.verdict import Verdict


def keep_here(
    digest: str, strategy: str, verdict: Verdict, coverage: list[dict[str, Any]], settings: Settings
) -> bool:
    """Keep what a check found, and tell whether it is kept. A proof stays, as in the warehouse.

    coverage: of each series, as `mela check --json` prints it
    """
    if known_here([digest], settings).get(digest) is Verdict.FOUND and verdict is not Verdict.FOUND:
        return False
    found = {
        "strategy": strategy,
        "lookahead": verdict.value,
        "checked_at": datetime.now(UTC),
        "coverage": coverage,
    }
    file = _file(digest, settings)
    written = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        written.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        written.replace(file)  # at once: a reader never sees half a verdict
    except OSError:  # a home that is read only: the check itself was done
        return False
    return True


def known_here(digests: Iterable[str], settings: Settings) -> dict[str, Verdict]:
    """Return what checks on this machine found, by digest; unreadable files say nothing."""
    found: dict[str, Verdict] = {}
    for digest in digests:
        try:
            found[digest] = Verdict(orjson.loads(_file(digest, settings).read_bytes())["lookahead"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _file(digest: str, settings: Settings) -> Path:
    return settings.home / "checks" / f"{digest}.json"
