"""Send the runs of a scene a slice at a time: stored answers as results, the others as chunks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from backtests.simulate import provenance
from backtests.strategy import Catalogue
from mela.grid import Plan
from mela.messages import RunChunk
from mela.result_columns import ResultColumns
from mela.run import Run
from mela.settings import Settings
from messaging.publisher import Publisher
from streaming import checking
from warehouse.database import transaction
from warehouse.results import finder as results

A = TypeVar("A")
SLICE_CHUNKS = 8  # chunks whose runs are looked up in the warehouse at once
Slice = Sequence[RunChunk]
Answers = Sequence[ResultColumns]  # of each scene those that were stored


def chunks_of(plan: Plan, scene_id: str, settings: Settings) -> Iterator[RunChunk]:
    """Yield the chunks of a plan, always the same."""
    return chunk_runs(
        plan.expand(),
        scene_id,
        size=settings.spark.chunk_runs,
        max_bytes=settings.kafka.max_message_bytes // 2,
    )


def slices(chunks: Iterable[RunChunk], settings: Settings) -> Iterator[Slice]:
    """Yield chunks in groups of some runs: as many as eight full chunks have."""
    most, part, runs = SLICE_CHUNKS * settings.spark.chunk_runs, list[RunChunk](), 0
    for chunk in chunks:
        if part and runs + len(chunk.runs) > most:
            yield tuple(part)
            part, runs = [], 0
        part.append(chunk)
        runs += len(chunk.runs)
    if part:
        yield tuple(part)


def send_slice(part: Slice, settings: Settings, publisher: Publisher, catalogue: Catalogue) -> int:
    """Record and send the stored answers of chunks, and send their other runs.

    part: chunks of one scene or of several
    returns: how many chunks are to be executed. The caller flushes. Raises where a service is away.
    """
    return send_rest(part, recorded_answers(part, settings, catalogue), publisher, catalogue)


def recorded_answers(part: Slice, settings: Settings, catalogue: Catalogue) -> Answers:
    """Record the stored answers of chunks as their scenes', and return them. May be repeated."""
    wanted = [(chunk.scene_id, run) for chunk in part for run in chunk.runs]
    made_with = {
        name: provenance(name, None, catalogue) for name in {r.strategy for _, r in wanted}
    }
    with transaction(settings) as connection:
        return results.answer(connection, wanted, made_with)


def send_rest(part: Slice, stored: Answers, publisher: Publisher, catalogue: Catalogue) -> int:
    """Send the stored answers of chunks, and their other runs; return how many chunks have some."""
    known: dict[str, set[str]] = {}
    for answers in stored:
        answered = known[answers.scene_id] = set[str]()
        for one in answers.documents():
            publisher.result(answers.scene_id, one.run_key, one.body)
            answered.add(one.run_key)
    sent = 0
    for chunk in part:
        answered = known.get(chunk.scene_id, set[str]())
        missing = tuple(run for run in chunk.runs if run.run_key not in answered)
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


def batched(items: Iterable[A], size: int) -> Iterator[tuple[A, ...]]:
    """Yield tuples of `size` items, the last one perhaps smaller."""
    iterator = iter(items)
    while part := tuple(itertools.islice(iterator, size)):
        yield part
