"""Candles in JSON: a list of rows, a list of objects, columns, or one object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
    while isinstance(document, dict) and not _is_columns(document):
        within = next((name for name in _WITHIN if name in document), None)
        if within is None:
            break
        if isinstance(document.get("columns"), list):  # as pandas writes it with orient="split"
            return _of_rows(document[within], file, [str(name) for name in document["columns"]])
        document = document[within]
    if isinstance(document, list) and document:
        if all(isinstance(row, list) for row in document):
            return _of_rows(document, file, None)
        if all(isinstance(row, dict) for row in document):
            return _of_objects(document, file)
    if isinstance(document, dict) and _is_columns(document):
        return _of_columns(document, file)
    raise CandlesInvalid(f"{file} is JSON without rows; expected {SHAPES}")


def _document(text: str, file: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            rows = [json.loads(line) for line in lines]
        except (json.JSONDecodeError, RecursionError):
            raise CandlesInvalid(f"{file} begins like JSON, but is none: {error}") from error
        return rows
    except RecursionError as error:
        raise CandlesInvalid(f"{file} is JSON nested too deeply; expected {SHAPES}") from error


def _is_columns(document: Mapping[str, Any]) -> bool:
    shapes = {type(column) for column in document.values()}
    return len(document) > 3 and (shapes == {list} or shapes == {dict})


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
