"""Candles in text: rows parted by commas, semicolons, tabs or bars, with or without names."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from mela.counts import counted
from mela.errors import CandlesInvalid
from sources.files.table import Int, Table, table_of

SEPARATORS = (";", "\t", "|", ",")  # a comma last: beside another separator it is a decimal comma
LOOKED_AT = 40  # lines in front, among which the names and the first candle are looked for
FEWEST = 3  # numbers in a line that is a candle
NULLS = ["", "null", "NULL", "None", "NaN", "nan", "NA", "N/A", "N/D", "#N/A", "-"]
_GIVEN = {word for word in NULLS if word}
_NUMBER = re.compile(
    r"\s*[$€£]?[+-]?(\d{1,3}([\s']\d{3})+|[\d.,]*\d)[\d.,]*(e[+-]?\d+)?\s*[KMB%]?\s*", re.IGNORECASE
)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_SPACES = re.compile(r"^[ \t]+$", re.MULTILINE)  # lines that only look empty


def read_delimited(text: str, file: str) -> Table:
    """Return the columns of text, each as text. Raises CandlesInvalid where rows differ in width.

    Lines in front of the names are passed over: titles, addresses, remarks.
    """
    text = _SPACES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    front = _front(text)
    separator = _separator(front, file)
    split = [next(csv.reader([line], delimiter=separator), []) for line in front]
    first = next((at for at, words in enumerate(split) if _is_candle(words)), None)
    if first is None:
        raise CandlesInvalid(
            f"{file}: expected rows of a time and at least {FEWEST} numbers, but found none in the "
            f"first lines; the last of them is {front[-1][:80]!r}"
        )
    width = len(split[first])
    names, symbol = _names(split, first)
    has_names = names is not None
    chosen = names or [str(position + 1) for position in range(width)]
    columns, places = _columns(text, first, width, separator, file)
    table = table_of(file, "CSV", chosen, columns, places=places, has_names=has_names)
    return replace(table, symbol=symbol)


def _front(text: str) -> list[str]:
    """Return the first lines, blank ones too; a long text is not split for them."""
    lines = text[: LOOKED_AT * 2_000].split("\n", LOOKED_AT)[:LOOKED_AT]
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    return lines


def _separator(front: Sequence[str], file: str) -> str:
    for separator in SEPARATORS:
        if max(line.count(separator) for line in front[-5:]) >= FEWEST:
            return separator
    raise CandlesInvalid(
        f"{file}: expected columns parted by comma, semicolon, tab or |, but found the line "
        f"{front[-1][:80]!r}"
    )


def _is_candle(words: Sequence[str]) -> bool:
    return sum(bool(_NUMBER.fullmatch(word)) or word.strip() in _GIVEN for word in words) >= FEWEST


def _names(split: Sequence[Sequence[str]], first: int) -> tuple[list[str] | None, str | None]:
    """Return the names above the first candle, and the symbol that a line beneath them states.

    yfinance writes up to three lines: names, the symbol in each column, and the name of the time
    alone. Which of the first two has the names is told by the words, as versions differ.
    """
    width = len(split[first])
    above = [words for words in split[:first] if any(word.strip() for word in words)]
    if not above or abs(len(above[-1]) - width) > 1:
        return None, None
    names = list(above.pop())
    time = names[0]
    if above and not any(word.strip() for word in names[1:]):
        names = list(above.pop())
    symbol = None
    if above and len(above[-1]) == len(names):
        fields = max(names, above[-1], key=_known_words)
        symbols = names if fields is above[-1] else above[-1]
        are_symbols = all(word.strip() for word in symbols[1:]) and not _known_words(symbols)
        if _known_words(fields) > 1 and are_symbols:
            time = next(filter(None, (time.strip(), fields[0].strip())), "")
            if time.lower() in ("ticker", "price"):  # the name of the line, not of the time
                time = "Date"
            if len(set(symbols[1:])) > 1:
                return [time, *(str(p) for p in zip(fields[1:], symbols[1:], strict=True))], None
            names, symbol = fields, symbols[1]
    names = [time, *names[1:], *[""] * (width - len(names))][:width]
    return [name.strip() for name in names], symbol


def _known_words(words: Sequence[str]) -> int:
    """Return how many words behind the first are names of prices."""
    return sum(word.strip().lower() in ("open", "high", "low", "close") for word in words[1:])


def _columns(
    text: str, first: int, width: int, separator: str, file: str
) -> tuple[list[pa.ChunkedArray], Int]:
    """Return the columns from a line on, as text, and the line of each row, from 1."""
    start = 0
    for _ in range(first):
        start = text.index("\n", start) + 1
    rest = text[start:]
    misshapen: list[pacsv.InvalidRow] = []

    def keep(row: pacsv.InvalidRow) -> str:
        misshapen.append(row)
        return "skip"

    names = [str(position) for position in range(width)]
    try:
        table = pacsv.read_csv(
            pa.BufferReader(rest.encode()),
            read_options=pacsv.ReadOptions(
                column_names=names, use_threads=False, block_size=max(1 << 20, len(rest) + 1)
            ),
            parse_options=pacsv.ParseOptions(delimiter=separator, invalid_row_handler=keep),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=NULLS,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        raise CandlesInvalid(f"{file} cannot be read as text in columns: {error}") from error
    lines = _lines_of(rest, first)
    if misshapen:
        bad = misshapen[0]
        at = f"line {lines[bad.number - 1]}" if bad.number else "a line"
        raise CandlesInvalid(
            f"{file}: expected {counted(width, 'column')} in each line, but {at} has "
            f"{bad.actual_columns}: "
            f"{bad.text[:80]!r}"
        )
    return table.columns, lines[: table.num_rows]


def _lines_of(rest: str, first: int) -> Int:
    """Return the line of each row that is not blank, from 1."""
    if not _BLANK_LINE.search(rest):
        return np.arange(first + 1, first + 2 + rest.count("\n"), dtype=np.int64)
    filled = [at for at, line in enumerate(rest.split("\n")) if line.strip()]
    return np.array(filled, dtype=np.int64) + first + 1
