"""Random sessions, their candles, and what `mela backtest` finds on the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backtests.indicators import Indicators
from backtests.local import Bench, whole_series
from backtests.signals import Signals, Weights
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy, StrategyContext
from live.build import runs_of
from live.engine import Engine
from live.events import (
    CandleAbsent,
    CandleClosed,
    Derived,
    Event,
    Facts,
    History,
    Started,
    Traded,
    Valued,
)
from mela.candles import Candles
from mela.inputs import Input
from mela.instants import from_ms, to_ms
from mela.interval import DAY_MS, Interval
from mela.run import Part, Run
from mela.session import Session, parse_session

SESSION_ID = "0192f0c1-2222-7333-8444-555555555555"
NAMES = ("binance:BTCUSDT", "binance:ETHUSDT", "kraken:XRP/USD")
MONDAY_MS = 19_723 * DAY_MS  # 2024-01-01
PRICES = ("open", "high", "low", "close", "volume")
Key = tuple[str, Interval]


class Nothing(Part):
    """Nothing to choose."""


def _noise(candles: Candles, salt: int) -> np.ndarray:
    """Return numbers in [0, 1) that each candle has for itself, whatever follows it."""
    mixed = (candles.opened_ms // 60_000).astype(np.uint64) * np.uint64(2_654_435_761 + 2 * salt)
    mixed ^= mixed >> np.uint64(13)
    return (mixed * np.uint64(1_099_511_628_211) % np.uint64(10_007)).astype(np.float64) / 10_007


def levels(candles: Candles, _params: Any, _indicators: Indicators) -> Signals:
    """Give signals on either side with strengths, stops, targets and limits of exits."""
    draws = [_noise(candles, salt) for salt in range(8)]
    strength = 0.2 + 0.8 * draws[4]
    stop = np.where(draws[5] < 0.5, candles.close * (0.94 + 0.1 * draws[5]), np.nan)
    target = np.where(draws[6] < 0.5, candles.close * (1.06 - 0.1 * draws[6]), np.nan)
    price = np.where(draws[7] < 0.3, candles.close * (1.0 + 0.02 * draws[7]), np.nan)
    flags = [draw < 0.2 for draw in draws[:4]]
    return Signals(*flags, strength, stop, target, price)


def sides(candles: Candles, _params: Any, _indicators: Indicators) -> Signals:
    """Give signals on either side with strengths, stops and targets."""
    return levels(candles, _params, _indicators)._replace(exit_price=None)


def shares(candles: Candles, _params: Any, _indicators: Indicators) -> Weights:
    """Give weights, some of them unknown."""
    draws = _noise(candles, 11)
    return Weights(np.where(draws < 0.15, np.nan, np.round(2.2 * draws - 1.2, 1).clip(-1, 1)))


def beside(
    candles: Candles, _params: Any, indicators: Indicators, context: StrategyContext
) -> Signals:
    """Compare the close with a mean of a longer interval and with another instrument."""
    long, other = context.inputs["long"], context.inputs["other"]
    mean = long.aligned(long.indicators.sma(3))
    up = (candles.close > mean) & (other.close > other.open)
    down = (candles.close < mean) | (other.close < other.aligned(other.indicators.ema(5)))
    return Signals(up, down & (indicators.rsi(5) < 60))


def _of_tests(name: str, signals: Any, declares: Any = None) -> Strategy:
    return Strategy(
        name, "Of tests.", Nothing, name, signals, lambda _: 5, name,
        declares=declares, takes_context=declares is not None,
    )  # fmt: skip


def _inputs(_params: Any) -> Mapping[str, Input]:
    return {
        "long": Input(interval=Interval.D1, warmup=5),
        "other": Input(instrument="binance:ETHUSDT", warmup=8),
    }


WITH_OWN: Mapping[str, Strategy] = {
    **CATALOGUE,
    "levels": _of_tests("levels", levels),
    "sides": _of_tests("sides", sides),
    "shares": _of_tests("shares", shares),
    "beside": _of_tests("beside", beside, _inputs),
}
QUICK: Mapping[str, dict[str, Any]] = {
    "sma_cross": {"fast": 3, "slow": 8},
    "ema_cross": {"fast": 4, "slow": 9},
    "rsi_reversion": {"period": 5},
}


@dataclass(frozen=True)
class Drawn:
    """A session, the candles of all its series, and the span in which it trades."""

    session: Session
    series: Mapping[Key, Candles]
    first_open_ms: int
    end_ms: int

    @property
    def runs(self) -> list[Run]:
        scene = self.session.scene(from_ms(self.first_open_ms), from_ms(self.end_ms))
        from mela.grid import plan_runs

        return list(plan_runs(scene, WITH_OWN, max_runs=100).expand())


def market(
    rng: np.random.Generator, first_ms: int, interval: Interval, count: int, holes: float
) -> Candles:
    """Return candles that move so much that strategies trade; some are missing, some are silent."""
    step = interval.fixed_ms
    assert step is not None
    open_ = 100 * np.cumprod(1 + rng.normal(0, 0.02, count))
    close = open_ * (1 + rng.normal(0, 0.02, count))
    high = np.maximum(open_, close) * (1 + rng.random(count) * 0.02)
    low = np.minimum(open_, close) * (1 - rng.random(count) * 0.02)
    volume = np.where(rng.random(count) < 0.1, 0.0, rng.random(count) * 1e4 + 1.0)
    opened = first_ms + step * np.arange(count, dtype=np.int64)
    there = rng.random(count) >= holes
    there[0] = there[-1] = True
    volume[: int(rng.choice([0, 0, count // 2]))] = 0.0  # some series get their volumes late
    columns = [column[there] for column in (open_, high, low, close, volume)]
    return Candles(interval, opened[there], *columns)


def asked(rng: np.random.Generator, together: bool) -> dict[str, Any]:
    """Draw everything that a session can ask of its execution."""

    def some(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    document: dict[str, Any] = {
        "cash": some(1_000.0, 10_000.0),
        "direction": some("long", "short", "both"),
        "costs": {
            "fee": some(0.0, 0.001, 0.02),
            "slippage": some(0.0, 0.0005),
            "borrow_rate": some(0.0, 0.2),
            "minimum_fee": some(0.0, 1.0),
        },
        "exits": _exits(some),
    }
    if some(False, False, True):
        document["risk"] = some(*LIMITS)
    return document | (_of_several(some) if together else _of_one(some, document))


LIMITS: tuple[dict[str, Any], ...] = (
    {"max_order_notional": 400.0},
    {"max_orders_per_minute": 1, "cooldown_s": 7_200.0},
    {"max_drawdown": 0.05, "drawdown_pause_s": 36_000.0, "max_daily_loss": 0.03},
    {"max_losses_in_a_row": 2, "losses_pause_s": 20_000.0, "max_volume_share": 0.01},
    {"target_volatility": 0.01, "max_leverage": 0.8, "lot_and_tick": True},
)


def _exits(some: Any) -> dict[str, Any]:
    trailing = some(None, 0.05)
    exits = {
        "stop_loss": some(None, 0.03),
        "take_profit": some(None, 0.04),
        "cooldown_bars": some(0, 2),
        "protect_from": some("entry", "next"),
        "trailing_stop": trailing,
        "trailing_start": some(0.0, 0.02) if trailing else 0.0,
    }
    if some(False, True):
        exits["take_profit"] = None
        exits["targets"] = [{"after": 0, "gain": 0.06}, {"after": 3, "gain": 0.01}]
    return exits


def _of_several(some: Any) -> dict[str, Any]:
    weights = some(
        {"kind": "equal"}, {"kind": "inverse_volatility", "period": 5}, {"kind": "fixed"}
    )
    rebalance = some(
        {"kind": "signals"},
        {"kind": "schedule", "every": "1d"},
        {"kind": "drift", "threshold": 0.03},
    )
    portfolio = {"weights": weights, "rebalance": rebalance}
    return {"portfolio": portfolio, "sizing": {"whole_units": some(False, True)}}


def _of_one(some: Any, document: dict[str, Any]) -> dict[str, Any]:
    exits = document["exits"] | {
        "time_stop_bars": some(None, 5),
        "daily_loss_limit": some(None, 0.05),
        "limit_offset": some(None, 0.01),
        "limit_bars": some(1, 3),
    }
    sizing = some(
        {"kind": "fraction", "fraction": some(0.5, 0.95, 1.0)},
        {"kind": "cash", "amount": 500.0},
        {"kind": "units", "units": 3.0},
        {"kind": "risk_per_trade", "risk": 0.01},
        {"kind": "atr_risk", "period": 5},
        {"kind": "volatility_target", "period": 6},
    )
    if sizing["kind"] == "risk_per_trade":
        exits["stop_loss"] = 0.03
    sizing |= {"whole_units": some(False, True), "sized_at": some("fill", "signal")}
    sizing |= {"max_exposure": some(0.5, 1.0, 2.0)}
    entry = some(
        {"kind": "market"},
        {"kind": "limit", "offset": 0.01, "valid_bars": some(1, 3)},
        {"kind": "stop", "offset": 0.01, "valid_bars": some(1, 3)},
    )
    costs = document["costs"] | {"impact": some(0.0, 0.1)}
    return {"exits": exits, "sizing": sizing, "entry": entry, "costs": costs}


def drawn(rng: np.random.Generator, strategy: str | None = None, **more: Any) -> Drawn:
    """Draw a session with its candles. strategy: None draws that too."""
    name = strategy or str(rng.choice(sorted(WITH_OWN)))
    together = bool(rng.integers(2)) and name not in ("levels", "beside")
    count = int(rng.integers(1, 4))
    interval = Interval(str(rng.choice(["1m", "1h", "4h"])))
    names = NAMES[:count]
    document = asked(rng, together)
    if together and document["portfolio"]["weights"]["kind"] == "fixed":
        document["portfolio"]["weights"]["of"] = dict.fromkeys(names, 0.9 / count)
    if together and name == "shares":
        document["portfolio"]["weights"] = {"kind": "strategy"}
    params = QUICK.get(name, {}) if rng.random() < 0.7 else {}
    session = parse_session(
        {
            **document,
            "name": f"of {name}",
            "instruments": list(names),
            "mode": "together" if together else "each",
            "interval": str(interval),
            "strategy": {"name": name, "params": params},
            **more,
        }
    )
    return with_candles(rng, session)


def with_candles(rng: np.random.Generator, session: Session, *, bars: int = 0) -> Drawn:
    """Return a session with candles of its instruments and of the inputs of its strategy."""
    step = session.interval.fixed_ms
    assert step is not None
    first = MONDAY_MS + 9 * DAY_MS + int(rng.integers(50)) * step
    bars = bars or int(rng.integers(40, 140))
    runs = runs_of(session, first, WITH_OWN)
    series: dict[Key, Candles] = {}
    for run in runs:
        for name in run.instruments:
            before = int(rng.choice([0, 1, run.warmup, run.warmup + 7]))
            key = name, session.interval
            holes = float(rng.choice([0.0, 0.15]))
            series[key] = _own(rng, key, first, step, before, bars, holes)
        for one in run.input_series:
            key = one.instrument, one.interval
            lasts = one.interval.fixed_ms
            assert lasts is not None
            since = first - one.warmup * lasts
            since -= since % lasts
            if key not in series or len(series[key]) < one.warmup:
                until = first + bars * step
                count = (until - since) // lasts + 1
                series[key] = market(rng, since, key[1], int(count), 0.1)
    end = first + bars * step
    series = {key: _before(one, end) for key, one in series.items()}
    return Drawn(session, series, first, end)


def _own(
    rng: np.random.Generator, key: Key, first: int, step: int, before: int, bars: int, holes: float
) -> Candles:
    made = market(rng, first - before * step, key[1], before + bars, holes)
    tick, lot = (0.01, 0.001) if key[0] != NAMES[1] else (0.05, 0.5)
    return replace(made, tick=tick, lot=lot)


def _before(candles: Candles, end_ms: int) -> Candles:
    """Return the candles that have closed by an instant."""
    closed = candles.interval.ends_ms(candles.opened_ms) <= end_ms
    columns = {name: getattr(candles, name)[closed] for name in ("opened_ms", *PRICES)}
    return replace(candles, **columns)


def started(given: Drawn) -> Started:
    """Return the event that starts a session: what had closed before its first candle."""
    history: list[History] = []
    facts: dict[str, Facts] = {}
    for (name, interval), candles in given.series.items():
        known = facts.get(name)
        if known is None or known.tick is None:
            facts[name] = Facts(
                name, "spot", "USDT", candles.calendar, candles.tick, candles.lot,
                candles.multiplier,
            )  # fmt: skip
        closed = interval.ends_ms(candles.opened_ms) <= given.first_open_ms
        columns = [getattr(candles, one)[closed].tolist() for one in ("opened_ms", *PRICES)]
        history.append(History(name, interval, *map(tuple, columns)))
    content = given.session.content()
    return Started(
        SESSION_ID, content, given.first_open_ms, tuple(facts.values()), tuple(history),
        given.first_open_ms,
    )  # fmt: skip


def messages(given: Drawn) -> list[CandleClosed | CandleAbsent]:
    """Return the candles of the span as they close, and what is absent."""
    found: list[tuple[int, Any]] = []
    for (name, interval), candles in given.series.items():
        step = interval.fixed_ms
        assert step is not None
        closes = interval.ends_ms(candles.opened_ms)
        there = set(candles.opened_ms.tolist())
        late = closes > given.first_open_ms
        for bar in np.flatnonzero(late).tolist():
            values = [float(getattr(candles, one)[bar]) for one in PRICES]
            opened = int(candles.opened_ms[bar])
            found.append(
                (opened + step, CandleClosed(name, interval, opened, *values, opened + step))
            )
        first = given.first_open_ms - (given.first_open_ms % step if step > 1 else 0)
        found += [
            (opened + step, CandleAbsent(interval, opened, (name,), opened + step))
            for opened in range(first, given.end_ms - step + 1, step)
            if opened not in there and opened + step > given.first_open_ms
        ]
    return [message for _, message in sorted(found, key=lambda one: one[0])]


def played(given: Drawn, events: list[Event] | None = None) -> tuple[Engine, list[Derived]]:
    """Return an engine that has taken all messages, and what it derived."""
    engine = Engine(WITH_OWN)
    told = engine.apply(started(given))
    for message in messages(given) if events is None else events:
        told += engine.apply(message)
    return engine, told


def backtested(given: Drawn) -> Iterator[tuple[list[tuple[Any, ...]], list[float]]]:
    """Yield the trades and the equity of each account, as `mela backtest` finds them."""
    series = given.series
    bench = Bench(whole_series(lambda name, interval: series[name, interval]), WITH_OWN)
    for run in given.runs:
        curve = bench.curve_of(run)
        if curve is None:
            document = bench.answer(run)
            assert document["status"] == "no_data", (document, run)
            yield [], []
            continue
        trades = [
            (
                one.instrument or run.instrument,
                to_ms(one.entry_at), to_ms(one.exit_at), one.size, one.entry_price,
                one.exit_price, one.fees, one.profit, one.exit_reason, one.slippage, one.borrow,
                one.mae, one.mfe,
            )
            for one in curve.trades
        ]  # fmt: skip
        yield trades, curve.equity.tolist()


def found(given: Drawn, told: list[Derived]) -> list[tuple[list[tuple[Any, ...]], list[float]]]:
    """Return the trades and the equity of each account, as the engine told them."""
    accounts = given.runs
    of = {name: number for number, run in enumerate(accounts) for name in run.instruments}
    trades: list[list[tuple[Any, ...]]] = [[] for _ in accounts]
    equity: list[list[float]] = [[] for _ in accounts]
    for event in told:
        if isinstance(event, Traded):
            values = [getattr(event, name) for name in event.__dataclass_fields__]
            trades[of[event.instrument]].append(tuple(values))
        elif isinstance(event, Valued):
            equity[event.account].append(event.equity)
    return list(zip(trades, equity, strict=True))
