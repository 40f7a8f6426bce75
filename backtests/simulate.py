"""Run strategies on candles: the engine's front door."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backtests import ENGINE_VERSION, METRICS_VERSION
from backtests.kernel import FILLS, NEVER, SIGNAL, STOP_LOSS, TAKE_PROFIT, Walked, walk
from backtests.metrics import Measured, buy_hold_return, measure
from backtests.signals import Bool, Float, Signals
from backtests.span import Span, Spans, read_only
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.interval import DAY_MS, Interval
from mela.result import Curve, Metrics, Outcome, Provenance, Status, Trade
from mela.run import Run, from_ms

SENTENCE_LENGTH = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Buffers:
    """What a walk writes, allocated once and reused by run after run."""

    equity: Float
    returns: Float
    fills: np.ndarray

    @classmethod
    def of(cls, candles: int) -> Buffers:
        """Return buffers for any span of a series with so many candles."""
        return cls(np.empty(candles), np.empty(candles), np.empty(candles, FILLS))


def run_all(
    candles: Candles,
    runs: Sequence[Run],
    *,
    with_curve: bool = False,
    catalogue: Mapping[str, Strategy] = CATALOGUE,
    spans: Spans | None = None,
) -> Iterator[Outcome]:
    """Execute runs of one candle series and yield their outcomes, in order.

    candles: all that was read of the series, adjusted as the runs ask, warm-up included
    with_curve: give trades and equity too; the metrics are the same to the last bit
    spans: of these candles, for a caller who comes again with more runs of them

    Never raises for a run: what goes wrong with one makes it `failed`, and the others go on.
    """
    spans = spans or Spans(candles)
    buffers = Buffers.of(len(candles))
    for run in runs:
        span = spans.of(run)
        if isinstance(span, Exception):
            yield Outcome(run, Status.FAILED, error=_said(span))
        else:
            yield _run_one(span, run, buffers, with_curve, catalogue)


def provenance(
    strategy_name: str,
    candles_revision: int | None,
    catalogue: Mapping[str, Strategy] = CATALOGUE,
) -> Provenance:
    """Return what a result of this engine is made with. Raises KeyError for an unknown strategy."""
    digest = catalogue[strategy_name].digest
    return Provenance(digest, ENGINE_VERSION, METRICS_VERSION, candles_revision)


def warm() -> None:
    """Compile the kernels, or load them from Numba's cache, so that no run waits for it."""
    one = np.ones(2)
    days = np.array([0, DAY_MS])
    candles = Candles(Interval.D1, days, one, one, one, one, one)
    span = from_ms(0), from_ms(2 * DAY_MS)
    runs = [Run("", "", Interval.D1, *span, name, {}, warmup=0) for name in CATALOGUE]
    for outcome in run_all(candles, runs, with_curve=True):
        if outcome.error:
            raise RuntimeError(f"the engine could not be warmed up: {': '.join(outcome.error)}")


