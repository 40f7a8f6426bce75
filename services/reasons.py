"""Why a scene has no numbers, in sentences with a way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mela.outcome import Status

MOST_REASONS = 5  # that are printed of a scene without numbers


def why_without_numbers(rows: Iterable[Mapping[str, Any]], *, are_stored: bool = True) -> list[str]:
    """Return a sentence for each way in which runs ended without metrics, and what helps.

    are_stored: whether the candles are the warehouse's, which loads those that are missing
    """
    said: list[str] = []
    for row in rows:
        if row["error"]:
            said.append(f"{row['error']['class']}: {row['error']['sentence']}")
        elif row["status"] == Status.NO_DATA:
            interval, start, end = row["interval"], row["start"], row["end"]
            for name in row["instruments"]:
                load = f"mela ingest {name} --interval {interval} --from {start} --to {end}"
                way_out = f" Load them: {load}" if are_stored else ""
                said.append(f"{name} has no {interval} candles from {start} to {end}.{way_out}")
    return list(dict.fromkeys(said))
