"""Suggest known names for an unknown one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

CLOSE = 0.72  # as difflib measures it
MOST = 2
# what other programs call a field of a scene
ELSEWHERE = {
    "symbol": "instruments",
    "symbols": "instruments",
    "ticker": "instruments",
    "tickers": "instruments",
    "pair": "instruments",
    "pairs": "instruments",
    "timeframe": "interval",
    "resolution": "interval",
    "frequency": "interval",
    "from": "start",
    "since": "start",
    "to": "end",
    "until": "end",
    "capital": "cash",
    "initial_cash": "cash",
    "balance": "cash",
    "dry_run_wallet": "cash",
    "commission": "costs.fee",
    "commissions": "costs.fee",
    "parameters": "strategy.params",
    "stoploss": "exits.stop_loss",
    "sl": "exits.stop_loss",
    "tp": "exits.take_profit",
    "minimal_roi": "exits.targets",
    "leverage": "sizing",
    "objective": "rank_by",
    "metric": "rank_by",
}
_LENGTH = re.compile(r"(\d+)?\s*([a-z]+)", re.IGNORECASE)
_UNITS = {
    **dict.fromkeys(("m", "t", "min", "mins", "minute", "minutes"), 1),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "hourly"), 60),
    **dict.fromkeys(("d", "day", "days", "daily"), 1_440),
    **dict.fromkeys(("w", "wk", "week", "weeks", "weekly"), 10_080),
}
_MONTHS = {"mo", "mon", "mth", "month", "months", "monthly", "ms"}


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return the known names that a word resembles, the closest first.

    >>> near("smacross", ["sma_cross", "ema_cross", "rsi_reversion"])
    ['sma_cross', 'ema_cross']
    >>> near("Sharpe ratio", ["sharpe", "sortino"])
    ['sharpe']
    """
    by_letters = {_letters(name): name for name in known}
    wanted = _letters(word)
    found = get_close_matches(wanted, by_letters, MOST, CLOSE)
    if wanted and not found:
        found = [one for one in by_letters if len(one) > 3 and (one in wanted or wanted in one)]
    return [by_letters[one] for one in found[:MOST]]


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return a question to put behind what was found, empty where nothing is close."""
    return suggestion_of(near(str(word), known))


def interval_meant(word: str, known: Iterable[str]) -> list[str]:
    """Return the interval that another spelling of a length means, or the names it resembles.

    >>> interval_meant("60min", ["1m", "1h", "1d"]), interval_meant("daily", ["1h", "1d"])
    (['1h'], ['1d'])
    """
    known = list(known)
    found = _LENGTH.fullmatch(word.strip())
    if found is None:
        return near(word, known)
    count, unit = int(found[1] or 1), found[2]
    if unit.lower() in _MONTHS or unit == "M":
        return [name for name in (f"{count}mo",) if name in known]
    minutes = count * _UNITS.get(unit.lower(), 0)
    return [name for name in known if minutes and _minutes(name) == minutes]


def field_meant(path: str, model: type[BaseModel]) -> str:
    """Return a question for a field that a model has not, empty where nothing is close.

    path: of the field, as `costs.commission`
    """
    parent, _, name = path.rpartition(".")
    paths = list(dict.fromkeys(_paths(model)))
    beside = [one for one in paths if one.rpartition(".")[0] == parent]
    names = {one.rpartition(".")[2]: one for one in reversed(paths)}
    for candidates in ({one.rpartition(".")[2]: one for one in beside}, names):
        found = near(name, candidates)
        if found:
            return suggestion_of([candidates[one] for one in found])
    elsewhere = ELSEWHERE.get(name.lower().replace("-", "_"))
    return suggestion_of([elsewhere] if elsewhere in paths else [])


def options_in(message: str) -> list[str]:
    """Return the values that pydantic lists in quotes, as of a choice or an enumeration."""
    return re.findall(r"'([^']*)'", message)


def ended(sentence: str) -> str:
    """Return a sentence with its full stop, unless it ends as a question."""
    return sentence if sentence.endswith("?") else f"{sentence}."


def suggestion_of(names: Iterable[str]) -> str:
    """Return the question whether one of these was meant, empty for none."""
    alternatives = " or ".join(names)
    return f"; did you mean {alternatives}?" if alternatives else ""


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _minutes(interval: str) -> int:
    found = _LENGTH.fullmatch(interval)
    return int(found[1] or 1) * _UNITS.get(found[2], 0) if found else 0


def _paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        yield path
        for part in _models(field.annotation):
            yield from _paths(part, f"{path}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
