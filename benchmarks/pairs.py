"""Measure in adjacent pairs, so that whatever slows the machine slows both sides."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Literal, NamedTuple

from benchmarks.rows import Row, row


class Pair(NamedTuple):
    """Adjacent measurements of Mela and of its peer, in seconds."""

    ours: float
    theirs: float


def pairs(
    ours: Callable[[], float], theirs: Callable[[], float], repeats: int, tries: int = 3
) -> list[Pair]:
    """Measure in turns, `repeats` times; each of Mela's values is the median of `tries`.

    Half of Mela's measurements come before the peer's and half after, so that neither side gets the
    quieter time.
    """
    measured: list[Pair] = []
    for _ in range(repeats):
        before = [ours() for _ in range(tries // 2)]
        other = theirs()
        after = [ours() for _ in range(tries - tries // 2)]
        measured.append(Pair(statistics.median(before + after), other))
    return measured


def faster(
    name: str,
    measured: list[Pair],
    peer: str,
    *,
    minimum: float | None = None,
    aim: float | None = None,
    note: str = "",
) -> Row:
    """Return the row for how many times faster Mela is."""
    ratios = [pair.theirs / pair.ours for pair in measured]
    return _row(name, ratios, measured, f"× {peer}", "higher", minimum, aim, note)


def slower(
    name: str,
    measured: list[Pair],
    peer: str,
    *,
    minimum: float | None = None,
    aim: float | None = None,
    note: str = "",
) -> Row:
    """Return the row for how many times longer Mela takes."""
    ratios = [pair.ours / pair.theirs for pair in measured]
    return _row(name, ratios, measured, f"× {peer}", "lower", minimum, aim, note)


def _row(
    name: str,
    ratios: list[float],
    measured: list[Pair],
    unit: str,
    better: Literal["higher", "lower"],
    minimum: float | None,
    aim: float | None,
    note: str,
) -> Row:
    medians = f"Mela {middle(measured, 'ours')}, {unit[2:]} {middle(measured, 'theirs')}"
    text = f"{medians}; {note}" if note else medians
    return row(name, ratios, unit, better, minimum=minimum, aim=aim, note=text)


def middle(measured: list[Pair], side: Literal["ours", "theirs"]) -> str:
    """Return the median of one side, such as `12.3 ms` or `31.20 s`."""
    return duration(statistics.median(getattr(pair, side) for pair in measured))


def duration(seconds: float) -> str:
    """Return seconds in a readable form.

    >>> duration(0.0123), duration(31.2)
    ('12.30 ms', '31.20 s')
    """
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.2f} ms"
