"""Read what the news wrote about some symbols."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mela.errors import InputInvalid
from mela.settings import Settings
from sources.headlines import Headline, fetch_news


def find_headlines(
    symbols: Sequence[str], start: datetime, end: datetime, settings: Settings
) -> list[Headline]:
    """Return the headlines that were last changed in [start, end).

    Raises InputInvalid for an empty span, SourceRefused and SourceUnavailable as the source does.
    """
    if end <= start:
        raise InputInvalid("end", f"expected an end after {start}, but found {end}.")
    return fetch_news(symbols, start, end, settings)
