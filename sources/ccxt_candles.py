"""Candles of any exchange that ccxt supports.

Exchanges page in different ways. Most return the oldest candles from a start time, up to a limit.
Some (Coinbase) return a window from that time, which may be empty although later windows are not.
Some (Kraken) return only their newest candles. One walk handles all of them: continue after the
last candle received, step over an empty window, and use daily candles to find how long nothing
was traded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import ccxt
import numpy as np
import structlog

from mela.calendars import ALWAYS, floor_ms
from mela.errors import SourceRefused
from mela.instrument import NAME, Instrument, Kind
from mela.interval import DAY_MS, Interval
from sources.answers import keep_valid
from sources.ccxt_exchange import exchange_of, translate_error
from sources.protocol import FetchedCandles, Origin, span_ms
from sources.resample import fetch_resampled
from sources.retry import RetryPolicy
from sources.row_validation import Rows

PAGE = 500  # rows per call if ccxt does not know the exchange's maximum
_LONGEST_PAGE = 1000
_NEWEST_ONLY = ("kraken", "gemini")  # they return their newest candles whatever the start
# exchanges begin weeks on different days, and ccxt rounds both starts by lengths in days
_MADE_OF_DAYS = (Interval.W1, Interval.MO1)
Row = list[Any]
Ask = Callable[[Interval, int, int], list[Row]]  # interval, since_ms, maximum rows
log = structlog.get_logger()


class CcxtSource:
    """Ask an exchange through ccxt, or the replay at `replay_url`. No key is needed.

    page: rows per call; None means the most that the exchange returns according to ccxt
    is_limited: obey the exchange's own rateLimit; None means only for a real exchange
    """

    def __init__(
        self,
        venue: str,
        replay_url: str | None = None,
        patience: RetryPolicy | None = None,
        *,
        page: int | None = None,
        is_limited: bool | None = None,
    ) -> None:
        self._venue = venue
        self._origin: Origin = "replay" if replay_url else "internet"
        self._exchange = exchange_of(
            venue,
            replay_url,
            patience or RetryPolicy(),
            is_limited=not replay_url if is_limited is None else is_limited,
        )
        self._page = page

    def fetch(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> FetchedCandles:
        """Return the closed candles of [start, end). See CandleSource."""
        words = self._exchange.timeframes or {}
        offered = {each for each in Interval if each in words and each not in _MADE_OF_DAYS}
        if not offered:
            raise SourceRefused(f"ccxt knows no candle interval of {self._venue}")
        while True:
            try:
                if interval in offered:
                    return self._own(symbol, interval, start, end)
                return fetch_resampled(self._own, offered, symbol, interval, start, end)
            except _OffGrid as found:  # such as days from 16:00 to 16:00: made of hours instead
                log.info("off_grid", venue=self._venue, interval=found.interval)
                offered.discard(found.interval)

    def _own(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> FetchedCandles:
        span = span_ms(start, end)
        market = self._market(symbol)
        limit = self._page or _most_rows(self._exchange, market)

        def ask(timeframe: Interval, since_ms: int, rows: int) -> list[Row]:
            return self._fetch_rows(symbol, timeframe, since_ms, rows)

        walk = Walk(ask, interval, limit, days=Interval.D1.value in self._exchange.timeframes)
        rows = _rows([row for page in walk.pages(*span, self._clock_ms) for row in page], interval)
        _check_grid(rows, interval)
        self._say_what_is_gone(symbol, interval, span[0], walk)
        found = keep_valid(
            self._instrument(market),
            interval,
            rows,
            span=span,
            as_of_ms=walk.as_of_ms or self._exchange.clock_ms,
            origin=self._origin,
            request={
                "endpoint": f"ccxt {ccxt.__version__} {self._venue}.fetch_ohlcv",
                "symbol": symbol,
                "market": market["id"],
                "timeframe": interval.value,
                "since": span[0],
                "until": span[1],
                "limit": limit,
                "oldest_given_ms": walk.oldest_ms,
            },
        )
        log.info("fetched", instrument=found.instrument.name, interval=interval, candles=len(found))
        return found

    def _fetch_rows(self, symbol: str, interval: Interval, since_ms: int, limit: int) -> list[Row]:
        try:
            rows: list[Row] = self._exchange.fetch_ohlcv(symbol, interval.value, since_ms, limit)
        except ccxt.BaseError as error:  # raised before any request was sent
            raise translate_error(error) from error
        # some exchanges send rows outside the request, or the newest first
        return sorted((row for row in rows if int(row[0]) >= since_ms), key=lambda row: row[0])

    def _clock_ms(self) -> int:
        return int(self._exchange.clock_ms)

    def _market(self, symbol: str) -> dict[str, Any]:
        try:
            known: dict[str, Any] = self._exchange.load_markets()
        except ccxt.BaseError as error:
            raise translate_error(error) from error
        if symbol in known:
            return known[symbol]
        near = get_close_matches(symbol, [name for name in known if NAME.fullmatch(f"a:{name}")], 3)
        suggestion = f"; near are {', '.join(near)}" if near else ""
        raise SourceRefused(
            f"{self._venue} has no symbol {symbol!r}. ccxt writes BTC/USD for spot and "
            f"BTC/USDT:USDT for a perpetual contract{suggestion}"
        )

    def _instrument(self, market: dict[str, Any]) -> Instrument:
        size = float(market.get("contractSize") or 1.0) if market.get("contract") else 1.0
        created = market.get("created")
        return Instrument(
            venue=self._venue,
            symbol=market["symbol"],
            kind=_kind(self._venue, market),
            quote=market["quote"],
            calendar=ALWAYS,
            tick=self._step(market, "price"),
            lot=self._step(market, "amount", size),
            listed_on=datetime.fromtimestamp(int(created) / 1000, UTC).date() if created else None,
            base=market["base"],
            exchange=self._venue,
            timezone="UTC",
        )

    def _step(self, market: dict[str, Any], name: str, size: float = 1.0) -> float | None:
        """Return a market's step; None if the exchange counts significant digits instead."""
        step = (market.get("precision") or {}).get(name)
        if not step or self._exchange.precisionMode != ccxt.TICK_SIZE:
            return None
        return round(float(step) * size, 12)

    def _say_what_is_gone(self, symbol: str, interval: Interval, start_ms: int, walk: Walk) -> None:
        """Raise SourceRefused if the exchange only keeps candles newer than those requested."""
        oldest_ms = walk.oldest_ms
        is_newest = walk.is_newest or self._venue in _NEWEST_ONLY
        if not is_newest or oldest_ms is None or oldest_ms <= start_ms:
            return
        since = f"{datetime.fromtimestamp(oldest_ms / 1000, UTC):%Y-%m-%dT%H:%MZ}"
        if walk.is_beyond:
            raise SourceRefused(
                f"{self._venue} gives only its newest {interval} candles, of {symbol} now those "
                f"since {since}; the span ends before. Ask for longer candles or another venue."
            )
        log.warning("history_cut", venue=self._venue, symbol=symbol, interval=interval, since=since)


