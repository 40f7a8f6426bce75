"""Why runs failed, each reason once: how often, with which error, and where in whose code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Failure(NamedTuple):
    """A reason for which runs ended without metrics.

    file, line: of the strategy's code; None where the error did not arise there
    """

    runs: int
    kind: str
    sentence: str
    file: str | None = None
    line: int | None = None

    @property
    def summary(self) -> str:
        """Return the reason as one line.

        >>> Failure(1, "KeyError", "'fast'", "ideas.py", 17).summary
        "KeyError: 'fast' (ideas.py:17)"
        >>> Failure(1_200, "TimeLimit", "it ran for more than 120 s").summary
        'TimeLimit: it ran for more than 120 s (1,200 runs)'
        """
        place = [f"{self.file}:{self.line}"] if self.file else []
        count = [f"{self.runs:,} runs"] if self.runs > 1 else []
        details = ", ".join([*place, *count])
        return f"{self.kind}: {self.sentence}" + (f" ({details})" if details else "")


def failures_in(documents: Iterable[Mapping[str, Any]]) -> list[Failure]:
    """Return the reasons of result documents that have an error, the most frequent first."""
    found = Counter(
        (error["class"], error["sentence"], error.get("file"), error.get("line"))
        for document in documents
        if (error := document["error"])
    )
    return [Failure(runs, *reason) for reason, runs in found.most_common()]
