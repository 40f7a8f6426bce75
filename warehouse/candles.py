"""Candles for the engine: one snapshot, binary COPY into numpy, prices as the scene wants them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.candles import Candles
from mela.errors import CandlesMissing
from mela.instrument import parse_name
from mela.interval import Interval
from mela.run import to_ms
from mela.settings import Settings
from warehouse.adjust import Event, factors
from warehouse.binary import decode
from warehouse.database import copy_out, engine_for

TYPES = {"opened_at": "timestamptz"} | dict.fromkeys(
    ("open", "high", "low", "close", "volume"), "float8"
)
SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
APPLIED: dict[str, list[str]] = {
    "raw": [],
    "split_adjusted": ["split"],
    "total_return": ["split", "dividend"],
}
_SERIES = text("""
    SELECT i.id, i.calendar, i.tick, i.lot, coalesce(max(r.revision), 0) AS revision
    FROM ops.instrument i
    LEFT JOIN ops.candle_revision r ON r.instrument_id = i.id AND r.interval = :interval
    WHERE i.venue = :venue AND i.symbol = :symbol GROUP BY i.id
""")
_CANDLES = """
    SELECT opened_at, open, high, low, close, volume FROM raw.candle
    WHERE instrument_id = %(id)s AND interval = %(interval)s AND opened_at < %(end)s
      AND opened_at >= coalesce((
          SELECT min(opened_at) FROM (
              SELECT opened_at FROM raw.candle
              WHERE instrument_id = %(id)s AND interval = %(interval)s AND opened_at < %(start)s
              ORDER BY opened_at DESC LIMIT %(warmup)s
          ) AS warmup), %(start)s)
    ORDER BY opened_at
"""
_EVENTS = text("""
    SELECT kind, (extract(epoch FROM effective_on) * 1000)::bigint, value
    FROM raw.corporate_action WHERE instrument_id = :id
      AND kind = ANY(:kinds) AND effective_on::timestamp AT TIME ZONE 'UTC' < :end
    ORDER BY effective_on, kind DESC
""")


class CandlesRead(NamedTuple):
    """Candles, and the revision of their series that they are."""

    candles: Candles
    revision: int


class _Question(NamedTuple):
    instrument: str
    interval: Interval
    start: datetime
    end: datetime
    warmup: int
    prices: str


@dataclass
class CandleReader:
    """Read candle series, and keep those used last. For one thread.

    max_bytes: how much to keep; the arrays given out are shared and cannot be written to
    """

    settings: Settings
    max_bytes: int = 256 * 2**20

    def __post_init__(self) -> None:
        self._kept: OrderedDict[_Question, CandlesRead] = OrderedDict()

    def read(
        self,
        instrument: str,
        interval: Interval | str,
        start: datetime,
        end: datetime,
        warmup: int,
        prices: str,
    ) -> CandlesRead:
        """Return the candles of [start, end), and exactly `warmup` before them as far as there are.

        prices: raw, split_adjusted or total_return; events count that are effective before the end
        Revision and candles come from one snapshot; a series never loaded has revision 0 and no
        candles. Raises CandlesMissing for an unknown instrument, sqlalchemy's OperationalError
        where Postgres cannot be reached.
        """
        question = _Question(instrument, Interval(interval), start, end, warmup, prices)
        with engine_for(self.settings).connect() as plain:
            connection = plain.execution_options(**SNAPSHOT)
            series = _series(connection, question)
            kept = self._kept.get(question)
            if kept is None or kept.revision != series.revision:
                kept = CandlesRead(_read(connection, question, series), series.revision)
        self._keep(question, kept)
        return kept

    def _keep(self, question: _Question, read: CandlesRead) -> None:
        self._kept[question] = read
        self._kept.move_to_end(question)
        while sum(map(_size, self._kept.values())) > self.max_bytes:
            self._kept.popitem(last=False)


def _series(connection: Connection, question: _Question) -> Any:
    venue, symbol = parse_name(question.instrument)
    values = {"venue": venue, "symbol": symbol, "interval": question.interval.value}
    series = connection.execute(_SERIES, values).one_or_none()
    if series is None:
        raise CandlesMissing(
            f"{question.instrument} is not in the warehouse. Load it: mela ingest "
            f"{question.instrument} --interval {question.interval} "
            f"--from {question.start.date()} --to {question.end.date()}"
        )
    return series


def _read(connection: Connection, question: _Question, series: Any) -> Candles:
    values = {"id": series.id, **question._asdict(), "interval": question.interval.value}
    columns = decode(copy_out(connection, _CANDLES, values), TYPES)
    opened = columns.pop("opened_at")
    _adjust(opened, columns, _events(connection, question, series.id))
    for array in (opened, *columns.values()):
        array.setflags(write=False)
    return Candles(
        interval=question.interval,
        opened_ms=opened,
        open=columns["open"],
        high=columns["high"],
        low=columns["low"],
        close=columns["close"],
        volume=columns["volume"],
        start_bar=int(np.searchsorted(opened, to_ms(question.start))),
        calendar=series.calendar,
        tick=series.tick,
        lot=series.lot,
    )


def _events(connection: Connection, question: _Question, instrument_id: int) -> list[Event]:
    values = {"id": instrument_id, "end": question.end, "kinds": APPLIED[question.prices]}
    return [Event(*row) for row in connection.execute(_EVENTS, values)]


def _adjust(opened_ms: NDArray[np.int64], columns: dict[str, Any], events: list[Event]) -> None:
    if not events:
        return
    by = factors(opened_ms, columns["close"], events)
    for name in ("open", "high", "low", "close"):
        columns[name] = columns[name] / by.split * by.dividend
    columns["volume"] = columns["volume"] * by.split


def _size(read: CandlesRead) -> int:
    return len(read.candles) * 8 * len(TYPES)
