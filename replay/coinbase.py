"""Coinbase's Advanced Trade API, as far as candles need it: products, their candles, currencies.

Candles come for a window from `start` to `end`, both included, newest first. A window without
trades is empty, even if later windows are not.
"""

from __future__ import annotations

import re
from typing import Any

from mela.interval import Interval
from replay.answer import DERIVATION, Answer, Query, as_json
from replay.pairs import SOURCES, Pair, candles, pairs
from replay.series import PRICES, Catalog
from replay.synthetic import Window

MOST_CANDLES = 350
_PRODUCTS = "/api/v3/brokerage/market/products"
_GRANULARITIES = {
    "ONE_MINUTE": Interval.M1,
    "FIVE_MINUTE": Interval.M5,
    "FIFTEEN_MINUTE": Interval.M15,
    "THIRTY_MINUTE": Interval.M30,
    "ONE_HOUR": Interval.H1,
    "TWO_HOUR": Interval.H2,
    "SIX_HOUR": Interval.H6,
    "ONE_DAY": Interval.D1,
}


class CoinbaseApi:
    """Answer as Coinbase would at the catalog's current time."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def answer(self, path: str, query: Query) -> Answer | None:
        """Return the answer for a path; None if Coinbase has no such path."""
        known = {f"{pair.base}-{pair.quote}": pair for pair in pairs(self._catalog, "coinbase")}
        if found := re.fullmatch(rf"{_PRODUCTS}/([^/]+)/candles", path):
            if found[1] not in known:
                return _error(404, "NOT_FOUND", "valid product_id is required")
            return self._candles(known[found[1]], query)
        match path:
            case "/api/v3/brokerage/market/products":
                product_type = query.get("product_type", "SPOT")
                listed = [_product(p) for p in known.values()] if product_type == "SPOT" else []
                return as_json({"products": listed, "num_products": len(listed)})
            case "/v2/currencies":
                return as_json({"data": [{"id": "USD", "name": "US Dollar", "min_size": "0.01"}]})
            case "/v2/currencies/crypto":
                coins = sorted({pair.base for pair in known.values()})
                return as_json({"data": [_coin(coin) for coin in coins]})
            case "/v2/exchange-rates":
                return as_json({"data": {"currency": "USD", "rates": {"USD": "1.0"}}})
            case _:
                return None

    def _candles(self, pair: Pair, query: Query) -> Answer:
        interval = _GRANULARITIES.get(query.get("granularity", ""))
        if interval is None:
            return _error(400, "INVALID_ARGUMENT", "valid granularity is required")
        try:
            start_ms, end_ms = int(query["start"]) * 1000, int(query["end"]) * 1000
        except (KeyError, ValueError):
            return _error(400, "INVALID_ARGUMENT", "start and end are required, in seconds")
        if (end_ms - start_ms) // (interval.fixed_ms or 1) >= MOST_CANDLES:
            message = f"number of candles requested should be less than {MOST_CANDLES}"
            return _error(400, "INVALID_ARGUMENT", message)
        window = Window(start_ms, end_ms + 1, MOST_CANDLES)
        series, derivation = candles(self._catalog, pair, interval, ("coinbase", *SOURCES), window)
        columns = [series.columns[name].tolist() for name in PRICES]
        rows = [
            {
                "start": str(ms // 1000),
                "low": f"{low:.{pair.decimals}f}",
                "high": f"{high:.{pair.decimals}f}",
                "open": f"{opened:.{pair.decimals}f}",
                "close": f"{close:.{pair.decimals}f}",
                "volume": f"{volume:.8f}",
            }
            for ms, opened, high, low, close, volume in zip(
                series.opened_ms.tolist(), *columns, strict=True
            )
        ]
        return as_json(
            {"candles": rows[::-1]}, headers={DERIVATION: derivation} if derivation else {}
        )


def _product(pair: Pair) -> dict[str, Any]:
    tick = f"{10.0**-pair.decimals:.{pair.decimals}f}"
    return {
        "product_id": f"{pair.base}-{pair.quote}",
        "base_increment": "0.00000001",
        "quote_increment": tick,
        "price_increment": tick,
        "quote_min_size": "1",
        "quote_max_size": "150000000",
        "base_min_size": "0.00000001",
        "base_max_size": "3400",
        "base_name": pair.base,
        "quote_name": pair.quote,
        "is_disabled": False,
        "status": "online",
        "trading_disabled": False,
        "product_type": "SPOT",
        "quote_currency_id": pair.quote,
        "base_currency_id": pair.base,
        "alias": "",
        "alias_to": [],
        "product_venue": "CBE",
    }


def _coin(coin: str) -> dict[str, Any]:
    return {"asset_id": coin.lower(), "code": coin, "name": coin, "exponent": 8, "type": "crypto"}


def _error(status: int, code: str, details: str) -> Answer:
    return as_json({"error": code, "error_details": details, "message": details}, status)
