"""Standard output is there again after a strategy closed it, whatever got its number."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mela.settings import REPOSITORY

CLOSES = """
import os
from streaming.outputs import kept

os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
with kept():
    os.close(1)
    {then}
os.write(1, b"said")
"""


@pytest.mark.parametrize(
    "then",
    [
        "pass",
        # the same file, of which nobody could say by its inode that it cannot be written to
        "assert os.open('/dev/null', os.O_RDONLY) == 1",
        "assert os.open('/proc/self/status', os.O_RDONLY) == 1",
    ],
)
def test_an_output_that_was_closed_can_be_written_to_again(then: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSES.format(then=then)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
