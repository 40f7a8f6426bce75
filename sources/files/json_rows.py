"""Candles in JSON: a list of rows, a list of objects, columns, or one object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from mela.counts import counted
from mela.errors import CandlesInvalid
from sources.files.table import Table, table_of

SHAPES = "a list of rows, a list of objects, or an object of columns"
_WITHIN = ("data", "candles", "bars", "results", "result", "values", "rows", "klines")


def read_json(text: str, file: str) -> Table:
    """Return the columns of JSON. Raises CandlesInvalid for what holds no rows."""
    document = _document(text, file)
    symbol: str | None = None
    while isinstance(document, dict) and not _is_columns(document):
        symbol = _symbol_beside(document) or symbol
        within = next((name for name in document if _holds_rows(name)), None)
        if within is None:
            break
        if isinstance(document.get("columns"), list):  # as pandas writes it with orient="split"
            return _of_rows(document[within], file, [str(name) for name in document["columns"]])
        document = document[within]
    return replace(_table(document, file), symbol=symbol)


def _table(document: Any, file: str) -> Table:
    if isinstance(document, dict) and document:
        if all(isinstance(rows, list) and _are_objects(rows) for rows in document.values()):
            # rows by symbol, as Alpaca gives them
            rows = [{"symbol": symbol, **row} for symbol in document for row in document[symbol]]
            return _of_objects(rows, file)
        if all(
            isinstance(row, dict) and re.match(r"\d{4}", name) for name, row in document.items()
        ):
            return _of_objects([{"index": time, **row} for time, row in document.items()], file)
        is_row = not any(isinstance(value, dict | list) for value in document.values())
        if is_row and len(document) > 4:  # the only line of a file of lines
            return _of_objects([document], file)
    if isinstance(document, list) and document:
        if all(isinstance(row, list) for row in document):
            return _of_rows(document, file, None)
        if _are_objects(document):
            return _of_objects(document, file)
    if isinstance(document, dict) and _is_columns(document):
        return _of_columns(document, file)
    raise CandlesInvalid(f"{file} is JSON without rows; expected {SHAPES}")


def _are_objects(rows: Sequence[Any]) -> bool:
    return bool(rows) and all(isinstance(row, dict) for row in rows)


def _holds_rows(name: str) -> bool:
    return name in _WITHIN or name.startswith("Time Series")  # Alpha Vantage


def _symbol_beside(document: Mapping[str, Any]) -> str | None:
    """Return the symbol that stands beside rows, as in an answer of Alpaca or Polygon."""
    beside = [document, *(value for name, value in document.items() if "meta" in name.lower())]
    for facts in (each for each in beside if isinstance(each, dict)):
        for name, value in facts.items():
            if re.fullmatch(r"(\d+\. )?(symbol|ticker)", name.lower()) and isinstance(value, str):
                return value
    return None


def _document(text: str, file: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:  # a number of thousands of digits is one, too
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            rows = [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            raise CandlesInvalid(f"{file} begins like JSON, but is none: {error}") from error
        return rows
    except RecursionError as error:
        raise CandlesInvalid(f"{file} is JSON nested too deeply; expected {SHAPES}") from error


def _is_columns(document: Mapping[str, Any]) -> bool:
    shapes = {type(column) for column in document.values()}
    are_times = all(re.match(r"\d{4}", name) for name in document)  # of rows
    if len(document) <= 3 or are_times:
        return False
    if shapes == {list}:
        return not any(_are_objects(column) for column in document.values())
    return shapes == {dict}


def _of_rows(rows: Sequence[Any], file: str, names: list[str] | None) -> Table:
    width = len(rows[0]) if rows else 0
    for row, values in enumerate(rows):
        if not isinstance(values, list) or len(values) != width:
            raise CandlesInvalid(
                f"{file}: expected {counted(width, 'value')} in each row as in row 0, but found "
                f"{len(values) if isinstance(values, list) else repr(values)} in row {row}"
            )
    if names is not None and len(names) != width:
        raise CandlesInvalid(
            f"{file} names {counted(len(names), 'column')}, but its rows have "
            f"{counted(width, 'value')}"
        )
    columns = [_array(column) for column in zip(*rows, strict=True)]
    chosen = names or [str(position + 1) for position in range(width)]
    return table_of(file, "JSON", chosen, columns, has_names=names is not None)


def _of_objects(rows: Sequence[Mapping[str, Any]], file: str) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [_array([row.get(name) for row in rows]) for name in names]
    return table_of(file, "JSON", names, columns)


def _of_columns(document: Mapping[str, Any], file: str) -> Table:
    """Return lists by name, or objects by name whose keys number the rows (pandas' own form)."""
    first = next(iter(document.values()))
    if isinstance(first, list):
        columns = dict(document)
        if len({len(column) for column in columns.values()}) > 1:
            raise CandlesInvalid(f"{file}: expected columns of one length in JSON")
    else:
        keys = list(first)
        columns = {name: [column.get(key) for key in keys] for name, column in document.items()}
        if not keys or keys[0] != "0":  # the rows are keyed by time
            columns = {"": keys, **columns}
    return table_of(file, "JSON", list(columns), [_array(column) for column in columns.values()])


def _array(values: Sequence[Any]) -> pa.Array:
    """Return values as numbers where all are, else as text; nulls stay."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])
