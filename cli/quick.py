"""A quicker start for commands that check scenes and run none."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module


def check_only() -> None:
    """Load TA-Lib without pandas, which takes longer to load than all that checks a scene.

    TA-Lib imports pandas only to take its series as well. Whoever calls this computes no
    indicator in this process: strategies are asked for their parameters, and not for signals.
    """
    if "talib" in sys.modules or "pandas" in sys.modules:
        return
    with _hidden("pandas"):
        import_module("talib")


@contextmanager
def _hidden(name: str) -> Generator[None]:
    sys.modules[name] = None  # type: ignore[assignment]  # as the import system has it
    try:
        yield
    finally:
        del sys.modules[name]
