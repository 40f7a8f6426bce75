"""What the tests of the warehouse are given: answers of a source, runs and their results."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, text

from mela.block_returns import BlockReturns
from mela.calendars import date_ms
from mela.interval import Interval
from mela.messages import MessagePosition
from mela.result import Metrics, Outcome, Provenance, Status, result_document
from mela.run import Run, to_ms
from mela.settings import Settings
from sources.instruments import describe
from sources.protocol import CorporateAction, FetchedCandles
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.merge import Merged, merge
from warehouse.scenes import records as scenes
from warehouse.schema.partitions import ensure_years

NAME = "binance:BTCUSDT"
START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR_MS = 3_600_000
TODAY = {"sma_cross": Provenance("d" * 64, "1.0", "1.0", None)}
_KNOWN = (
    *(0.1, 11_000.0, 0.3, 0.4, 1.5, 2.5, -0.1, 0.6, 7, 4, 3, 4 / 7, 1, 12.5, 2, 0.2),
    *(3.0, 1.2, 9.5, -0.05, 1.5, 14.0, 1.1, 0.2, 0.01, 0.06, -0.04, 6.25, 0.05, 0.8),
    *(-0.02, -0.03, 1 / 3, 0.4, 1.9, 12.0, 0.93, 0, 1, 2, 0.0),
)
METRICS = Metrics(
    **(dict.fromkeys(Metrics._fields, 0) | dict(zip(Metrics._fields, _KNOWN, strict=False)))
)
BLOCKS = BlockReturns.of(
    [[index / 3 for index in range(16)], [index / 7 for index in range(16)], list(range(16))]
)


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


def answer(
    closes: Sequence[float] | NDArray[np.float64],
    *,
    start: datetime = START,
    name: str = NAME,
    interval: Interval = Interval.H1,
    actions: Sequence[CorporateAction] = (),
    source: str = "test",
) -> FetchedCandles:
    """Return a source's answer: candles in a row from start, each as flat as its close."""
    opened = to_ms(start) + np.arange(len(closes), dtype=np.int64) * (interval.fixed_ms or 0)
    price = np.array(closes, dtype=np.float64)
    return FetchedCandles(
        instrument=replace(describe(name), origins={}),  # as if its source had said so
        interval=interval,
        opened_ms=opened,
        closed_ms=interval.ends_ms(opened),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=np.full(len(closes), 100.0),
        session_on=None,
        actions=tuple(actions),
        rejected=(),
        request={},
        origin="replay",
        source=source,
    )


def action(kind: Any, day: date, value: float) -> CorporateAction:
    return CorporateAction(kind, day, date_ms(day), value)


def load(settings: Settings, fetched: FetchedCandles, since: datetime = START) -> Merged:
    """Merge an answer in a transaction of its own, as warehouse.ingestion.ingest does."""
    ensure_years(settings, fetched.interval, fetched.opened_ms)
    with transaction(settings) as connection:
        instrument_id = instruments.upsert(connection, fetched.instrument)
        batch = connection.execute(
            text("""
                INSERT INTO ops.load_batch
                    (interval, source, request, span_start, span_end, code_version)
                VALUES (:interval, 'test', '{}', :since, now(), 'test') RETURNING id
            """),
            {"interval": fetched.interval.value, "since": since},
        ).scalar_one()
        return merge(connection, instrument_id, batch, fetched, since)


def rows(settings: Settings, query: str, **values: Any) -> list[Row[Any]]:
    with transaction(settings) as connection:
        return list(connection.execute(text(query), values))


def a_run(fast: int = 10, name: str = NAME, **changes: Any) -> Run:
    fields: dict[str, Any] = {
        "instrument": name,
        "interval": Interval.H1,
        "start": at("2024-01-02"),
        "end": at("2024-01-03"),
        "strategy": "sma_cross",
        "params": {"fast": fast, "slow": 30},
        "warmup": 64,
    } | changes
    key = hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest()
    return Run(run_key=key, **fields)


def a_document(
    run: Run,
    scene_id: str | None,
    *,
    status: Status = Status.SUCCEEDED,
    metrics: Metrics | None = METRICS,
    revision: int | None = 1,
    depends_from: datetime | None = START,
    made_with: Provenance = TODAY["sma_cross"],
    **changes: Any,
) -> dict[str, Any]:
    """Return a result document, as the engine's outcome becomes one."""
    outcome = Outcome(
        run,
        status,
        metrics if status in (Status.SUCCEEDED, Status.RUINED) else None,
        candles=24,
        first_candle_ms=to_ms(run.start),
        last_candle_ms=to_ms(run.end) - HOUR_MS,
        depends_from_ms=None if depends_from is None else to_ms(depends_from),
        periods_per_year=365.0,
        blocks=BLOCKS if status in (Status.SUCCEEDED, Status.RUINED) else None,
    )
    made = made_with._replace(candles_revision=revision)
    return result_document(outcome, made, scene_id=scene_id) | changes


def a_scene(settings: Settings, runs: int = 1) -> str:
    """Record a scene and, so that its results can name it, its instrument."""
    scene_id = str(uuid4())
    with transaction(settings) as connection:
        instruments.upsert(connection, describe(NAME))
        scenes.receive(
            connection,
            scene_id,
            {"name": "a scene"},
            "hash",
            runs=runs,
            skipped=0,
            name="a scene",
            origin=MessagePosition("mela.scenes", 0, 0),
        )
    return scene_id
