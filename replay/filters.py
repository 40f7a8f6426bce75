"""The trading rules that exchangeInfo returns for a symbol, above all its tick and lot."""

from __future__ import annotations

from typing import Any

from replay.series import RecordedSeries, decimals_of

# Binance's (tick, lot) in 2021; for other symbols they are derived from the candles
_KNOWN = {"BTCUSDT": (2, 5), "ETHUSDT": (2, 4)}


def filters_of(symbol: str, series: RecordedSeries) -> list[dict[str, Any]]:
    """Return a symbol's filters in the API's format."""
    price_decimals, lot_decimals = _KNOWN.get(symbol) or (
        decimals_of(series.columns["close"]),
        decimals_of(series.columns["volume"]),
    )
    tick, lot = f"{10.0**-price_decimals:.8f}", f"{10.0**-lot_decimals:.8f}"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": "1000000.00000000",
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000.00000000", "stepSize": lot},
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
    ]