class Walk:
    """The walk through an exchange's candles of one interval, over one span.

    as_of_ms: the exchange's clock before the first candle was answered
    oldest_ms: the first candle received
    is_beyond: the first page was full and began after the span
    is_newest: the first page began later than asked and ended now, so the exchange withholds older
        candles
    """

    def __init__(self, ask: Ask, interval: Interval, limit: int, *, days: bool) -> None:
        self._ask = ask
        self._interval = interval
        self._step_ms = (interval.fixed_ms or DAY_MS) * limit
        self._by_days = days and interval.is_intraday
        self._days: list[int] = []
        self.limit = limit
        self.as_of_ms = 0
        self.oldest_ms: int | None = None
        self.is_beyond = False
        self.is_newest = False

    def pages(self, start_ms: int, end_ms: int, clock_ms: Callable[[], int]) -> Iterator[list[Row]]:
        """Yield pages of candles in [start, end), oldest first, each candle once."""
        cursor = _ceiling_ms(self._interval, start_ms)
        while cursor < end_ms:
            rows = self._ask(self._interval, cursor, self.limit)
            self.as_of_ms = self.as_of_ms or clock_ms()
            if 0 < len(rows) < self.limit:
                rows = self._from(cursor, rows)
            if rows:
                if self.oldest_ms is None:
                    self._look_at_first(rows, cursor, end_ms)
                yield [row for row in rows if int(row[0]) < end_ms]
                cursor = int(rows[-1][0]) + 1
            else:
                cursor = self._over_nothing(cursor + self._step_ms, min(end_ms, self.as_of_ms))
            cursor = _ceiling_ms(self._interval, cursor)
            if cursor > self.as_of_ms:
                return

    def _from(self, cursor: int, rows: list[Row]) -> list[Row]:
        """Return the candles from `cursor` on, after a page that began later.

        The later start may be a gap. Or the exchange returns fewer rows than ccxt says, and only
        the newest of the window; a shorter window then holds the rows that would be skipped.
        """
        row_limit = self.limit
        while row_limit > 1 and int(rows[0][0]) > cursor:
            hole = -(-(int(rows[0][0]) - cursor) * self.limit // self._step_ms)
            row_limit = min(hole, row_limit // 2)
            nearer = self._ask(self._interval, cursor, row_limit)
            if not nearer or int(nearer[0][0]) >= int(rows[0][0]):
                return rows
            rows = nearer
        return rows

    def _look_at_first(self, rows: list[Row], requested_ms: int, end_ms: int) -> None:
        self.oldest_ms = int(rows[0][0])
        is_full = len(rows) >= self.limit
        self.is_beyond = is_full and self.oldest_ms >= end_ms
        ends_now = self._interval.end_ms(int(rows[-1][0])) > self.as_of_ms
        self.is_newest = is_full and self.oldest_ms > requested_ms and ends_now

    def _over_nothing(self, cursor: int, end_ms: int) -> int:
        """Return where to continue after an empty window: the next day that has candles."""
        if not self._by_days or cursor >= end_ms:
            return cursor
        day = cursor - DAY_MS  # the cursor may lie inside a day that began earlier
        while day < end_ms:
            if later := [known for known in self._days if known > day]:
                return max(cursor, later[0])
            self._days = [int(row[0]) for row in self._ask(Interval.D1, day + 1, self.limit)]
            if not self._days:
                day += DAY_MS * self.limit
        return end_ms


class _OffGrid(Exception):
    def __init__(self, interval: Interval) -> None:
        super().__init__(f"{interval} candles that open at other times than ours")
        self.interval = interval


def _check_grid(rows: Rows, interval: Interval) -> None:
    """Raise _OffGrid if candles open off the 24/7 grid of whole intervals in UTC."""
    off = floor_ms(interval, rows.opened_ms) != rows.opened_ms
    if off.any() and interval is not Interval.M1:
        raise _OffGrid(interval)


def _most_rows(exchange: Any, market: dict[str, Any]) -> int:
    """Return the most candles per call; a window may not be longer than that."""
    kinds: dict[str, Any] = getattr(exchange, "features", None) or {}
    kind = kinds.get("spot" if market.get("spot") else "swap") or {}
    if not market.get("spot"):
        kind = kind.get("linear") or kind
    limit = (kind.get("fetchOHLCV") or {}).get("limit")
    return min(int(limit), _LONGEST_PAGE) if limit else PAGE


def _kind(venue: str, market: dict[str, Any]) -> Kind:
    if market.get("spot"):
        return "spot"
    if market.get("swap") and market.get("linear"):
        return "perp"
    raise SourceRefused(
        f"{venue}:{market['symbol']} is neither spot nor a perpetual contract that settles in its "
        "quote currency: what expires, or is worth its inverse, has no place here"
    )


def _ceiling_ms(interval: Interval, ms: int) -> int:
    floor = int(floor_ms(interval, np.array([ms], dtype=np.int64))[0])
    return floor if floor == ms else interval.end_ms(floor)


def _rows(rows: list[Row], interval: Interval) -> Rows:
    opened = np.array([int(row[0]) for row in rows], dtype=np.int64)
    numbers = [[np.nan if each is None else float(each) for each in row[1:6]] for row in rows]
    values = np.array(numbers, dtype=np.float64).reshape(-1, 5)
    return Rows(opened, interval.ends_ms(opened), *values.T.copy())
