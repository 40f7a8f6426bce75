"""Binance's spot kline streams: `/ws/…`, `/stream?streams=…`, SUBSCRIBE and UNSUBSCRIBE."""

from __future__ import annotations

import re
from time import monotonic
from typing import Any

import orjson

from mela.interval import Interval
from replay.streams.channel import Channel
from replay.streams.tape import Candle

_NAME = re.compile(r"([a-z0-9]{2,40})@kline_([0-9]{1,2}[smhdwM])")
_UPDATE_MS = 2_000  # Binance tells a running candle about every two seconds
_UPDATE_S = 0.2  # and a fast replay does not tell it more often than this
_PING_S = 20.0


class BinanceChannel(Channel):
    """Tell klines, running and closed, as JSON. is_combined: wrapped with the stream's name."""

    stream = "binance"
    is_combined = False
    _told_ms = 0
    _told_s = 0.0
    _pinged_s = 0.0

    def ask(self, names: list[str]) -> None:
        """Subscribe to streams by name; Binance ignores those that it does not have."""
        for name in names:
            found = _NAME.fullmatch(name)
            word = "1mo" if found and found[2] == "1M" else found[2] if found else ""
            if found and word in list(Interval):
                self.subscribe((found[1].upper(), found[2]), found[1].upper(), Interval(word))

    def hear(self, message: str | bytes) -> None:
        """Obey SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS."""
        try:
            asked: dict[str, Any] = orjson.loads(message)
            method, number = asked["method"], asked.get("id")
            names = [str(name) for name in asked.get("params") or ()]
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            self._say({"error": {"code": 3, "msg": "Invalid JSON: expected an object"}})
            return
        result: Any = None
        if method == "SUBSCRIBE":
            self.ask(names)
        elif method == "UNSUBSCRIBE":
            for name in names:
                symbol, _, word = name.partition("@kline_")
                self.unsubscribe((symbol.upper(), word))
        elif method == "LIST_SUBSCRIPTIONS":
            result = [f"{symbol.lower()}@kline_{word}" for symbol, word in self.keys]
        else:
            self._say({"error": {"code": 2, "msg": f"Invalid request: unknown variant `{method}`"}})
            return
        self._say({"result": result, "id": number})

    def tell(self, candles: list[Candle], *, corrects: bool = False) -> None:
        """Send klines with `x` true. Binance does not tell of corrections: ask REST."""
        for candle in () if corrects else candles:
            self._kline(candle, is_closed=True)

    def tell_more(self) -> None:
        """Send the running candles now and then, and pings."""
        now_ms, now_s = self.clock.now_ms(), monotonic()
        if now_s - self._pinged_s > _PING_S:
            self._pinged_s = now_s
            self.socket.ping()
        if abs(now_ms - self._told_ms) < _UPDATE_MS or now_s - self._told_s < _UPDATE_S:
            return
        self._told_ms, self._told_s = now_ms, now_s
        if self.clock.speed == 0.0:
            return
        for symbol, word in self.keys:
            interval = Interval("1mo" if word == "1M" else word)
            candle = self.tape.running(symbol, interval, now_ms)
            if candle is not None:
                self._kline(partial(candle, now_ms), is_closed=False)

    def flood(self, candle: Candle, messages: int) -> None:
        """Send the next candle's running values many times."""
        running = self.tape.running(candle.symbol, candle.interval, candle.closed_ms)
        for _ in range(messages if running is not None else 0):
            self._kline(partial(running or candle, candle.closed_ms), is_closed=False)

    def _kline(self, candle: Candle, *, is_closed: bool) -> None:
        word = "1M" if candle.interval is Interval.MO1 else candle.interval.value
        quote, trades, taker_base, taker_quote = candle.extras
        kline = {
            "t": candle.opened_ms,
            "T": candle.closed_ms - 1,
            "s": candle.symbol,
            "i": word,
            "f": -1,
            "L": -1,
            "o": f"{candle.open:.8f}",
            "c": f"{candle.close:.8f}",
            "h": f"{candle.high:.8f}",
            "l": f"{candle.low:.8f}",
            "v": f"{candle.volume:.8f}",
            "n": int(trades),
            "x": is_closed,
            "q": f"{quote:.8f}",
            "V": f"{taker_base:.8f}",
            "Q": f"{taker_quote:.8f}",
            "B": "0",
        }
        event = {"e": "kline", "E": self.clock.now_ms(), "s": candle.symbol, "k": kline}
        name = f"{candle.symbol.lower()}@kline_{word}"
        self._say({"stream": name, "data": event} if self.is_combined else event)

    def _say(self, value: Any) -> None:
        self.socket.send(orjson.dumps(value).decode())


def partial(candle: Candle, now_ms: int) -> Candle:
    """Return what is known of a candle while it runs: a straight way from its open to its close."""
    share = (now_ms - candle.opened_ms) / max(candle.closed_ms - candle.opened_ms, 1)
    share = min(max(share, 0.0), 1.0)
    close = round(candle.open + (candle.close - candle.open) * share, 8)
    return Candle(
        candle.symbol,
        candle.interval,
        candle.opened_ms,
        candle.closed_ms,
        candle.open,
        max(candle.open, close),
        min(candle.open, close),
        close,
        candle.volume * share,
    )
