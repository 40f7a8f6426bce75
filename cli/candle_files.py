"""Which file holds the candles of which instrument, and running a scene on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from backtests.portfolio import run_series
from cli.candle_file import read_candles
from mela.errors import CandlesMissing
from mela.instrument import NAME
from mela.result import Outcome
from mela.run import Run


def files_of(given: Sequence[str], instruments: Sequence[str]) -> dict[str, Path]:
    """Return the file of each instrument: those named as NAME=FILE, and FILE for all others.

    Raises CandlesMissing where a file is not there, or an instrument has none.
    """
    files: dict[str, Path] = {}
    rest: Path | None = None
    for said in given:
        name, path = _parted(said, instruments)
        if not Path(path).is_file():
            raise CandlesMissing(f"--candles names {path}, but there is no such file")
        if name:
            files[name] = Path(path)
        else:
            rest = Path(path)
    for name in instruments:
        if name not in files and rest is None:
            raise CandlesMissing(f"no candles are given for {name}; add --candles {name}=FILE")
        files.setdefault(name, rest or Path())
    return files


def _parted(said: str, instruments: Sequence[str]) -> tuple[str, str]:
    """Return name and path, the name empty where none is given; both may hold the sign =."""
    for name in sorted(instruments, key=len, reverse=True):
        if said.startswith(f"{name}="):
            return name, said.removeprefix(f"{name}=")
    other, _, path = said.partition("=")
    if path and NAME.fullmatch(other):
        raise CandlesMissing(f"--candles names {other}, which is no instrument of the scene")
    return "", said


def execute(runs: Sequence[Run], files: Mapping[str, Path]) -> Iterator[Outcome]:
    """Execute runs of the same instruments and interval on the candles of files."""
    first = runs[0]
    series = {name: read_candles(files[name], name, first.interval) for name in first.instruments}
    return run_series(series, runs)
