"""Alpaca's streams of bars, by alpaca-py: minutes of stocks and of coins.

Alpaca sends minutes only. A longer candle is asked for over REST when its last minute came, by the
same code that loads it into the warehouse. Alpaca lets each key connect once, so a process needs
one feed for all that it listens to; stocks and coins are two services and take one connection each.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from live.alpaca_library import CryptoDataStream, DataFeed, StockDataStream, WebSocketException
from live.clock import Clock
from live.events import CandleClosed, MarketStatus
from live.feeds.connection import ConnectionLost, ConnectionRefused, Heard
from live.feeds.listener import Listener, Patience
from live.feeds.protocol import Listening
from live.feeds.rest import RestCandles
from mela.calendars import ALWAYS
from mela.instrument import parse_name
from mela.interval import Interval
from mela.settings import Settings

STREAM = "wss://stream.data.alpaca.markets"
CALENDAR = "XNYS"
# codes of trading statuses, of tapes A and B and then of tape C
HALTS, RESUMES = frozenset({"2", "H", "P"}), frozenset({"3", "T"})
_NO_KEYS = "replay"  # sent to a replay if no keys are set, because it expects some
_CLOSE_S = 2.0
_SOCKET = {"ping_interval": 10, "ping_timeout": 60, "max_queue": 4096, "close_timeout": 1}


def is_coin(instrument: str) -> bool:
    """Tell whether an instrument of Alpaca is a coin, which has a stroke: alpaca:BTC/USD."""
    return "/" in parse_name(instrument)[1]


def listener(
    listenings: Sequence[Listening],
    settings: Settings,
    clock: Clock,
    since_ms: Mapping[Listening, int] | None = None,
    patience: Patience | None = None,
) -> Listener:
    """Return the feed of some stocks, or of some coins; not of both.

    Raises ValueError for both, and for stocks without keys.
    """
    kinds = {is_coin(listening.instrument) for listening in listenings}
    if len(kinds) != 1:
        raise ValueError("expected stocks or coins, as Alpaca streams them apart, but found both")
    coins = kinds.pop()
    key, secret = keys_of(settings)
    instruments = {parse_name(each.instrument)[1]: each.instrument for each in listenings}
    url = _url(settings, coins=coins)

    def connect() -> AlpacaConnection:
        return AlpacaConnection(instruments, url, key, secret, coins=coins)

    return Listener(
        dict.fromkeys(listenings, ALWAYS if coins else CALENDAR),
        RestCandles("alpaca", settings, clock),
        clock,
        connect,
        on_stream=lambda interval: interval is Interval.M1,
        minutes=True,
        since_ms=since_ms,
        patience=patience,
    )


def keys_of(settings: Settings) -> tuple[str, str]:
    """Return key and secret. Raises ValueError where none are set and no replay is."""
    key = settings.alpaca.key.get_secret_value()
    secret = settings.alpaca.secret.get_secret_value()
    if key and secret:
        return key, secret
    if settings.replay_url:
        return _NO_KEYS, _NO_KEYS
    raise ValueError(
        "Alpaca needs keys to listen and to trade: set MELA_ALPACA__KEY and MELA_ALPACA__SECRET "
        "(keys of a paper account are free)"
    )


class AlpacaConnection:
    """One connection of alpaca-py's stream, whose own reconnecting is not used.

    Its own loop would begin again without asking for what was missed.
    """

    def __init__(
        self, instruments: Mapping[str, str], url: str, key: str, secret: str, *, coins: bool
    ) -> None:
        self._instruments, self._coins = dict(instruments), coins
        offered: Any = CryptoDataStream if coins else StockDataStream
        made: type[Any] = type(offered.__name__, (_Telling, offered), {})
        self._stream = made(
            key, secret, raw_data=True, url_override=url, websocket_params=dict(_SOCKET)
        )
        self._inbox: asyncio.Queue[Heard | Exception] = asyncio.Queue()
        self._stream.mela_inbox = self._inbox
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, sign in, subscribe. Raises ConnectionLost or ConnectionRefused."""
        symbols = sorted(self._instruments)
        self._stream.subscribe_bars(self._bar, *symbols)
        self._stream.subscribe_updated_bars(self._corrected, *symbols)
        if not self._coins:
            self._stream.subscribe_trading_statuses(self._status, *symbols)
        try:
            await self._stream._start_ws()
            await self._stream._send_subscribe_msg()
        except ValueError as error:  # what Alpaca says when it does not let somebody in
            raise ConnectionRefused(f"Alpaca refused the connection: {error}") from error
        except (OSError, WebSocketException) as error:
            raise ConnectionLost(f"Alpaca could not be reached: {error}") from error
        self._reader = asyncio.create_task(self._read())

    async def hear(self) -> Heard:
        """Wait for the next message. Raises ConnectionLost or ConnectionRefused."""
        heard = await self._inbox.get()
        if isinstance(heard, Exception):
            raise heard
        return heard

    async def close(self) -> None:
        """End the connection."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await self._stream.close()

    async def _read(self) -> None:
        try:
            await self._stream._consume()
            ended: Exception = ConnectionLost("Alpaca's stream ended")
        except Exception as error:  # noqa: BLE001 - whatever ends it, a new one is made
            ended = ConnectionLost(f"Alpaca's stream ended: {error}")
        self._inbox.put_nowait(ended)

    async def _bar(self, bar: dict[str, Any]) -> None:
        self._inbox.put_nowait(Heard((self._candle(bar),)))

    async def _corrected(self, bar: dict[str, Any]) -> None:
        self._inbox.put_nowait(Heard((self._candle(bar),), corrects=True))

    async def _status(self, said: dict[str, Any]) -> None:
        """Take the status of a stock: a halt, the end of one, or something that is neither."""
        code = str(said.get("sc"))
        if code not in HALTS and code not in RESUMES:
            return
        words = ", ".join(str(said[name]) for name in ("sm", "rc", "rm") if said.get(name))
        at_ms = said["t"].to_unix_nano() // 1_000_000
        status = MarketStatus(self._instruments[said["S"]], code in HALTS, at_ms, words)
        self._inbox.put_nowait(Heard(statuses=(status,)))

    def _candle(self, bar: dict[str, Any]) -> CandleClosed:
        opened_ms = bar["t"].to_unix_nano() // 1_000_000
        prices = (float(bar[name]) for name in "ohlcv")
        instrument = self._instruments[bar["S"]]
        return CandleClosed(instrument, Interval.M1, opened_ms, *prices, received_ms=opened_ms)


class _Telling:
    """A mixin before a stream of alpaca-py: errors after the sign-in are told, not only logged."""

    mela_inbox: asyncio.Queue[Heard | Exception]

    async def _dispatch(self, msg: dict[str, Any]) -> None:
        if msg.get("T") == "error":
            code, words = msg.get("code"), msg.get("msg")
            self.mela_inbox.put_nowait(ConnectionRefused(f"Alpaca answered {code}: {words}"))
            return
        await super()._dispatch(msg)  # type: ignore[misc]


def _url(settings: Settings, *, coins: bool) -> str:
    base = STREAM
    if settings.replay_url:
        base = f"{settings.replay_url.rstrip('/').replace('http', 'ws', 1)}/alpaca/stream"
    if coins:
        return f"{base}/v1beta3/crypto/us"
    feed = settings.alpaca.feed
    if feed not in (DataFeed.IEX.value, DataFeed.SIP.value, "delayed_sip"):
        raise ValueError(f"expected MELA_ALPACA__FEED iex or sip for a live feed, but found {feed}")
    return f"{base}/v2/{feed}"
