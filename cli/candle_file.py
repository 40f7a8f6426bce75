"""Candles from a Parquet file, for `mela backtest`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer

from mela.candles import Candles
from mela.errors import CandlesInvalid, CandlesMissing
from mela.instrument import NAME, VENUES, describe
from mela.interval import DAY_MS, Interval

PRICES = ("open", "high", "low", "close", "volume")
SATURDAY, SUNDAY = 5, 6


def reader_of_files(told: Sequence[str]) -> Callable[[str, Interval], Candles]:
    """Return what reads an instrument's candles from files, each `FILE` or `NAME=FILE`.

    Raises typer.BadParameter for a file that is not there, or two for the same instruments.
    """
    files: dict[str, Path] = {}
    for word in told:
        name, path = _parted(word)
        if not path.is_file():
            raise typer.BadParameter(f"there is no file {path}", param_hint="--candles")
        if name in files:
            said = f"for {name}" if name else "without a name"
            raise typer.BadParameter(f"more than one file was given {said}", param_hint="--candles")
        files[name] = path

    def read(instrument: str, interval: Interval) -> Candles:
        path = files.get(instrument, files.get(""))
        if path is None:
            raise CandlesMissing(
                f"no candles of {instrument} were given; there are those of "
                f"{', '.join(sorted(files))}. Add --candles {instrument}=FILE."
            )
        return read_candles(path, instrument, interval)

    return read


def _parted(word: str) -> tuple[str, Path]:
    """Return name and file, the name empty where there is none; both may hold the sign =."""
    parted = [
        (word[:at], Path(word[at + 1 :]))
        for at, sign in enumerate(word)
        if sign == "=" and NAME.fullmatch(word[:at])
    ]
    parted = parted or [("", Path(word))]
    return next((one for one in parted if one[1].is_file()), parted[0])


def read_candles(path: Path, instrument: str, interval: Interval) -> Candles:
    """Return the candles of a file as those of an instrument.

    Columns open_time (a timestamp, UTC), open, high, low, close, volume; others are passed over,
    but an `interval` column must agree. Raises CandlesInvalid naming row and field.
    """
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise CandlesInvalid(f"{path} is not a Parquet file: {error}") from error
    missing = [name for name in ("open_time", *PRICES) if name not in table.column_names]
    if missing:
        raise CandlesInvalid(
            f"{path} needs columns open_time, {', '.join(PRICES)}, but lacks {', '.join(missing)}"
        )
    opened_ms = _opened_ms(table, path)
    _check_interval(table, opened_ms, interval, path)
    opens, highs, lows, closes, volumes = (_floats(table, name, path) for name in PRICES)
    calendar = _calendar(instrument, opened_ms)
    candles = Candles(interval, opened_ms, opens, highs, lows, closes, volumes, calendar=calendar)
    try:
        candles.check()
    except CandlesInvalid as error:
        raise CandlesInvalid(f"{path}: {error}") from error
    return candles


def _opened_ms(table: pa.Table, path: Path) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    column = table["open_time"]
    if not pa.types.is_timestamp(column.type) or column.null_count:
        raise CandlesInvalid(
            f"{path}: open_time must be a timestamp in UTC without nulls, but is {column.type} "
            f"with {column.null_count} nulls"
        )
    instants = pc.cast(column, pa.timestamp("ms", column.type.tz), safe=False)
    return instants.to_numpy().astype("datetime64[ms]").astype(np.int64)


def _floats(table: pa.Table, name: str, path: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    try:
        values = pc.cast(table[name], pa.float64())
    except pa.ArrowException as error:
        raise CandlesInvalid(f"{path}: {name} must be numbers: {error}") from error
    return np.ascontiguousarray(values.to_numpy(), dtype=np.float64)


def _check_interval(
    table: pa.Table,
    opened_ms: np.ndarray[tuple[int], np.dtype[np.int64]],
    interval: Interval,
    path: Path,
) -> None:
    stated = (
        set(table["interval"].unique().to_pylist()) if "interval" in table.column_names else set()
    )
    if stated - {interval.value}:
        raise CandlesInvalid(
            f"the scene asks for {interval} candles, but {path} holds {', '.join(map(str, stated))}"
        )
    steps = np.diff(opened_ms)
    steps = steps[steps > 0]
    if not stated and interval.fixed_ms and len(steps) and steps.min() < interval.fixed_ms:
        raise CandlesInvalid(
            f"the scene asks for {interval} candles, but some in {path} are only "
            f"{int(steps.min()) // 60_000} minutes apart"
        )


def _calendar(instrument: str, opened_ms: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
    """Return the market's calendar: the venue's where it is known, else what the days tell."""
    known = describe(instrument)
    if known.venue in VENUES:
        return known.calendar
    days = set(((opened_ms // DAY_MS + 3) % 7).tolist())  # 1970-01-01 was a Thursday, 3
    if SATURDAY in days:
        return "24/7"
    return "24/5" if SUNDAY in days else "XNYS"
