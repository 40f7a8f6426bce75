"""Results of runs as one Arrow table: the value of messages of `mela.chunk_results`.

One message holds the results of a chunk. It is validated as a whole: its columns by their types,
what several results share by the model of a result, once for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from mela.errors import MessageInvalid, RejectionCode
from mela.metrics import DEFINITIONS, METRICS, WHOLE
from mela.result import OWN, Result
from mela.result_columns import ResultColumns
from mela.scene import fault_sentence, field_path

SCHEMA_VERSION = "1"
LONG_PARAMS = 400  # bytes that might have more levels than can be written again
KEY = pa.binary(32)
BLOCKS = pa.binary(384)
_COLUMNS: dict[str, pa.DataType] = {
    "group": pa.int32(),
    "run_key": KEY,
    "result_key": KEY,
    "params": pa.string(),
    "blocks": BLOCKS,
    **{name: pa.int32() if name in WHOLE else pa.float64() for name in METRICS},
}
_SCHEMA = pa.schema(list(_COLUMNS.items()))
# Messages of an older release, still in Kafka when a newer one starts, lack its new metrics.
_LATER = frozenset(name for name in METRICS if DEFINITIONS[name].since > 1)
_COMPLETE = ("group", "run_key", "result_key", "params")


def to_arrow(results: ResultColumns) -> bytes:
    """Return results as an Arrow IPC stream of one record batch. An undefined metric is null."""
    arrays: list[Any] = [
        pa.array(results.groups),
        _keys(results.run_keys),
        _keys(results.result_keys),
        pa.array(results.params, pa.binary()).cast(pa.string()),
        pa.array(results.blocks, BLOCKS),
        *map(_metric, METRICS, np.ascontiguousarray(results.metrics.T), _defined(results.metrics)),
    ]
    metadata = {
        "schema_version": SCHEMA_VERSION,
        "scene_id": results.scene_id,
        "shared": orjson.dumps(results.shared),
    }
    schema = _SCHEMA.with_metadata(metadata)
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, schema) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=schema))
    return stream.getvalue().to_pybytes()


def from_arrow(raw: bytes | None) -> ResultColumns:
    """Return the results of a message. Raises MessageInvalid for anything else than valid ones."""
    try:
        table = pa.ipc.open_stream(raw or b"").read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        sentence = f"expected an Arrow IPC stream of results, but found: {error!s:.300}"
        raise _invalid(None, sentence) from error
    _check_columns(table)
    scene_id, shared = _read_metadata(table.schema.metadata or {})
    groups = table["group"].to_numpy()
    outside = (groups < 0) | (groups >= len(shared))
    if outside.any():
        wrong = groups[outside][0]
        raise _invalid("group", f"expected 0 to {len(shared) - 1}, but found {wrong}.")
    params = table["params"].cast(pa.binary()).to_pylist()
    for row, text in enumerate(params):
        _check_object(text, row)
    return ResultColumns(
        scene_id,
        shared,
        groups,
        _bytes_of(table["run_key"]),
        _bytes_of(table["result_key"]),
        params,
        _metrics(table),
        table["blocks"].to_pylist(),
    )


def _check_columns(table: pa.Table) -> None:
    found = dict(zip(table.schema.names, table.schema.types, strict=True))
    for name in [*_COLUMNS, *(name for name in found if name not in _COLUMNS)]:
        expected, given = _COLUMNS.get(name), found.get(name)
        if given != expected and not (given is None and name in _LATER):
            sentence = f"expected a column of {expected or 'no such name'}, but found {given}."
            raise _invalid(name, sentence)
    if len(found) != table.num_columns:
        raise _invalid(None, "expected each column once, but found one twice.")
    if not table.num_rows:
        raise _invalid(None, "expected at least one result, but found none.")
    for name in _COMPLETE:
        if table[name].null_count:
            raise _invalid(name, "expected a value for each result, but found null.")


def _read_metadata(metadata: Mapping[bytes, bytes]) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    version = metadata.get(b"schema_version", b"").decode("utf-8", "replace")
    if version != SCHEMA_VERSION:
        sentence = f"expected {SCHEMA_VERSION}, but found {version!r:.50}."
        raise MessageInvalid(RejectionCode.UNSUPPORTED_VERSION, "schema_version", sentence)
    scene_id = metadata.get(b"scene_id", b"").decode("utf-8", "replace")
    if not _is_uuid(scene_id):
        raise _invalid("scene_id", f"expected a UUID, but found {scene_id!r:.100}.")
    try:
        documents = orjson.loads(metadata.get(b"shared", b""))
    except orjson.JSONDecodeError as error:
        raise MessageInvalid(
            RejectionCode.NOT_JSON, "shared", f"expected JSON, but {error}."
        ) from error
    if not isinstance(documents, list) or not documents:
        raise _invalid("shared", "expected a list of at least one object.")
    for place, document in enumerate(documents):
        _check_shared(document, place, scene_id)
    return scene_id, tuple(documents)


def _check_shared(document: Any, place: int, scene_id: str) -> None:
    if not isinstance(document, dict):
        sentence = f"expected an object, but found {type(document).__name__}."
        raise _invalid(f"shared.{place}", sentence)
    if document.get("scene_id") != scene_id:
        found = document.get("scene_id")
        sentence = f"expected {scene_id}, but found {found!r:.100}."
        raise _invalid(f"shared.{place}.scene_id", sentence)
    if again := [name for name in document if name in OWN]:
        raise _invalid(f"shared.{place}.{again[0]}", "expected a column, but found it here.")
    try:
        _validated(orjson.dumps(document))
    except TypeError as error:  # it reads more levels than it writes
        sentence = "expected fewer levels of lists and objects."
        raise _invalid(f"shared.{place}", sentence) from error
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        raise _invalid(f"shared.{place}.{field_path(fault)}", fault_sentence(fault)) from error


@lru_cache(maxsize=1024)
def _validated(shared: bytes) -> None:
    """Validate what several results share, once: the chunks of a scene share the same."""
    own: dict[str, Any] = dict.fromkeys(METRICS)
    own |= {"run_key": "0" * 64, "result_key": "0" * 64, "params": {}}
    Result.model_validate_json(orjson.dumps({**orjson.loads(shared), **own}))


def _check_object(text: bytes, row: int) -> None:
    try:
        value = orjson.loads(text)
        if len(text) > LONG_PARAMS:
            orjson.dumps(value)  # it reads more levels than it writes
    except orjson.JSONDecodeError as error:
        sentence = f"expected JSON, but {error}."
        raise MessageInvalid(RejectionCode.NOT_JSON, f"params.{row}", sentence) from error
    except TypeError as error:
        sentence = "expected fewer levels of lists and objects."
        raise _invalid(f"params.{row}", sentence) from error
    if type(value) is not dict:
        raise _invalid(f"params.{row}", f"expected an object, but found {type(value).__name__}.")


def _keys(keys: NDArray[np.uint8]) -> pa.Array:
    return pa.Array.from_buffers(KEY, len(keys), [None, pa.py_buffer(keys.tobytes())])


def _bytes_of(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    raw = b"".join(column.to_pylist())
    return np.frombuffer(raw, dtype=np.uint8).reshape(len(column), 32)


def _defined(metrics: NDArray[np.float64]) -> list[bool]:
    """Tell of each metric whether all results have it."""
    missing: NDArray[np.int64] = np.isnan(metrics).sum(axis=0)
    return [count == 0 for count in missing.tolist()]


def _metric(name: str, values: NDArray[np.float64], is_defined: bool) -> pa.Array:
    """Return the column of a metric. values: (n,) float64, contiguous; NaN becomes null."""
    if is_defined:
        kind = _COLUMNS[name]
        numbers = values.astype(np.int32) if name in WHOLE else values
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(numbers)])
    missing = np.isnan(values)
    if name in WHOLE:
        return pa.array(np.where(missing, 0.0, values).astype(np.int32), mask=missing)
    return pa.array(values, mask=missing)


def _metrics(table: pa.Table) -> NDArray[np.float64]:
    metrics = np.full((table.num_rows, len(METRICS)), np.nan)
    given = set(table.schema.names)
    places = [place for place, name in enumerate(METRICS) if name in given]
    [batch] = table.select([METRICS[place] for place in places]).combine_chunks().to_batches()
    metrics[:, places] = batch.to_tensor(null_to_nan=True).to_numpy()  # all of them at once
    wrong = np.isinf(metrics).any(axis=0)
    if wrong.any():
        name = METRICS[int(np.flatnonzero(wrong)[0])]
        raise _invalid(name, "expected finite numbers or null, but found infinity.")
    return metrics


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _invalid(field: str | None, sentence: str) -> MessageInvalid:
    return MessageInvalid(RejectionCode.INVALID_FIELD, field, sentence)
