"""The protocol of a feed of closed candles, whichever market it listens to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, Union

from mela.interval import Interval
from mela.risk_limits import SessionHours

if TYPE_CHECKING:
    from live.events import CandleClosed, MarketStatus

NoticeKind = Literal["connected", "lost", "mute", "caught_up", "refused", "clock_jumped", "stopped"]


@dataclass(frozen=True, slots=True)
class Listening:
    """The subject that a feed listens to. instrument: as `alpaca:AAPL`; hours: of its market."""

    instrument: str
    interval: Interval
    hours: SessionHours = "regular"


@dataclass(frozen=True, slots=True)
class FeedNotice:
    """Something that happened to a feed and that is no candle.

    kind: connected (and subscribed) · lost (the connection ended) · mute (connected, but it did not
        bring a candle that REST has) · caught_up (what was missed was asked for; `candles` of them)
        · refused (the service will not serve this; the feed goes on trying, slowly) · clock_jumped
        (the clock was set, forward or back) · stopped
    at_ms: this machine's clock, UTC milliseconds
    is_alarm: whether a person should be told
    """

    kind: NoticeKind
    at_ms: int
    text: str
    is_alarm: bool = False
    candles: int = 0


Said = Union["CandleClosed", "MarketStatus", FeedNotice]


class Feed(Protocol):
    """A stream of closed candles of some instruments.

    A feed connects, reconnects (with growing pauses, never a storm) and asks over REST for what it
    missed before it goes on, by itself. Candles of one instrument and interval come oldest first. A
    candle that comes again with other values was restated by its service; whether that matters is
    for the reader to say. A candle that had not closed is never given.
    """

    def candles(self) -> AsyncIterator[Said]:
        """Yield closed candles, notices and halts until `stop`; to be called once."""
        ...

    async def fetch(
        self,
        instrument: str,
        interval: Interval,
        from_ms: int,
        to_ms: int,
        hours: SessionHours = "regular",
    ) -> list[CandleClosed]:
        """Return the closed candles with from_ms ≤ opened_ms < to_ms, oldest first, over REST.

        A candle that should have closed by now and is not in the answer does not exist at the
        service. Raises SourceUnavailable or SourceRefused, as a CandleSource does.
        """
        ...

    async def stop(self) -> None:
        """Close connections and end `candles`; returns when nothing of the feed runs any more."""
        ...
