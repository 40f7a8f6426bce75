"""Alpaca's news API. The files hold no news, so headlines are derived from candles and events.

A split or a dividend is news on its ex-date; a day that moves a coin by a twentieth is news when it
is over. Only the wording is invented; the source is called `mela replay`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import numpy as np

from mela.interval import DAY_MS, HOUR_MS, Interval
from replay.answer import Answer, Query, as_json
from replay.factors import fraction, read_factors
from replay.pairs import SOURCES, candles, pairs
from replay.series import Catalog
from replay.synthetic import Window
from sources.protocol import to_ms

MOST_ARTICLES = 50
_MOVED = 0.05
_EVERY_DAY = 100_000


class NewsApi:
    """Answer as the news service would at the catalog's current time."""

    def __init__(self, catalog: Catalog, page_rows: int) -> None:
        self._catalog = catalog
        self._most = min(MOST_ARTICLES, page_rows)

    def answer(self, query: Query) -> Answer:
        """Return the articles about any of the symbols, ordered by their last change."""
        wanted = set(filter(None, query.get("symbols", "").split(",")))
        since_ms = _ms(query.get("start"), 0)
        until_ms = min(_ms(query.get("end"), self._catalog.now_ms), self._catalog.now_ms)
        articles = [
            article
            for at_ms, article in self._articles()
            if since_ms <= at_ms <= until_ms and (not wanted or wanted & set(article["symbols"]))
        ]
        articles.sort(
            key=lambda article: (article["updated_at"], article["id"]),
            reverse=query.get("sort", "desc") == "desc",
        )
        limit = min(int(query.get("limit", 10)), self._most)
        first = int(base64.b64decode(query["page_token"])) if "page_token" in query else 0
        more = first + limit < len(articles)
        token = base64.b64encode(str(first + limit).encode()).decode() if more else None
        return as_json({"news": articles[first : first + limit], "next_page_token": token})

    def _articles(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield every article with the time of its last change, an hour after its first version."""
        for symbol in self._catalog.symbols():
            factors = read_factors(self._catalog.folder, symbol).until(self._catalog.now_ms)
            for action in factors.actions:
                ratio = fraction(action.value)
                headline = f"{symbol} trades ex-dividend: {action.value:g} a share"
                if action.kind == "split":
                    headline = f"{symbol} splits {ratio.numerator} for {ratio.denominator}"
                yield _article(headline, action.effective_ms + 12 * HOUR_MS, symbol)
        whole = Window(0, self._catalog.now_ms + 1, _EVERY_DAY)
        for pair in pairs(self._catalog, "alpaca"):
            days, _ = candles(self._catalog, pair, Interval.D1, SOURCES, whole)
            returns = days.columns["close"] / days.columns["open"] - 1
            for day in np.flatnonzero(np.abs(returns) >= _MOVED).tolist():
                verb = "rises" if returns[day] > 0 else "falls"
                price = days.columns["close"][day]
                headline = f"{pair.base} {verb} {abs(returns[day]):.1%} in a day, to {price:,.2f}"
                yield _article(headline, int(days.opened_ms[day]) + DAY_MS, f"{pair.base}USD")


def _article(headline: str, published_ms: int, symbol: str) -> tuple[int, dict[str, Any]]:
    updated_ms = published_ms + HOUR_MS
    number = crc32(f"{headline} {published_ms}".encode())
    return updated_ms, {
        "id": number,
        "headline": headline,
        "author": "mela replay",
        "created_at": _text(published_ms),
        "updated_at": _text(updated_ms),
        "summary": "",
        "content": "",
        "url": f"https://example.com/news/{number}",
        "images": [],
        "symbols": [symbol],
        "source": "mela replay",
    }


def _text(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _ms(text: str | None, default: int) -> int:
    if not text:
        return default
    at = datetime.fromisoformat(text)
    return to_ms(at if at.tzinfo else at.replace(tzinfo=UTC))
