"""Configure the logs of the job and its workers: a line an event, tracebacks as Python's.

The default of structlog prints the locals of every frame. A document of a thousand levels takes
minutes that way, so that one message would hold all others up; and locals may be secrets.
"""

from __future__ import annotations

from typing import TextIO

import structlog


def plain_logs(file: TextIO | None = None) -> None:
    """Write tracebacks without locals, and no colours. file: standard output by default."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,  # every event names its scene
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        # a line is one write: the job and its workers share a log
        logger_factory=structlog.WriteLoggerFactory(file),
    )