def _run_one(
    span: Span, run: Run, buffers: Buffers, with_curve: bool, catalogue: Mapping[str, Strategy]
) -> Outcome:
    if span.bars == 0:
        return _outcome(span, run, Status.NO_DATA)
    try:
        walked = _walk(span, run, _signals(span, run, catalogue), buffers)
        equity = buffers.equity[: walked.bars]
        measured = measure(
            equity, span.ends, run.cash, span.years, span.periods_per_year, buffers.returns
        )
        if not math.isfinite(measured.final_equity):
            raise OverflowError(f"equity must stay finite, but ends at {measured.final_equity}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a strategy is anybody's code
        return _outcome(span, run, Status.FAILED, error=_said(error))
    return _outcome(
        span,
        run,
        Status.RUINED if walked.ruined else Status.SUCCEEDED,
        metrics=_metrics(span, run, walked, measured),
        curve=_curve(span, walked, buffers) if with_curve else None,
    )


def _signals(span: Span, run: Run, catalogue: Mapping[str, Strategy]) -> Signals:
    strategy = catalogue.get(run.strategy)
    if strategy is None:
        raise LookupError(f"no strategy is called {run.strategy!r}; `mela strategies` lists them")
    params = strategy.params.model_validate(run.params)
    given = strategy.signals(span.candles, params, span.indicators)
    enter, exit_ = given.signals()[:2]
    return Signals(_checked(enter, "enter", span, run), _checked(exit_, "exit", span, run))


def _checked(signal: Any, name: str, span: Span, run: Run) -> Bool:
    expected = (len(span.candles),)
    if not isinstance(signal, np.ndarray) or signal.dtype != np.bool_ or signal.shape != expected:
        found = getattr(signal, "dtype", type(signal).__name__), getattr(signal, "shape", ())
        raise ValueError(
            f"{run.strategy} must give {name} as bool of shape {expected}, but gave "
            f"{found[0]} of shape {found[1]}"
        )
    return read_only(signal, np.bool_)


def _walk(span: Span, run: Run, signals: Signals, buffers: Buffers) -> Walked:
    candles, exits = span.candles, run.exits
    return walk(
        candles.open,
        candles.high,
        candles.low,
        candles.close,
        np.flatnonzero(signals.enter > signals.exit),
        signals.exit,
        candles.start_bar,
        float(run.cash),
        float(run.costs.fee),
        float(run.costs.slippage),
        float(run.sizing.fraction),
        NEVER if exits.stop_loss is None else float(exits.stop_loss),
        NEVER if exits.take_profit is None else float(exits.take_profit),
        min(exits.cooldown_bars, len(candles)),
        0 if exits.protect_from == "entry" else 1,
        buffers.equity,
        buffers.fills,
    )


def _metrics(span: Span, run: Run, walked: Walked, measured: Measured) -> Metrics:
    return Metrics(
        *measured,
        exposure_time=walked.exposed / walked.bars,
        trades=walked.trades,
        winning_trades=walked.winning,
        losing_trades=walked.losing,
        win_rate=walked.winning / walked.trades if walked.trades else float("nan"),
        open_trades=walked.open_trades,
        fees_paid=walked.fees,
        ambiguous_bars=walked.ambiguous,
        buy_hold_return=buy_hold_return(
            span.first_open, span.last_close, run.costs.fee, run.costs.slippage
        ),
    )


def _curve(span: Span, walked: Walked, buffers: Buffers) -> Curve:
    opened_ms = span.candles.opened_ms
    start = span.candles.start_bar
    return Curve(
        trades=tuple(_trade(opened_ms, fill) for fill in buffers.fills[: walked.trades]),
        opened_ms=opened_ms[start : start + walked.bars],
        equity=buffers.equity[: walked.bars].copy(),
    )


def _trade(opened_ms: np.ndarray, fill: Any) -> Trade:
    entry_bar, exit_bar, size, entry_price, exit_price, fees, profit, reason = fill.item()
    return Trade(
        entry_at=from_ms(int(opened_ms[entry_bar])),
        exit_at=from_ms(int(opened_ms[exit_bar])),
        size=size,
        entry_price=entry_price,
        exit_price=exit_price,
        fees=fees,
        profit=profit,
        exit_reason=_REASONS[reason],
    )


_REASONS: dict[int, Literal["signal", "stop_loss", "take_profit"]] = {
    SIGNAL: "signal",
    STOP_LOSS: "stop_loss",
    TAKE_PROFIT: "take_profit",
}


def _outcome(
    span: Span,
    run: Run,
    status: Status,
    *,
    metrics: Metrics | None = None,
    error: tuple[str, str] | None = None,
    curve: Curve | None = None,
) -> Outcome:
    return Outcome(
        run=run,
        status=status,
        metrics=metrics,
        error=error,
        candles=span.bars,
        first_candle_ms=span.first_ms,
        last_candle_ms=span.last_ms,
        depends_from_ms=span.depends_from_ms,
        warmup_missing=span.warmup_missing,
        periods_per_year=span.periods_per_year if span.bars else None,
        warnings=span.warnings,
        curve=curve,
    )


def _said(error: BaseException) -> tuple[str, str]:
    # What no text column takes is replaced: NUL characters and halves of surrogate pairs.
    text = str(error).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return type(error).__name__, text.strip()[:SENTENCE_LENGTH] or "it gave no message"
