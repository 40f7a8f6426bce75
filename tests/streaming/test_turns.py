"""Ends of scenes give way to answers while scenes wait for them, and never stop."""

from __future__ import annotations

import pytest

from streaming.record import ROWS_AT_ONCE, together
from streaming.turns import FORGOTTEN_S, LONGEST_S, Turns


class Clock:
    """A clock that stands still but for who sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1_000.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


def test_an_end_is_followed_by_a_pause_as_long_as_scenes_wait() -> None:
    clock = Clock()
    turns = Turns(lambda: clock.now, clock.sleep)
    turns.took("plan", 12, 256)
    turns.give_way(0.3)
    assert clock.slept == []  # nobody waits

    turns.took("plan", 256, 256)
    turns.give_way(0.3)
    turns.give_way(60.0)  # it goes on however long one took
    assert clock.slept == [pytest.approx(0.9), LONGEST_S]

    turns.took("run", 255, 256)  # what several partitions give is rounded down
    turns.took("plan", 3, 256)
    turns.give_way(0.1)
    assert clock.slept[2:] == [pytest.approx(0.3)]  # those that were planned wait still

    turns.took("run", 100, 256)
    turns.give_way(0.1)
    assert len(clock.slept) == 3


def test_a_query_that_takes_nothing_any_more_holds_nobody_up() -> None:
    clock = Clock()
    turns = Turns(lambda: clock.now, clock.sleep)
    turns.took("plan", 256, 256)
    clock.now += FORGOTTEN_S
    turns.give_way(0.3)
    assert clock.slept == []


@pytest.mark.parametrize(
    "sizes",
    [[], [1], [250] * 100, [ROWS_AT_ONCE + 1, 1, ROWS_AT_ONCE, 3, 3], [ROWS_AT_ONCE] * 3],
)
def test_results_are_stored_in_parts_that_memory_holds(sizes: list[int]) -> None:
    found = list(together(sizes))
    assert [place for first, last in found for place in range(first, last)] == [*range(len(sizes))]
    assert all(last - first == 1 or sum(sizes[first:last]) <= ROWS_AT_ONCE for first, last in found)
    assert len(found) <= 1 + sum(sizes) // ROWS_AT_ONCE * 2
