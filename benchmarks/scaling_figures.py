"""The measured figures that docs/scaling.md computes with, each with the row that it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.path import LARGE
from benchmarks.rows import LATEST
from mela.settings import SparkSettings

MACHINE_CORES = 2  # of the machine that the rows were measured on
CHUNK_RUNS: int = SparkSettings.model_fields["chunk_runs"].default
_SPENT = re.compile(r"([A-Z][\w' ]+|kafka) ([\d.]+)(?=,|$)")
_PLANNED = re.compile(r"planned after ([\d.]+) s")


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run costs.

    path_rate, idle_s: runs a second of a grid, and seconds until a scene alone is answered
    worker_s, jvm_s, postgres_s, broker_s: processor seconds a run, by service
    plan_s: seconds of one process to plan a run; postgres_rate: results/s of one connection
    kafka_bytes: topic → bytes a run; postgres_bytes, wal_bytes: a run
    beside, giants: number of giants → median seconds of a small scene, and their runs a second
    """

    path_rate: float
    idle_s: float
    worker_s: float
    jvm_s: float
    postgres_s: float
    broker_s: float
    plan_s: float
    postgres_rate: float
    kafka_bytes: Mapping[str, float]
    postgres_bytes: float
    wal_bytes: float
    beside: Mapping[int, float]
    giants: Mapping[int, float]

    @property
    def run_s(self) -> float:
        """Return the processor seconds of a run, all services together."""
        return self.worker_s + self.jvm_s + self.postgres_s + self.broker_s

    @property
    def sent_bytes(self) -> float:
        """Return the bytes that a run sends to Kafka."""
        return sum(self.kafka_bytes.values())


def figures() -> Figures:
    """Return the figures of the newest measurements. Raises KeyError where a row is missing."""
    rows = {one["name"]: one for one in json.loads(LATEST.read_text(encoding="utf-8"))}
    grid = rows[f"path.grid_{LARGE}"]
    spent = _spent(str(grid["note"]))
    planned = _PLANNED.search(str(grid["note"]))
    if planned is None:
        raise KeyError(f"expected `planned after … s` in the note of {grid['name']}")
    return Figures(
        path_rate=grid["value"],
        idle_s=rows["path.idle_small_scene"]["value"],
        worker_s=spent["Spark's Python"] / LARGE,
        jvm_s=spent["Spark's JVM"] / LARGE,
        postgres_s=spent["Postgres"] / LARGE,
        broker_s=spent.get("kafka", 0.0) / LARGE,
        plan_s=float(planned[1]) / LARGE,
        postgres_rate=rows["scaling.postgres_rate"]["value"],
        kafka_bytes={
            name: rows[f"scaling.{name}_bytes"]["value"]
            for name in ("runs", "chunk_results", "results")
        },
        postgres_bytes=rows["scaling.postgres_bytes"]["value"],
        wal_bytes=rows["scaling.wal_bytes"]["value"],
        beside=_by_giants(rows, "scaling.beside_"),
        giants=_by_giants(rows, "scaling.giants_"),
    )


def _by_giants(rows: Mapping[str, Any], prefix: str) -> dict[int, float]:
    return {
        int(name.removeprefix(prefix)): one["value"]
        for name, one in rows.items()
        if name.startswith(prefix)
    }


def _spent(note: str) -> dict[str, float]:
    """Return the processor seconds that a row's note has for each service.

    >>> _spent("median run: …; processor seconds: Spark's Python 6.3, Postgres 2.9, kafka 0.7")
    {"Spark's Python": 6.3, 'Postgres': 2.9, 'kafka': 0.7}
    """
    found = _SPENT.findall(note.partition("processor seconds: ")[2])
    return {name: float(seconds) for name, seconds in found}
