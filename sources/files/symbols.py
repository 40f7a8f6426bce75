"""Tell whether a file's own words name an instrument, and which interval they name."""

from __future__ import annotations

import re

from mela.inference import infer
from mela.instrument import VENUES, parse_name
from mela.interval import Interval

_MINUTES = {
    1: "1m",
    3: "3m",
    5: "5m",
    15: "15m",
    30: "30m",
    60: "1h",
    120: "2h",
    240: "4h",
    360: "6h",
    480: "8h",
    720: "12h",
    1440: "1d",
    4320: "3d",
    10080: "1w",
}
_WORDS = {
    "d": "1d",
    "day": "1d",
    "1day": "1d",
    "daily": "1d",
    "24h": "1d",
    "h": "1h",
    "hour": "1h",
    "1hour": "1h",
    "hourly": "1h",
    "1min": "1m",
    "minute": "1m",
    "w": "1w",
    "1wk": "1w",
    "week": "1w",
    "1week": "1w",
    "weekly": "1w",
    "1mth": "1mo",
    "mn": "1mo",
    "mn1": "1mo",
    "month": "1mo",
    "1month": "1mo",
    "monthly": "1mo",
}


def same_symbol(stated: str, symbol: str) -> bool:
    """Tell whether a file's word for its symbol can be that of an instrument.

    >>> same_symbol("BTC/USDT", "BTCUSDT"), same_symbol("NASDAQ:AAPL", "AAPL")
    (True, True)
    >>> same_symbol("AAPL.US", "AAPL"), same_symbol("ETHUSDT", "BTCUSDT")
    (True, False)
    """
    return bool(_forms(stated) & _forms(symbol))


def same_instrument(stated: str, name: str) -> bool:
    """Tell whether a file's word can be an instrument: a whole name must be its name.

    >>> same_instrument("yahoo:AAPL", "alpaca:AAPL"), same_instrument("BTC/USDT", "binance:BTCUSDT")
    (False, True)

    What settles in a coin is a contract, and no coin:

    >>> same_instrument("BTC/USDT:USDT", "binance:BTCUSDT")
    False
    """
    venue, colon, _ = stated.partition(":")
    if stated == name or (colon and venue in VENUES):
        return stated == name
    own_venue, symbol = parse_name(name)
    is_contract = bool(colon) and "/" in venue
    if is_contract and own_venue in VENUES and infer(name).kind == "spot":
        return False
    return same_symbol(stated, symbol)


def _forms(word: str) -> set[str]:
    """Return how a symbol may be written, without the signs within it."""
    upper = word.strip().upper()
    forms = {upper}
    if ":" in upper:
        first, second = upper.split(":", 1)
        forms |= {second} if "/" not in first else {first}
    forms |= {form.removesuffix(".US") for form in forms}
    forms |= {form.removesuffix("=X") for form in forms}
    return {re.sub(r"[^\w^=&]|_", "", form) or form for form in forms}


def interval_of(stated: object) -> Interval | None:
    """Return the interval that a file's word stands for; None where it is none that is known.

    >>> interval_of("H1"), interval_of("60"), interval_of("1M"), interval_of("D")
    (<Interval.H1: '1h'>, <Interval.H1: '1h'>, <Interval.MO1: '1mo'>, <Interval.D1: '1d'>)
    """
    word = str(stated).strip()
    if word in list(Interval):
        return Interval(word)
    if word in ("1M", "M"):
        return Interval.MO1
    lower = word.lower()
    if lower in _WORDS:
        return Interval(_WORDS[lower])
    if lower.isdigit():
        return Interval(_MINUTES[int(lower)]) if int(lower) in _MINUTES else None
    matched = re.fullmatch(r"([mhdw])(\d+)|(\d+)([mhdw])(?:in|r|ay|our)?s?", lower)
    if matched is None:
        return None
    unit, count = (matched[1], matched[2]) if matched[1] else (matched[4], matched[3])
    form = f"{int(count)}{unit}"
    return Interval(form) if form in list(Interval) else None
