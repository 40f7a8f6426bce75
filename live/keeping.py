"""Snapshots of an engine, so that a restart need not read the whole log again.

Candles that were taken never change. They are kept once, in parts, and a state has only those since
the last full part: what it costs to keep one does not grow with the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from live.build import Account
from live.decisions import Series

PART = 256  # candles
BEFORE = "before"


@dataclass(frozen=True, slots=True)
class Kept:
    """A state, and the parts that it builds on beside those of earlier states."""

    state: bytes
    parts: dict[str, bytes]


def series_of(account: Account) -> list[tuple[str, Series]]:
    """Return an account's series, each with a name that stays."""
    found: list[tuple[str, Series]] = []
    for role, series in (("own", account.own), ("read", account.read)):
        found += [(f"{role} {key[0]} {key[1]}", one) for key, one in series.items()]
    return found


def saved(account: Account, *, in_parts: bool) -> dict[str, Any]:
    """Return the state of an account as JSON values, with all its candles or those of no part."""
    series: dict[str, dict[str, Any]] = {}
    for name, one in series_of(account):
        series[name] = one.save(one.since // PART * PART if in_parts else 0)
        if not in_parts:
            series[name]["before"] = one.before().hex()
    return {
        "series": series,
        "lines": [line.save() for line in account.sequencer.lines.values()],
        "book": account.book.save(),
        "lends": dict(account.lends.units),
        "halts": account.halts.save(),
    }


def new_parts(number: int, account: Account) -> dict[str, bytes]:
    """Return the parts of an account's series that were not returned before."""
    found: dict[str, bytes] = {}
    for name, one in series_of(account):
        if not one.is_kept:
            found[_part(number, name, BEFORE)] = one.before()
            one.is_kept = True
        while (one.parts + 1) * PART <= one.since:
            found[_part(number, name, one.parts)] = one.packed(one.parts * PART, PART)
            one.parts += 1
    return found


def before(number: int, kept: Mapping[str, Any], parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the candles before the start of an account's series, by series."""
    return {
        name: bytes.fromhex(one["before"])
        if "before" in one
        else parts[_part(number, name, BEFORE)]
        for name, one in kept["series"].items()
    }


def restore(
    number: int, account: Account, kept: Mapping[str, Any], parts: Mapping[str, bytes]
) -> None:
    """Bring an account as it begins to a saved state. Raises ValueError where a part is missing."""
    for name, one in series_of(account):
        one.parts = int(kept["series"][name]["first"]) // PART
        one.is_kept = "before" not in kept["series"][name]
        names = [_part(number, name, part) for part in range(one.parts)]
        if missing := [each for each in names if each not in parts]:
            raise ValueError(f"a state builds on {missing[0]}, which was not kept")
        one.restore([parts[each] for each in names], kept["series"][name])
    for line, each in zip(account.sequencer.lines.values(), kept["lines"], strict=True):
        line.restore(each)
    account.book.restore(kept["book"])
    account.lends.units = dict(kept.get("lends", {}))  # an older state knows of none
    account.halts.restore(kept.get("halts", {}))


def _part(number: int, series: str, part: int | str) -> str:
    return f"{number} {series} {part}"
