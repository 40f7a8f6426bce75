"""Bring a user's candle file into the warehouse, as a source of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mela.errors import CandlesInvalid, InputInvalid
from mela.instrument import VENUES, Instrument, parse_name
from mela.interval import Interval
from mela.run import from_ms
from mela.settings import Settings
from sources.files.answer import answer_of_file
from sources.files.options import NO_OPTIONS, FileOptions
from warehouse.ingestion.ingest import LoadReport, store_answer
from warehouse.quality import Check, Finding, check_quality


@dataclass(frozen=True, slots=True)
class Imported:
    """The import of a file: its load, the facts of the instrument, and the findings of checks.

    notes: what was done and inferred to read the file
    unfinished: candles at its end that had not closed yet
    """

    load: LoadReport
    about: Instrument
    notes: tuple[str, ...]
    unfinished: int
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]


def import_file(
    path: Path,
    instrument: str,
    interval: Interval | None,
    settings: Settings,
    options: FileOptions = NO_OPTIONS,
) -> Imported:
    """Load the closed candles of a file under a source's name that no service has.

    Importing the same file again changes nothing; changed candles supersede those that are there,
    and raise the revision, as with any load. The series is checked at the end.
    Raises InputInvalid for a wrong name, and CandlesInvalid for a file
    that does not hold such candles.
    """
    _check_name(instrument)
    answer = answer_of_file(path, instrument, interval, options)
    fetched = answer.fetched
    if not len(fetched):
        raise CandlesInvalid(
            f"expected closed candles, but all {answer.unfinished} of {path.name} are yet to close"
        )
    ends_ms = fetched.interval.end_ms(int(fetched.opened_ms[-1]))
    start, end = from_ms(int(fetched.opened_ms[0])), from_ms(ends_ms)
    load = store_answer(fetched, start, end, settings)
    checked = check_quality(settings, [(instrument, fetched.interval)])
    return Imported(
        load,
        fetched.instrument,
        answer.notes,
        answer.unfinished,
        tuple(checked.checks),
        tuple(checked.findings),
    )


def _check_name(instrument: str) -> None:
    try:
        venue, symbol = parse_name(instrument)
    except ValueError as error:
        raise InputInvalid("instrument", f"{error}.") from error
    if venue not in VENUES:
        import ccxt  # takes a second to load

        if venue not in ccxt.exchanges:
            return
    raise InputInvalid(
        "instrument",
        f"{venue} is the name of a service, whose candles `mela ingest` loads. Give the file a "
        f"source name of its own, as my:{symbol}.",
    )
