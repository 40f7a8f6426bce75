"""RSS and Atom feeds are read as they come, and nothing of them is trusted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mela.errors import SourceRefused, SourceUnavailable
from sources.rss import MOST_BYTES, fetch_feed, parse_feed

RSS = b"""<?xml version="1.0"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>A source</title>
<item><title>Fed  raises
 rates</title><link>https://example.org/1</link><guid>1</guid>
  <pubDate>Mon, 01 Jan 2024 12:30:00 +0100</pubDate></item>
<item><title>Earlier</title><dc:date>2024-01-01T10:00:00Z</dc:date></item>
<item><title>Without a date</title></item>
<item><title></title><pubDate>Mon, 01 Jan 2024 12:30:00 GMT</pubDate></item>
<item><title>A strange date</title><pubDate>yesterday</pubDate></item>
</channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>urn:1</id>
<title>Merger</title><link href="https://example.org/a"/>
<published>2024-01-01T09:00:00+00:00</published><updated>2024-01-01T09:30:00+00:00</updated>
</entry></feed>"""


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2024, 1, 1, hour, minute, tzinfo=UTC)


def test_items_are_headlines_with_their_instants_oldest_first() -> None:
    found = parse_feed(RSS, "example.org")
    assert [(one.headline, one.updated_at) for one in found] == [
        ("Earlier", at(10)),
        ("Fed raises rates", at(11, 30)),
    ]
    assert found[1].url == "https://example.org/1"
    assert found[1].symbols == ()
    assert len({one.id for one in found}) == 2


def test_an_entry_of_atom_has_the_time_of_its_last_change() -> None:
    [found] = parse_feed(ATOM, "example.org")
    assert (found.published_at, found.updated_at) == (at(9), at(9, 30))
    assert (found.headline, found.url) == ("Merger", "https://example.org/a")


@pytest.mark.parametrize(
    "content",
    [
        b"<html><body>no feed</body></html>",
        b"not xml",
        b"",
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel/></rss>',
    ],
)
def test_what_is_no_feed_is_refused(content: bytes) -> None:
    with pytest.raises(SourceRefused):
        parse_feed(content, "example.org")


@contextmanager
def server(status: int, body: bytes) -> Generator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}/feed"
        made.shutdown()


def test_a_feed_is_read_over_http() -> None:
    with server(200, RSS) as url:
        assert [one.source for one in fetch_feed(url)] == ["127.0.0.1"] * 2


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, SourceUnavailable), (429, SourceUnavailable), (404, SourceRefused)],
)
def test_an_answer_that_is_an_error_is_one(status: int, error: type[Exception]) -> None:
    with server(status, b"") as url, pytest.raises(error, match=str(status)):
        fetch_feed(url)


@pytest.mark.parametrize(
    ("url", "error"),
    [("http://127.0.0.1:9/", SourceUnavailable), ("file:///etc/passwd", SourceRefused)],
)
def test_what_cannot_be_asked_is_said(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        fetch_feed(url)


def test_a_feed_without_an_end_is_refused() -> None:
    too_much: Callable[[], bytes] = lambda: b" " * (MOST_BYTES + 1)  # noqa: E731
    with server(200, too_much()) as url, pytest.raises(SourceRefused, match="bytes"):
        fetch_feed(url)
