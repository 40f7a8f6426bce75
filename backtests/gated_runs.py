"""Runs whose entries pass a gate, and runs whose candles fill in some hours only: they are stepped.

The gate is that of a live session (`execution.gated`), asked in the same way. A run without limits
and hours is walked as a whole, which is many times quicker.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from backtests.candles.aligned import AlignedCandles
from backtests.candles.prepared import PreparedCandles
from backtests.execute import Buffers
from backtests.kernel.ledger import Walked
from backtests.kernel.stepped import write_ends
from backtests.signals import Bool, Float, Signals
from backtests.stepping import CandleSteps, PortfolioSteps
from backtests.strategy import Given
from execution.gated import (
    Gate,
    Judged,
    Market,
    gated_portfolio_step,
    gated_portfolio_warm,
    gated_step,
    gated_warm,
)
from execution.room import recent_volatility, recent_volume
from mela.candles import Candles
from mela.market_hours import is_open
from mela.risk_limits import RiskLimits
from mela.run import Run, to_ms

REFUSED = "risk_refused"
OUTSIDE = "outside_sessions"


def market_at(candles: Candles, run: Run, limits: RiskLimits, bar: int, ended_ms: float) -> Market:
    """Return what a gate sees of a market on the close of a candle, as far as limits ask for it."""
    after = bar + 1
    volume = volatility = opened = math.nan
    if limits.max_volume_share is not None:
        since = max(after - limits.volume_candles, 0)
        recent = candles.volume[since:after] * candles.contract_units
        volume = recent_volume(recent, limits.volume_candles)
    if limits.target_volatility is not None:
        since = max(after - limits.volatility_candles - 1, 0)
        volatility = recent_volatility(candles.close[since:after], limits.volatility_candles)
    if limits.session_hours == "refuse":
        opened = is_open(candles.calendar, ended_ms, run.sessions or "regular")
    lot = math.nan if candles.lot is None else candles.lot_units
    tick = math.nan if candles.tick is None else candles.tick
    return Market(volume, volatility, opened, lot, tick)


def walk_gated(
    span: PreparedCandles,
    run: Run,
    signals: Signals,
    buffers: Buffers,
    equity: Float,
    remarks: list[str],
) -> Walked:
    """Execute signals candle by candle, as `execute.walk` does, through the run's gate.

    remarks: gets the warnings that tell what was refused
    """
    steps, candles = CandleSteps.of(span, run, signals), span.candles
    limits = run.risk or RiskLimits()
    gate, stepper = Gate(limits, float(run.cash)), steps.plain_stepper()
    power, judged = max(float(run.sizing.max_exposure), 1.0), list[Judged]()
    name, now = run.instrument, max(steps.first - 1, 0)

    def look(_place: int) -> Market:
        return market_at(candles, run, limits, now, float(candles.opened_ms[now] + span.lasting_ms))

    if steps.first > 0:
        candle, decision = steps.candle(now), steps.decision(now)
        judged += gated_warm(gate, stepper, name, candle, decision, look, power=power)
    curve, row = np.empty(span.bars), 0
    bars, ruined = span.bars, False
    for now in range(steps.first, len(candles)):
        candle, decision = steps.candle(now), steps.decision(now)
        step, found = gated_step(gate, stepper, name, candle, decision, look, power=power)
        judged += found
        buffers.trades[row : row + len(step.trades)] = step.trades
        row += len(step.trades)
        curve[now - steps.first] = step.equity
        if step.ruined:
            bars, ruined = now - steps.first + 1, True
            break
    periods = _written(curve[:bars], candles.opened_ms[steps.first :], span, ruined, run, buffers)
    equity[:bars] = curve[: min(bars, len(equity))]
    remarks += _told(judged, () if steps.in_hours is None else [steps.in_hours[steps.first :]])
    return _walked(stepper.state, bars, periods)


def walk_gated_account(
    laid: AlignedCandles,
    run: Run,
    given: Sequence[Given | None],
    basket: PreparedCandles,
    buffers: Buffers,
    equity: Float,
    traded_in: np.ndarray,
    remarks: list[str],
) -> Walked:
    """Execute the decisions of several instruments on one account step by step, through its gate.

    traded_in: int64, written: the instrument of each trade; remarks: as of `walk_gated`
    """
    steps = PortfolioSteps.of(laid, run, given)
    limits, names = run.risk or RiskLimits(), run.instruments
    gate, stepper = Gate(limits, float(run.cash)), steps.plain_stepper()
    judged, now = list[Judged](), 0
    seen_ms = steps.seen_ms()

    def look(place: int) -> Market:
        candles, ended_ms = laid.spans[place].candles, float(seen_ms[place])
        bar = int(np.searchsorted(candles.opened_ms, ended_ms - steps.lasting_ms))
        return market_at(candles, run, limits, bar, ended_ms)

    start_ms = float(to_ms(run.start))
    first = steps.candles(0), steps.decisions(0), steps.targets(0)
    judged += gated_portfolio_warm(gate, stepper, names, *first, look, seen_ms, start_ms)
    curve, row = np.empty(len(laid.opened_ms) - 1), 0
    bars, ruined = len(curve), False
    for now in range(1, len(laid.opened_ms)):
        opened_ms = int(laid.opened_ms[now])
        step, places, found = gated_portfolio_step(
            *(gate, stepper, names, opened_ms, opened_ms + steps.lasting_ms),
            *(steps.candles(now), steps.decisions(now), steps.targets(now), look, seen_ms),
            due=bool(steps.due[now]),
        )
        judged += found
        after = row + len(step.trades)
        buffers.trades[row:after], traded_in[row:after] = step.trades, places
        row, curve[now - 1] = after, step.equity
        if step.ruined:
            bars, ruined = now, True
            break
    periods = _written(curve[:bars], laid.opened_ms[1:], basket, ruined, run, buffers)
    equity[:bars] = curve[: min(bars, len(equity))]
    remarks += _told(judged, steps.in_hours)
    return _walked_account(stepper.account, stepper.positions, bars, periods, buffers.trades)


def _written(
    curve: Float,
    opened_ms: np.ndarray,
    span: PreparedCandles,
    ruined: bool,
    run: Run,
    buffers: Buffers,
) -> int:
    return write_ends(
        curve,
        opened_ms[: len(curve)],
        span.ends,
        ruined,
        float(run.cash),
        buffers.period_equity,
        buffers.drawdown,
    )


def _told(judged: Iterable[Judged], in_hours: Iterable[Bool]) -> list[str]:
    """Return warnings: how many entries each limit refused, and whether candles filled nothing."""
    counts = Counter(one.verdict.code for one in judged if not one.verdict.allowed)
    told = [f"{REFUSED}:{code}={count}" for code, count in sorted(counts.items())]
    return told + ([OUTSIDE] if not all(one.all() for one in in_hours) else [])


def _walked(state: np.ndarray, bars: int, periods: int) -> Walked:
    """Return what an account of one instrument has counted."""
    account = dict(zip(state.dtype.names or (), state[0].tolist(), strict=True))
    is_held = account["side"] != 0.0
    return Walked(
        bars,
        periods,
        account["ruined"] != 0,
        account["trades"],
        account["winning"],
        account["losing"],
        int(is_held),
        account["exposed"],
        account["ambiguous"],
        account["rejected"],
        account["large"],
        account["fees"],
        account["traded"],
        account["slippage"] + (account["position_slippage"] if is_held else 0.0),
        account["borrow"] + (account["position_borrow"] if is_held else 0.0),
        account["equity"],
    )


def _walked_account(
    state: np.ndarray, positions: np.ndarray, bars: int, periods: int, trades: np.ndarray
) -> Walked:
    """Return what an account of several instruments has counted, as `walk_portfolio` does."""
    account = dict(zip(state.dtype.names or (), state[0].tolist(), strict=True))
    done = trades[: account["trades"]]
    slippage, borrow = 0.0, 0.0
    for name_slippage, name_borrow in zip(
        done["slippage"].tolist(), done["borrow"].tolist(), strict=True
    ):
        slippage += name_slippage
        borrow += name_borrow
    held = positions[positions["units"] != 0.0]
    for one in held:
        slippage += float(one["slippage"])
        borrow += float(one["borrow"])
    return Walked(
        bars,
        periods,
        account["ruined"] != 0,
        account["trades"],
        int((done["profit"] > 0.0).sum()),
        int((done["profit"] < 0.0).sum()),
        len(held),
        account["exposed"],
        account["ambiguous"],
        account["rejected"],
        account["large"],
        account["fees"],
        account["traded"],
        slippage,
        borrow,
        account["equity"],
    )
