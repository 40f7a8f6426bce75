"""Whose turn it is where scenes come faster than they are done: answers go before ends.

The end of a scene (curves, report, MLflow) takes many times what its run does. Beside a flood of
scenes it would take half of the machine, while others wait to be taken at all. So as long as
scenes wait for a query, ends take a share of the time and never all of it; they never stop either.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 4  # an end that took a second is followed by three without one
LONGEST_S = 2.0
FULL = 0.9  # of the most: what Spark takes of several partitions is rounded down
FORGOTTEN_S = 30.0  # after which a query that takes no batch any more counts no longer


class Turns:
    """Knows which queries had more waiting than they could take. For the threads of all queries."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._full_at: dict[str, float] = {}

    def took(self, query: str, messages: int, most: int) -> None:
        """Note how many messages a query took, of the most that it takes at once."""
        if messages >= FULL * most:
            self._full_at[query] = self._clock()
        else:
            self._full_at.pop(query, None)

    def give_way(self, worked_s: float) -> None:
        """Wait after an end that took so long, if scenes wait for their answers."""
        now = self._clock()
        if any(now - at < FORGOTTEN_S for at in list(self._full_at.values())):
            self._sleep(min((SHARE - 1) * worked_s, LONGEST_S))
