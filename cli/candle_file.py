"""Candles from files of any program, for `mela backtest` and `mela check`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.console import err, fail
from mela.candles import Candles
from mela.errors import CandlesInvalid, CandlesMissing
from mela.instrument import NAME
from mela.interval import Interval
from mela.nearest import did_you_mean, ended
from sources.files.options import NO_OPTIONS, FileOptions, file_options

if TYPE_CHECKING:
    from sources.files.read import FileCandles

CANDLES_HELP = (
    "Candles as Parquet, feather, CSV or JSON, also in a zip or gzip: docs/candle-files.md. "
    "Prices are taken as they are."
)
TIMEZONE_HELP = "Where the clock of times without a zone stands, as Europe/Paris."
COLUMNS_HELP = "Which column is which, where it is not known, as open_time=When,close=Last."
WRONG_FILE = 2  # the exit code; in `mela check`, 1 says that lookahead was found


def read_options(
    timezone: str | None,
    columns: Sequence[str] | None,
    facts: Mapping[str, Sequence[str]] | None = None,
) -> FileOptions:
    """Return the options about files and their instruments. Raises typer.BadParameter."""
    try:
        return file_options(timezone, columns or [], facts)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def reader_of_files(
    files: Sequence[str], traded: Sequence[str], options: FileOptions = NO_OPTIONS
) -> Callable[[str, Interval], Candles]:
    """Return what reads an instrument's candles from files: `FILE`, `NAME=FILE`, `NAME@1d=FILE`.

    A file of `NAME@INTERVAL` holds the candles of one interval, for an input of a strategy. An
    input of a longer interval without such a file is made of the candles that the run trades on.
    A file without a name holds those of the one instrument that is traded and not named, unless
    the file says itself whose candles it holds.
    traded: the instruments of the scene; options: what the user says about files and instruments
    Raises typer.BadParameter for a file that is not there, or two for the same instruments. The
    reader says what is wrong with a file and raises typer.Exit.
    """
    paths: dict[str, Path] = {}
    for word in files:
        name, path = _parted(word)
        if not path.is_file():
            raise typer.BadParameter(f"there is no file {path}", param_hint="--candles")
        if name in paths:
            whose = f"for {name}" if name else "without a name"
            raise typer.BadParameter(
                f"more than one file was given {whose}", param_hint="--candles"
            )
        paths[name] = path
    notes: set[str] = set()
    shorter: dict[str, Candles] = {}  # of each instrument the first that were read
    unnamed = [name for name in dict.fromkeys(traded) if name not in paths]

    def read(instrument: str, interval: Interval) -> Candles:
        path = paths.get(f"{instrument}@{interval}")
        if path is None and instrument in shorter:
            from sources.longer import longer_candles  # loads exchange_calendars

            return longer_candles(shorter[instrument], interval)
        path = path or paths.get(instrument)
        is_named = path is not None
        path = path or paths.get("")
        if path is None:
            raise CandlesMissing(
                f"no candles of {instrument} were given; there are those of "
                f"{ended(', '.join(sorted(paths)) + did_you_mean(instrument, paths))} "
                f"Add --candles {instrument}=FILE."
            )
        try:
            read = read_noted(path, instrument, interval, options, notes)
        except CandlesInvalid as error:
            raise fail(str(error), WRONG_FILE) from error
        if not (is_named or read.says_whose or unnamed == [instrument]):
            raise fail(_whose(path.name, instrument, unnamed), WRONG_FILE)
        candles = read.candles
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


def _whose(file: str, instrument: str, unnamed: Sequence[str]) -> str:
    """Return why a file without a name does not stand for an instrument."""
    if len(unnamed) > 1:
        why = f"and {', '.join(unnamed)} have no file of their own: one file cannot be all of them"
    elif unnamed:
        why = f"so that it stands for {unnamed[0]}, the instrument that the scene trades, alone"
    else:
        why = "and each instrument that the scene trades has a file of its own"
    return f"{file} does not say whose candles it holds, {why}. Add --candles {instrument}=FILE."


def _instrument_of(name: str) -> str:
    """Return the instrument of `NAME` or `NAME@INTERVAL`; a symbol itself may hold the sign @."""
    front, _, interval = name.rpartition("@")
    return front if interval in list(Interval) else name


def read_candles(
    path: Path,
    instrument: str | None,
    interval: Interval | None,
    options: FileOptions = NO_OPTIONS,
    noted: set[str] | None = None,
) -> Candles:
    """Return the candles of a file, and say on standard error what was done to read them.

    noted, instrument, interval: as of `read_noted`. Raises CandlesInvalid as it does.
    """
    return read_noted(path, instrument, interval, options, noted).candles


def read_noted(
    path: Path,
    instrument: str | None,
    interval: Interval | None,
    options: FileOptions = NO_OPTIONS,
    noted: set[str] | None = None,
) -> FileCandles:
    """Return what a file holds, and say on standard error what was done and inferred to read it.

    noted: sentences that need not be said again; those that are said now are added
    instrument, interval: as of `sources.files.read.read_file`. Raises CandlesInvalid as it does.
    """
    from sources.files.market import inferred_words
    from sources.files.read import read_file  # loads Arrow

    read = read_file(path, instrument, interval, options)
    about = read.candles.about
    inferred = inferred_words(about) if instrument and about else None
    for note in (*read.notes, *filter(None, [inferred])):
        if noted is None or note not in noted:
            err.print(note, markup=False)
        if noted is not None:
            noted.add(note)
    return read
