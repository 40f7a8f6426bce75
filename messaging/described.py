"""The schema of each topic's messages, made from the code that reads and writes them.

Texts, which change no message, are left out, so that a schema changes only with the messages.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from mela.messages import (
    CHUNK_RESULTS,
    PROGRESS,
    REJECTED,
    RESULTS,
    RUNS,
    SCENES,
    Progress,
    Rejection,
)
from mela.metrics import METRICS
from mela.result_columns import ResultColumns
from mela.run_terms import VARIABLE
from mela.schemas import json_schema
from mela.trading_messages import FILLS, ORDERS, POSITIONS, FillTold, OrderTold, PositionsTold
from messaging.columns import to_arrow

Schema = dict[str, Any]
_TEXTS = {"title", "description", "examples", "default", "$schema"}
_HASH = {"pattern": "^[0-9a-f]{64}$", "type": "string"}
# what a run of mela.runs has, once for the chunk or for each run where runs differ
_RUN = ("interval", "start", "end", "params", *VARIABLE)
_SOMETIMES = ("portfolio", "inputs")


def schemas() -> dict[str, Schema]:
    """Return the schema of each topic's messages, as this code has them."""
    return {
        SCENES: _bare(json_schema("scene")),
        RUNS: _chunk(),
        RESULTS: _bare(json_schema("result")),
        CHUNK_RESULTS: _columns(),
        PROGRESS: _bare(Progress.model_json_schema()),
        REJECTED: _bare(Rejection.model_json_schema()),
        ORDERS: _bare(OrderTold.model_json_schema()),
        FILLS: _bare(FillTold.model_json_schema()),
        POSITIONS: _bare(PositionsTold.model_json_schema()),
    }


def _bare(schema: Any) -> Any:
    """Return a schema without its texts. A property may have the name of a text."""
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _bare(one) for name, one in part.items()}
        if key in ("properties", "$defs")
        else _bare(part)
        for key, part in schema.items()
        if key not in _TEXTS
    }


def _chunk() -> Schema:
    """Describe a message of mela.runs. Its fields are those of the results that answer it."""
    result = _bare(json_schema("result"))
    fields: Schema = {name: result["properties"][name] for name in (*_RUN, *_SOMETIMES)}
    fields |= {"instrument": {"type": "string"}, "strategy": {"type": "string"}}
    fields["others"] = {"items": {"type": "string"}, "type": "array"}
    return {
        "$defs": result["$defs"],
        "type": "object",
        "additionalProperties": False,
        "required": ["schema_version", "scene_id", "chunk", "common", "runs"],
        "properties": {
            "schema_version": {"const": 1, "type": "integer"},
            "scene_id": {"format": "uuid", "type": "string"},
            "chunk": {"minimum": 0, "type": "integer"},
            "digests": {"additionalProperties": {"type": "string"}, "type": "object"},
            "common": {"type": "object", "properties": fields},
            "runs": {
                "minItems": 1,
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["run_key"],
                    "properties": {"run_key": _HASH, **fields},
                },
            },
        },
    }


def _columns() -> Schema:
    """Describe a message of mela.chunk_results: an Arrow IPC stream of columns.

    A column is a property whose type is Arrow's; metadata: what stands in the stream's schema.
    """
    none = np.empty((0, 32), np.uint8)
    empty = ResultColumns(
        "", (), np.empty(0, np.int32), none, none, (), np.empty((0, len(METRICS))), ()
    )
    stream = pa.ipc.open_stream(to_arrow(empty)).schema
    return {
        "type": "arrow-stream",
        "additionalProperties": False,
        "required": [name for name in stream.names if name not in METRICS and name != "blocks"],
        "properties": {field.name: {"type": str(field.type)} for field in stream},
        "metadata": sorted(name.decode() for name in stream.metadata or {}),
        "version": (stream.metadata or {})[b"schema_version"].decode(),
        "shared": _shared(),
    }


def _shared() -> Schema:
    """Describe an element of `shared`: the fields of a result that are no columns."""
    result = _bare(json_schema("result"))
    columns = {"run_key", "result_key", "params", "blocks", *METRICS}
    return {
        **result,
        "required": [name for name in result["required"] if name not in columns],
        "properties": {
            name: one for name, one in result["properties"].items() if name not in columns
        },
    }
