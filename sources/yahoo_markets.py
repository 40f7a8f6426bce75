"""Read the instrument, and above all its calendar, from the `meta` of a Yahoo chart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mela.calendars import ALWAYS, WEEKDAYS
from mela.errors import SourceRefused
from mela.instrument import Instrument, Kind

# Yahoo's exchange codes for each calendar of exchange_calendars
_EXCHANGES = {
    "XNYS": "NMS NGM NCM NYQ ASE PCX BTS NIM NAS PNK OQB OQX OEM CXI SNP DJI WCB",
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
}
_CALENDARS = {code: name for name, codes in _EXCHANGES.items() for code in codes.split()}


def instrument_of(symbol: str, meta: Mapping[str, Any]) -> Instrument:
    """Return the instrument that a chart describes.

    Raises SourceRefused if the exchange's sessions are unknown: without the true close nobody could
    say whether a candle has closed.
    """
    kind, calendar = _market(str(meta.get("instrumentType")), str(meta.get("exchangeName")))
    if calendar is None:
        raise SourceRefused(
            f"no calendar is known for the exchange {meta.get('exchangeName')!r} of {symbol}"
        )
    listed = meta.get("firstTradeDate")
    return Instrument(
        venue="yahoo",
        symbol=symbol,
        kind=kind,
        quote=str(meta.get("currency") or "USD"),
        calendar=calendar,
        listed_on=listed.date() if isinstance(listed, datetime) else None,
    )


def _market(instrument_type: str, exchange: str) -> tuple[Kind, str | None]:
    match instrument_type:
        case "CRYPTOCURRENCY":
            return "spot", ALWAYS
        case "CURRENCY":
            return "fx", WEEKDAYS
        case _:
            return "equity", _CALENDARS.get(exchange)
