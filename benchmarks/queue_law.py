"""The law of the job path's queue, simulated: how long small scenes wait beside large ones.

Chunks of all scenes lie in one queue, first come first served, and some cores execute them. A
small scene is one chunk. A large one has always more: it is sent in slices, in turn with other
large ones, as long as fewer than `ahead` chunks are on their way (`streaming.large_scenes`). The
query `run` takes what waits as one batch, shares it out among the cores, and takes the next when
the last core has finished; only then are its chunks counted as executed.

Everything is seeded: the same law and seed give the same numbers on any machine.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heapreplace
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
SLICE = 8  # chunks that a large scene sends in one turn, as `streaming.slices.SLICE_CHUNKS`
EVER = math.inf


@dataclass(frozen=True, slots=True)
class Law:
    """What comes, what it costs, and who goes first.

    cores: that execute chunks
    rate: small scenes a second, at random moments
    small_s: seconds of a small scene's chunk; spread: all take so long, or exponentially many
    giants: large scenes that go on all the time, with chunks of chunk_s seconds
    ahead: chunks of all large scenes that may be on their way; `math.inf`: a giant of `unbounded`
        chunks sends all of them at once
    batch: chunks that are taken together; 0: a core that is free takes the next chunk
    batch_s: what each batch costs besides
    """

    cores: int
    rate: float
    small_s: float
    spread: Literal["fixed", "exponential"] = "fixed"
    giants: int = 0
    chunk_s: float = 0.0
    ahead: float = 32
    unbounded: int = 0
    batch: int = 0
    batch_s: float = 0.0

    @property
    def load(self) -> float:
        """Return the share of the cores' time that small scenes need."""
        return self.rate * self.small_s / self.cores


@dataclass(frozen=True, slots=True, eq=False)
class Waited:
    """What a simulation has found.

    small: (n,) seconds from the arrival of each small scene to the start of its chunk
    giants: chunks that each large scene had executed
    """

    small: Float
    giants: tuple[int, ...]

    def quantile(self, share: float) -> float:
        """Return the seconds that a share of the small scenes waited at most."""
        return float(np.quantile(self.small, share))


class _Queue:
    """Chunks that wait, small ones as their arrival, a giant's as its number below zero."""

    def __init__(self, law: Law, arrivals: Iterator[float]) -> None:
        self._law, self._arrivals = law, arrivals
        self.waiting: deque[float] = deque()
        self._next = next(arrivals, EVER)
        self._ahead, self._turn = 0, 0
        self.executed = [0] * law.giants
        if law.ahead == EVER:
            self.waiting.extend(
                -1.0 - number for _ in range(law.unbounded) for number in range(law.giants)
            )
        self.send()

    def send(self) -> None:
        """Let large scenes send slices, in turn, while there is room."""
        while self._law.giants and self._law.ahead != EVER and self._ahead < self._law.ahead:
            self.waiting.extend([-1.0 - self._turn] * SLICE)
            self._ahead += SLICE
            self._turn = (self._turn + 1) % self._law.giants

    def arrive(self, until: float) -> None:
        """Let small scenes come in until a moment."""
        while self._next <= until:
            self.waiting.append(self._next)
            self._next = next(self._arrivals, EVER)

    @property
    def next_arrival(self) -> float:
        """Return when the next small scene comes; never, once all have."""
        return self._next

    def done(self, chunk: float) -> None:
        """Count a giant's chunk as executed."""
        self.executed[int(-1.0 - chunk)] += 1
        self._ahead -= 1


def simulate(law: Law, scenes: int, seed: int) -> Waited:
    """Return what some small scenes, one after the other, waited."""
    rng = Random(seed)  # noqa: S311
    queue = _Queue(law, _poisson(law.rate, scenes, rng))
    waited = _in_batches(law, queue, rng) if law.batch else _one_by_one(law, queue, rng)
    return Waited(np.array([next(waited) for _ in range(scenes)]), tuple(queue.executed))


