"""Query 2: chunks of runs become results, on the executors; Kafka to Kafka but for candle reads.

Each run of a chunk yields a result: a strategy's exception makes that run `failed`. An unreachable
service fails the batch, which Spark repeats.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import structlog
from warehouse.candles import CandleReader

import mela
from backtests.simulate import provenance, run_all
from backtests.strategies import CATALOGUE
from mela.errors import MessageInvalid
from mela.messages import RunChunk, Source, read_chunk, rejection
from mela.result import Outcome, Status, result_document
from mela.run import Run
from mela.settings import Settings
from streaming.publish import Publisher
from warehouse import scenes
from warehouse.database import transaction

log = structlog.get_logger()


class ChunkMessage(NamedTuple):
    """A message of `mela.runs` as it came."""

    value: bytes | None
    source: Source


def run_chunks(messages: Iterable[ChunkMessage], settings: Settings) -> int:
    """Execute chunks and send their results; return how many. Raises where a service is away."""
    publisher = publisher_of(settings)
    reader = reader_of(settings)
    sent = 0
    for chunk in _readable(messages, publisher):
        with transaction(settings) as connection:
            is_cancelled = bool(scenes.cancelled(connection, [chunk.scene_id]))
        documents = _cancelled(chunk) if is_cancelled else execute(chunk, reader)
        for document in documents:
            publisher.result(chunk.scene_id, document["run_key"], orjson.dumps(document))
            sent += 1
    publisher.flush()
    return sent


def execute(chunk: RunChunk, reader: CandleReader) -> Iterator[dict[str, Any]]:
    """Yield the result document of each run of a chunk."""
    for runs in by_candles(chunk.runs):
        first = runs[0]
        read = reader.read(
            first.instrument,
            first.interval,
            first.start,
            first.end,
            max(run.warmup for run in runs),
            first.prices,
        )
        for outcome in run_all(read.candles, runs):
            made_with = provenance(outcome.run.strategy, read.revision)
            yield result_document(outcome, made_with, scene_id=chunk.scene_id)


def by_candles(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Yield groups of runs that read the same span of one series; their warm-up may differ."""

    def span(run: Run) -> tuple[str, str, datetime, datetime, str]:
        return run.instrument, run.interval, run.start, run.end, run.prices

    for _, group in itertools.groupby(sorted(runs, key=span), key=span):
        yield list(group)


@functools.cache
def publisher_of(settings: Settings) -> Publisher:
    """Return this process's producer, kept over batches."""
    return Publisher(settings.kafka)


@functools.cache
def reader_of(settings: Settings) -> CandleReader:
    """Return this process's candle reader, kept over batches."""
    return CandleReader(settings)


def _readable(messages: Iterable[ChunkMessage], publisher: Publisher) -> Iterator[RunChunk]:
    for message in messages:
        try:
            yield read_chunk(message.value, CATALOGUE)
        except MessageInvalid as refused:
            log.warning("chunk_rejected", source=message.source.key, field=refused.field)
            publisher.rejected(
                rejection(
                    message.value,
                    message.source,
                    refused,
                    code_version=mela.__version__,
                    at=datetime.now(UTC),
                )
            )


def _cancelled(chunk: RunChunk) -> Iterator[dict[str, Any]]:
    for run in chunk.runs:
        outcome = Outcome(run, Status.CANCELLED)
        made_with = provenance(run.strategy, None)
        yield result_document(outcome, made_with, scene_id=chunk.scene_id)
