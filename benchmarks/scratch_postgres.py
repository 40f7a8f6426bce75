"""A Postgres that a benchmark starts for itself, and removes at its end."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import stack
from mela.settings import Settings


@contextmanager
def scratch_postgres(*, offline: bool | None = None) -> Generator[Settings]:
    """Start a migrated Postgres in a home of its own; with `offline`, also a replay of candles."""
    with TemporaryDirectory(prefix="mela-bench-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)  # Postgres may run as another account
        settings = Settings(home=home)
        try:
            settings = stack.up(settings, only={"postgres"}, offline=offline)
            yield settings
        finally:
            stack.down(settings)
