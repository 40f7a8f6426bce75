"""Find the column of a file for each field of a candle."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from mela.errors import CandlesInvalid
from sources.files.arrow import pc
from sources.files.options import FIELDS
from sources.files.symbols import same_symbol
from sources.files.table import Table

NEEDED = ("open_time", "open", "high", "low", "close")
# each field's names as files have them, the surest first; see `spelling` for how they are compared
_NAMES: Mapping[str, tuple[str, ...]] = {
    "open_time": (
        *("open_time", "opened_at", "opentime", "open_at", "window_start", "candle_begin_time"),
        *("unix", "unix_timestamp", "timestamp", "unix_time", "epoch", "start_time", "starttime"),
        *(
            "datetime",
            "date_time",
            "gmt_time",
            "utc_time",
            "local_time",
            "time_utc",
            "datetime_utc",
        ),
        *("time", "date", "ts", "t", "start", "begin", "day", "data", "datum", "fecha"),
        *("index_level_0", "index", ""),
    ),
    "open": (
        "open",
        "open_price",
        "o",
        "first",
        "otwarcie",
        "erster",
        "eröffnung",
        "eröffn",
        "apertura",
    ),
    "high": ("high", "high_price", "h", "max", "najwyzszy", "najwyższy", "hoch", "maximo"),
    "low": ("low", "low_price", "l", "min", "najnizszy", "najniższy", "tief", "minimo"),
    "close": (
        *("close", "close_price", "c", "close_last", "last", "price", "zamkniecie", "zamknięcie"),
        *("schlusskurs", "schluss", "zuletzt", "cierre"),
    ),
    "volume": (
        # pieces go before what German files call volume, which is worth in euros
        *("stuecke", "stücke", "volume", "volume_base", "base_volume", "vol", "v", "wolumen"),
        *("volumen", "volumefrom", "real_volume", "tickvol", "tick_volume"),
    ),
    "symbol": ("instrument", "symbol", "ticker", "tic", "pair"),
    "interval": ("interval", "timeframe", "per", "resolution"),
}
_TICKS = ("tickvol", "tick_volume")  # how many prices there were: taken where nothing was counted
_BY_PLACE = ("open_time", "open", "high", "low", "close", "volume")  # of files without names
_OF_COIN = re.compile(r"volume_(\w+)")


def spelling(name: str) -> str:
    """Return a name as names are compared: lower case, words joined by `_`, no signs around.

    >>> spelling("<OPEN>"), spelling("Close/Last"), spelling("1. open"), spelling("Gmt time")
    ('open', 'close_last', 'open', 'gmt_time')
    """
    words = re.sub(r"[^\w]+", "_", name.strip().lower()).strip("_")
    return re.sub(r"^\d+_(?=[a-z])", "", words)


def find_columns(
    table: Table, stated: Mapping[str, str], symbol: str | None, notes: list[str]
) -> dict[str, str]:
    """Return the file's name for each field that it has.

    stated: the columns that the user names; they go first, and an empty name leaves a field out
    symbol: the instrument's; None where it is not known
    notes: gets a sentence where a column of zeros is passed over
    Raises CandlesInvalid where a needed field has no column, or two with equal right.
    """
    for field, name in stated.items():
        if name and name not in table.names:
            raise CandlesInvalid(
                f"{table.name} has no column {name!r} for {field}; {_there(table)}"
            )
    found = _by_place(table) if not table.has_names else _by_name(table, symbol)
    if table.has_names and "volume" in found and "volume" not in stated:
        found["volume"] = _that_counts(table, found["volume"], notes)
    chosen = {field: name for field, name in {**found, **stated}.items() if name}
    missing = [field for field in NEEDED if field not in chosen]
    if missing:
        raise CandlesInvalid(
            f"{table.name} needs columns for {', '.join(NEEDED)}, but lacks {', '.join(missing)}; "
            f"{_there(table)}. Name them with --columns "
            f"{','.join(f'{field}=NAME' for field in missing)}."
        )
    return chosen


def _there(table: Table) -> str:
    names = ", ".join(map(repr, table.names[:20]))
    return f"its columns are {names}" + (", …" if len(table.names) > 20 else "")


def _by_name(table: Table, symbol: str | None) -> dict[str, str]:
    spelled: dict[str, list[str]] = {}
    for name in table.names:
        spelled.setdefault(spelling(name), []).append(name)
    found: dict[str, str] = {}
    for field in FIELDS:
        for name in _NAMES[field]:
            columns = spelled.get(name, [])
            if field == "open_time":
                columns = [each for each in columns if not _are_clock_times(table[each])]
            if len(columns) > 1:
                raise CandlesInvalid(
                    f"{table.name} has {len(columns)} columns for {field} ({', '.join(columns)}). "
                    f"Choose one with --columns {field}={columns[0]}."
                )
            if columns:
                found[field] = columns[0]
                break
    if spelling(found.get("volume", "")) in ("", *_TICKS):
        found |= _other_volume(spelled, symbol)
    return found


def _that_counts(table: Table, chosen: str, notes: list[str]) -> str:
    """Return another column of volumes where the chosen one counts nothing, as MetaTrader's."""
    if not _is_nothing(table[chosen]):
        return chosen
    for name in _NAMES["volume"]:
        for other in table.names:
            if other != chosen and spelling(other) == name and not _is_nothing(table[other]):
                notes.append(
                    f"{table.name}: column {chosen} holds only zeros; {other} is taken as volume."
                )
                return other
    return chosen


