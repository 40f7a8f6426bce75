"""From a run's words to the walk that executes it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from backtests.candles.prepared import PreparedCandles, read_only
from backtests.kernel.bars import walk_bars
from backtests.kernel.crossings import SIGNALS_PER_BLOCK, Bars
from backtests.kernel.events import FLAGS, LINES, MEANS, walk_events
from backtests.kernel.ledger import DRAWDOWN_SIZE, Walked
from backtests.metrics import BLOCKS, new_rows
from backtests.signals import Bool, Cross, Float, MeanCross, Signals
from backtests.sizing_inputs import sizing_measure
from execution.account import begin_account
from execution.terms import (
    ATR,
    CASH,
    FRACTION,
    LIMIT,
    MARKET,
    NEVER,
    RISK,
    STOP,
    UNITS,
    VOLATILITY,
    Terms,
    cost_terms,
    exit_terms,
)
from execution.trades import TRADES
from mela.candles import Candles
from mela.run import (
    AtrSizing,
    CashSizing,
    Costs,
    Exits,
    FractionSizing,
    LimitEntry,
    MarketEntry,
    RiskSizing,
    Run,
    Sizing,
    StopEntry,
    UnitsSizing,
    VolatilitySizing,
)

_NO_LINE, _NO_SIGNAL = np.empty(0), np.empty(0, dtype=np.bool_)
_NO_LINE.flags.writeable = _NO_SIGNAL.flags.writeable = False
_ENTRY_KINDS = {MarketEntry: MARKET, LimitEntry: LIMIT, StopEntry: STOP}
# what the walk from event to event knows of costs and exits; it must find all else at its default
_PLAIN = {
    Costs: {"kind", "fee", "slippage", "borrow_rate"},
    Exits: {"stop_loss", "take_profit", "cooldown_bars", "protect_from"},
}
_BEYOND = {
    part: [(name, one.default) for name, one in part.model_fields.items() if name not in plain]
    for part, plain in _PLAIN.items()
}


@dataclass(frozen=True, slots=True, eq=False)
class Buffers:
    """The arrays that a walk fills, allocated once and reused by each run."""

    period_equity: Float
    space: Float
    drawdown: Float
    trades: np.ndarray
    entries: Bars
    exits: Bars
    flags: Bool
    words: Bars
    blocks: Float
    metrics: np.ndarray

    @classmethod
    def of(cls, candles: int) -> Buffers:
        """Return buffers for any span of a series with so many candles."""
        bars = np.empty((2, candles + 1), np.int64)
        flags = np.zeros((2, SIGNALS_PER_BLOCK), np.bool_)
        return cls(
            period_equity=np.empty(candles),
            space=np.empty((2, candles)),
            drawdown=np.empty(DRAWDOWN_SIZE),
            trades=np.empty(candles + 2, TRADES),
            entries=bars[0],
            exits=bars[1],
            flags=flags,
            words=flags.view(np.int64),
            blocks=np.empty((3, BLOCKS)),
            metrics=new_rows(),
        )


_kept = threading.local()


def room_for(candles: int) -> Buffers:
    """Return this thread's buffers, larger ones where they are too small for so many candles.

    Read the arrays before the next walk reuses them: fresh memory would cost more than the walk.
    """
    kept: Buffers | None = getattr(_kept, "buffers", None)
    if kept is None or len(kept.period_equity) < candles:
        kept = _kept.buffers = Buffers.of(candles)
    return kept


def walk(
    span: PreparedCandles,
    run: Run,
    signals: Signals | Cross | MeanCross,
    buffers: Buffers,
    equity: Float,
) -> Walked:
    """Execute the signals of a run on its candles.

    equity: (span.bars,) float64, written; of length 0 where nobody wants it
    """
    if is_plain(run) and not has_inputs(signals):
        return _walk_events(span, run, signals, buffers, equity)
    return _walk_bars(span, run, signals.signals(), buffers, equity)


def is_plain(run: Run) -> bool:
    """Tell whether a run asks only for what the walk from event to event knows."""
    return (
        run.direction == "long"
        and isinstance(run.entry, MarketEntry)
        and _is_plain_sizing(run.sizing)
        and _is_plain_part(run.costs)
        and _is_plain_part(run.exits)
    )


def has_inputs(signals: Signals | Cross | MeanCross) -> bool:
    """Tell whether signals carry strengths, stops, targets or exit prices."""
    return isinstance(signals, Signals) and any(given is not None for given in signals[4:])


def _is_plain_sizing(sizing: Sizing) -> bool:
    return (
        isinstance(sizing, FractionSizing)
        and not sizing.whole_units
        and sizing.max_exposure >= 1.0
        and sizing.sized_at == "fill"
    )


def _is_plain_part(part: Costs | Exits) -> bool:
    """Tell whether a part asks nothing but what the walk from event to event knows."""
    values = part.__dict__
    return all(values[name] == default for name, default in _BEYOND[type(part)])


def _walk_events(
    span: PreparedCandles,
    run: Run,
    signals: Signals | Cross | MeanCross,
    buffers: Buffers,
    equity: Float,
) -> Walked:
    candles, exits = span.candles, run.exits
    assert isinstance(run.sizing, FractionSizing)  # noqa: S101  is_plain says so
    match signals:
        case MeanCross(fast, slow):
            given = (MEANS, fast, slow, _NO_LINE, _NO_LINE, _NO_SIGNAL, _NO_SIGNAL)
        case Cross(line, level):
            given = (LINES, 0, 0, line, level, _NO_SIGNAL, _NO_SIGNAL)
        case Signals(enter=enter, exit=exit_):
            given = (FLAGS, 0, 0, _NO_LINE, _NO_LINE, enter, exit_)
    return walk_events(
        candles.open,
        candles.high,
        candles.low,
        candles.close,
        candles.volume_units,
        candles.opened_ms,
        span.quiet_from,
        span.lowest,
        span.highest,
        *given,
        buffers.entries,
        buffers.exits,
        buffers.flags,
        buffers.words,
        candles.start_bar,
        float(run.cash),
        float(run.costs.fee),
        float(run.costs.slippage),
        float(run.sizing.fraction),
        _or_never(exits.stop_loss),
        _or_never(exits.take_profit),
        min(exits.cooldown_bars, len(candles)),
        0 if exits.protect_from == "entry" else 1,
        span.ends,
        buffers.period_equity,
        buffers.drawdown,
        equity,
        buffers.trades,
    )


def _walk_bars(
    span: PreparedCandles, run: Run, signals: Signals, buffers: Buffers, equity: Float
) -> Walked:
    candles = span.candles
    enter, exit_, enter_short, exit_short = (
        None if given is None else read_only(given, np.bool_) for given in signals[:4]
    )
    assert enter is not None and exit_ is not None  # noqa: S101, PT018  only short ones may be None
    strength, stop, target, exit_price = (
        _NO_LINE if given is None else read_only(given, np.float64) for given in signals[4:]
    )
    return walk_bars(
        candles.open,
        candles.high,
        candles.low,
        candles.close,
        candles.volume_units,
        candles.opened_ms,
        span.lasting_ms,
        span.quiet_from,
        enter,
        exit_,
        exit_ if enter_short is None else enter_short,
        enter if exit_short is None else exit_short,
        sizing_measure(run.sizing, candles),
        strength,
        stop,
        target,
        exit_price,
        candles.start_bar,
        begin_account(float(run.cash), max(candles.start_bar - 1, 0)),
        terms_of(run, candles),
        span.ends,
        buffers.period_equity,
        buffers.drawdown,
        equity,
        buffers.trades,
    )


def terms_of(run: Run, candles: Candles) -> Terms:
    """Return what a run asks as numbers. Raises ValueError where a tick is asked but unknown.

    Sizes are counted in units of what the price is of: contracts × their multiplier.
    """
    costs, entry, sizing = run.costs, run.entry, run.sizing
    if costs.round_to_tick and candles.tick is None:
        raise ValueError(
            f"costs.round_to_tick needs the tick of {run.instrument}, but none is known; "
            "leave it out, or load the instrument from a source that states it"
        )
    kind, amount, multiple = _sized(sizing)
    resting = isinstance(entry, LimitEntry | StopEntry)
    return Terms(
        longs=run.direction != "short",
        shorts=run.direction != "long",
        entry_kind=_ENTRY_KINDS[type(entry)],
        offset=float(entry.offset) if resting else 0.0,
        valid_bars=min(entry.valid_bars, len(candles)) if resting else 0,
        tick=float(candles.tick or 0.0) if costs.round_to_tick else 0.0,
        sizing_kind=kind,
        amount=float(amount) * (candles.contract_units if kind == UNITS else 1.0),
        multiple=float(multiple),
        max_exposure=float(sizing.max_exposure),
        at_signal=sizing.sized_at == "signal",
        lot=float(candles.lot_units) if _in_lots(run, candles) else 0.0,
        costs=cost_terms(costs),
        exits=exit_terms(run.exits),
    )


def _in_lots(run: Run, candles: Candles) -> bool:
    """Tell whether sizes are whole lots; a gate refuses what it knows no lot of."""
    is_judged = run.risk is not None and run.risk.lot_and_tick and candles.lot is not None
    return run.sizing.whole_units or is_judged


def _sized(sizing: Sizing) -> tuple[int, float, float]:
    """Return a sizing's kind, its amount, and the ranges that its risk stands for."""
    match sizing:
        case FractionSizing():
            return FRACTION, sizing.fraction, 0.0
        case CashSizing():
            return CASH, sizing.amount, 0.0
        case UnitsSizing():
            return UNITS, sizing.units, 0.0
        case RiskSizing():
            return RISK, sizing.risk, 0.0
        case AtrSizing():
            return ATR, sizing.risk, sizing.multiple
        case VolatilitySizing():
            return VOLATILITY, sizing.target, 0.0


def _or_never(level: float | None) -> float:
    return NEVER if level is None else float(level)
