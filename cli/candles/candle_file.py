"""Candles from files of any program, for `mela backtest` and `mela check`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.console import err, fail
from mela.candles import Candles
from mela.errors import CandlesInvalid
from mela.instrument import NAME
from mela.interval import Interval
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
    from sources.files.given import NamedPlaces, reader_of  # loads Arrow

    notes: set[str] = set()

    def noted(found: FileCandles, instrument: str) -> None:
        say_notes(found, instrument, notes)

    reads = reader_of(
        NamedPlaces(paths), traded, options, way_out="Add --candles {}=FILE.", noted=noted
    )

    def read(instrument: str, interval: Interval) -> Candles:
        try:
            return reads(instrument, interval)
        except CandlesInvalid as error:
            raise fail(str(error), WRONG_FILE) from error

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
    options: FileOptions = NO_OPTIONS,
) -> Candles:
    """Return the candles of a file, and say on standard error what was done to read them.

    instrument, interval: as of `sources.files.read.read_file`. Raises CandlesInvalid as it does.
    """
    from sources.files.read import read_file  # loads Arrow

    read = read_file(path, instrument, interval, options)
    say_notes(read, instrument, set())
    return read.candles


def say_notes(read: FileCandles, instrument: str | None, noted: set[str]) -> None:
    """Say on standard error what was done and inferred to read a file.

    noted: sentences that need not be said again; those that are said now are added
    """
    from sources.files.market import inferred_words

    about = read.candles.about
    inferred = inferred_words(about) if instrument and about else None
    for note in (*read.notes, *filter(None, [inferred])):
        if note not in noted:
            err.print(note, markup=False)
        noted.add(note)
