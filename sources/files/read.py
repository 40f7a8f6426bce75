"""Read a user's candle file as candles, and check it against the request.

A file is not believed. Its spacing must be the interval's, its symbol the instrument's, and its
times must have a time zone. A high or low that rounding moved is corrected, and a note says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mela.candles import Candles
from mela.errors import CandlesInvalid
from mela.instrument import parse_name
from mela.interval import Interval
from sources.files.columns import clock_column, find_columns, one_symbol
from sources.files.formats import open_table
from sources.files.market import hours_of, market_of
from sources.files.opening import opened_ms_of
from sources.files.options import NO_OPTIONS, FileOptions
from sources.files.rows import (
    PRICES,
    clip_rounding,
    in_order,
    of_instrument,
    of_interval,
    stated_symbols,
    values_of,
)
from sources.files.spacing import check_spacing, no_interval, usual_interval
from sources.files.table import Table
from sources.files.times import times_of


@dataclass(frozen=True, slots=True, eq=False)
class FileCandles:
    """The candles of a file, and a sentence for each thing that was done while reading it.

    says_whose: whether the file itself, in a column or its name, says which instrument it holds
    """

    candles: Candles
    notes: tuple[str, ...]
    says_whose: bool = False


def read_file(
    path: Path, instrument: str | None, interval: Interval | None, options: FileOptions = NO_OPTIONS
) -> FileCandles:
    """Return a file's candles as those of an instrument, prices as they are.

    instrument: None where it does not matter whose they are
    interval: None for the one that the file states, else that at which its candles stand
    Raises CandlesInvalid naming the file, what was expected and found, where, and the way out.
    """
    return read_table(open_table(path), instrument, interval, options)


def read_table(
    table: Table,
    instrument: str | None,
    interval: Interval | None,
    options: FileOptions = NO_OPTIONS,
) -> FileCandles:
    """Return the candles of a table, as `read_file` those of a file. Raises as it does."""
    notes: list[str] = []
    symbol = parse_name(instrument)[1] if instrument else None
    table = one_symbol(table, symbol)
    columns = find_columns(table, options.columns, symbol, notes)
    is_passed_over = options.columns.get("symbol") == ""
    stated = [] if is_passed_over else stated_symbols(table, columns.get("symbol"), instrument)
    table = of_instrument(table, columns.get("symbol"), instrument, stated)
    table, interval = of_interval(table, columns.get("interval"), interval)
    table, values = values_of(table, columns, notes)
    times = times_of(table, columns["open_time"], clock_column(table, columns))
    interval = interval or usual_interval(times.ms)[0]
    if interval is None:
        raise no_interval(times.ms, table.name)
    times = times.rising()
    hours = hours_of(instrument, times.ms, options)
    opened_ms = opened_ms_of(table, times, interval, options.timezone, notes, hours)
    opened_ms, values = in_order(table, opened_ms, values, times.order, notes)
    check_spacing(opened_ms, interval, table.name)
    clip_rounding(values, table.name, notes)
    about = market_of(instrument, opened_ms, interval, options)
    opens, highs, lows, closes, volumes = (values[field] for field in (*PRICES, "volume"))
    candles = Candles(
        *(interval, opened_ms, opens, highs, lows, closes, volumes),
        calendar=about.calendar,
        tick=about.tick,
        lot=about.lot,
        multiplier=about.multiplier,
        about=about,
    )
    try:
        candles.check()
    except CandlesInvalid as error:
        raise CandlesInvalid(f"{table.name}: {error}. Correct that row or leave it out.") from error
    return FileCandles(candles, tuple(notes), says_whose=bool(stated))
