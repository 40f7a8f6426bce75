"""Candle files to read: rows as lines or as a table, and what is read of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mela.errors import CandlesInvalid
from mela.interval import Interval
from sources.files.options import file_options
from sources.files.read import FileCandles, read_file

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


ROWS = (  # open, high, low, close, volume
    (100.0, 102.5, 99.5, 101.0, 18098.0),
    (101.0, 101.75, 100.5, 101.5, 3027.0),
    (101.5, 102.0, 100.25, 100.75, 10665.0),
    (100.75, 101.5, 99.0, 99.25, 9591.0),
    (99.25, 100.0, 98.5, 99.75, 4404.0),
)


MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


TO = f"{MONDAY:%Y-%m-%d}"


def read(
    path: Path,
    interval: str | None = "1d",
    instrument: str | None = "my:X",
    *,
    timezone: str | None = None,
    columns: tuple[str, ...] = (),
) -> FileCandles:
    asked = Interval(interval) if interval else None
    return read_file(path, instrument, asked, file_options(timezone, columns))


def refusal(path: Path, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(CandlesInvalid) as refused:
        read(path, *args, **kwargs)
    return str(refused.value)


def text(path: Path, header: str | None, line: str, *, step: timedelta = DAY) -> Path:
    """Write rows as lines; `line` formats at (a datetime), ms, s, o, h, l, c and v."""
    lines = [] if header is None else [header]
    for place, values in enumerate(ROWS):
        at = MONDAY + place * step
        s = int(at.timestamp())
        lines.append(
            line.format(
                at=at, s=s, ms=s * 1000, us=s * 10**6, **dict(zip("ohlcv", values, strict=True))
            )
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def assert_rows(found: FileCandles, step: timedelta = DAY, start: datetime = MONDAY) -> None:
    """Hold that the candles are ROWS, opening from `start` on."""
    candles = found.candles
    opened = [(start + place * step).timestamp() * 1000 for place in range(len(ROWS))]
    assert candles.opened_ms.tolist() == opened
    columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == list(ROWS)


def table(step: timedelta = DAY, **change: Any) -> pa.Table:
    opened = [MONDAY + place * step for place in range(len(ROWS))]
    columns: dict[str, Any] = {"open_time": pa.array(opened, pa.timestamp("ns", tz="UTC"))}
    for place, name in enumerate(("open", "high", "low", "close", "volume")):
        columns[name] = [row[place] for row in ROWS]
    return pa.table(
        {name: column for name, column in (columns | change).items() if column is not None}
    )


def parquet(path: Path, step: timedelta = DAY, **change: Any) -> Path:
    pq.write_table(table(step, **change), path)
    return path
