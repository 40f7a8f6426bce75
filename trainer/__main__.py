"""Train what scenes ask for: `python -m trainer`. With a scene's id: that one, and no other."""

from __future__ import annotations

import signal
import sys
from uuid import UUID

import structlog

from mela.settings import Settings
from trainer import one
from trainer.process import Trainer


def plain_logs() -> None:
    """Write a line an event, tracebacks without locals, which may be secrets."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.WriteLoggerFactory(),
    )


def main(words: list[str]) -> int:
    """Train until SIGTERM, or one training to its end; return the exit status."""
    plain_logs()
    if words:
        one.die_with_parent()
        return one.run(UUID(words[0]), Settings())
    trainer = Trainer(Settings())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: trainer.stop())
    trainer.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
