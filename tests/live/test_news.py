"""Headlines are stored with two times, and halt the entries of the sessions they are about."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import pytest

from live.engine import Engine
from live.events import CandleClosed, HeadlineHeard, Traded
from live.news import News, symbol_of
from mela.instants import to_ms
from mela.settings import Settings
from tests.live.random_sessions import WITH_OWN, messages, started
from tests.live.stored import DOCUMENT, a_session
from tests.live.test_drift import busy
from tests.sources.test_rss import server
from tests.warehouse.given import rows
from warehouse.database import transaction

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Fixed:
    """A clock that a test sets."""

    now: datetime = NOW

    def now_ms(self) -> int:
        return to_ms(self.now)

    def real_s(self, span_ms: float) -> float:
        return span_ms / 1000

    def span_ms(self, real_s: float) -> float:
        return real_s * 1000

    async def refresh(self) -> int:
        return 0


def feed(*titles: tuple[str, datetime]) -> bytes:
    items = "".join(
        f"<item><title>{title}</title><guid>{title}</guid>"
        f"<pubDate>{format_datetime(at)}</pubDate></item>"
        for title, at in titles
    )
    return f"<rss><channel>{items}</channel></rss>".encode()


@contextmanager
def reading(settings: Settings, body: bytes, status: int = 200) -> Generator[Settings]:
    with server(status, body) as url:
        trading = settings.trading.model_copy(update={"news_feeds": (url,)})
        yield settings.model_copy(update={"trading": trading})


@pytest.fixture
def empty(warehouse: Settings) -> Settings:
    with transaction(warehouse) as connection:
        connection.exec_driver_sql("TRUNCATE ops.headline, ops.alert_outbox")
    return warehouse


def a_listener(settings: Settings) -> UUID:
    return a_session(settings, {**DOCUMENT, "news": {"after_s": 600, "words": ["rates"]}})


@pytest.mark.integration
def test_each_session_with_a_rule_hears_of_each_headline_once(empty: Settings) -> None:
    one, other = a_listener(empty), a_listener(empty)
    a_session(empty)  # has no rule
    body = feed(("Fed raises rates", NOW - timedelta(minutes=2)), ("Old", NOW - timedelta(days=3)))
    with reading(empty, body) as settings:
        news = News(settings, Fixed())
        told = news.look()
        assert {session_id for session_id, _ in told} == {one, other}
        [heard] = [event for session_id, event in told if session_id == one]
        assert heard == HeadlineHeard(
            "Fed raises rates", (), to_ms(NOW) - 120_000, to_ms(NOW), "127.0.0.1"
        )
        assert news.look() == []
        later = News(settings, Fixed(NOW + timedelta(minutes=5)))  # a process that begins anew
        again = [event for session_id, event in later.look() if session_id == one]
        assert again == [heard], "what it hears again is what it heard: received when it was"
    [kept] = rows(empty, "SELECT * FROM ops.headline")
    assert kept.available_at == kept.received_at == NOW
    assert kept.updated_at == NOW - timedelta(minutes=2)


@pytest.mark.integration
def test_a_text_that_is_dated_ahead_is_heard_when_its_time_has_come(empty: Settings) -> None:
    a_listener(empty)
    with reading(empty, feed(("rates", NOW + timedelta(minutes=1)))) as settings:
        clock = Fixed()
        news = News(settings, clock)
        assert news.look() == []
        clock.now += timedelta(minutes=2)
        [(_, heard)] = news.look()
    assert heard.received_ms >= heard.published_ms


@pytest.mark.integration
def test_a_feed_that_is_away_is_an_alert(empty: Settings) -> None:
    a_listener(empty)
    with reading(empty, b"", 503) as settings:
        assert News(settings, Fixed()).look() == []
    [alert] = rows(empty, "SELECT level, body FROM ops.alert_outbox")
    assert alert.level == "error"
    assert "503" in alert.body


@pytest.mark.integration
def test_nobody_is_asked_while_no_session_has_a_rule(empty: Settings) -> None:
    a_session(empty)
    trading = empty.trading.model_copy(update={"news_feeds": ("http://127.0.0.1:9/",)})
    assert News(empty.model_copy(update={"trading": trading}), Fixed()).look() == []
    assert rows(empty, "SELECT * FROM ops.alert_outbox") == []


@pytest.mark.parametrize("word", ["rates", "merger"])
def test_a_headline_halts_entries_for_a_while_if_it_has_a_word_of_the_rule(word: str) -> None:
    given = busy()
    content = given.session.content() | {"news": {"after_s": 20 * 3_600, "words": ["rates"]}}
    given = type(given)(
        type(given.session).model_validate(content),
        given.series,
        given.first_open_ms,
        given.end_ms,
    )
    heard = messages(given)
    middle = heard[len(heard) // 2]
    at = middle.received_ms if isinstance(middle, CandleClosed) else middle.at_ms
    headline = HeadlineHeard(f"On {word}", (), at, at)
    events = [*heard[: len(heard) // 2], headline, *heard[len(heard) // 2 :]]
    engine = Engine(WITH_OWN)
    told = [one for event in (started(given), *events) for one in engine.apply(event)]
    entries = [one.entry_ms for one in told if isinstance(one, Traded)]
    hour = 3_600_000
    halted = [one for one in entries if at + hour <= one <= at + 20 * hour]
    assert bool(halted) == (word == "merger")
    later = [one for one in entries if one > at + 20 * hour]
    assert later or word == "merger", "afterwards it goes on"


def test_symbols_are_written_as_news_services_do() -> None:
    assert symbol_of("bybit:BTC/USDT:USDT") == "BTCUSD"
    assert symbol_of("yahoo:AAPL") == "AAPL"
