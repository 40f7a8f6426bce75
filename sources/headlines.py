"""Headlines of the news, from Alpaca: what was written about some symbols, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from mela.settings import Settings
from sources.alpaca_client import instant, news_client
from sources.alpaca_library import NewsRequest
from sources.protocol import span_ms
from sources.retry import RetryPolicy

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Headline:
    """A piece of news. Its text is that of `updated_at`: nobody could read it so before.

    symbols: those it is about, as the source writes them (a coin as BTCUSD)
    """

    id: str
    published_at: datetime
    updated_at: datetime
    headline: str
    source: str
    url: str
    symbols: tuple[str, ...]


def fetch_news(
    symbols: Sequence[str],
    start: datetime,
    end: datetime,
    settings: Settings,
    patience: RetryPolicy | None = None,
) -> list[Headline]:
    """Return the headlines about any of some symbols with start ≤ updated_at < end, oldest first.

    symbols: as AAPL or BTC/USD, also with their venue, as alpaca:AAPL
    Raises SourceRefused and SourceUnavailable as a candle source does, and ValueError for a span
    that is none or no symbol.
    """
    span_ms(start, end)
    if not symbols:
        raise ValueError("expected at least one symbol, but found none")
    client = news_client(settings.alpaca, settings.replay_url, patience or RetryPolicy())
    asked = NewsRequest(
        symbols=",".join(map(news_symbol, symbols)), start=start, end=end, sort="asc"
    )
    told: list[dict[str, Any]] = client.get_news(asked)["news"]
    found = {headline.id: headline for headline in map(_headline, told)}
    log.info("fetched_news", symbols=list(symbols), headlines=len(found))
    inside = (each for each in found.values() if start <= each.updated_at < end)
    return sorted(inside, key=lambda each: (each.updated_at, each.id))


def news_symbol(name: str) -> str:
    """Return a symbol as the news write it.

    >>> news_symbol("alpaca:BTC/USD"), news_symbol("AAPL")
    ('BTCUSD', 'AAPL')
    """
    return name.partition(":")[2].replace("/", "") if ":" in name else name.replace("/", "")


def _headline(told: dict[str, Any]) -> Headline:
    return Headline(
        id=str(told["id"]),
        published_at=instant(told["created_at"]),
        updated_at=instant(told["updated_at"]),
        headline=str(told["headline"]),
        source=str(told["source"]),
        url=str(told.get("url") or ""),
        symbols=tuple(map(str, told["symbols"])),
    )
