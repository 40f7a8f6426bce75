"""Query 2: chunks of runs become results, on the executors; Kafka to Kafka but for candle reads.

Each run of a chunk yields a result. A strategy's exception, or candles that cannot be used, make a
run `failed`; a run that kills its process or does not end is found by `isolation`. Only an
unreachable service fails the batch, which Spark repeats.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from backtests import ENGINE_VERSION, METRICS_VERSION
from backtests.forked_process import Ended
from backtests.forked_process import apart as in_child
from backtests.portfolio import run_series
from backtests.simulate import error_message, provenance
from backtests.strategy import Strategy
from mela.errors import MessageInvalid, RejectionCode
from mela.interval import Interval
from mela.messages import MessagePosition, RunChunk, read_chunk
from mela.result import Outcome, Provenance, Status
from mela.result_columns import ResultColumns, ResultRows
from mela.run import Run, by_candles
from mela.settings import Settings
from messaging.chunk_results import send_results
from messaging.columns import from_arrow, to_arrow
from messaging.publisher import Publisher, publisher_of
from streaming import checking, outputs, strategies
from streaming.clients import reader_of, spans_of
from streaming.isolation import Marks, alarmed, end_children
from streaming.poison import is_away
from warehouse.candles.reader import CandlesRead
from warehouse.candles.run_series import read_series
from warehouse.database import transaction
from warehouse.scenes import records as scenes

log = structlog.get_logger()
EDITED = "StrategyEdited"  # the class of error of a run that its strategy takes no more
ASK_AGAIN_S = 1.0  # whether a scene was cancelled meanwhile
SMALL_RUNS, SMALL_TOGETHER = 4, 32  # of a chunk that is marked with others, and how many are
PART_S = 1.0  # what is answered waits no longer for the rest of its chunk
PART_BYTES = 1 << 20  # of parameters in one message
MOST_BLAMED = 3  # runs of a strategy that may kill their process before the rest is not tried


class ChunkMessage(NamedTuple):
    """A message of `mela.runs` as it came."""

    value: bytes | None
    source: MessagePosition


def run_chunks(messages: Iterable[ChunkMessage], settings: Settings) -> Counter[str]:
    """Execute chunks and send their results; return how many chunks of each scene there were.

    Raises where a service is away.
    """
    publisher = publisher_of(settings)
    catalogue = strategies.current(settings).with_failing()
    desk = Desk(settings, catalogue)
    executed: Counter[str] = Counter()
    with Marks(settings) as marks:
        for group in _groups(messages, catalogue, publisher):
            desk.ask_for(chunk.scene_id for _, chunk in group.values())
            with marks.on(group) as died:
                for key, (message, chunk) in group.items():
                    try:
                        _execute(desk, chunk, publisher, apart=key in died)
                    except Exception as error:
                        if is_away(error):
                            raise
                        _refuse_odd(message, error, publisher)
                    executed[chunk.scene_id] += 1
            end_children()
    publisher.flush()
    return executed


def _execute(desk: Desk, chunk: RunChunk, publisher: Publisher, *, apart: bool) -> None:
    """Execute a chunk and send its results."""
    clear_contextvars()  # every event of a chunk names its scene
    bind_contextvars(scene_id=chunk.scene_id, chunk=chunk.chunk)
    began, sent = time.monotonic(), list[ResultColumns]()
    with outputs.kept():
        try:
            for results in desk.answers(chunk, apart=apart):
                send_results(publisher, results, chunk)
                sent.append(results)
        except Exception as error:  # of our own code: no strategy's comes so far
            if is_away(error):
                raise
            log.exception("chunk_not_executed")
            for results in desk.failed(chunk, sent, error):
                send_results(publisher, results, chunk)
    log.info("chunk_executed", runs=len(chunk.runs), seconds=round(time.monotonic() - began, 3))


def _groups(
    messages: Iterable[ChunkMessage], catalogue: Mapping[str, Strategy], publisher: Publisher
) -> Iterator[dict[str, tuple[ChunkMessage, RunChunk]]]:
    """Yield chunks by the place where they were read: large ones alone, small ones together.

    Marking a chunk costs more than a few runs do. Where a process dies, all chunks of its group are
    executed run by run, which is quick for small ones alone.
    """
    small: dict[str, tuple[ChunkMessage, RunChunk]] = {}
    for message in messages:
        try:
            chunk = read_chunk(message.value, catalogue)
        except MessageInvalid as refused:
            _refuse(message, refused, publisher)
            continue
        except Exception as error:
            if is_away(error):
                raise
            _refuse_odd(message, error, publisher)
            continue
        if len(chunk.runs) > SMALL_RUNS:
            yield {message.source.key: (message, chunk)}
        else:
            small[message.source.key] = message, chunk
            if len(small) == SMALL_TOGETHER:
                yield small
                small = {}
    if small:
        yield small


class Answer(NamedTuple):
    """The outcome of a run, what it was made with, and when."""

    outcome: Outcome
    made_with: Provenance
    computed_at: datetime


class Desk:
    """Answers the chunks of one batch, asking the warehouse once for what they share."""

    def __init__(self, settings: Settings, catalogue: Mapping[str, Strategy]) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._reader = reader_of(settings)
        self._read: dict[tuple[Any, ...], CandlesRead] = {}
        self._cancelled: dict[str, tuple[bool, float]] = {}

    def answers(self, chunk: RunChunk, *, apart: bool = False) -> Iterator[ResultColumns]:
        """Yield the results of a chunk, each run's once. Raises where a service is away.

        They come together, or in parts where runs take long, so that nobody waits for the last.
        apart: execute each run in a process of its own, as one of them may kill it
        """
        rows, sent_at = ResultRows(chunk.scene_id), time.monotonic()
        for answer in self._answers(chunk, apart=apart):
            if isinstance(answer, ResultColumns):
                yield answer
                continue
            rows.add(*answer)
            if rows.param_bytes > PART_BYTES or time.monotonic() - sent_at > PART_S:
                yield rows.taken()
                sent_at = time.monotonic()
        if len(rows):
            yield rows.taken()

    def failed(
        self, chunk: RunChunk, sent: Iterable[ResultColumns], error: Exception
    ) -> Iterator[ResultColumns]:
        """Yield results of the runs that were not answered, with the reason: a scene must end."""
        answered = {key.tobytes().hex() for results in sent for key in results.run_keys}
        left = [run for run in chunk.runs if run.run_key not in answered]
        failed = partial(Outcome, status=Status.FAILED, error=error_message(error))
        rows = ResultRows(chunk.scene_id)
        for answer in self._unasked(chunk, left, failed):
            rows.add(*answer)
        if len(rows):
            yield rows.taken()

    def _answers(self, chunk: RunChunk, *, apart: bool) -> Iterator[Answer | ResultColumns]:
        if self._is_cancelled(chunk.scene_id):
            yield from self._unasked(chunk, chunk.runs, cancelled)
            return
        unfit = [run for run in chunk.runs if run.run_key in chunk.unfit]
        yield from self._unasked(
            chunk,
            unfit,
            lambda run: Outcome(run, Status.FAILED, error=(EDITED, chunk.unfit[run.run_key])),
        )
        fit = [run for run in chunk.runs if run.run_key not in chunk.unfit]
        for runs in by_candles(fit):
            answered = 0
            try:
                for answer in self._executed(chunk, runs, apart=apart):
                    yield answer
                    answered += 1
            except Exception as error:
                if is_away(error):
                    raise
                # Their candles cannot be used, or the engine itself failed: only they end so.
                log.exception("runs_failed", scene_id=chunk.scene_id, runs=len(runs))
                failed = partial(Outcome, status=Status.FAILED, error=error_message(error))
                yield from self._unasked(chunk, runs[answered:], failed)

    def _executed(
        self, chunk: RunChunk, runs: Sequence[Run], *, apart: bool
    ) -> Iterator[Answer | ResultColumns]:
        """Yield the results of runs that read the same candles, in order.

        Raises what their reading does.
        """
        series, revisions = read_series(runs, partial(self._candles, runs[0]))
        now = datetime.now(UTC)
        made_with = {
            name: self._made_with(name).on(revisions) for name in {run.strategy for run in runs}
        }

        def answers(some: Sequence[Run]) -> Iterator[Answer]:
            for outcome in run_series(series, some, catalogue=self._catalogue, spans_of=spans_of):
                yield Answer(outcome, made_with[outcome.run.strategy], now)

        if apart:
            yield from self._one_by_one(chunk, runs, answers)
            return
        spark, answered, ask_at = self._settings.spark, 0, time.monotonic() + ASK_AGAIN_S
        with suppress(MemoryError):
            for answer in alarmed(answers(runs), spark.run_limit_s, spark.run_memory_mb * 2**20):
                if answer.outcome.status is Status.OUT_OF_MEMORY:
                    break
                yield answer
                answered += 1
                if time.monotonic() > ask_at:  # a chunk of slow runs takes minutes
                    ask_at = time.monotonic() + ASK_AGAIN_S
                    if self._is_cancelled(chunk.scene_id):
                        left = runs[answered:]
                        yield from self._unasked(chunk, left, cancelled)
                        return
        # The memory was short for all of them together: who took it shows where each has its own.
        yield from self._one_by_one(chunk, runs[answered:], answers)

    def _one_by_one(
        self,
        chunk: RunChunk,
        runs: Sequence[Run],
        answers: Callable[[Sequence[Run]], Iterator[Answer]],
    ) -> Iterator[Answer | ResultColumns]:
        """Execute each run in a process of its own; those that kill theirs end with the reason."""
        spark = self._settings.spark
        blamed: Counter[str] = Counter()

        def in_arrow(run: Run) -> bytes:
            rows = ResultRows(chunk.scene_id)
            for answer in answers([run]):
                rows.add(*answer)
            return to_arrow(rows.taken())

        for run in runs:
            if blamed[run.strategy] >= MOST_BLAMED:
                sentence = (
                    f"it was not tried, as {MOST_BLAMED} runs of {run.strategy} before it in the "
                    "same chunk killed their process or did not end"
                )
                ended = Ended(Status.FAILED, ("NotTried", sentence))
            else:
                ended = in_child(
                    partial(in_arrow, run),
                    limit_s=spark.run_limit_s,
                    memory_bytes=spark.run_memory_mb * 2**20,
                    is_unwanted=partial(self._is_cancelled, chunk.scene_id),
                )
            if isinstance(ended, bytes):
                ended = _answer_of(ended, chunk, run)
            if isinstance(ended, ResultColumns):
                yield ended
                continue
            blamed[run.strategy] += ended.status is not Status.CANCELLED
            log.warning("run_ended", run_key=run.run_key, status=ended.status, why=ended.error)
            failed = partial(Outcome, status=ended.status, error=ended.error)
            yield from self._unasked(chunk, [run], failed)

    def _unasked(
        self, chunk: RunChunk, runs: Iterable[Run], outcome: Callable[[Run], Outcome]
    ) -> Iterator[Answer]:
        """Yield results of runs that are not executed; their strategy may be there no more."""
        now = datetime.now(UTC)
        for run in runs:
            if run.strategy in self._catalogue:
                made_with = self._made_with(run.strategy)
            else:
                digest = chunk.digests[run.strategy]
                made_with = Provenance(digest, ENGINE_VERSION, METRICS_VERSION, None)
            yield Answer(outcome(run), made_with, now)

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

    def ask_for(self, scene_ids: Iterable[str]) -> None:
        """Ask the warehouse which scenes were cancelled, where it was not asked a moment ago."""
        now = time.monotonic()
        old = {
            scene_id
            for scene_id in scene_ids
            if now - self._cancelled.get(scene_id, (False, float("-inf")))[1] > ASK_AGAIN_S
        }
        if old:
            with transaction(self._settings) as connection:
                cancelled = scenes.cancelled(connection, old)
            self._cancelled |= {scene_id: (scene_id in cancelled, now) for scene_id in old}

    def _is_cancelled(self, scene_id: str) -> bool:
        self.ask_for([scene_id])
        return self._cancelled[scene_id][0]


def cancelled(run: Run) -> Outcome:
    """Return the outcome of a run that nobody wants any more."""
    return Outcome(run, Status.CANCELLED)


def _answer_of(raw: bytes, chunk: RunChunk, run: Run) -> ResultColumns | Ended:
    """Read what a child sent: a strategy may have written there instead of the engine."""
    try:
        found = from_arrow(raw)
    except MessageInvalid as invalid:
        return Ended(Status.FAILED, ("AnswerInvalid", str(invalid)[:1000]))
    keys = [key.tobytes().hex() for key in found.run_keys]
    if found.scene_id != chunk.scene_id or keys != [run.run_key]:
        return Ended(Status.FAILED, ("AnswerInvalid", "its process answered another question"))
    return found


def _refuse_odd(message: ChunkMessage, error: Exception, publisher: Publisher) -> None:
    log.error("chunk_not_understood", source=message.source.key, exc_info=error)
    sentence = f"this chunk could not be executed ({': '.join(error_message(error))})."
    _refuse(message, MessageInvalid(RejectionCode.INVALID_FIELD, None, sentence), publisher)


def _refuse(message: ChunkMessage, refused: MessageInvalid, publisher: Publisher) -> None:
    log.warning("chunk_rejected", source=message.source.key, field=refused.field)
    publisher.rejected(message.value, message.source, refused)
