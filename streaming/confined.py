"""Confine this process like the streaming job, and become another program: Spark's worker.

`python -m streaming.confined COMMAND…`. Executors and their Python processes may not open what
their program may not open.
"""

from __future__ import annotations

import os
import sys

import structlog

from mela.settings import Settings
from streaming.confinement import confine
from streaming.daemon import SERVICE_LOG
from streaming.logs import plain_logs


def main() -> None:
    """Become the command."""
    plain_logs()
    structlog.get_logger().info("confined", by_the_kernel=confine(Settings()))
    # Executors keep what their processes say in files of their own; the daemon brings it here.
    os.environ[SERVICE_LOG] = f"/proc/{os.getpid()}/fd/2"
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the supervisor shall watch it itself


if __name__ == "__main__":
    main()
