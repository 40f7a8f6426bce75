"""Read the instrument, and above all its calendar, from the `meta` of a Yahoo chart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mela.calendars import ALWAYS, WEEKDAYS
from mela.errors import SourceRefused
from mela.inference import infer
from mela.instrument import FactOrigin, Instrument, Kind

# Yahoo's exchange codes for each calendar of exchange_calendars
_EXCHANGES = {
    "XNYS": "NMS NGM NCM NYQ ASE PCX BTS NIM NAS PNK OQB OQX OEM CXI SNP DJI WCB CGI",
    "XLON": "LSE IOB FGI",
    "XETR": "GER XETRA",
    "XFRA": "FRA",
    "XPAR": "PAR",
    "XAMS": "AMS",
    "XBRU": "BRU",
    "XLIS": "LIS",
    "XMIL": "MIL",
    "XMAD": "MCE",
    "XSWX": "EBS",
    "XWBO": "VIE",
    "XSTO": "STO",
    "XCSE": "CPH",
    "XHEL": "HEL",
    "XOSL": "OSL",
    "XTSE": "TOR VAN CNQ NEO",
    "XTKS": "JPX OSA",
    "XHKG": "HKG",
    "XSHG": "SHH SHZ",
    "XKRX": "KSC KOE",
    "XTAI": "TAI TWO",
    "XBOM": "BSE NSI",
    "XASX": "ASX",
    "XNZE": "NZE",
    "XSES": "SES",
    "BVMF": "SAO",
    "XMEX": "MEX",
    "XJSE": "JNB",
    "XDUB": "ISE",
    "ASEX": "ATH",
    "XWAR": "WSE",
    "XPRA": "PRA",
    "XBUD": "BUD",
    "XIST": "IST",
    "XTAE": "TLV",
    "XSAU": "SAU",
    "XBKK": "SET",
    "XKLS": "KLS",
    "XIDX": "JKT",
    "XPHS": "PHS PHP",
    "XSGO": "SGO",
    "XBUE": "BUE",
    "CMES": "CME CBT NYM CMX",
    "IEPA": "NYB",
}
_KINDS: dict[str, Kind] = {
    "ETF": "etf",
    "INDEX": "index",
    "MUTUALFUND": "fund",
    "FUTURE": "future",
    "OPTION": "option",
}
_CALENDARS = {code: name for name, codes in _EXCHANGES.items() for code in codes.split()}


def instrument_of(symbol: str, meta: Mapping[str, Any]) -> Instrument:
    """Return the instrument that a chart describes.

    Raises SourceRefused if the exchange's sessions are unknown: without the true close nobody could
    say whether a candle has closed.
    """
    exchange = str(meta.get("exchangeName"))
    kind, calendar = _market(str(meta.get("instrumentType")), exchange)
    if calendar is None:
        raise SourceRefused(
            f"no calendar is known for the exchange {meta.get('exchangeName')!r} of {symbol}"
        )
    listed = meta.get("firstTradeDate")
    by_name = infer(f"yahoo:{symbol}")
    facts = {
        "kind": kind,
        "calendar": calendar,
        "quote": str(meta["currency"]) if meta.get("currency") else None,
        "base": by_name.base if kind in ("spot", "fx", "future") else symbol,
        "exchange": exchange,
        "timezone": str(meta["exchangeTimezoneName"]) if meta.get("exchangeTimezoneName") else None,
        "listed_on": listed.date() if isinstance(listed, datetime) else None,
    }
    return by_name.with_facts(facts, FactOrigin("asked", "yahoo"))


def exchange_code(calendar: str) -> str:
    """Return Yahoo's first code for the exchanges of a calendar. Raises KeyError.

    >>> exchange_code("XTKS")
    'JPX'
    """
    return _EXCHANGES[calendar].split()[0]


def _market(instrument_type: str, exchange: str) -> tuple[Kind, str | None]:
    match instrument_type:
        case "CRYPTOCURRENCY":
            return "spot", ALWAYS
        case "CURRENCY":
            return "fx", WEEKDAYS
        case _:
            return _KINDS.get(instrument_type, "equity"), _CALENDARS.get(exchange)
