"""Headlines of RSS and Atom feeds: the title, and when it appeared. They name no symbols."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree as Xml

import requests

from mela.errors import SourceRefused, SourceUnavailable
from sources.headlines import Headline

TIMEOUT_S = 10.0
MOST_BYTES = 4 * 2**20
LONGEST_TITLE = 500
_BLOCK = 65_536
_ATOM = "{http://www.w3.org/2005/Atom}"
_DC = "{http://purl.org/dc/elements/1.1/}"


def fetch_feed(url: str) -> list[Headline]:
    """Return the headlines that a feed has now, oldest first; those without a date are left out.

    Raises SourceUnavailable if it does not answer, and SourceRefused for what is no feed.
    """
    host = urlsplit(url).hostname or ""
    if urlsplit(url).scheme not in ("http", "https"):
        raise SourceRefused(f"expected the http(s) address of a feed, but found {url!r}")
    try:
        with requests.get(url, timeout=TIMEOUT_S, stream=True) as answer:
            status = answer.status_code
            content = b"" if status >= 400 else _content(answer)
    except requests.RequestException as error:
        raise SourceUnavailable(f"the feed at {host} did not answer: {error!s:.200}") from error
    if status >= 500 or status == 429:
        raise SourceUnavailable(f"the feed at {host} answered with {status}")
    if status >= 400:
        raise SourceRefused(f"the feed at {host} answered with {status}; is its address right?")
    return parse_feed(content, host)


def parse_feed(content: bytes, source: str) -> list[Headline]:
    """Return the headlines of a feed's text, oldest first. Raises SourceRefused for no feed.

    source: who says so, where the feed has no name of its own
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        # entities can name files and grow without bound, and no feed needs them
        raise SourceRefused(f"the feed of {source} declares entities, which are not read")
    try:
        root = Xml.fromstring(content)  # noqa: S314 - entities are refused above
    except Xml.ParseError as error:
        raise SourceRefused(f"the feed of {source} is no XML: {error}") from error
    items = [*root.iter("item"), *root.iter(f"{_ATOM}entry")]
    if not items and root.tag not in ("rss", f"{_ATOM}feed"):
        raise SourceRefused(f"expected an RSS or Atom feed of {source}, but found <{root.tag}>")
    found = [one for item in items if (one := _headline(item, source)) is not None]
    return sorted(found, key=lambda one: (one.updated_at, one.id))


def _content(answer: requests.Response) -> bytes:
    content = b""
    for block in answer.iter_content(_BLOCK):
        content += block
        if len(content) > MOST_BYTES:
            raise SourceRefused(f"a feed has more than {MOST_BYTES:,} bytes")
    return content


def _headline(item: Xml.Element, source: str) -> Headline | None:
    title = _text(item, "title", f"{_ATOM}title")[:LONGEST_TITLE]
    published = _instant(_text(item, "pubDate", f"{_DC}date", f"{_ATOM}published"))
    updated = _instant(_text(item, f"{_ATOM}updated")) or published
    if not title or updated is None:
        return None
    link = item.find(f"{_ATOM}link")
    url = _text(item, "link") or (link.get("href", "") if link is not None else "")
    name = _text(item, "guid", f"{_ATOM}id") or url or title
    return Headline(
        id=hashlib.sha256(name.encode()).hexdigest()[:32],
        published_at=published or updated,
        updated_at=updated,
        headline=title,
        source=source,
        url=url,
        symbols=(),
    )


def _text(item: Xml.Element, *names: str) -> str:
    for name in names:
        found = item.find(name)
        if found is not None and found.text and found.text.strip():
            return " ".join(found.text.split())
    return ""


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
