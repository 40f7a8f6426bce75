"""The moving price of a symbol, as the replayed clock passes through its candles."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mela.calendars import ALWAYS, sessions
from mela.interval import MINUTE_MS, Interval
from mela.market_hours import is_open
from mela.risk_limits import SessionHours
from replay.series import STOCKS, Catalog
from replay.streams.alpaca_data import SOURCES
from replay.streams.tape import Candle, Tape

_DECIMALS = Decimal("0.00000001")
_CENTS = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Listed:
    """A symbol that can be traded. symbol: as Alpaca writes it; name: as the files do."""

    symbol: str
    name: str
    is_stock: bool
    interval: Interval


class Prices:
    """Prices at an instant: on a straight way through the candle that is open then.

    Coins move through minutes, made up where the files have hours. Stocks move through their
    shortest stored candles: within the session, and for orders of extended hours around it too.
    For a real path, play real minutes.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._tape = Tape(catalog, SOURCES)

    def listed(self, symbol: str) -> Listed | None:
        """Return what a symbol is; None if Alpaca would not know it."""
        known = self._catalog.any_of(symbol.replace("/", ""), SOURCES)
        if known is None or known.calendar not in (ALWAYS, STOCKS):
            return None
        is_stock = known.calendar == STOCKS
        if is_stock != ("/" not in symbol):
            return None
        interval = known.interval if is_stock else Interval.M1
        return Listed(symbol, known.symbol, is_stock, interval)

    def is_lent(self, symbol: str) -> bool:
        """Tell whether a stock may be sold short now: it must be easy to borrow."""
        return all(self._catalog.unlent.get(symbol, (True,)))

    def is_tradable(self, symbol: str) -> bool:
        """Tell whether Alpaca trades an asset at all."""
        return symbol not in self._catalog.untraded

    def now(self, listed: Listed, now_ms: int, hours: SessionHours = "regular") -> Decimal | None:
        """Return the price at an instant; None while the symbol is not traded.

        hours: of a stock, those that count
        """
        if listed.is_stock and is_open(STOCKS, now_ms, hours) != 1.0:
            return None
        if self._catalog.halts.is_halted(listed.name, now_ms):
            return None
        candle = self._tape.running(listed.name, listed.interval, now_ms)
        if candle is None:
            return None
        share = (now_ms - candle.opened_ms) / max(candle.closed_ms - candle.opened_ms, 1)
        if listed.is_stock and not listed.interval.is_intraday:
            share = _share_of_session(candle, now_ms)
        return _rounded(candle.open + (candle.close - candle.open) * share, listed)

    def last(self, listed: Listed, now_ms: int) -> Decimal | None:
        """Return the price now, or the last close before; None if nothing was traded yet."""
        price = self.now(listed, now_ms, "extended")
        if price is not None:
            return price
        step = (listed.interval.fixed_ms or MINUTE_MS) * 10
        past = self._tape.closing(listed.name, listed.interval, now_ms - step, now_ms)
        return _rounded(past[-1].close, listed) if past else None

    def extremes(
        self, listed: Listed, from_ms: int, now_ms: int, hours: SessionHours = "regular"
    ) -> tuple[Decimal, Decimal] | None:
        """Return the lowest and the highest price of a span that was traded; None if none was."""
        whole = self._closing(listed, from_ms, now_ms, hours)
        values = [value for candle in whole for value in (candle.low, candle.high)]
        found = [_rounded(value, listed) for value in values]
        price = self.now(listed, now_ms, hours)
        found += [] if price is None else [price]
        return (min(found), max(found)) if found else None

    def reached(
        self, listed: Listed, level: Decimal, from_ms: int, now_ms: int, *, rising: bool
    ) -> Decimal | None:
        """Return the price at which a market order that waits for a level trades; None for none.

        The price moves through the level, so that this is what it trades at; only where a candle
        opens beyond it, its open is. rising: the level lies above the price
        """
        candles = self._closing(listed, from_ms, now_ms, "regular")
        last = self.now(listed, now_ms)
        running = self._tape.running(listed.name, listed.interval, now_ms)
        for candle in candles if running is None or last is None else [*candles, running]:
            opened = _rounded(candle.open, listed)
            if candle.opened_ms >= from_ms and (opened >= level if rising else opened <= level):
                return opened
            furthest = _rounded(candle.high if rising else candle.low, listed)
            if candle is running and last is not None:
                furthest = last  # the rest of it is still to come
            if furthest >= level if rising else furthest <= level:
                return level
        return None

    def _closing(
        self, listed: Listed, from_ms: int, now_ms: int, hours: SessionHours
    ) -> list[Candle]:
        """Return the candles that closed in a span, as far as they count in some hours."""
        found = self._tape.closing(listed.name, listed.interval, from_ms, now_ms)
        if not listed.is_stock or not listed.interval.is_intraday:
            return found
        return [one for one in found if is_open(STOCKS, one.opened_ms, hours) == 1.0]


def _share_of_session(candle: Candle, now_ms: int) -> float:
    known = sessions(STOCKS)
    index = int(known.close_ms.searchsorted(candle.opened_ms, side="right"))
    opens, closes = int(known.open_ms[index]), int(known.close_ms[index])
    return min(max((now_ms - opens) / max(closes - opens, 1), 0.0), 1.0)


def _rounded(price: float, listed: Listed) -> Decimal:
    return Decimal(repr(price)).quantize(_CENTS if listed.is_stock else _DECIMALS).normalize()
