"""The candles of a client that works in this process: a folder, files or frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from mela.errors import InputInvalid
from mela.instrument import NAME
from sources.files.formats import arrow_table
from sources.files.given import UNNAMED, Folder, Given, NamedPlaces, Place
from sources.files.table import Table

# a folder, a file, a frame, or files and frames by instrument
CandlesGiven = str | Path | Mapping[str, Any] | Any


def given_candles(candles: CandlesGiven) -> Given:
    """Return where the candles are.

    candles: a folder whose file names say what they hold (`binance_BTCUSDT_1h.parquet`), a file or
        a frame of the one instrument that a scene trades, or a mapping of `NAME`, or
        `NAME@INTERVAL` for an input's candles, to files and frames. A file is one that
        `mela backtest --candles` reads, a frame one of pandas or polars with the same columns
    Raises InputInvalid for what is none of these.
    """
    if isinstance(candles, str | Path) and Path(candles).is_dir():
        return Folder(Path(candles))
    if isinstance(candles, Mapping):
        places = cast("Mapping[str, Any]", candles)
        for name in places:
            _check_name(name)
        return NamedPlaces({name: _place(one, name) for name, one in places.items()})
    return NamedPlaces({UNNAMED: _place(candles, "the candles")})


def _check_name(name: str) -> None:
    front = name.rpartition("@")[0]
    if not (NAME.fullmatch(name) or NAME.fullmatch(front)):
        sentence = f"expected instruments as venue:symbol, but found {name!r}."
        raise InputInvalid("candles", sentence)


def _place(candles: Any, name: str) -> Place:
    if isinstance(candles, str | Path):
        path = Path(candles)
        if not path.is_file():
            raise InputInvalid("candles", f"there is no file {path}.")
        return path
    return _table(candles, f"the frame of {name}")


def _table(frame: Any, name: str) -> Table:
    if hasattr(frame, "to_arrow"):  # polars
        return arrow_table(frame.to_arrow(), name, "frame")
    if hasattr(frame, "to_parquet"):  # pandas, whose index may hold the times
        return arrow_table(pa.Table.from_pandas(frame), name, "frame")
    sentence = f"expected a folder, a file or a frame of candles, but found {type(frame).__name__}."
    raise InputInvalid("candles", sentence)
