"""The metrics that Prometheus reads of Mela: name, kind, labels and help. docs list them from here.

Names follow Prometheus' conventions: a prefix, the unit in full, `_total` for what only grows.
"""

from __future__ import annotations

from services.monitoring.metric import Exported
from services.monitoring.trading_metrics import TRADING

__all__ = ["EXPORTED", "Exported", "table"]


EXPORTED: tuple[Exported, ...] = (
    Exported(
        "mela_source_up",
        "gauge",
        "Whether a source of the metrics answered the last scrape: 1 or 0.",
        "",
        ("source",),
    ),
    Exported(
        "mela_scrape_duration_seconds",
        "gauge",
        "Time that a source took to answer the last scrape, in seconds.",
        "",
        ("source",),
    ),
    Exported(
        "mela_service_healthy",
        "gauge",
        "Whether a service's own probe succeeds: 1 or 0.",
        "services",
        ("service",),
    ),
    Exported(
        "mela_service_watchdog_restarts",
        "counter",
        "Restarts of a service by the watchdog since `mela up`, as a number.",
        "services",
        ("service",),
    ),
    Exported(
        "mela_service_cpu_seconds",
        "gauge",
        "Processor time of a service's living processes, in seconds.",
        "services",
        ("service",),
    ),
    Exported(
        "mela_service_memory_bytes",
        "gauge",
        "Resident memory of a service's processes, in bytes; shared pages count in each.",
        "services",
        ("service",),
    ),
    Exported(
        "mela_topic_messages",
        "counter",
        "Messages that a topic has ever received, as a number.",
        "kafka",
        ("topic",),
    ),
    Exported(
        "mela_query_lag_messages",
        "gauge",
        "Messages that a streaming query has not finished, as a number.",
        "kafka",
        ("query", "topic"),
    ),
    Exported(
        "mela_query_messages",
        "counter",
        "Messages that a streaming query has finished, as a number.",
        "checkpoints",
        ("query",),
    ),
    Exported(
        "mela_query_batches",
        "counter",
        "Batches that a streaming query has committed, as a number.",
        "checkpoints",
        ("query",),
    ),
    Exported(
        "mela_job_ready",
        "gauge",
        "Whether every streaming query runs, none fails and none is stuck: 1 or 0.",
        "job",
    ),
    Exported(
        "mela_job_heartbeat_age_seconds",
        "gauge",
        "Time since the streaming job last wrote its state, in seconds.",
        "job",
    ),
    Exported(
        "mela_query_batch_seconds",
        "summary",
        "Time of the batches with input that the job saw since it started, in seconds; of several "
        "within half a second it sees the last.",
        "job",
        ("query",),
    ),
    Exported(
        "mela_query_failures",
        "counter",
        "Batches that failed and were repeated since the job started, as a number.",
        "job",
        ("query",),
    ),
    Exported(
        "mela_query_failing",
        "gauge",
        "Whether a streaming query repeats a failing batch: 1 or 0.",
        "job",
        ("query",),
    ),
    Exported(
        "mela_query_stuck",
        "gauge",
        "Whether a streaming query has messages waiting and does not advance: 1 or 0.",
        "job",
        ("query",),
    ),
    Exported(
        "mela_scenes",
        "gauge",
        "Scenes in the warehouse by state, as a number.",
        "warehouse",
        ("state",),
    ),
    Exported(
        "mela_scenes_rejected",
        "gauge",
        "Rejected scenes in the warehouse by code, as a number.",
        "warehouse",
        ("code",),
    ),
    Exported(
        "mela_runs",
        "gauge",
        "Runs of the scenes in the warehouse, as a number: recorded, pending (of planned scenes), "
        "dropped (of cancelled scenes) or unplanned.",
        "warehouse",
        ("state",),
    ),
    Exported(
        "mela_runs_cached",
        "gauge",
        "Runs of the scenes in the warehouse that stored results answered, as a number.",
        "warehouse",
    ),
    Exported(
        "mela_results",
        "gauge",
        "Results in the warehouse by status, as a number that Postgres estimates.",
        "warehouse",
        ("status",),
    ),
    Exported(
        "mela_scene_stage_seconds",
        "summary",
        "Time of the newest 1,000 finished scenes in each stage, in seconds.",
        "warehouse",
        ("stage",),
    ),
    Exported(
        "mela_oldest_scene_age_seconds",
        "gauge",
        "Time since the oldest unfinished scene was received, in seconds; 0 if there is none.",
        "warehouse",
    ),
    Exported(
        "mela_chunks_marked",
        "gauge",
        "Chunks of runs that a worker executes or died over, as a number.",
        "warehouse",
    ),
    *TRADING,
)


def table() -> str:
    """Return the metrics as a table in Markdown."""
    lines = ["| sample | labels | help |", "| --- | --- | --- |"]
    for one in EXPORTED:
        names = ", ".join(f"`{name}`" for name in one.samples)
        labels = ", ".join(f"`{label}`" for label in one.labels) or "–"
        lines.append(f"| {names} | {labels} | {one.help} |")
    return "\n".join(lines)
