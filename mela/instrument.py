"""What can be traded: `venue:symbol`, the venue being whose candles they are.

The first colon ends the venue. Three venues have adapters of their own and write symbols as their
services do: `binance:BTCUSDT`, `yahoo:AAPL`, `alpaca:AAPL` and `alpaca:BTC/USD`. Every other venue
is an exchange by ccxt's id (`kraken`, `coinbase`, `bybit`; `binanceusdm` for the perpetuals of
Binance), its symbols as ccxt writes them: `kraken:BTC/USD`, and with the coin that it settles in
`bybit:BTC/USDT:USDT` for a perpetual contract.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Literal

Kind = Literal["spot", "perp", "equity", "fx"]
VENUES = ("binance", "yahoo", "alpaca")  # those with adapters of their own
# A symbol is what its service lists: letters of any script, `M&M.NS`, `^GSPC`, `EURUSD=X`. It has
# no white space, control or invisible characters, no halves of a surrogate pair, and no signs that
# quote, separate or match elsewhere. The class has no \w, so that browsers read it as Python does.
_NEVER = (
    r"\s\x00-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufeff"
    r"\ufff9-\uffff\"'`\\,;|<>{}\[\]?*%"
)
NAME = re.compile(rf"[a-z][a-z0-9-]{{0,31}}:[^{_NEVER}/:=.@&+~!()-][^{_NEVER}]{{0,63}}")
_LONGEST_STEM = 120  # file names end at 255 bytes, and more is put behind
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
    >>> parse_name("bybit:BTC/USDT:USDT")
    ('bybit', 'BTC/USDT:USDT')
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            "expected venue:symbol, as binance:BTCUSDT, yahoo:AAPL or kraken:BTC/USD, "
            f"but found {name!r}"
        )
    if not unicodedata.is_normalized("NFC", name):
        raise ValueError(
            "expected venue:symbol, as kraken:BTC/USD, its letters composed (Unicode NFC), "
            f"but found {name!r}. Write {unicodedata.normalize('NFC', name)!r}"
        )
    venue, _, symbol = name.partition(":")
    return venue, symbol


def file_stem(name: str) -> str:
    """Return a name for files and folders that no two instruments share, safe on any system.

    The venue, an underscore, the symbol; each byte of it (UTF-8) that is no ASCII letter or digit,
    dot or hyphen becomes `_` and its code in hexadecimal. Of a long one the beginning is kept, and
    a digest. Raises ValueError for a malformed name.

    >>> file_stem("kraken:BTC/USD"), file_stem("binance:BTCUSDT"), file_stem("bybit:A_B/USDT:USDT")
    ('kraken_BTC_2FUSD', 'binance_BTCUSDT', 'bybit_A_5FB_2FUSDT_3AUSDT')
    """
    venue, symbol = parse_name(name)
    coded = re.sub(rb"[^A-Za-z0-9.-]", lambda found: b"_%02X" % found[0][0], symbol.encode())
    stem = f"{venue}_{coded.decode()}"
    if len(stem) <= _LONGEST_STEM:
        return stem
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{stem[: _LONGEST_STEM - 34]}_x{digest}"  # x is no hexadecimal digit


def describe(name: str) -> Instrument:
    """Return what the name alone tells of an instrument; a source may know better.

    Raises ValueError for a malformed name.

    >>> describe("yahoo:AAPL").calendar, describe("binance:ETHBTC").quote
    ('XNYS', 'BTC')
    >>> describe("bybit:BTC/USDT:USDT").kind, describe("alpaca:BTC/USD").quote
    ('perp', 'USD')
    """
    venue, symbol = parse_name(name)
    if "/" in symbol and venue != "yahoo":
        pair, _, settles = symbol.partition(":")
        kind: Kind = "perp" if settles else "spot"
        return Instrument(venue, symbol, kind, pair.partition("/")[2], "24/7")
    if venue == "alpaca":
        return Instrument(venue, symbol, "equity", "USD", "XNYS")
    if venue == "yahoo":
        if symbol.endswith("=X"):
            return Instrument(venue, symbol, "fx", symbol[:-2][-3:], "24/5")
        if "-" in symbol:
            return Instrument(venue, symbol, "spot", symbol.rsplit("-", 1)[1], "24/7")
        return Instrument(venue, symbol, "equity", "USD", "XNYS")
    quote = next((q for q in _CRYPTO_QUOTES if symbol.endswith(q) and symbol != q), "USD")
    return Instrument(venue, symbol, "spot", quote, "24/7")
