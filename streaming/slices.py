"""Send the runs of a scene a slice at a time: stored answers as results, the others as chunks."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from backtests.simulate import provenance
from backtests.strategy import Catalogue
from mela.grid import Plan
from mela.messages import RunChunk
from mela.run import Run
from mela.settings import Settings
from messaging.publisher import Publisher
from streaming import checking
from warehouse.database import transaction
from warehouse.results import finder as results

A = TypeVar("A")
B = TypeVar("B")
LOOKUPS_AHEAD = 2
SLICE_CHUNKS = 8  # chunks whose runs are looked up in the warehouse at once
Slice = Sequence[RunChunk]


def slices_of(plan: Plan, scene_id: str, settings: Settings) -> Iterator[Slice]:
    """Yield the chunks of a plan, some at a time, always the same."""
    chunks = chunk_runs(
        plan.expand(),
        scene_id,
        size=settings.spark.chunk_runs,
        max_bytes=settings.kafka.max_message_bytes // 2,
    )
    return batched(chunks, SLICE_CHUNKS)


def send_slices(
    slices: Iterable[Slice], settings: Settings, publisher: Publisher, catalogue: Catalogue
) -> None:
    """Record and send the stored answers of slices, and send their other runs.

    The warehouse is asked some slices ahead. The caller flushes. Raises where a service is away.
    """
    for part, stored in ahead(lambda part: _stored(part, settings, catalogue), slices):
        _send(part, stored, publisher, catalogue)


def send_slice(part: Slice, settings: Settings, publisher: Publisher, catalogue: Catalogue) -> int:
    """Do so for one slice; return how many chunks are to be executed."""
    return _send(part, _stored(part, settings, catalogue), publisher, catalogue)


def _stored(part: Slice, settings: Settings, catalogue: Catalogue) -> dict[str, bytes]:
    runs = [run for chunk in part for run in chunk.runs]
    made_with = {name: provenance(name, None, catalogue) for name in {run.strategy for run in runs}}
    with transaction(settings) as connection:
        return results.answer(connection, runs, made_with, part[0].scene_id)


def _send(
    part: Slice, stored: Mapping[str, bytes], publisher: Publisher, catalogue: Catalogue
) -> int:
    sent = 0
    for run_key, document in stored.items():
        publisher.result(part[0].scene_id, run_key, document)
    for chunk in part:
        missing = tuple(run for run in chunk.runs if run.run_key not in stored)
        if missing:
            digests = {run.strategy: catalogue[run.strategy].digest for run in missing}
            publisher.chunk(chunk._replace(runs=missing, digests=digests))
            checking.want(digests)
            sent += 1
    return sent


def chunk_runs(
    runs: Iterable[Run], scene_id: str, *, size: int, max_bytes: int
) -> Iterator[RunChunk]:
    """Split runs into numbered chunks of one candle series, bounded in runs and in bytes."""
    number = itertools.count()
    for _, series in itertools.groupby(runs, key=lambda run: (run.instrument, run.interval)):
        for part in batched(series, size):
            for piece in _bounded(part, scene_id, max_bytes):
                yield RunChunk(scene_id, next(number), piece)


def _bounded(runs: Sequence[Run], scene_id: str, max_bytes: int) -> Iterator[Sequence[Run]]:
    if len(runs) == 1 or len(RunChunk(scene_id, 0, runs).to_bytes()) <= max_bytes:
        yield runs
        return
    half = len(runs) // 2
    yield from _bounded(runs[:half], scene_id, max_bytes)
    yield from _bounded(runs[half:], scene_id, max_bytes)


def ahead(work: Callable[[A], B], items: Iterable[A]) -> Iterator[tuple[A, B]]:
    """Yield each item with its work, in order, done some items ahead: Postgres works meanwhile."""
    with ThreadPoolExecutor(max_workers=LOOKUPS_AHEAD) as pool:
        coming: deque[tuple[A, Future[B]]] = deque()
        for item in items:
            coming.append((item, pool.submit(work, item)))
            if len(coming) > LOOKUPS_AHEAD:
                before, done = coming.popleft()
                yield before, done.result()
        for before, done in coming:
            yield before, done.result()


def batched(items: Iterable[A], size: int) -> Iterator[tuple[A, ...]]:
    """Yield tuples of `size` items, the last one perhaps smaller."""
    iterator = iter(items)
    while part := tuple(itertools.islice(iterator, size)):
        yield part
