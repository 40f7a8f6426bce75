"""The work of Spark's Python workers on a batch, for the queries `run` and `record`.

Workers import this module, and with it what they need alone: each module that one imports after
its fork is collected as garbage after each of its tasks, which once cost more than the tasks.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pyarrow as pa

from mela.messages import MessagePosition
from mela.settings import Settings
from streaming.record import ResultMessage, record_results
from streaming.run import ChunkMessage, run_chunks

Batches = Iterator[pa.RecordBatch]
EXECUTED = "scene_id string, chunks bigint"
RECORDED = "scene_id string"


_tasks = 0  # of this process


def preload() -> None:
    """Import before the fork what pyarrow imports when it makes its first array: all of pandas."""
    pa.array([""])


def begin() -> None:
    """Count a task. What the first one left is kept out of all later collections of garbage.

    Its modules, connections and caches live as long as this process.
    """
    global _tasks
    _tasks += 1
    if _tasks == 2:
        gc.freeze()


def execute(parts: Batches, settings: Settings) -> Batches:
    """Execute chunks; yield how many there were of each scene, as EXECUTED."""
    begin()
    done = run_chunks((ChunkMessage(*message) for message in _messages(parts)), settings)
    yield pa.RecordBatch.from_pydict(
        {
            "scene_id": pa.array(done.keys(), pa.string()),
            "chunks": pa.array(done.values(), pa.int64()),
        }
    )


def store(parts: Batches, settings: Settings) -> Batches:
    """Store results; yield the scenes they belong to, as RECORDED."""
    begin()
    found = record_results([ResultMessage(*message) for message in _messages(parts)], settings)
    yield pa.RecordBatch.from_pydict({"scene_id": pa.array(sorted(found), pa.string())})


def _messages(parts: Batches) -> Iterator[tuple[bytes | None, MessagePosition]]:
    for part in parts:
        value, topic, partition, offset = (part.column(i).to_pylist() for i in range(4))
        for row in zip(value, topic, partition, offset, strict=True):
            yield row[0], MessagePosition(row[1], row[2], row[3])
