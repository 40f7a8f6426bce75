"""Infer facts from an instrument's name alone, by how its venue writes symbols.

Nothing here is known: each fact says that it is inferred. If a name tells nothing, the quote is XXX
and the market never closes.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from mela.calendars import ALWAYS, WEEKDAYS, has_sessions
from mela.instrument import UNKNOWN_CURRENCY, FactOrigin, Instrument, Kind, parse_name

INFERRED = FactOrigin("inferred", "the symbol")
NOTHING = FactOrigin("inferred", "nothing")  # of facts that a name does not tell
STABLE = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "USD1", "USDS", "USDE", "DAI")
FIAT = (
    *("USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "NZD", "CNY", "CNH", "HKD", "SGD", "INR"),
    *("KRW", "BRL", "MXN", "ZAR", "TRY", "RUB", "UAH", "PLN", "CZK", "HUF", "RON", "SEK", "NOK"),
    *("DKK", "ILS", "THB", "IDR", "PHP", "MYR", "TWD", "VND", "ARS", "CLP", "COP", "NGN", "AED"),
    "SAR",
)
COINS = ("BTC", "ETH", "BNB", "SOL", "XRP", "TRX", "DOGE", "DOT")
# what Binance has quoted pairs in; the longest first, so that IDRT goes before IDR
_OLD = ("AEUR", "EURI", "XUSD", "BFUSD", "PAX", "UST", "VAI", "BIDR", "IDRT", "BKRW", "BVND")
_BINANCE = tuple(sorted((*STABLE, *COINS, *FIAT, *_OLD), key=len, reverse=True))

_OPTION = re.compile(r"[A-Z]{1,6}\d{6}[CP]\d{8}")  # root, expiry, right, strike


class Exchange(NamedTuple):
    """An exchange as a vendor's symbols name it: its calendar, its currency, its zone."""

    calendar: str
    quote: str
    timezone: str


NEW_YORK = Exchange("XNYS", "USD", "America/New_York")
# Yahoo's suffixes; London quotes in pence, Johannesburg in cents, Tel Aviv in agorot
YAHOO_SUFFIXES = {
    **dict.fromkeys(("L", "IL"), Exchange("XLON", "GBp", "Europe/London")),
    "DE": Exchange("XETR", "EUR", "Europe/Berlin"),
    **dict.fromkeys(
        ("F", "BE", "DU", "HM", "MU", "SG", "HA"), Exchange("XFRA", "EUR", "Europe/Berlin")
    ),
    "PA": Exchange("XPAR", "EUR", "Europe/Paris"),
    "AS": Exchange("XAMS", "EUR", "Europe/Amsterdam"),
    "BR": Exchange("XBRU", "EUR", "Europe/Brussels"),
    "LS": Exchange("XLIS", "EUR", "Europe/Lisbon"),
    "IR": Exchange("XDUB", "EUR", "Europe/Dublin"),
    "MI": Exchange("XMIL", "EUR", "Europe/Rome"),
    "MC": Exchange("XMAD", "EUR", "Europe/Madrid"),
    "VI": Exchange("XWBO", "EUR", "Europe/Vienna"),
    "HE": Exchange("XHEL", "EUR", "Europe/Helsinki"),
    "AT": Exchange("ASEX", "EUR", "Europe/Athens"),
    "SW": Exchange("XSWX", "CHF", "Europe/Zurich"),
    "ST": Exchange("XSTO", "SEK", "Europe/Stockholm"),
    "CO": Exchange("XCSE", "DKK", "Europe/Copenhagen"),
    "OL": Exchange("XOSL", "NOK", "Europe/Oslo"),
    "WA": Exchange("XWAR", "PLN", "Europe/Warsaw"),
    "PR": Exchange("XPRA", "CZK", "Europe/Prague"),
    "BD": Exchange("XBUD", "HUF", "Europe/Budapest"),
    "IS": Exchange("XIST", "TRY", "Europe/Istanbul"),
    "TA": Exchange("XTAE", "ILA", "Asia/Jerusalem"),
    "SR": Exchange("XSAU", "SAR", "Asia/Riyadh"),
    "JO": Exchange("XJSE", "ZAc", "Africa/Johannesburg"),
    "T": Exchange("XTKS", "JPY", "Asia/Tokyo"),
    "HK": Exchange("XHKG", "HKD", "Asia/Hong_Kong"),
    **dict.fromkeys(("SS", "SZ"), Exchange("XSHG", "CNY", "Asia/Shanghai")),
    **dict.fromkeys(("KS", "KQ"), Exchange("XKRX", "KRW", "Asia/Seoul")),
    **dict.fromkeys(("TW", "TWO"), Exchange("XTAI", "TWD", "Asia/Taipei")),
    **dict.fromkeys(("NS", "BO"), Exchange("XBOM", "INR", "Asia/Kolkata")),
    "SI": Exchange("XSES", "SGD", "Asia/Singapore"),
    "BK": Exchange("XBKK", "THB", "Asia/Bangkok"),
    "KL": Exchange("XKLS", "MYR", "Asia/Kuala_Lumpur"),
    "JK": Exchange("XIDX", "IDR", "Asia/Jakarta"),
    "PS": Exchange("XPHS", "PHP", "Asia/Manila"),
    "AX": Exchange("XASX", "AUD", "Australia/Sydney"),
    "NZ": Exchange("XNZE", "NZD", "Pacific/Auckland"),
    **dict.fromkeys(("TO", "V", "CN", "NE"), Exchange("XTSE", "CAD", "America/Toronto")),
    "SA": Exchange("BVMF", "BRL", "America/Sao_Paulo"),
    "MX": Exchange("XMEX", "MXN", "America/Mexico_City"),
    "SN": Exchange("XSGO", "CLP", "America/Santiago"),
    "BA": Exchange("XBUE", "ARS", "America/Argentina/Buenos_Aires"),
}


