"""The outcome of a run in memory, and the key that names a stored answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from mela.block_returns import BlockReturns
from mela.canonical import parted
from mela.curve import Curve
from mela.metrics import Metrics
from mela.run import Run
from mela.verdict import Verdict


class Status(StrEnum):
    """The status with which a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NO_DATA = "no_data"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CANCELLED = "cancelled"
    RUINED = "ruined"


WITH_METRICS = frozenset({Status.SUCCEEDED.value, Status.RUINED.value})
NEVER_REUSED = frozenset({Status.FAILED, Status.TIMED_OUT, Status.OUT_OF_MEMORY, Status.CANCELLED})


class ErrorPlace(NamedTuple):
    """The place of an error in an author's code."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The engine's answer to one run.

    metrics, blocks: None unless succeeded or ruined
    depends_from_ms: the first candle read, warm-up included; None where warm-up or candles were
        missing, so that any earlier candle would change the answer
    warmup_missing: how many warm-up candles there were too few
    error: (class, sentence) of a failed run
    error_at: where in the strategy's code it arose; None where that is not known
    """

    run: Run
    status: Status
    metrics: Metrics | None = None
    error: tuple[str, str] | None = None
    error_at: ErrorPlace | None = None
    candles: int = 0
    first_candle_ms: int | None = None
    last_candle_ms: int | None = None
    depends_from_ms: int | None = None
    warmup_missing: int = 0
    periods_per_year: float | None = None
    warnings: tuple[str, ...] = ()
    blocks: BlockReturns | None = None
    curve: Curve | None = None


class Provenance(NamedTuple):
    """The code and candles that a result was made with.

    candles_revision: the revision of the one series that was read; None where several were
    revisions: the revision of each series, in the order in which the run reads them; None for one
    lookahead: what is known of the strategy by then; it is no part of the answer's key
    """

    strategy_digest: str
    engine_version: str
    metrics_version: str
    candles_revision: int | None
    revisions: tuple[int, ...] | None = None
    lookahead: Verdict | None = None

    def on(self, revisions: Sequence[int]) -> Provenance:
        """Return the same, made with candles of these revisions, one for each series."""
        if len(revisions) == 1:
            return self._replace(candles_revision=revisions[0], revisions=None)
        return self._replace(candles_revision=None, revisions=tuple(revisions))


def result_key(run_key: str, status: Status, made_with: Provenance, scene_id: str | None) -> str:
    """Return the key of an answer: its run, candles and code. A failure belongs to its scene."""
    question, answer = parted(run_key), _answered_by(status, made_with, scene_id)
    return hashlib.sha256(question + answer).hexdigest()


@lru_cache(maxsize=4096)
def _answered_by(status: Status, made_with: Provenance, scene_id: str | None) -> bytes:
    """Return the part of a result_key that the runs of a scene share."""
    parts = [
        str(made_with.candles_revision if made_with.revisions is None else made_with.revisions),
        made_with.strategy_digest,
        made_with.engine_version,
        made_with.metrics_version,
    ]
    if status in NEVER_REUSED:
        parts.append(f"{scene_id}:{status}")
    return parted(*parts)
