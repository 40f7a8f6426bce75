"""Run a program that ends by itself, with a time limit, and explain why it failed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from mela.errors import StackFailed

PATIENCE_S = 900.0  # a first start on a busy machine: minutes for what takes seconds on a quiet one


def run(
    command: tuple[str, ...],
    failure: str,
    *,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    patience_s: float = PATIENCE_S,
) -> None:
    """Run a program to its end. Raises StackFailed with the end of its output.

    failure: the beginning of the sentence that explains a failure. The command itself is not shown,
        because it may hold a secret
    """
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StackFailed(
            f"{failure}: it had not ended after {patience_s:.0f} s. If this machine is busy, "
            "try again when it is less so"
        ) from error
    if done.returncode != 0:
        raise StackFailed(f"{failure}: {(done.stderr or done.stdout)[-1200:]}")
