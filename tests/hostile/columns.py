"""Hostile messages of results as columns, made from hostile documents of results."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa

from mela.metrics import METRICS, WHOLE
from mela.result import OWN
from tests.hostile.generator import Hostile

KEYS = ("run_key", "result_key")


def in_columns(hostile: Hostile, valid: bytes) -> Hostile:
    """Return the message of columns that would carry what a hostile document says.

    valid: a message of one result. What no column can hold stays where it is read as JSON; bytes
    that are no JSON stay as they are, or stand where JSON is read.
    """
    value = hostile.value
    if not value:
        return hostile
    try:
        document: Any = json.loads(value)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        shared = b"[" + value + b"]"
        return Hostile(hostile.kind, value if len(value) % 2 else _message(valid, shared, {}))
    shared = json.dumps([{k: v for k, v in document.items() if k not in OWN}]).encode()
    return Hostile(hostile.kind, _message(valid, shared, document))


def _message(valid: bytes, shared: bytes, document: dict[str, Any]) -> bytes:
    table = pa.ipc.open_stream(valid).read_all().slice(0, 1)
    scene_id = document.get("scene_id")
    metadata = {**table.schema.metadata, b"shared": shared}
    if isinstance(scene_id, str):
        metadata[b"scene_id"] = scene_id.encode("utf-8", "replace")
    if "schema_version" in document:
        metadata[b"schema_version"] = str(document["schema_version"]).encode("utf-8", "replace")
    fields, columns = list(table.schema), table.columns
    for place, field in enumerate(fields):
        if field.name in OWN and field.name in document:
            columns[place] = _column(field.name, document[field.name], field.type)
            fields[place] = pa.field(field.name, columns[place].type)
    table = pa.table(columns, schema=pa.schema(fields, metadata))
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue().to_pybytes()


def _column(name: str, value: Any, kind: pa.DataType) -> pa.Array:
    """Return a column of one value: of its own kind if it can be, else of the kind of the value."""
    if name == "params":
        return pa.array([json.dumps(value)])
    try:
        if name in KEYS or name == "blocks":
            raw = value if value is None else _bytes(name, str(value))
            return pa.array([raw], kind if raw is None or len(raw) == kind.byte_width else None)
        if name in METRICS and name not in WHOLE and isinstance(value, int):
            value = float(value)
        return pa.array([value], kind)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return pa.array([json.dumps(value)])


def _bytes(name: str, text: str) -> bytes:
    return bytes.fromhex(text) if name in KEYS else base64.b64decode(text)
