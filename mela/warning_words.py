"""The warnings of results: each code with its sentence, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

SENTENCES: Mapping[str, str] = {
    "starts_late": "the first candle that the calendar expects in the span is missing",
    "ends_early": "the last candle that the calendar expects in the span is missing",
    "gaps": "a candle between the first and the last is missing",
    "inputs_incomplete": "warm-up or candles of an input are missing",
    "calendar_inferred": "nothing states the instrument's calendar: it was inferred, and the "
    "periods per year rest on it",
    "instrument_without_candles": "an instrument has no candle in the span; its share stays cash",
    "sessions_differ": "candles of markets with different hours count as opening together",
    "too_few_trades": "there are fewer than 30 round trips, so their mean says little",
    "short_span": "the span has less than 0.95 of a year, or fewer than 100 periods",
    "ambiguous_bars": "more than 1 % of the candles reached both stop and target",
    "sharpe_above_5": "hardly any strategy sustains this; look for a fault first, with "
    "`mela check {strategy}`",
    "one_trade_profit": "one trade made more than half of all profits above 0",
    "large_fills": "a fill took more than 2.5 % of its candle's volume, so it would have moved "
    "the price",
    "risk_refused": "limits of risk refused entries: {detail}",
    "in_sample": "the run begins before the candles that its model had not seen, so that it is "
    "judged on what it learned; begin it later, or train the model on less",
    "outside_sessions": "some candles lie outside the hours that the scene asks for, and filled no "
    "order",
}


def sentence_of(code: str, strategy: str = "STRATEGY") -> str:
    """Return what a code means; the code itself where a later release gave it.

    A detail follows a colon, and after it `=` with how often it happened.

    >>> sentence_of("risk_refused:max_daily_loss=3")
    'limits of risk refused entries: max_daily_loss, 3 times'
    >>> sentence_of("sharpe_above_5", "sma_cross").partition("; ")[2]
    'look for a fault first, with `mela check sma_cross`'
    """
    name, _, detail = code.partition(":")
    limit, _, times = detail.partition("=")
    said = limit if not times else f"{limit}, once" if times == "1" else f"{limit}, {times} times"
    return SENTENCES.get(name, code).replace("{strategy}", strategy).replace("{detail}", said)


def warnings_in(documents: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """Return the warnings of results: code, sentence, and of how many; the most frequent first.

    The number is left out of codes that differ only in how often something happened.
    """
    found: dict[str, list[str]] = {}
    documents = list(documents)
    for document in documents:
        for whole in document["warnings"]:
            code = whole if len(documents) == 1 else whole.partition("=")[0]
            found.setdefault(code, []).append(str(document["strategy"]["name"]))
    warnings = [(code, sentence_of(code, names[0]), len(names)) for code, names in found.items()]
    return sorted(warnings, key=lambda one: (-one[2], one[0]))