def _poisson(rate: float, scenes: int, rng: Random) -> Iterator[float]:
    at = 0.0
    for _ in range(scenes):
        at += rng.expovariate(rate)
        yield at


def _takes(law: Law, chunk: float, rng: Random) -> float:
    if chunk < 0.0:
        return law.chunk_s
    return law.small_s if law.spread == "fixed" else rng.expovariate(1.0 / law.small_s)


def _one_by_one(law: Law, queue: _Queue, rng: Random) -> Iterator[float]:
    """Yield what each small scene waits where whichever core is free takes the next chunk."""
    cores: list[tuple[float, float]] = [(0.0, 0.0)] * law.cores  # when it is free, what it has then
    heapify(cores)
    while True:
        free_at, had = cores[0]
        if had < 0.0:
            queue.done(had)
            queue.send()
        queue.arrive(free_at)
        now = free_at
        if not queue.waiting:
            now = queue.next_arrival
            if now == EVER:
                return
            queue.arrive(now)
        chunk = queue.waiting.popleft()
        if chunk >= 0.0:
            yield now - chunk
        heapreplace(cores, (now + _takes(law, chunk, rng), chunk))


def _in_batches(law: Law, queue: _Queue, rng: Random) -> Iterator[float]:
    """Yield what each small scene waits where what waits is taken together, shared out by turns."""
    now = 0.0
    while True:
        queue.arrive(now)
        if not queue.waiting:
            now = queue.next_arrival
            if now == EVER:
                return
            continue
        taken = [queue.waiting.popleft() for _ in range(min(law.batch, len(queue.waiting)))]
        busy = [now + law.batch_s] * law.cores
        for place, chunk in enumerate(taken):
            core = place % law.cores
            if chunk >= 0.0:
                yield busy[core] - chunk
            busy[core] += _takes(law, chunk, rng)
        now = max(busy)
        queue.arrive(now)  # what came meanwhile stands before what giants send now
        for chunk in taken:
            if chunk < 0.0:
                queue.done(chunk)
        queue.send()


def erlang_c(cores: int, rate: float, mean_s: float) -> float:
    """Return the mean wait of an M/M/c queue in seconds. rate × mean_s must be below cores.

    >>> round(erlang_c(1, 0.5, 1.0), 3), round(erlang_c(2, 1.0, 1.0), 3)
    (1.0, 0.333)

    Source: Erlang (1917); Kleinrock, "Queueing Systems" I (1975), section 3.5.
    """
    offered = rate * mean_s
    if offered >= cores:
        raise ValueError(f"expected an offered load below {cores} cores, but found {offered:g}")
    blocked = 1.0
    for number in range(1, cores + 1):  # Erlang B by recursion
        blocked = offered * blocked / (number + offered * blocked)
    delayed = blocked / (1.0 - offered / cores * (1.0 - blocked))
    return delayed * mean_s / (cores - offered)


def pollaczek_khinchine(rate: float, mean_s: float, second_moment: float) -> float:
    """Return the mean wait of an M/G/1 queue in seconds: λ E[S²] ÷ 2 (1 − ρ).

    second_moment: E[S²]; mean_s² where all take the same time, twice that where exponential

    >>> pollaczek_khinchine(0.5, 1.0, 1.0), pollaczek_khinchine(0.5, 1.0, 2.0)
    (0.5, 1.0)

    Source: Pollaczek (1930), Khinchine (1932); Kleinrock I, section 5.6.
    """
    load = rate * mean_s
    if load >= 1.0:
        raise ValueError(f"expected a load below 1, but found {load:g}")
    return rate * second_moment / (2.0 * (1.0 - load))


def batch_law(cores: int, ahead: int, chunk_s: float, batch_s: float) -> float:
    """Return the mean wait of a rare small scene beside giants whose chunks fill each batch.

    It comes at a random moment of a batch, waits for its rest, which is half of it in the mean, and
    is the first of the next batch, whose cost it pays too.
    """
    chunks = math.ceil(ahead / SLICE) * SLICE
    return (math.ceil(chunks / cores) * chunk_s + batch_s) / 2.0 + batch_s
