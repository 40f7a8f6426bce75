"""Strategies of files that no catalogue watches: named by their path, loaded once.

A module stays in `sys.modules` under a name made of its source, so that compiled functions that
Numba kept on disk find it again, in this process and in later ones.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.util import decode_source, module_from_spec, spec_from_file_location
from pathlib import Path

from backtests.printing import printing_to_stderr
from backtests.strategy import REGISTERED, STAGE, Strategy, covering, source_digest
from mela.counts import counted
from mela.errors import InputInvalid

SHOWN = 12  # digits of a digest in a module's name


def strategies_in(place: Path) -> dict[str, Strategy]:
    """Return the strategies of a file, or of all files of a folder, by name.

    In a folder, files that begin with `_` or `test_` are skipped. Raises InputInvalid.
    """
    if place.is_file():
        return _of_file(place)
    if not place.is_dir():
        raise InputInvalid(None, f"there is no file {place}")
    found: dict[str, Strategy] = {}
    files = [one for one in sorted(place.glob("*.py")) if not one.name.startswith(("_", "test_"))]
    for file in files:
        for name, one in _of_file(file).items():
            if name in found:
                raise InputInvalid(
                    None,
                    f"expected each strategy once in {place}, but {name} is in two files, the "
                    f"second of which is {file.name}; rename one",
                )
            found[name] = one
    if not found:
        raise InputInvalid(
            None,
            f"expected files with strategies in {place}, but found {counted(len(files), 'file')} "
            "and none; "
            "write @strategy(…) above a function",
        )
    return found


@contextmanager
def registered(own: Mapping[str, Strategy]) -> Generator[None]:
    """Let scenes and composites find these strategies too, before those of the same name."""
    before = dict(REGISTERED)
    REGISTERED.update(own)
    REGISTERED.update(covering(REGISTERED))
    try:
        yield
    finally:
        for name in own.keys() - before.keys():
            del REGISTERED[name]
        REGISTERED.update(before)


def _of_file(file: Path) -> dict[str, Strategy]:
    file = file.resolve()
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and not name.startswith("mela_file_") and Path(str(path)).resolve() == file:
            return {key: one for key, one in REGISTERED.items() if _module_of(one) == name}
    if file.suffix != ".py":
        raise InputInvalid(None, f"expected a Python file as my_strategy.py, but found {file.name}")
    try:
        digest = source_digest(decode_source(file.read_bytes()))
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise InputInvalid(None, f"{file} cannot be read as Python source: {error}") from error
    name = f"mela_file_{file.stem}_{digest[:SHOWN]}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputInvalid(None, f"{file} cannot be read as a Python module")
    stage: dict[str, Strategy] = {}
    sys.modules[name] = module = module_from_spec(spec)
    token = STAGE.set((stage, lambda _module: digest))
    try:
        with printing_to_stderr():
            spec.loader.exec_module(module)
    except BaseException as error:  # a file is anybody's code
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InputInvalid(None, f"{file} raises {_error_text(error, file)}") from error
    finally:
        STAGE.reset(token)
    return {key: one for key, one in stage.items() if _module_of(one) == name}


def _error_text(error: BaseException, file: Path) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == file]
    where = f" (line {lines[-1]})" if lines and not isinstance(error, SyntaxError) else ""
    return f"{type(error).__name__}: {error}{where}"


def _module_of(one: Strategy) -> str:
    return one.signals.__module__
