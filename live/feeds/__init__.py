"""Streams of closed candles, one module per kind of market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from live.clock import Clock
from live.feeds.listener import Patience
from live.feeds.protocol import Feed, FeedNotice, Listening, Said
from mela.instrument import parse_name
from mela.settings import Settings

__all__ = ["Feed", "FeedNotice", "Listening", "Said", "feed_of", "open_feed"]


def feed_of(instrument: str) -> str:
    """Return the feed that an instrument belongs to: one process opens each of them once.

    >>> feed_of("alpaca:AAPL"), feed_of("alpaca:BTC/USD"), feed_of("kraken:BTC/USD")
    ('alpaca-stocks', 'alpaca-coins', 'kraken')
    """
    venue, symbol = parse_name(instrument)
    if venue != "alpaca":
        return venue
    return "alpaca-coins" if "/" in symbol else "alpaca-stocks"


def open_feed(
    name: str,
    listenings: Sequence[Listening],
    settings: Settings,
    clock: Clock,
    since_ms: Mapping[Listening, int] | None = None,
    patience: Patience | None = None,
) -> Feed:
    """Return the feed of some series that share a name of `feed_of`, not yet listening.

    since_ms: the first open time wanted of a series; what has closed since then comes first. A
        series without one begins with the candle that is open now
    patience: by default, what suits the venue; shorter where a replay plays
    Raises ValueError for series of several feeds, for Yahoo, which has no live candles, and for
    stocks of Alpaca without keys. The libraries are imported here, on first use.
    """
    others = sorted({feed_of(each.instrument) for each in listenings} - {name})
    if others or not listenings:
        raise ValueError(f"expected series of {name} only, but found {others or 'none'}")
    if name == "yahoo":
        raise ValueError("Yahoo has no live candles; expected an instrument of another venue")
    patience = patience or _patience(name, settings)
    if name == "binance":
        from live.feeds import binance

        return binance.listener(listenings, settings, clock, since_ms, patience)
    if name.startswith("alpaca-"):
        from live.feeds import alpaca

        return alpaca.listener(listenings, settings, clock, since_ms, patience)
    from live.feeds import exchange

    return exchange.listener(name, listenings, settings, clock, since_ms, patience)


def _patience(name: str, settings: Settings) -> Patience:
    usual = Patience(silence_s=60.0) if name == "binance" else Patience()
    if not (name == "binance" or name.startswith("alpaca-")):
        usual = replace(usual, grace_s=2.0)  # exchanges need a moment to close a candle
    if settings.replay_url is None:
        return usual
    silence_s = None if usual.silence_s is None else 5.0
    return replace(usual, first_s=0.1, longest_s=5.0, grace_s=0.5, silence_s=silence_s)
