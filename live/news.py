"""Ask for headlines while a session has a rule for them, keep them, and say who hears of which.

A headline is available at the later of two times: when its text was published, and when it was
received here. It is stored first. A session that begins anew hears again of what is still near; the
engine takes one that it knows for nothing new.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from live.clock import Clock
from live.events import HeadlineHeard
from mela.calendars import ALWAYS
from mela.errors import SourceRefused, SourceUnavailable
from mela.inference import infer
from mela.instants import from_ms, to_ms
from mela.session import NewsRule
from mela.settings import Settings
from services.candles.headlines import find_headlines
from sources.headlines import Headline
from sources.rss import fetch_feed
from warehouse.database import transaction
from warehouse.trading import alerts, headlines, sessions
from warehouse.trading.alerts import Alert
from warehouse.trading.headlines import StoredHeadline

LOG = structlog.get_logger(__name__)
BACK_S = 900.0  # that is asked for at the first look, at least
OVERLAP_S = 120.0  # services publish with a delay


@dataclass(frozen=True, slots=True)
class Listener:
    """A session with a rule. symbols: of each instrument, as a news service writes it."""

    session_id: UUID
    rule: NewsRule
    symbols: Mapping[str, str]

    def heard(self, one: StoredHeadline) -> HeadlineHeard | None:
        """Return a headline as the session hears of it; None if it is not about it."""
        about = tuple(name for name, symbol in self.symbols.items() if symbol in one.symbols)
        if one.symbols and not about:
            return None
        return HeadlineHeard(
            title=one.headline,
            instruments=about,
            published_ms=to_ms(one.updated_at),
            received_ms=to_ms(one.received_at),
            source=one.source,
        )


@dataclass
class News:
    """Looks at the news of all sessions of a process."""

    settings: Settings
    clock: Clock
    _asked_until: datetime | None = None
    _told: dict[UUID, set[tuple[str, str, datetime]]] = field(
        default_factory=dict[UUID, set[tuple[str, str, datetime]]]
    )

    def look(self) -> list[tuple[UUID, HeadlineHeard]]:
        """Ask for news and store them; return what each session has not heard of yet.

        A service that is away is an alert, because a rule that hears nothing halts nothing.
        """
        listeners = self._listeners()
        if not listeners:
            return []
        now = from_ms(self.clock.now_ms())
        near_s = max(BACK_S, *(one.rule.after_s for one in listeners))
        since = self._asked_until or now - timedelta(seconds=near_s)
        found = self._ask(listeners, since - timedelta(seconds=OVERLAP_S), now)
        with transaction(self.settings) as connection:
            headlines.add(connection, [_stored(one, now) for one in found])
            near = headlines.since(connection, now - timedelta(seconds=near_s))
        return list(self._untold(listeners, near, now))

    def _listeners(self) -> list[Listener]:
        with transaction(self.settings) as connection:
            under_way = sessions.under_way(connection)
        found: list[Listener] = []
        for one in under_way:
            rule = json.loads(one.document).get("news")
            if rule is not None:
                symbols = {name: symbol_of(name) for name in one.instruments}
                found.append(Listener(one.session_id, NewsRule.model_validate(rule), symbols))
        return found

    def _ask(self, listeners: Sequence[Listener], since: datetime, now: datetime) -> list[Headline]:
        found: list[Headline] = []
        is_whole = True
        symbols = sorted({symbol for one in listeners for symbol in one.symbols.values()})
        sources: list[tuple[str, Any]] = [
            (url, lambda url=url: fetch_feed(url)) for url in self.settings.trading.news_feeds
        ]
        if self.settings.alpaca.key.get_secret_value() or self.settings.replay_url:
            ask = lambda: find_headlines(symbols, since, now, self.settings)  # noqa: E731
            sources.append(("Alpaca", ask))
        for name, ask in sources:
            try:
                found += ask()
            except (SourceUnavailable, SourceRefused) as error:
                is_whole = False
                LOG.warning("news_not_read", source=name, why=str(error)[:300])
                self._tell(name, str(error))
        if is_whole:
            self._asked_until = now
        # of a feed's long tail, which is not news
        return [one for one in found if since <= one.updated_at <= now]

    def _tell(self, source: str, why: str) -> None:
        body = f"{why[:500]} Sessions with a rule for news hear nothing from there."
        alert = Alert("error", f"news:{source}", "News cannot be read", body)
        with transaction(self.settings) as connection:
            alerts.put(connection, alert)

    def _untold(
        self, listeners: Sequence[Listener], near: Sequence[StoredHeadline], now: datetime
    ) -> list[tuple[UUID, HeadlineHeard]]:
        found: list[tuple[UUID, HeadlineHeard]] = []
        keys = {(one.source, one.headline_id, one.updated_at) for one in near}
        told: dict[UUID, set[tuple[str, str, datetime]]] = {}
        for listener in listeners:
            # what is no longer near is forgotten here as well
            before = self._told.get(listener.session_id, set()) & keys
            for one in near:
                key = one.source, one.headline_id, one.updated_at
                if key in before or one.available_at > now:
                    continue
                before.add(key)
                heard = listener.heard(one)
                if heard is not None:
                    found.append((listener.session_id, heard))
            told[listener.session_id] = before
        self._told = told
        return found


def symbol_of(name: str) -> str:
    """Return an instrument's name as news services write it.

    >>> symbol_of("binance:BTCUSDT"), symbol_of("kraken:ETH/EUR"), symbol_of("alpaca:AAPL")
    ('BTCUSD', 'ETHUSD', 'AAPL')
    """
    about = infer(name)
    return f"{about.base}USD" if about.calendar == ALWAYS and about.base else about.symbol


def _stored(one: Headline, now: datetime) -> StoredHeadline:
    return StoredHeadline(
        source=one.source,
        headline_id=one.id,
        updated_at=one.updated_at,
        published_at=one.published_at,
        received_at=now,
        available_at=max(one.updated_at, now),
        headline=one.headline,
        url=one.url,
        symbols=one.symbols,
    )
