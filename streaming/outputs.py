"""Standard output and error, put back where a strategy closed or replaced them.

The next opened file would get their numbers: a log line would go into a connection to Kafka, or
fail.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager

OUTPUTS = (1, 2)
ABOVE = 100  # numbers that no strategy closes by habit


@contextmanager
def kept() -> Generator[None]:
    """Put outputs back afterwards, whatever has their numbers by then."""
    copies = {output: _copy(output) for output in OUTPUTS}
    try:
        yield
    finally:
        for output, copy in copies.items():
            if copy is None:
                continue
            os.dup2(copy, output)
            os.close(copy)


def _copy(output: int) -> int | None:
    try:
        return fcntl.fcntl(output, fcntl.F_DUPFD_CLOEXEC, ABOVE)
    except OSError:  # a process without outputs
        return None
