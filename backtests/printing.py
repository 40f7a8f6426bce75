"""Keeping what strategies print out of an answer on standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def printing_to_stderr() -> Generator[None]:
    """Send to standard error what is printed meanwhile, by Python or beneath it.

    Standard output is the answer's: a program reads it, or Spark a port.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 1)
        os.close(kept)
