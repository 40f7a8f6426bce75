"""News headlines from Alpaca: the text, the symbols it names, and when it appeared."""

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
    """A headline. Its text is the version of `updated_at`, so nobody could read it before then.

    symbols: as the source writes them (a coin is BTCUSD)
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
    """Return the headlines about any of the symbols with start ≤ updated_at < end, oldest first.

    symbols: such as AAPL or BTC/USD, with or without a venue (alpaca:AAPL)
    Raises SourceRefused and SourceUnavailable as a candle source does, and ValueError for an
    invalid span or an empty list of symbols.
    """
    span_ms(start, end)
    if not symbols:
        raise ValueError("expected at least one symbol, but found none")
    client = news_client(settings.alpaca, settings.replay_url, patience or RetryPolicy())
    request = NewsRequest(
        symbols=",".join(map(news_symbol, symbols)), start=start, end=end, sort="asc"
    )
    articles: list[dict[str, Any]] = client.get_news(request)["news"]
    found = {headline.id: headline for headline in map(_headline, articles)}
    log.info("fetched_news", symbols=list(symbols), headlines=len(found))
    inside = (each for each in found.values() if start <= each.updated_at < end)
    return sorted(inside, key=lambda each: (each.updated_at, each.id))


def news_symbol(name: str) -> str:
    """Return a symbol as the news service writes it.

    >>> news_symbol("alpaca:BTC/USD"), news_symbol("AAPL")
    ('BTCUSD', 'AAPL')
    """
    return name.partition(":")[2].replace("/", "") if ":" in name else name.replace("/", "")


def _headline(article: dict[str, Any]) -> Headline:
    return Headline(
        id=str(article["id"]),
        published_at=instant(article["created_at"]),
        updated_at=instant(article["updated_at"]),
        headline=str(article["headline"]),
        source=str(article["source"]),
        url=str(article.get("url") or ""),
        symbols=tuple(map(str, article["symbols"])),
    )
