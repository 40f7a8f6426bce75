"""A run in parts: months, drawdowns, rolling Sharpe ratio, returns, groups of trades."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from backtests.charts.over_time import LEAST_PERIODS, WINDOWS, months_of
from backtests.metrics.periods import ends_of_periods, rate_per_period
from backtests.metrics.returns import sharpe
from mela.curve import EXIT_REASONS, Curve
from mela.instants import from_ms
from mela.interval import DAY_MS, Interval
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.runs.run_detail import Document, RunHead, head_in
from services.runs.run_series import WholeEquity, whole_equity
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.results import one_run
from warehouse.results.one_run import TradeRead

Float = NDArray[np.float64]
Int = NDArray[np.int64]
WORST = 10  # drawdowns
MOST_BINS = 60
MOST_POINTS = 2_000  # of the rolling ratio
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = tuple(f"{hour:02d}" for hour in range(24))


@dataclass(frozen=True, slots=True)
class MonthReturn:
    """The return of a calendar month in UTC, as a fraction."""

    year: int
    month: int
    value: float


@dataclass(frozen=True, slots=True)
class DrawdownSpan:
    """A fall below the running peak. recovered_at: None while it lasts."""

    depth: float
    started_at: datetime
    lowest_at: datetime
    recovered_at: datetime | None
    days: float


@dataclass(frozen=True, slots=True)
class TradeGroup:
    """Trades of a group. mean_return: of their returns on the value at entry."""

    group: str
    trades: int
    wins: int
    pnl: float
    mean_return: float


@dataclass(frozen=True, slots=True)
class Rolling:
    """The annualised Sharpe ratio of the last `periods` periods; None where it is undefined."""

    t: list[int]
    v: list[float | None]
    periods: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """A run in parts. Times of trades are those of their entry, UTC."""

    months: tuple[MonthReturn, ...]
    worst: tuple[DrawdownSpan, ...]
    rolling: Rolling
    edges: list[float]
    counts: list[int]
    by_reason: tuple[TradeGroup, ...]
    by_side: tuple[TradeGroup, ...]
    by_month: tuple[TradeGroup, ...]
    by_weekday: tuple[TradeGroup, ...]
    by_hour: tuple[TradeGroup, ...]


def analysis_of(
    settings: Settings, caller: Caller, run_key: str
) -> tuple[RunHead, Analysis | None]:
    """Return a run in parts; None where no curve is stored. Raises NotFound."""
    with transaction(settings) as connection:
        head = head_in(connection, caller, run_key)
        if not head.has_curve:
            return head, None
        trades = one_run.all_trades(connection, head.result_key)
        name = head.document["instruments"][0]
        known = instruments.known(connection, [name])
    calendar = known[name].calendar if name in known else "24/7"
    return head, _analysed(head.document, whole_equity(settings, head), trades, calendar)


def _analysed(
    document: Document, whole: WholeEquity, trades: Sequence[TradeRead], calendar: str
) -> Analysis:
    cash = float(document["cash"])
    interval = Interval(document["interval"])
    ends = ends_of_periods(whole.opened_ms, calendar, is_intraday=interval.is_intraday)
    returns = _returns(whole.equity[ends], cash)
    edges, counts = _histogram(returns)
    return Analysis(
        months=tuple(_months(whole, cash)),
        worst=tuple(worst_drawdowns(whole.opened_ms, whole.equity, cash, interval)),
        rolling=_rolling(document, whole.opened_ms[ends], returns),
        edges=edges,
        counts=counts,
        by_reason=_groups(trades, lambda one: one.exit_reason, EXIT_REASONS),
        by_side=_groups(trades, lambda one: "short" if one.size < 0 else "long"),
        by_month=_groups(trades, lambda one: MONTHS[one.entry_at.month - 1], MONTHS),
        by_weekday=_groups(trades, lambda one: WEEKDAYS[one.entry_at.weekday()], WEEKDAYS),
        by_hour=_groups(trades, lambda one: HOURS[one.entry_at.hour], HOURS),
    )


def worst_drawdowns(
    opened_ms: Int, equity: Float, cash: float, interval: Interval, most: int = WORST
) -> list[DrawdownSpan]:
    """Return the deepest falls below the running peak, the deepest first.

    opened_ms, equity: (n,), at the close of each candle. A fall begins at the peak's candle, or at
    the first one where the peak is the opening cash.
    """
    if not len(equity):
        return []
    peak = np.maximum.accumulate(np.maximum(equity, cash))
    below = equity / peak - 1.0
    is_under = np.concatenate(([False], below < 0, [False]))
    changes = np.flatnonzero(np.diff(is_under.astype(np.int8)))
    spans = [(int(first), int(last)) for first, last in changes.reshape(-1, 2)]
    spans.sort(key=lambda span: float(below[span[0] : span[1]].min()))
    found: list[DrawdownSpan] = []
    for first, last in spans[:most]:
        lowest = first + int(below[first:last].argmin())
        started = int(opened_ms[max(0, first - 1)])
        is_over = last < len(equity)
        ended = int(opened_ms[last]) if is_over else interval.end_ms(int(opened_ms[-1]))
        found.append(
            DrawdownSpan(
                depth=float(below[lowest]),
                started_at=from_ms(started),
                lowest_at=from_ms(int(opened_ms[lowest])),
                recovered_at=from_ms(ended) if is_over else None,
                days=(ended - started) / DAY_MS,
            )
        )
    return found


def _months(whole: WholeEquity, cash: float) -> Iterable[MonthReturn]:
    months = months_of(Curve((), whole.opened_ms, whole.equity), cash)
    if months is None:  # a run within one month
        if len(whole.equity):
            at = from_ms(int(whole.opened_ms[0]))
            yield MonthReturn(at.year, at.month, float(whole.equity[-1]) / cash - 1.0)
        return
    for year, values in zip(months.years, months.values, strict=True):
        for month, value in enumerate(values.tolist(), 1):
            if math.isfinite(value):
                yield MonthReturn(year, month, value)


def _returns(account: Float, cash: float) -> Float:
    before = np.concatenate(([cash], account[:-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = account / before - 1.0
    return returns[np.isfinite(returns)]


def _rolling(document: Document, at: Int, returns: Float) -> Rolling:
    per_year = document["periods_per_year"]
    if per_year is None or len(returns) != len(at):
        return Rolling([], [], 0)
    window = min(round(per_year / 4), len(returns) // WINDOWS)
    if window < LEAST_PERIODS:
        return Rolling([], [], 0)
    above = returns - rate_per_period(float(document["risk_free_rate"] or 0.0), per_year)
    step = max(1, math.ceil((len(above) - window + 1) / MOST_POINTS))
    places = list(range(window - 1, len(above), step))
    values = [
        sharpe(np.ascontiguousarray(above[place - window + 1 : place + 1]), per_year)
        for place in places
    ]
    return Rolling(
        at[places].tolist(),
        [value if math.isfinite(value) else None for value in values],
        window,
    )


def _histogram(returns: Float) -> tuple[list[float], list[int]]:
    if not len(returns):
        return [], []
    bins = int(np.clip(round(math.sqrt(len(returns))), 10, MOST_BINS))
    counts, edges = np.histogram(returns, bins=bins)
    return edges.tolist(), counts.tolist()


def _groups(
    trades: Iterable[TradeRead],
    group: Callable[[TradeRead], str],
    order: Sequence[str] = ("long", "short"),
) -> tuple[TradeGroup, ...]:
    gathered: dict[str, list[TradeRead]] = {}
    for trade in trades:
        gathered.setdefault(group(trade), []).append(trade)
    names = [name for name in order if name in gathered]
    return tuple(
        TradeGroup(
            name,
            len(gathered[name]),
            sum(one.profit > 0 for one in gathered[name]),
            math.fsum(one.profit for one in gathered[name]),
            math.fsum(one.return_ or 0.0 for one in gathered[name]) / len(gathered[name]),
        )
        for name in names
    )
