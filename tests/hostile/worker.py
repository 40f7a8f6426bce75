"""A worker of Spark's, as far as its runs are concerned: it executes chunks."""

from __future__ import annotations

import sys

from mela.settings import Settings
from streaming.logs import plain_logs
from streaming.run import ChunkMessage, run_chunks

DONE = 42  # the exit code of a worker whose batch came through: a strategy may exit with 0


def execute(messages: list[ChunkMessage], settings: Settings) -> None:
    """Execute chunks, as the query `run` does in a worker."""
    plain_logs()
    run_chunks(messages, settings)
    sys.exit(DONE)
