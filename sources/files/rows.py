"""The rows of a file that are candles, and the values in them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from mela.counts import counted
from mela.errors import CandlesInvalid
from mela.instrument import parse_name
from mela.interval import Interval
from sources.files.arrow import pc
from sources.files.numbers import decimal_mark, numbers_of
from sources.files.spacing import check_stated
from sources.files.symbols import interval_of, same_instrument
from sources.files.table import Float, Int, Table

PRICES = ("open", "high", "low", "close")
ROUNDING = 1e-9  # of the price: so far may high and low be off by a vendor's arithmetic
_ARCHIVED = re.compile(r"(?<!\w)([^\Wa-z_]{5,})-\d{1,2}(?:s|m|h|d|w|mo|M)-\d{4}-\d{2}(?!\w)")


def stated_symbols(table: Table, column: str | None, instrument: str | None) -> list[str]:
    """Return whose rows these are, as a column or the file's name says it; nothing if none does."""
    if column is None:
        return [table.symbol] if table.symbol else _archived(table, instrument)
    return [str(value) for value in pc.unique(table[column].drop_null()).to_pylist()]


def of_instrument(
    table: Table, column: str | None, instrument: str | None, stated: list[str]
) -> Table:
    """Return the rows of an instrument, where a file states symbols.

    Raises CandlesInvalid where the rows are another's, or of several and none is requested.
    """
    if instrument is None:
        if len(stated) > 1:
            raise CandlesInvalid(
                f"expected candles of one instrument, but {table.name} holds those of "
                f"{', '.join(stated[:10])}"
            )
        return table
    own = [value for value in stated if same_instrument(value, instrument)]
    if stated and not own:
        what = "that" if column is None else "the column"
        way_out = f", or say that {what} means nothing: --columns symbol="
        raise CandlesInvalid(
            f"expected candles of {instrument}, but {table.name} says that it holds those of "
            f"{', '.join(stated[:10])}. Give a file of {instrument}{way_out}."
        )
    if column is None or len(own) == len(stated):
        return table
    words = pc.cast(table[column], pa.string())
    return table.take(np.flatnonzero(pc.is_in(words, pa.array(own)).to_numpy(zero_copy_only=False)))


def _archived(table: Table, instrument: str | None) -> list[str]:
    """Return the symbol in the name of a file of Binance's archive, for a venue of Binance."""
    named = _ARCHIVED.search(table.name)
    is_binance = instrument is not None and parse_name(instrument)[0].startswith("binance")
    return [named[1]] if named and is_binance else []


def of_interval(
    table: Table, column: str | None, interval: Interval | None
) -> tuple[Table, Interval | None]:
    """Return the rows of an interval, and the interval, where a column states each candle's.

    Raises CandlesInvalid where all rows have other intervals, or several and none is requested.
    """
    if column is None:
        return table, interval
    words = pc.cast(table[column], pa.string())
    interval_by_word = {
        word: interval_of(word) for word in pc.unique(words.drop_null()).to_pylist()
    }
    stated = list(dict.fromkeys(one for one in interval_by_word.values() if one))
    unknown = [word for word, one in interval_by_word.items() if one is None]
    if unknown:
        raise CandlesInvalid(
            f"{table.name} states the interval {unknown[0]!r}, expected one of "
            f"{', '.join(Interval)}. Say that the column means nothing: --columns interval="
        )
    if interval is None:
        if len(stated) > 1:
            raise CandlesInvalid(
                f"{table.name} holds {', '.join(stated)} candles; choose one with --interval"
            )
        return table, stated[0] if stated else None
    check_stated(stated, interval, table.name)
    if len(stated) <= 1:
        return table, interval
    own = pa.array([word for word, one in interval_by_word.items() if one is interval])
    return table.take(np.flatnonzero(pc.is_in(words, own).to_numpy(zero_copy_only=False))), interval


