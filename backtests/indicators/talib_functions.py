"""TA-Lib's functions on arrays, without what its package loads beside them.

TA-Lib imports pandas and Polars, only to take their frames too: that was a third of what a
process loads before it can run a strategy, and 100 MB. This takes the compiled module of the same
installation and keeps both away from it. A strategy of a user's own may still `import talib`,
and gives it series and frames: both are loaded then.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

COMPILED = "talib._ta_lib"
FRAMES = ("pandas", "polars")


class _Completing(MetaPathFinder):
    """Gives the compiled module its frames when somebody imports TA-Lib's package."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "talib":
            sys.meta_path.remove(self)
            for name in FRAMES:
                _add_frames(sys.modules[COMPILED], name)


def _add_frames(functions: Any, name: str) -> None:
    """Do what the compiled module does when it can import pandas or Polars."""
    library = import_module(name)
    functions._INPUT_ARRAYS_TYPES += (library.DataFrame,)
    functions._ARRAY_TYPES += (library.Series,)
    setattr(functions, f"_{name.upper()}_DATAFRAME", library.DataFrame)
    setattr(functions, f"_{name.upper()}_SERIES", library.Series)


def _load() -> Any:
    """Return TA-Lib's compiled module, ready to be asked.

    It is loaded under its own name, so that a later `import talib` finds it: a process can load
    it only once. While it loads, its package is there unexecuted, for a module of it.
    """
    if COMPILED in sys.modules:
        return sys.modules[COMPILED]
    if not (package := find_spec("talib")):
        raise ImportError("expected the package TA-Lib, found none: run `make setup`")
    sys.modules["talib"] = module_from_spec(package)
    try:
        with _hidden(*FRAMES):
            functions = import_module(COMPILED)
    finally:
        del sys.modules["talib"]
    functions._ta_initialize()
    sys.meta_path.insert(0, _Completing())
    return functions


@contextmanager
def _hidden(*names: str) -> Generator[None]:
    """Have modules not found for a while."""
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]  # as the import system has it
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(before)


if TYPE_CHECKING:
    import talib as talib
else:
    talib = _load()
