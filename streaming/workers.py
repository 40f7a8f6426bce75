"""Assign Spark's Python processes: those that execute strategies do nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pyspark.sql import DataFrame

from streaming import daemon
from streaming.tasks import Batches

_naming = threading.Lock()


def in_workers(
    kind: str, frame: DataFrame, work: Callable[[Batches], Batches], schema: str
) -> DataFrame:
    """Map a frame in Python workers that do one kind of work only, and share no process.

    Spark keeps its workers by the variables that they are started with.
    """
    variables = frame.sparkSession.sparkContext.environment
    with _naming:  # queries run in threads, and share the variables
        variables[daemon.KIND] = kind
        try:
            return frame.mapInArrow(work, schema)
        finally:
            del variables[daemon.KIND]
