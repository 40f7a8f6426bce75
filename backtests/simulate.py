"""Run strategies on candles: the engine's front door."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np

from backtests import ENGINE_VERSION, METRICS_VERSION
from backtests.candles.prepared import PreparedCache, PreparedCandles
from backtests.context import context_of, last_by
from backtests.error_places import place_of
from backtests.execute import Buffers, room_for, walk
from backtests.gated_runs import walk_gated
from backtests.kernel.excursions import measure_excursions
from backtests.kernel.ledger import Walked
from backtests.metrics import metrics_of
from backtests.metrics.measure import measure
from backtests.metrics.result_warnings import caveats
from backtests.run_facts import facts_of
from backtests.signal_forms import taken
from backtests.signals import Bool, Float, MeanCross, Signals, Weights
from backtests.strategies import CATALOGUE
from backtests.strategy import Given, Strategy
from execution.trades import TRADES
from mela.block_returns import BlockReturns
from mela.candles import Candles
from mela.interval import DAY_MS, Interval
from mela.outcome import ErrorPlace
from mela.result import Curve, Metrics, Outcome, Provenance, Status, Trades
from mela.run import MarketEntry, Run, from_ms, instant_text, to_ms

SENTENCE_LENGTH = 1_000
_NO_EQUITY = np.empty(0)
_ROW = np.dtype(f"V{TRADES.itemsize}")


def run_all(
    candles: Candles,
    runs: Sequence[Run],
    *,
    with_curve: bool = False,
    catalogue: Mapping[str, Strategy] = CATALOGUE,
    spans: PreparedCache | None = None,
) -> Iterator[Outcome]:
    """Execute runs of one candle series and yield their outcomes, in order.

    candles: all that was read of the series, adjusted as the runs ask, warm-up included
    with_curve: give trades and equity too; the metrics are the same to the last bit
    spans: of these candles, for a caller who comes again with more runs of them

    Never raises for a run: what goes wrong with one makes it `failed`, and the others go on.
    """
    spans = spans or PreparedCache(candles)
    buffers = room_for(len(candles))
    for run in runs:
        span = spans.of(run)
        if isinstance(span, Exception):
            yield Outcome(run, Status.FAILED, error=error_message(span))
        else:
            yield _run_one(span, run, buffers, with_curve, catalogue, len(runs) == 1)


def provenance(
    strategy_name: str,
    candles_revision: int | None,
    catalogue: Mapping[str, Strategy] = CATALOGUE,
) -> Provenance:
    """Return what a result of this engine is made with. Raises KeyError for an unknown strategy."""
    digest = catalogue[strategy_name].digest
    return Provenance(digest, ENGINE_VERSION, METRICS_VERSION, candles_revision)


def warm(limited: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
    """Compile the kernels, or load them from Numba's cache, so that no run waits for it.

    limited: bounds the time that one strategy may take
    A strategy that fails on two candles is left out: its own runs will say what is wrong with it.
    """
    one = np.ones(2)
    days = np.array([0, DAY_MS])
    candles = Candles(Interval.D1, days, one, one, one, one, one)
    last_by(days, days)  # which joins further series
    span = from_ms(0), from_ms(2 * DAY_MS)
    runs = [
        Run("", "", Interval.D1, *span, name, {}, warmup=0)
        for name, one in CATALOGUE.items()
        if one.declares is None  # there are no candles of further series here
    ]
    runs.append(replace(runs[0], direction="both"))
    for run in runs:
        with limited():
            for _ in run_all(candles, [run], with_curve=True):
                pass


def _run_one(
    span: PreparedCandles,
    run: Run,
    buffers: Buffers,
    with_curve: bool,
    catalogue: Mapping[str, Strategy],
    alone: bool,
) -> Outcome:
    remarks: list[str] = []

    def by_its_rules(equity: Float) -> Walked:
        given = signals_of(span, run, catalogue, alone)
        signals = given.signals() if isinstance(given, Weights) else given
        if run.is_gated:
            walked = walk_gated(span, run, signals.signals(), buffers, equity, remarks)
        else:
            execute = walk if run.engine == "mela" else _walk_of_oracle()
            walked = execute(span, run, signals, buffers, equity)
        if walked.trades:
            candles, rested = span.candles, not isinstance(run.entry, MarketEntry)
            measure_excursions(
                buffers.trades,
                walked.trades,
                candles.high,
                candles.low,
                candles.close,
                span.tops,
                span.bottoms,
                rested,
            )
        return walked

    return outcome_of(
        span, run, buffers, by_its_rules, catalogue, with_curve=with_curve, remarks=remarks
    )


def outcome_of(
    span: PreparedCandles,
    run: Run,
    buffers: Buffers,
    walk: Callable[[Float], Walked],
    catalogue: Mapping[str, Strategy],
    *,
    with_curve: bool,
    remarks: Sequence[str] = (),
) -> Outcome:
    """Return what a walk over a span finds; what it raises makes the run `failed`.

    walk: takes an array for the equity, of length 0 where nobody wants it; fills the buffers
    remarks: further warnings, which the walk may have added to
    """
    if span.bars == 0:
        return _outcome(span, run, Status.NO_DATA)
    try:
        equity = np.empty(span.bars) if with_curve else _NO_EQUITY
        walked = walk(equity)
        if not math.isfinite(walked.final):
            raise OverflowError(f"equity must stay finite, but ends at {walked.final}")
        metrics, top_share, blocks = _measure(span, run, walked, buffers)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a strategy is anybody's code
        is_memory = isinstance(error, MemoryError)
        status = Status.OUT_OF_MEMORY if is_memory else Status.FAILED
        strategy = catalogue.get(run.strategy)
        place = place_of(error, strategy and strategy.signals)
        return _outcome(span, run, status, error=error_message(error), error_at=place)
    strategy = catalogue.get(run.strategy)
    own = _own_warnings(strategy, run) if strategy else ()
    return _outcome(
        span,
        run,
        Status.RUINED if walked.ruined else Status.SUCCEEDED,
        metrics=metrics,
        blocks=blocks,
        top_share=top_share,
        remarks=(*remarks, *own),
        curve=_curve(span, walked, buffers, equity) if with_curve else None,
    )


def _own_warnings(strategy: Strategy, run: Run) -> tuple[str, ...]:
    """Return what a strategy itself warns of, of a run that it has decided."""
    if strategy.warns is None:
        return ()
    return strategy.warns(strategy.params.model_validate(run.params), to_ms(run.start))


def _walk_of_oracle() -> Callable[..., Walked]:
    from backtests import backtrader

    return backtrader.walk


def signals_of(
    span: PreparedCandles,
    run: Run,
    catalogue: Mapping[str, Strategy],
    alone: bool,
    instrument: str | None = None,
) -> Given:
    """Return a run's signals on a span. Raises LookupError, ValueError and what its author did.

    alone: whether no other run shares its indicators, so that means need not be computed as lines
    instrument: whose candles the span has; None for the run's first
    """
    strategy = catalogue.get(run.strategy)
    if strategy is None:
        raise LookupError(f"no strategy is called {run.strategy!r}; `mela strategies` lists them")
    params = strategy.params.model_validate(run.params)
    given = strategy.decide(
        span.candles,
        params,
        span.indicators,
        lambda: span.context or context_of(span.candles, instrument or run.instrument, {}),
    )
    given = taken(given, run.strategy, len(span.candles))
    if isinstance(given, Weights):
        within = np.isnan(given.values) | (np.abs(given.values) <= 1.0)
        expected = "at least -1 and at most 1"
        _refuse_value(~within, given.values, "weights", expected, span, run)
    if isinstance(given, MeanCross):
        return given if alone else given.cross()
    if isinstance(given, Signals):
        _check_strength(given, span, run)
        _check_levels(given, span, run)
    return given


def _check_levels(signals: Signals, span: PreparedCandles, run: Run) -> None:
    for name in ("stop", "target", "exit_price"):
        levels: Float | None = getattr(signals, name)
        if levels is not None:
            wrong = ~(np.isnan(levels) | (np.isfinite(levels) & (levels > 0.0)))
            _refuse_value(wrong, levels, name, "a price above 0, or NaN for no level", span, run)


def _check_strength(signals: Signals, span: PreparedCandles, run: Run) -> None:
    strength = signals.strength
    if strength is None:
        return
    long, _, short, _ = signals.mirrored()
    within = (strength > 0.0) & (strength <= 1.0)
    wrong = (long | short) & ~within if run.direction != "long" else long & ~within
    _refuse_value(wrong, strength, "strength", "above 0 and at most 1 on each entry", span, run)


def _refuse_value(
    wrong: Bool, values: Float, name: str, expected: str, span: PreparedCandles, run: Run
) -> None:
    bars = np.flatnonzero(wrong)
    if len(bars):
        at = instant_text(from_ms(int(span.candles.opened_ms[bars[0]])))
        raise ValueError(
            f"{run.strategy} must give {name} as {expected}, "
            f"but gave {values[bars[0]]} on the candle of {at}"
        )


def _measure(
    span: PreparedCandles, run: Run, walked: Walked, buffers: Buffers
) -> tuple[Metrics, float, BlockReturns]:
    """Return a run's metrics, the share of its largest profit, and its returns by block."""
    top_share = measure(
        walked,
        facts_of(run, span),
        buffers.period_equity,
        buffers.drawdown,
        buffers.trades,
        span.benchmark,
        span.block_bounds,
        buffers.space,
        buffers.blocks,
        buffers.metrics,
    )
    return metrics_of(buffers.metrics), top_share, BlockReturns.of(buffers.blocks)


