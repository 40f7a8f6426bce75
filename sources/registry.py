"""The registry of sources: the client that serves each venue's candles."""

from __future__ import annotations

from mela.settings import Settings
from sources.protocol import CandleSource


def source_for(venue: str, settings: Settings) -> CandleSource:
    """Return the source that serves a venue. Raises SourceRefused for an unknown venue.

    The client libraries are imported here, on first use, because together they take seconds.
    """
    match venue:
        case "binance":
            from sources.binance import BinanceSource

            return BinanceSource(settings.replay_url)
        case "yahoo":
            from sources.yahoo import YahooSource

            return YahooSource(settings.replay_url)
        case "alpaca":
            from sources.alpaca import AlpacaSource

            return AlpacaSource(settings.alpaca, settings.replay_url)
        case _:
            from sources.ccxt_candles import CcxtSource

            return CcxtSource(venue, settings.replay_url)
