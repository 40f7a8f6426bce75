"""The exchanges behind ccxt: `/ccxt/ID/…` is the path … at the exchange that ccxt calls ID."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from replay.answer import Answer, Api, Query, Request, as_json
from replay.bybit import BybitApi
from replay.coinbase import CoinbaseApi
from replay.kraken import KrakenApi
from replay.series import Catalog

PREFIX = "/ccxt/"
_OTHER_MARKETS = ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo")


class _Exchange(Protocol):
    def answer(self, path: str, query: Query) -> Answer | None: ...


class ExchangesApi:
    """Answer as Kraken, Coinbase and Bybit, and as Binance for ccxt."""

    def __init__(self, catalog: Catalog, binance: Api) -> None:
        self._binance = binance
        self._exchanges: dict[str, _Exchange] = {
            "kraken": KrakenApi(catalog),
            "coinbase": CoinbaseApi(catalog),
            "bybit": BybitApi(catalog),
        }

    def answer(self, request: Request) -> Answer | None:
        """Return the exchange's answer; None if the path belongs to no exchange."""
        if not request.path.startswith(PREFIX):
            return None
        venue, _, rest = request.path.removeprefix(PREFIX).partition("/")
        path = f"/{rest}"
        if venue == "binance":
            if (
                path in _OTHER_MARKETS
            ):  # the files hold Binance's perpetuals, which this API does not serve
                return as_json({"timezone": "UTC", "symbols": []})
            return self._binance.answer(replace(request, path=path))
        if venue not in self._exchanges:
            known = ", ".join([*self._exchanges, "binance"])
            message = f"mela replay answers as {known}, but not as {venue}"
            return as_json({"error": message}, 404)
        return self._exchanges[venue].answer(path, request.query)
