"""What can be traded: `venue:symbol`, the venue being whose candles they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

Kind = Literal["spot", "perp", "equity", "fx"]
VENUES = ("binance", "yahoo")
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}:[A-Za-z0-9][A-Za-z0-9.^=/_-]{0,31}")
_CRYPTO_QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "BTC", "ETH", "BNB", "EUR", "TRY", "USD")


@dataclass(frozen=True, slots=True)
class Instrument:
    """A tradable thing at one venue. `calendar`: `24/7` or an exchange_calendars name (`XNYS`)."""

    venue: str
    symbol: str
    kind: Kind
    quote: str
    calendar: str
    tick: float | None = None
    lot: float | None = None
    listed_on: date | None = None
    delisted_on: date | None = None

    @property
    def name(self) -> str:
        """Return `venue:symbol`."""
        return f"{self.venue}:{self.symbol}"


def parse_name(name: str) -> tuple[str, str]:
    """Split `venue:symbol` into its two parts. Raises ValueError where the form is another.

    >>> parse_name("binance:BTCUSDT")
    ('binance', 'BTCUSDT')
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            f"expected venue:symbol, as binance:BTCUSDT or yahoo:AAPL, but found {name!r}"
        )
    venue, _, symbol = name.partition(":")
    return venue, symbol


def describe(name: str) -> Instrument:
    """Return what the name alone tells of an instrument; a source may know better.

    Raises ValueError for a malformed name.

    >>> describe("yahoo:AAPL").calendar, describe("binance:ETHBTC").quote
    ('XNYS', 'BTC')
    """
    venue, symbol = parse_name(name)
    if venue == "yahoo":
        if symbol.endswith("=X"):
            return Instrument(venue, symbol, "fx", symbol[:-2][-3:], "24/5")
        if "-" in symbol:
            return Instrument(venue, symbol, "spot", symbol.rsplit("-", 1)[1], "24/7")
        return Instrument(venue, symbol, "equity", "USD", "XNYS")
    quote = next((q for q in _CRYPTO_QUOTES if symbol.endswith(q) and symbol != q), "USD")
    return Instrument(venue, symbol, "spot", quote, "24/7")
