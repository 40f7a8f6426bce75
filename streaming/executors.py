"""Executors of a cluster that come: each starts with cold Python, which is warmed before its work.

On one machine there is one executor, the driver itself, which `Job.warm_up` warms at the start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog
from pyspark.sql import SparkSession

log = structlog.get_logger()


class Executors:
    """Knows the executors of a session, and has those that come warmed."""

    def __init__(self, spark: SparkSession, warm_up: Callable[[], None]) -> None:
        """warm_up: has Spark start Python workers in every slot that is free."""
        self.are_elsewhere = not str(spark.sparkContext.master).startswith("local")
        java: Any = getattr(spark.sparkContext, "_jsc")  # noqa: B009  no method of Python tells it
        self._status: Any = java.sc().getExecutorMemoryStatus
        self._warm_up = warm_up
        self._known: frozenset[str] = frozenset()
        self._warming = threading.Thread()

    def look(self) -> None:
        """Warm executors that were not there before, beside everything else."""
        if not self.are_elsewhere or self._warming.is_alive():
            return
        here = frozenset(self._status().keySet().mkString(" ").split())
        came, self._known = here - self._known, here
        if came:
            self._warming = threading.Thread(target=self._warm, name="warm-executors", daemon=True)
            self._warming.start()

    def _warm(self) -> None:
        try:
            self._warm_up()
        except Exception as error:  # noqa: BLE001  a worker that comes warm is worth no more
            log.warning("executors_not_warmed", why=str(error)[:500])
