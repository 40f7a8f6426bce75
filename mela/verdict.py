"""The verdict of a lookahead check, as it is stored and published."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """The verdict of a lookahead check; the worst comes first.

    found: what it decides on a candle depends on later ones, or on what it was asked before
    not_verified: it was not put to the test
    depends_on_history: only where its candles begin changes what it decides
    """

    FOUND = "found"
    NOT_VERIFIED = "not_verified"
    DEPENDS_ON_HISTORY = "depends_on_history"
    CLEAN = "clean"

    @classmethod
    def over(cls, verdicts: Iterable[Verdict]) -> Verdict:
        """Return the verdict over several series: the worst."""
        given = set(verdicts)
        return next(verdict for verdict in cls if verdict in given)
