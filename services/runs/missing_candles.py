"""Why runs have no candles, in sentences with a way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mela.instrument import load_command
from mela.outcome import Status


def without_candles(rows: Iterable[Mapping[str, Any]], *, are_stored: bool = True) -> list[str]:
    """Return a sentence for each series whose span holds no candles.

    rows: result documents; are_stored: whether the warehouse could be loaded with them
    """
    reasons: list[str] = []
    for row in rows:
        if row["status"] == Status.NO_DATA:
            interval, start, end = row["interval"], row["start"], row["end"]
            for name in row["instruments"]:
                load = load_command(name, interval, start, end)
                way_out = f" Load them: {load}" if are_stored else ""
                reasons.append(f"{name} has no {interval} candles from {start} to {end}.{way_out}")
    return list(dict.fromkeys(reasons))
