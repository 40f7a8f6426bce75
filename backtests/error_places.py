"""Find the place of an error in a strategy's code: the file and the line for its author."""

from __future__ import annotations

import inspect
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from mela.outcome import ErrorPlace

REPOSITORY = Path(__file__).resolve().parents[1]
STRATEGIES = REPOSITORY / "backtests" / "strategies"
INSTALLED = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))


def place_of(error: BaseException, signals: Callable[..., Any] | None) -> ErrorPlace | None:
    """Return the innermost line of an author's code that an error came from.

    signals: the strategy's function; where its answer was refused it stands for the line
    returns: None where no code of an author took part
    """
    own = _code_of(signals)
    frames = list(_frames(error))
    for code, line in reversed(frames):
        if _is_authors(code.co_filename, own.co_filename if own else None):
            return ErrorPlace(_shown(code.co_filename), line)
    was_asked = any(code.co_name == ASKING for code, _ in frames)
    return ErrorPlace(_shown(own.co_filename), own.co_firstlineno) if own and was_asked else None


ASKING = "signals_of"  # the engine's function that asks a strategy and checks its answer


def _frames(error: BaseException) -> Iterator[tuple[CodeType, int]]:
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield frame.f_code, line


def _code_of(signals: Callable[..., Any] | None) -> CodeType | None:
    return None if signals is None else getattr(inspect.unwrap(signals), "__code__", None)


@lru_cache(maxsize=1024)
def _is_authors(file: str, own: str | None) -> bool:
    """Tell whether a file is an author's: not the engine's, not a package's, not generated."""
    if file == own:
        return True
    path = Path(file)
    if file.startswith("<") or any(path.is_relative_to(folder) for folder in INSTALLED):
        return False
    rooms = path.is_relative_to(REPOSITORY) and (path.parent / "__init__.py").exists()
    return path.is_relative_to(STRATEGIES) or not rooms


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else file
