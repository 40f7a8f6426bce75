"""Runs, trades and equity as tables: columns, types and order are the same wherever they come from.

Undefined numbers are NaN in columns of floats and <NA> in columns of whole numbers. Instants are
UTC in nanoseconds. A column of the scene's own that holds only whole numbers is Int64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, cast

import pandas as pd

from mela.curve import Trade
from mela.errors import InputInvalid
from mela.metrics import METRICS, WHOLE

if TYPE_CHECKING:
    from api.models.runs import CandleColumns
    from api.models.scene_runs import RunRow

FrameKind = Literal["pandas", "polars"]
FRAME_KINDS: tuple[FrameKind, ...] = ("pandas", "polars")
INSTANT = "datetime64[ns, UTC]"
TRADE_COLUMNS = ("instrument", *(name for name in Trade._fields if name != "instrument"))
_OWN_COLUMNS = {"instrument", "interval", "start", "end", "strategy.name"}
_TEXT = ("instrument", "exit_reason")
_AT = ("entry_at", "exit_at")


def runs_frame(rows: Iterable[RunRow], paths: Sequence[str]) -> pd.DataFrame:
    """Return runs as a frame, best first.

    paths: what the scene varies; each that is no column yet becomes one: `strategy.params.fast`
    Columns: rank (Int64, <NA> without metrics), run_key, instrument (several joined by a space),
    interval, start, end, strategy, the paths, status, all metrics, warnings (codes joined by a
    space), error (None where the run did not fail).
    """
    rows = list(rows)
    columns: dict[str, Any] = {
        "rank": pd.array([row.rank for row in rows], dtype="Int64"),
        "run_key": _texts(row.run_key for row in rows),
        "instrument": _texts(" ".join(row.instruments) for row in rows),
        "interval": _texts(row.interval for row in rows),
        "start": instants([row.start for row in rows]),
        "end": instants([row.end for row in rows]),
        "strategy": _texts(row.strategy for row in rows),
    }
    for path in sorted(set(paths) - _OWN_COLUMNS):
        columns[path] = scalars([row.params.get(path) for row in rows])
    columns["status"] = _texts(row.status for row in rows)
    for name in METRICS:
        columns[name] = numbers([row.metrics.get(name) for row in rows], is_whole=name in WHOLE)
    columns["warnings"] = _texts(" ".join(row.warnings) for row in rows)
    columns["error"] = _texts(row.error for row in rows)
    return pd.DataFrame(columns)


def trades_frame(trades: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return trades as a frame, the oldest first: the fields of `mela.curve.Trade`.

    size: base units, negative for a short; profit: net of fees, slippage and borrow
    mae, mfe: fractions of the entry price, ≤ 0 and ≥ 0
    """
    columns: dict[str, Any] = {}
    for name in TRADE_COLUMNS:
        values = [trade[name] for trade in trades]
        if name in _AT:
            columns[name] = instants(values)
        elif name in _TEXT:
            columns[name] = _texts(values)
        else:
            columns[name] = numbers(values)
    return pd.DataFrame(columns)


def equity_frame(columns: Mapping[str, Sequence[float | None]]) -> pd.DataFrame:
    """Return a curve as a frame: a row for each candle of the run's span.

    columns: t (milliseconds, UTC), equity, drawdown (≤ 0), buy_and_hold (quote currency; NaN for
        a run of several instruments)
    """
    return pd.DataFrame(
        {
            "opened_at": _milliseconds(columns["t"]),
            **{name: numbers(columns[name]) for name in ("equity", "drawdown", "buy_and_hold")},
        }
    )


def candles_frame(candles: CandleColumns) -> pd.DataFrame:
    """Return candles as a frame: opened_at (UTC), open, high, low, close, volume."""
    names = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    return pd.DataFrame(
        {
            "opened_at": _milliseconds(candles.t),
            **{name: numbers(getattr(candles, short)) for name, short in names.items()},
        }
    )


def records_frame(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return records as a frame with these columns; lists in them are joined by a space."""
    rows = [{name: _cell(record[name]) for name in columns} for record in records]
    return pd.DataFrame(rows, columns=list(columns))


def as_kind(frame: pd.DataFrame, kind: FrameKind) -> Any:
    """Return a frame as that of the library that is wanted. Raises InputInvalid."""
    if kind == "pandas":
        return frame
    if kind != "polars":
        sentence = f"expected one of {', '.join(FRAME_KINDS)}, but found {kind!r}."
        raise InputInvalid("frame", sentence)
    if find_spec("polars") is None:
        raise InputInvalid("frame", "polars is not installed here. Add it: pip install polars")
    return import_module("polars").from_pandas(frame)


def numbers(values: Sequence[float | None], *, is_whole: bool = False) -> Any:
    """Return numbers as a column: float64, or Int64 for whole ones."""
    if is_whole:
        whole = [None if value is None else int(value) for value in values]
        return pd.array(whole, dtype="Int64")
    return pd.Series(list(values), dtype="float64")


def scalars(values: Sequence[Any]) -> Any:
    """Return values of a scene's field as a column of the type that they have."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, bool) for value in there):
        return pd.array(values, dtype="boolean")
    if there and all(isinstance(value, int | float) and _is_no_bool(value) for value in there):
        return numbers(values, is_whole=all(float(value).is_integer() for value in there))
    return pd.Series(values, dtype="object")


def instants(values: Sequence[Any]) -> Any:
    """Return instants, as text or as datetimes, as a column in UTC."""
    found = pd.to_datetime(pd.Series(values, dtype="object"), utc=True, format="ISO8601")
    return found.astype(cast("Any", INSTANT))


def _milliseconds(values: Sequence[float | None]) -> Any:
    found = pd.to_datetime(pd.Series(list(values), dtype="int64"), unit="ms", utc=True)
    return found.astype(cast("Any", INSTANT))


def _texts(values: Iterable[str | None]) -> Any:
    return pd.Series(list(values), dtype="object")


def _is_no_bool(value: object) -> bool:
    return not isinstance(value, bool)


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return value