def values_of(
    table: Table, columns: Mapping[str, str], notes: list[str]
) -> tuple[Table, dict[str, Float]]:
    """Return the rows that have prices, and their prices and volumes.

    A row without any price is left out, and a missing volume is 0; a note says so in each case.
    Raises CandlesInvalid for a file without rows, and for what is no number.
    """
    if len(table) == 0:
        raise CandlesInvalid(f"{table.name} holds no candles")
    mark = decimal_mark(table, [columns[price] for price in PRICES])
    values = {price: numbers_of(table, columns[price], mark) for price in PRICES}
    volume = columns.get("volume")
    values["volume"] = np.zeros(len(table))
    if volume is not None:
        values["volume"] = numbers_of(table, volume, mark)
    empty = np.all([np.isnan(values[price]) for price in PRICES], axis=0)
    if empty.all():
        raise CandlesInvalid(f"{table.name} holds no candles: no row of it has a price")
    if empty.any():
        kept = np.flatnonzero(~empty).astype(np.int64)
        table = table.take(kept)
        values = {field: column[kept] for field, column in values.items()}
        notes.append(f"{table.name}: left out {counted(int(empty.sum()), 'row')} without prices.")
    partly = np.any([np.isnan(values[price]) for price in PRICES], axis=0)
    if partly.any():
        row = int(np.argmax(partly))
        lacking = ", ".join(price for price in PRICES if np.isnan(values[price][row]))
        raise CandlesInvalid(
            f"{table.name}: expected a price in each field, but {table.place(row)} has no {lacking}"
        )
    unknown = np.isnan(values["volume"])
    if volume is None or unknown.all():
        notes.append(f"{table.name} has no volume: it is 0 for what asks for it.")
    elif unknown.any():
        notes.append(
            f"{table.name}: no volume in {counted(int(unknown.sum()), 'candle')}; it is 0, so that "
            "nothing fills there."
        )
    values["volume"] = np.where(unknown, 0.0, values["volume"])
    return table, values


def in_order(
    table: Table, opened_ms: Int, values: Mapping[str, Float], order: Int, notes: list[str]
) -> tuple[Int, dict[str, Float]]:
    """Return times and values in the order of time, a row that is there again only once.

    opened_ms: in the order of time already; order: the row of the table that each is
    Raises CandlesInvalid where two rows tell different things of one candle.
    """
    sorted_values = {field: column[order] for field, column in values.items()}
    if not (np.diff(opened_ms) > 0).all():
        again = np.flatnonzero(np.diff(opened_ms) == 0)
        differs = np.any(
            [column[again] != column[again + 1] for column in sorted_values.values()], axis=0
        )
        if differs.any():
            row = int(again[np.argmax(differs)])
            places = sorted(int(at) for at in order[row : row + 2])
            raise CandlesInvalid(
                f"{table.name}: expected one candle for each time, but {table.place(places[0])} "
                f"and {table.place(places[1])} both open at "
                f"{np.datetime64(int(opened_ms[row]), 'ms')}Z and differ. Leave one out."
            )
        keep = np.append(np.diff(opened_ms) != 0, True)
        opened_ms = opened_ms[keep]
        sorted_values = {field: column[keep] for field, column in sorted_values.items()}
        notes.append(f"{table.name}: took once what is there twice: {counted(len(again), 'row')}.")
    return opened_ms, {name: np.ascontiguousarray(each) for name, each in sorted_values.items()}


def clip_rounding(values: dict[str, Float], file: str, notes: list[str]) -> None:
    """Move high and low to open and close where they miss them by no more than rounding."""
    top = np.maximum(values["open"], values["close"])
    bottom = np.minimum(values["open"], values["close"])
    low_off = (values["low"] > bottom) & (values["low"] - bottom <= ROUNDING * np.abs(bottom))
    high_off = (values["high"] < top) & (top - values["high"] <= ROUNDING * np.abs(top))
    count = int((low_off | high_off).sum())
    if count:
        values["high"] = np.where(high_off, top, values["high"])
        values["low"] = np.where(low_off, bottom, values["low"])
        notes.append(
            f"{file}: in {count} of {counted(len(top), 'candle')} high or low missed open or "
            "close by "
            "rounding (at most 1e-9 of the price); they were moved there."
        )
