"""Candles from files of any program, for `mela backtest` and `mela check`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from cli.console import err, fail
from mela.candles import Candles
from mela.errors import CandlesInvalid, CandlesMissing
from mela.instrument import NAME
from mela.interval import Interval
from sources.files.told import NOTHING, Told, told_by

CANDLES_HELP = (
    "Candles as Parquet, feather, CSV or JSON, also in a zip or gzip: docs/candle-files.md. "
    "Prices are taken as they are."
)
TIMEZONE_HELP = "Where the clock of times without a zone stands, as Europe/Paris."
COLUMNS_HELP = "Which column is which, where it is not known, as open_time=When,close=Last."
WRONG_FILE = 2  # the exit code; in `mela check`, 1 says that lookahead was found


def told(timezone: str | None, columns: Sequence[str] | None) -> Told:
    """Return what `--timezone` and `--columns` say. Raises typer.BadParameter where they cannot."""
    try:
        return told_by(timezone, columns or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def reader_of_files(
    files_told: Sequence[str], told: Told = NOTHING
) -> Callable[[str, Interval], Candles]:
    """Return what reads an instrument's candles from files: `FILE`, `NAME=FILE`, `NAME@1d=FILE`.

    A file of `NAME@INTERVAL` holds the candles of one interval, for an input of a strategy. An
    input of a longer interval without such a file is made of the candles that the run trades on.
    told: what the user says about all of them
    Raises typer.BadParameter for a file that is not there, or two for the same instruments. The
    reader says what is wrong with a file and raises typer.Exit.
    """
    files: dict[str, Path] = {}
    for word in files_told:
        name, path = _parted(word)
        if not path.is_file():
            raise typer.BadParameter(f"there is no file {path}", param_hint="--candles")
        if name in files:
            said = f"for {name}" if name else "without a name"
            raise typer.BadParameter(f"more than one file was given {said}", param_hint="--candles")
        files[name] = path
    notes: set[str] = set()
    shorter: dict[str, Candles] = {}  # of each instrument the first that were read

    def read(instrument: str, interval: Interval) -> Candles:
        path = files.get(f"{instrument}@{interval}")
        if path is None and instrument in shorter:
            from sources.longer import longer_candles  # loads exchange_calendars

            return longer_candles(shorter[instrument], interval)
        path = path or files.get(instrument, files.get(""))
        if path is None:
            raise CandlesMissing(
                f"no candles of {instrument} were given; there are those of "
                f"{', '.join(sorted(files))}. Add --candles {instrument}=FILE."
            )
        try:
            candles = read_candles(path, instrument, interval, told, notes)
        except CandlesInvalid as error:
            raise fail(str(error), WRONG_FILE) from error
        shorter.setdefault(instrument, candles)
        return candles

    return read


def _parted(word: str) -> tuple[str, Path]:
    """Return name and file, the name empty where there is none; both may hold the sign =."""
    parted = [
        (word[:at], Path(word[at + 1 :]))
        for at, sign in enumerate(word)
        if sign == "=" and NAME.fullmatch(_instrument_of(word[:at]))
    ]
    parted = parted or [("", Path(word))]
    return next((one for one in parted if one[1].is_file()), parted[0])


def _instrument_of(name: str) -> str:
    """Return the instrument of `NAME` or `NAME@INTERVAL`; a symbol itself may hold the sign @."""
    front, _, interval = name.rpartition("@")
    return front if interval in list(Interval) else name


def read_candles(
    path: Path,
    instrument: str | None,
    interval: Interval | None,
    told: Told = NOTHING,
    said: set[str] | None = None,
) -> Candles:
    """Return the candles of a file, and say on standard error what was done to read them.

    said: sentences that need not be said again; those that are said now are added
    instrument, interval: as of `sources.files.read.read_file`. Raises CandlesInvalid as it does.
    """
    from sources.files.read import read_file  # loads Arrow

    read = read_file(path, instrument, interval, told)
    for note in read.notes:
        if said is None or note not in said:
            err.print(note, markup=False)
        if said is not None:
            said.add(note)
    return read.candles
