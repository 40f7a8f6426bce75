"""Query 2: chunks of runs become results, on the executors; Kafka to Kafka but for candle reads.

Each run of a chunk yields a result. A strategy's exception, or candles that cannot be used, make a
run `failed`; a run that kills its process or does not end is found by `isolation`. Only an
unreachable service fails the batch, which Spark repeats.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import structlog

from backtests import ENGINE_VERSION, METRICS_VERSION
from backtests.forked import Ended
from backtests.forked import apart as in_child
from backtests.portfolio import run_series
from backtests.simulate import error_message, provenance
from backtests.strategy import Strategy
from mela.errors import MessageInvalid, RejectionCode
from mela.interval import Interval
from mela.messages import MessagePosition, RunChunk, read_chunk
from mela.result import Outcome, Provenance, Status
from mela.run import Run, by_candles
from mela.settings import Settings
from mela.writing import ResultWriter
from messaging.publisher import Publisher, publisher_of
from streaming import checking, strategies
from streaming.clients import reader_of, spans_of
from streaming.isolation import alarmed, end_children, marked
from streaming.poison import is_away
from warehouse.candles.reader import CandlesRead
from warehouse.candles.run_series import read_series
from warehouse.database import transaction
from warehouse.scenes import records as scenes

log = structlog.get_logger()
EDITED = "StrategyEdited"  # the class of error of a run that its strategy takes no more
ASK_AGAIN_S = 1.0  # whether a scene was cancelled meanwhile
MOST_BLAMED = 3  # runs of a strategy that may kill their process before the rest is not tried


class ChunkMessage(NamedTuple):
    """A message of `mela.runs` as it came."""

    value: bytes | None
    source: MessagePosition


class Answer(NamedTuple):
    """A result as JSON, and the run that it answers."""

    run_key: str
    body: bytes


def run_chunks(messages: Iterable[ChunkMessage], settings: Settings) -> int:
    """Execute chunks and send their results; return how many. Raises where a service is away."""
    publisher = publisher_of(settings)
    catalogue = strategies.current(settings).with_failing()
    desk = Desk(settings, catalogue)
    sent = 0
    for message in messages:
        try:
            chunk = read_chunk(message.value, catalogue)
            with marked(settings, message.source.key) as died:
                for answer in desk.answers(chunk, apart=died):
                    publisher.result(chunk.scene_id, answer.run_key, answer.body)
                    sent += 1
            end_children()
        except MessageInvalid as refused:
            _refuse(message, refused, publisher)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("chunk_not_understood", source=message.source.key)
            sentence = f"this chunk could not be executed ({': '.join(error_message(error))})."
            _refuse(message, MessageInvalid(RejectionCode.INVALID_FIELD, None, sentence), publisher)
    publisher.flush()
    return sent


class Desk:
    """Answers the chunks of one batch, asking the warehouse once for what they share."""

    def __init__(self, settings: Settings, catalogue: Mapping[str, Strategy]) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._reader = reader_of(settings)
        self._read: dict[tuple[Any, ...], CandlesRead] = {}
        self._cancelled: dict[str, tuple[bool, float]] = {}

    def answers(self, chunk: RunChunk, *, apart: bool = False) -> Iterator[Answer]:
        """Yield the result of each run of a chunk. Raises where a service is away.

        apart: execute each run in a process of its own, as one of them may kill it
        """
        if self._is_cancelled(chunk.scene_id):
            yield from self._unasked(chunk, chunk.runs, lambda run: Outcome(run, Status.CANCELLED))
            return
        unfit = [run for run in chunk.runs if run.run_key in chunk.unfit]
        yield from self._unasked(
            chunk,
            unfit,
            lambda run: Outcome(run, Status.FAILED, error=(EDITED, chunk.unfit[run.run_key])),
        )
        fit = [run for run in chunk.runs if run.run_key not in chunk.unfit]
        for runs in by_candles(fit):
            answered: set[str] = set()
            try:
                for answer in self._executed(chunk, runs, apart=apart):
                    yield answer
                    answered.add(answer.run_key)
            except Exception as error:
                if is_away(error):
                    raise
                # Their candles cannot be used, or the engine itself failed: only they end so.
                log.exception("runs_failed", scene_id=chunk.scene_id, runs=len(runs))
                failed = partial(Outcome, status=Status.FAILED, error=error_message(error))
                left = [run for run in runs if run.run_key not in answered]
                yield from self._unasked(chunk, left, failed)

    def _executed(self, chunk: RunChunk, runs: Sequence[Run], *, apart: bool) -> Iterator[Answer]:
        """Yield the results of runs that read the same candles. Raises what their reading does."""
        series, revisions = read_series(runs, partial(self._candles, runs[0]))
        now = datetime.now(UTC)
        made_with = {
            name: self._made_with(name).on(revisions) for name in {run.strategy for run in runs}
        }
        writer = ResultWriter(chunk.scene_id)

        def answers(some: Sequence[Run]) -> Iterator[Answer]:
            for outcome in run_series(series, some, catalogue=self._catalogue, spans_of=spans_of):
                run = outcome.run
                yield Answer(run.run_key, writer.json(outcome, made_with[run.strategy], now))

        if apart:
            yield from self._one_by_one(chunk, runs, answers)
        else:
            yield from alarmed(answers(runs), self._settings.spark.run_limit_s)

    def _one_by_one(
        self,
        chunk: RunChunk,
        runs: Sequence[Run],
        answers: Callable[[Sequence[Run]], Iterator[Answer]],
    ) -> Iterator[Answer]:
        """Execute each run in a process of its own; those that kill theirs end with the reason."""
        spark = self._settings.spark
        blamed: Counter[str] = Counter()
        for run in runs:
            if blamed[run.strategy] >= MOST_BLAMED:
                sentence = (
                    f"it was not tried, as {MOST_BLAMED} runs of {run.strategy} before it in the "
                    "same chunk killed their process or did not end"
                )
                ended = Ended(Status.FAILED, ("NotTried", sentence))
            else:
                ended = in_child(
                    partial(_only_body, answers, run),
                    limit_s=spark.run_limit_s,
                    memory_bytes=spark.run_memory_mb * 2**20,
                    is_unwanted=partial(self._is_cancelled, chunk.scene_id),
                )
            if isinstance(ended, bytes):
                yield Answer(run.run_key, ended)
                continue
            blamed[run.strategy] += ended.status is not Status.CANCELLED
            log.warning("run_ended", run_key=run.run_key, status=ended.status, why=ended.error)
            failed = partial(Outcome, status=ended.status, error=ended.error)
            yield from self._unasked(chunk, [run], failed)

    def _unasked(
        self, chunk: RunChunk, runs: Iterable[Run], outcome: Callable[[Run], Outcome]
    ) -> Iterator[Answer]:
        """Yield results of runs that are not executed; their strategy may be there no more."""
        writer, now = ResultWriter(chunk.scene_id), datetime.now(UTC)
        for run in runs:
            if run.strategy in self._catalogue:
                made_with = self._made_with(run.strategy)
            else:
                digest = chunk.digests[run.strategy]
                made_with = Provenance(digest, ENGINE_VERSION, METRICS_VERSION, None)
            yield Answer(run.run_key, writer.json(outcome(run), made_with, now))

    def _made_with(self, strategy: str) -> Provenance:
        """Return what results of a strategy are made with, and what is known of its lookahead."""
        made_with = provenance(strategy, None, self._catalogue)
        digest = made_with.strategy_digest
        return made_with._replace(lookahead=checking.known(self._settings, [digest]).get(digest))

    def _candles(self, run: Run, instrument: str, interval: Interval, warmup: int) -> CandlesRead:
        """Return a series over the span of a run; a batch reads each series once."""
        question = (instrument, interval, run.start, run.end, warmup, run.prices)
        if question not in self._read:
            self._read[question] = self._reader.read(*question)
        return self._read[question]

    def _is_cancelled(self, scene_id: str) -> bool:
        found, read_at = self._cancelled.get(scene_id, (False, float("-inf")))
        if not found and time.monotonic() - read_at > ASK_AGAIN_S:
            with transaction(self._settings) as connection:
                found = bool(scenes.cancelled(connection, [scene_id]))
            self._cancelled[scene_id] = found, time.monotonic()
        return found


def _only_body(answers: Callable[[Sequence[Run]], Iterator[Answer]], run: Run) -> bytes:
    (answer,) = answers([run])
    return answer.body


def _refuse(message: ChunkMessage, refused: MessageInvalid, publisher: Publisher) -> None:
    log.warning("chunk_rejected", source=message.source.key, field=refused.field)
    publisher.rejected(message.value, message.source, refused)