def infer(name: str) -> Instrument:
    """Return what a name alone tells of an instrument, each fact marked as inferred.

    Raises ValueError for a malformed name.

    >>> infer("yahoo:BRK-B").calendar, infer("yahoo:BTC-USD").calendar, infer("yahoo:7203.T").quote
    ('XNYS', '24/7', 'JPY')
    >>> infer("binance:BTCBRL").quote, infer("bybit:BTC/USDT:USDT").kind, infer("my:X").quote
    ('BRL', 'perp', 'XXX')
    """
    venue, symbol = parse_name(name)
    if venue == "yahoo":
        return _yahoo(symbol)
    if "/" in symbol:
        return _pair(venue, symbol)
    if venue == "alpaca":
        return _traded(venue, symbol, "equity", NEW_YORK, base=symbol)
    return _joined_pair(venue, symbol)


def common_quote(names: Collection[str]) -> str:
    """Return the currency that all instruments are quoted in; empty where there are several.

    >>> common_quote(["binance:BTCUSDT", "binance:ETHUSDT"]), common_quote(["my:X"])
    ('USDT', '')
    """
    quotes = {infer(name).quote for name in names}
    return quotes.pop() if len(quotes) == 1 and UNKNOWN_CURRENCY not in quotes else ""


def kind_of_calendar(calendar: str) -> Kind:
    """Return what most likely trades where a calendar is all that is known.

    >>> kind_of_calendar("24/7"), kind_of_calendar("24/5"), kind_of_calendar("XLON")
    ('spot', 'fx', 'equity')
    """
    if has_sessions(calendar):
        return "equity"
    return "fx" if calendar == WEEKDAYS else "spot"


def _yahoo(symbol: str) -> Instrument:
    if symbol.endswith("=X"):
        pair = symbol[:-2]
        base, quote = (pair[:-3], pair[-3:]) if len(pair) > 3 else ("USD", pair)
        return _instrument("yahoo", symbol, "fx", quote, WEEKDAYS, base=base, timezone="UTC")
    if symbol.endswith("=F"):
        market = Exchange("CMES", "USD", "America/Chicago")
        return _traded("yahoo", symbol, "future", market, base=symbol[:-2])
    if symbol.startswith("^"):
        return _traded("yahoo", symbol, "index", NEW_YORK)
    front, dash, currency = symbol.rpartition("-")
    if dash and currency in (*FIAT, *STABLE, *COINS):
        return _instrument("yahoo", symbol, "spot", currency, ALWAYS, base=front, timezone="UTC")
    front, dot, suffix = symbol.rpartition(".")
    if dot and suffix not in YAHOO_SUFFIXES and len(suffix) > 1:  # one letter is a class of shares
        origins = {"quote": NOTHING, "kind": INFERRED, "calendar": NOTHING}
        return Instrument(
            *("yahoo", symbol, "equity", UNKNOWN_CURRENCY, NEW_YORK.calendar), origins=origins
        )
    market = YAHOO_SUFFIXES.get(suffix, NEW_YORK) if dot else NEW_YORK
    kind: Kind = "option" if _OPTION.fullmatch(symbol) else "equity"
    return _traded("yahoo", symbol, kind, market, base=symbol)


def _pair(venue: str, symbol: str) -> Instrument:
    """Read ccxt's form: BASE/QUOTE, :SETTLE of a contract, -EXPIRY and an option's strike."""
    pair, _, settled = symbol.partition(":")
    base, _, quote = pair.partition("/")
    kind: Kind = "perp" if settled else "spot"
    if "-" in settled:
        kind = "option" if settled.endswith(("-C", "-P")) else "future"
    return _instrument(
        venue, symbol, kind, quote or UNKNOWN_CURRENCY, ALWAYS, base=base, timezone="UTC"
    )


def _joined_pair(venue: str, symbol: str) -> Instrument:
    """Read BTCUSDT and EURUSD, whose two parts stand together; else tell nothing."""
    if venue.startswith("binance"):
        known = _BINANCE
        kind: Kind = "perp" if venue in ("binanceusdm", "binancecoinm") else "spot"
    else:
        known, kind = STABLE, "spot"
        if re.fullmatch(rf"({'|'.join(FIAT)}){{2}}", symbol):
            base, quote = symbol[:3], symbol[3:]
            return _instrument(venue, symbol, "fx", quote, WEEKDAYS, base=base, timezone="UTC")
    quote = next((q for q in known if symbol.endswith(q) and symbol != q), None)
    if quote is None:
        origin = INFERRED if venue.startswith("binance") else NOTHING
        return Instrument(
            *(venue, symbol, kind, UNKNOWN_CURRENCY, ALWAYS),
            origins={"quote": NOTHING, "kind": origin, "calendar": origin},
        )
    base = symbol.removesuffix(quote)
    return _instrument(venue, symbol, kind, quote, ALWAYS, base=base, timezone="UTC")


def _traded(
    venue: str, symbol: str, kind: Kind, market: Exchange, base: str | None = None
) -> Instrument:
    return _instrument(
        venue, symbol, kind, market.quote, market.calendar, base=base, timezone=market.timezone
    )


def _instrument(
    venue: str, symbol: str, kind: Kind, quote: str, calendar: str, **facts: Any
) -> Instrument:
    origins = dict.fromkeys(("kind", "quote", "calendar", *facts), INFERRED)
    return Instrument(venue, symbol, kind, quote, calendar, **facts, origins=origins)