def _is_nothing(column: pa.Array) -> bool:
    """Tell whether a column holds only zeros and empty cells."""
    if pa.types.is_null(column.type):
        return True
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    zeros = pc.match_substring_regex(text, r"^([+-]?0*[.,]?0*([eE][+-]?\d+)?|-|nan|NaN|null)$")
    return bool(pc.all(pc.fill_null(zeros, True)).as_py())


def _other_volume(spelled: Mapping[str, Sequence[str]], symbol: str | None) -> dict[str, str]:
    """Return the volume that is named for a coin: that in base units, where two are there."""
    coins = {
        matched[1]: names[0]
        for name, names in spelled.items()
        if (matched := _OF_COIN.fullmatch(name)) and matched[1] not in ("ma", "quote")
    }
    own = [name for coin, name in coins.items() if symbol and symbol.lower().startswith(coin)]
    chosen = own or list(coins.values())
    return {"volume": chosen[0]} if chosen else {}


def _by_place(table: Table) -> dict[str, str]:
    """Return the fields of rows without names: time, open, high, low, close, volume.

    MetaTrader 4 has the time in two columns; Binance's and Kraken's more behind are passed over.
    """
    names = list(table.names)
    if len(names) > 1 and _are_clock_times(table[names[1]]):
        return dict(zip(("open_time", *_BY_PLACE[1:]), [names[0], *names[2:]], strict=False))
    return dict(zip(_BY_PLACE, names, strict=False))


def clock_column(table: Table, chosen: Mapping[str, str]) -> str | None:
    """Return the column of the time of day, where dates stand in a column of their own."""
    date = chosen["open_time"]
    if not table.has_names:
        second = "2" if "2" in table.names and date == "1" else None
        return second if second and _are_clock_times(table[second]) else None
    for name in table.names:
        if name != date and spelling(name) in ("time", "hour") and _are_clock_times(table[name]):
            return name
    return None


def _are_clock_times(column: pa.Array) -> bool:
    values = [value for value in column[:50].to_pylist() if value is not None]
    return bool(values) and all(
        isinstance(value, str)
        and re.fullmatch(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?|\d{6}|\d{4}", value.strip())
        for value in values
    )


def one_symbol(table: Table, symbol: str | None) -> Table:
    """Return a table whose columns are there once, of one that has them once for each symbol.

    pandas names such columns ('Close', 'AAPL') or ('AAPL', 'Close'). Raises CandlesInvalid where
    the symbol asked for is none of them, or where there are several and none is asked for.
    """
    parted = [_parts(name) for name in table.names]
    if not any(len(parts) == 2 and all(parts) for parts in parted):
        names = tuple(
            parts[0] if len(parts) == 2 else name
            for parts, name in zip(parted, table.names, strict=True)
        )
        return replace(table, names=names)
    level = _level_of_fields(parted)
    symbols = list(dict.fromkeys(p[1 - level] for p in parted if len(p) == 2 and all(p)))
    chosen = [each for each in symbols if symbol is None or same_symbol(each, symbol)]
    if len(chosen) != 1:
        raise CandlesInvalid(
            f"{table.name} holds columns of {', '.join(symbols[:10])}; expected those of "
            + (f"{symbol}" if symbol else "one symbol")
        )
    kept = [
        (
            parts[level] if len(parts) == 2 and parts[level] else next(filter(None, parts), ""),
            column,
        )
        for parts, column in zip(parted, table.columns, strict=True)
        if len(parts) != 2 or not all(parts) or parts[1 - level] == chosen[0]
    ]
    names = tuple(name for name, _ in kept)
    columns = tuple(column for _, column in kept)
    return replace(table, names=names, columns=columns, symbol=chosen[0])


def _level_of_fields(parted: Sequence[tuple[str, ...]]) -> int:
    """Return which of two parts names the field: 0, or 1 where the symbol stands in front."""
    known = {name for names in _NAMES.values() for name in names}
    pairs = [parts for parts in parted if len(parts) == 2 and all(parts)]
    first, second = (sum(spelling(pair[at]) in known for pair in pairs) for at in (0, 1))
    return 0 if first >= second else 1


def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of a name that stands for a pandas MultiIndex, else the name alone."""
    if not (name.startswith("(") and name.endswith(")")):
        return (name,)
    try:
        parts = ast.literal_eval(name)
    except (ValueError, SyntaxError):
        return (name,)
    return tuple(map(str, parts)) if isinstance(parts, tuple) else (name,)
