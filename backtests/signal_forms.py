"""The forms of signals that the engine accepts, and the sentence for every other form.

Arrays are taken as they are. A pandas Series is taken by position where its index is the plain one
(0, 1, 2, …), which is what pandas makes of an array; any other index may stand in another order
than the candles, so that the strategy must say what it means with `.to_numpy()`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.candles.prepared import read_only
from backtests.signals import Cross, MeanCross, Signals, Weights
from backtests.strategy import Given

REAL, TRUTH = np.dtype(np.float64), np.dtype(np.bool_)
FORMS = "Signals(enter, exit), Cross(line, level) or Weights(values)"


def taken(given: Any, strategy: str, count: int) -> Given:
    """Return what a strategy gave with each array as the kernels take it: read-only, contiguous.

    count: of the candles, for each of which an array has one value
    Raises ValueError, with the array's name and the way out.
    """
    if isinstance(given, MeanCross):
        return given
    if isinstance(given, Weights):
        return Weights(array_of(given.values, "weights", REAL, strategy, count))
    if isinstance(given, Cross):
        line, level = given
        return Cross(
            array_of(line, "line", REAL, strategy, count),
            array_of(level, "level", REAL, strategy, count),
        )
    if not isinstance(given, tuple) or not 2 <= len(given) <= len(Signals._fields):
        raise ValueError(
            f"{strategy} must return {FORMS}, got {_kind(given)}"
            + ("; is its `return` missing?" if given is None else "")
        )
    named = dict(zip(Signals._fields, given, strict=False))
    arrays = {
        name: None
        if value is None and name not in ("enter", "exit")
        else array_of(value, name, TRUTH if name in Signals._fields[:4] else REAL, strategy, count)
        for name, value in named.items()
    }
    return Signals(**arrays)  # pyright: ignore[reportArgumentType]


def array_of(
    value: Any, name: str, dtype: np.dtype[Any], strategy: str, count: int
) -> NDArray[Any]:
    """Return one array of a strategy as the kernels take it. Raises ValueError."""
    if isinstance(value, np.ma.MaskedArray):  # its mask would be lost without a word
        fill = "False" if dtype == TRUTH else "np.nan"
        sentence = f"`{name}` must be {_wanted(dtype)}, got a masked array; use `.filled({fill})`"
        raise _refused(strategy, sentence)
    if not isinstance(value, np.ndarray):
        value = _plain(value, name, dtype, strategy)
    if value.dtype == dtype and value.shape == (count,):
        return read_only(value, dtype)
    expected = f"`{name}` must be {_wanted(dtype)}"
    if value.ndim != 1:
        raise _refused(strategy, f"{expected} of one dimension, got one of shape {value.shape}")
    if len(value) != count:
        raise _refused(
            strategy,
            f"`{name}` must have one value for each of the {count:,} candles, got {len(value):,}",
        )
    found = f"{expected}, got an array of {value.dtype}"
    if value.dtype == np.dtype(object):
        raise _refused(strategy, _of_objects(value, found, dtype))
    way = f"`.astype({'bool' if dtype == TRUTH else 'float'})`"
    if dtype == TRUTH:
        raise _refused(strategy, f"{found}; compare, as in `values > 0`, or use {way}")
    raise _refused(strategy, f"{found}; use {way}")


def _plain(value: Any, name: str, dtype: np.dtype[Any], strategy: str) -> NDArray[Any]:
    """Return the array of a pandas Series with a plain index. Raises ValueError for the rest.

    Types are told by their names, so that no library is loaded that the strategy did not load.
    """
    kind = _kind(value)
    expected = f"`{name}` must be {_wanted(dtype)}, got {kind}"
    if kind == "a pandas Series":
        index = value.index
        if type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1:
            return value.to_numpy()
        raise _refused(
            strategy,
            f"{expected} whose index is a {type(index).__name__}, not the plain 0, 1, 2, …; "
            "use `.to_numpy()`",
        )
    ways = {
        "None": f"give {'np.zeros(len(candles), dtype=bool)' if dtype == TRUTH else 'an array'}",
        "a pandas DataFrame": "choose one column and use `.to_numpy()`",
        "a pandas Index": "use `.to_numpy()`",
        "a pandas array": "use `.to_numpy(dtype=…)`",
        "a polars Series": "use `.to_numpy()`",
        "a polars DataFrame": "choose one column and use `.to_numpy()`",
        "a list": f"use `np.array(…, dtype={'bool' if dtype == TRUTH else 'float'})`",
        "a tuple": f"use `np.array(…, dtype={'bool' if dtype == TRUTH else 'float'})`",
        "one bool": "use `np.full(len(candles), …)`",
        "one number": "use `np.full(len(candles), …)`",
        "a function": "call it",
        "a generator": "use `np.fromiter(…, dtype=bool)`",
    }
    way = ways.get(kind, "use `np.asarray(…)`")
    raise _refused(strategy, f"{expected}; {way}")


def _of_objects(value: NDArray[Any], found: str, dtype: np.dtype[Any]) -> str:
    fill, way, fit = ("False", "bool", bool) if dtype == TRUTH else ("np.nan", "float", float)
    gap = next((one for one in value if not isinstance(one, fit | np.generic)), value[0])
    return (
        f"{found}s such as {gap!r}, as a shift or a join leaves them; fill these with {fill} and "
        f"use `.astype({way})`"
    )


def _refused(strategy: str, sentence: str) -> ValueError:
    return ValueError(f"{strategy}: {sentence}")


def _wanted(dtype: np.dtype[Any]) -> str:
    return "a NumPy bool array" if dtype == TRUTH else "a NumPy float64 array"


def _kind(value: Any) -> str:
    """Return what a value is, as its author calls it."""
    if value is None:
        return "None"
    if isinstance(value, bool | np.bool_):
        return "one bool"
    if isinstance(value, int | float | np.number):
        return "one number"
    root, name = type(value).__module__.partition(".")[0], type(value).__name__
    if root in ("pandas", "polars"):
        known = name if name in ("Series", "DataFrame") else "Index" if "Index" in name else "array"
        return f"a {root} {known}"
    if isinstance(value, np.ndarray):
        return f"one array of {value.dtype} and shape {value.shape}"
    if isinstance(value, tuple) and type(value) is tuple:
        return f"a tuple of {len(value)}" if len(value) != 1 else "a tuple of one"
    if callable(value):
        return "a function"
    return {"list": "a list", "dict": "a dict", "generator": "a generator"}.get(name, f"a {name}")