def _curve(span: PreparedCandles, walked: Walked, buffers: Buffers, equity: Float) -> Curve:
    opened_ms = span.candles.opened_ms
    start = span.candles.start_bar
    # as bytes: numpy would copy rows field by field
    fills = buffers.trades.view(_ROW)[: walked.trades].copy().view(TRADES)
    if span.candles.multiplier is not None:  # the walk counts units, and a trade its contracts
        fills["size"] /= span.candles.multiplier
    return Curve(
        trades=Trades(fills, opened_ms),
        opened_ms=opened_ms[start : start + walked.bars],
        equity=equity[: walked.bars],
    )


def _outcome(
    span: PreparedCandles,
    run: Run,
    status: Status,
    *,
    metrics: Metrics | None = None,
    blocks: BlockReturns | None = None,
    top_share: float = math.nan,
    remarks: Sequence[str] = (),
    error: tuple[str, str] | None = None,
    error_at: ErrorPlace | None = None,
    curve: Curve | None = None,
) -> Outcome:
    return Outcome(
        run=run,
        status=status,
        metrics=metrics,
        error=error,
        error_at=error_at,
        candles=span.bars,
        first_candle_ms=span.first_ms,
        last_candle_ms=span.last_ms,
        depends_from_ms=span.depends_from_ms,
        warmup_missing=span.warmup_missing,
        periods_per_year=span.periods_per_year if span.bars else None,
        warnings=span.warnings
        + caveats(metrics, span.bars, len(span.ends), span.years, top_share)
        + tuple(remarks),
        blocks=blocks,
        curve=curve,
    )


def error_message(error: BaseException) -> tuple[str, str]:
    """Return an error's class and sentence, as a result tells them, whatever its author made it."""
    try:
        sentence = _storable(str(error)).strip()
    except Exception:  # noqa: BLE001 - an error that cannot say what it is
        sentence = "its message could not be read"
    return _storable(type(error).__name__), sentence or "it gave no message"


def _storable(text: str) -> str:
    """Return text without what no text column takes: NUL characters and halves of surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:SENTENCE_LENGTH]
