"""Any other exchange, by ccxt: asked when a candle has closed, as it has no stream in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from live.clock import Clock
from live.feeds.connection import NoConnection
from live.feeds.listener import Listener, Patience
from live.feeds.protocol import Listening
from live.feeds.rest import RestCandles
from mela.calendars import ALWAYS
from mela.settings import Settings

GRACE_S = 2.0  # exchanges need a moment to close a candle


def listener(
    venue: str,
    listenings: Sequence[Listening],
    settings: Settings,
    clock: Clock,
    since_ms: Mapping[Listening, int] | None = None,
    patience: Patience | None = None,
) -> Listener:
    """Return the feed of some series of one exchange of ccxt."""
    return Listener(
        dict.fromkeys(listenings, ALWAYS),
        RestCandles(venue, settings, clock),
        clock,
        NoConnection,
        on_stream=lambda _: False,
        since_ms=since_ms,
        patience=patience or Patience(grace_s=GRACE_S),
    )
