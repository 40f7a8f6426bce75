"""Notice that deciding takes so much of the process's time that candles will soon wait."""

from __future__ import annotations

from collections.abc import Iterable

from live.engine import Engine

LOOK_S = 60.0
BUSY = 0.5  # of the time; the rest is what storing and hearing take, and room


class Pace:
    """The load of the loop of all sessions."""

    def __init__(self, now_s: float) -> None:
        """Begin at an instant of a monotonic clock."""
        self._since_s, self._decided_s = now_s, 0.0

    def share(self, decided_s: float, now_s: float) -> float | None:
        """Return the share of the last minute that decisions took; None unless it is too much.

        decided_s: what all decisions took since the start
        """
        passed_s = now_s - self._since_s
        if passed_s < LOOK_S:
            return None
        share = (decided_s - self._decided_s) / passed_s
        self._since_s, self._decided_s = now_s, decided_s
        return share if share >= BUSY else None


def busy_words(share: float, sessions: Iterable[tuple[str, Engine]]) -> str:
    """Return what to tell of a busy loop, and which session knows the most candles."""
    known = (
        (len(series), name)
        for name, engine in sessions
        for account in engine.accounts
        for series in account.own.values()
    )
    most, name = max(known, default=(0, ""))
    longest = f" {name} knows the most, {most:,} in one series." if name else ""
    return (
        f"Decisions took {share:.0%} of the last minute; at 100 % candles wait. A strategy is "
        "asked on all candles since its session began, so that one which runs for long costs more."
        f"{longest} Stop it and start it anew, or trade fewer instruments or a longer interval."
    )
