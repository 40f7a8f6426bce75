"""Run strategies on several instruments of one account (docs/portfolio.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backtests.candles.aligned import AlignedCandles, align
from backtests.candles.prepared import PreparedCache, PreparedCandles
from backtests.execute import Buffers
from backtests.gated_runs import walk_gated_account
from backtests.kernel.excursions import measure_account_excursions
from backtests.kernel.ledger import Walked
from backtests.kernel.portfolio import Columns, walk_portfolio
from backtests.portfolio_terms import portfolio_terms_of, shares_of
from backtests.signals import Float
from backtests.simulate import error_message, outcome_of, run_all, signals_of
from backtests.strategies import CATALOGUE
from backtests.strategy import Given, Strategy
from execution.account import begin_portfolio
from execution.trades import TRADES
from mela.candles import Candles
from mela.errors import CandlesInvalid
from mela.interval import DAY_MS, Interval
from mela.portfolio import InverseVolatility, Portfolio, StrategyWeights
from mela.result import Outcome, Status
from mela.run import Run, from_ms


def run_series(
    series: Mapping[str, Candles],
    runs: Sequence[Run],
    *,
    with_curve: bool = False,
    catalogue: Mapping[str, Strategy] = CATALOGUE,
    spans_of: Callable[[Candles], PreparedCache] = PreparedCache,
) -> Iterator[Outcome]:
    """Execute runs that read the same series: of one instrument, or of one account of several.

    series: of each instrument of the runs all that was read; spans_of: gives spans kept elsewhere
    Otherwise as `run_all` and `run_together`, one of which it calls.
    """
    if runs[0].portfolio is not None:
        return run_together(series, runs, with_curve=with_curve, catalogue=catalogue)
    candles = series[runs[0].instrument]
    spans = spans_of(candles)
    return run_all(candles, runs, with_curve=with_curve, catalogue=catalogue, spans=spans)


def run_together(
    series: Mapping[str, Candles],
    runs: Sequence[Run],
    *,
    with_curve: bool = False,
    catalogue: Mapping[str, Strategy] = CATALOGUE,
) -> Iterator[Outcome]:
    """Execute runs of one account of several instruments and yield their outcomes, in order.

    series: of each instrument of the runs all that was read, adjusted as they ask, warm-up included
    with_curve: give trades and equity too; the metrics are the same to the last bit

    Never raises for a run: what goes wrong with one makes it `failed`, and the others go on.
    """
    spans = {name: PreparedCache(candles) for name, candles in series.items()}
    previous: tuple[Any, ...] = ()
    laid: AlignedCandles | Exception | None = None
    for run in runs:
        question = run.instruments, run.interval, run.start, run.end, run.warmup, run.inputs
        if question != previous:  # the runs of a grid that read the same candles follow each other
            previous, laid = question, _lay(spans, run)
        if laid is None:
            yield Outcome(run, Status.NO_DATA)
        elif isinstance(laid, Exception):
            yield Outcome(run, Status.FAILED, error=error_message(laid))
        else:
            yield _run_one(laid, run, with_curve, catalogue)


def account_span(series: Mapping[str, Candles], run: Run) -> PreparedCandles:
    """Return the span that the metrics of a run of several instruments are of: a held basket's.

    Raises ValueError where its series have no candles to lay side by side.
    """
    laid = _lay({name: PreparedCache(candles) for name, candles in series.items()}, run)
    if run.portfolio is None or not isinstance(laid, AlignedCandles):
        raise ValueError(f"expected an account with candles, but found {laid!r}")
    return laid.basket(run.instruments, run, laid.weights(run.instruments, run.portfolio))


def warm_accounts() -> None:
    """Compile the walk over accounts, or load it from Numba's cache, as `simulate.warm` does."""
    one, opened_ms = np.ones(2), np.array([0, DAY_MS])
    candles = Candles(Interval.D1, opened_ms, one, one, one, one, one)
    span = from_ms(0), from_ms(2 * DAY_MS)
    bold = Portfolio(weights=InverseVolatility(period=2))
    run = Run("", "a:X", Interval.D1, *span, "sma_cross", {}, 0, others=("a:Y",), portfolio=bold)
    for _ in run_together({"a:X": candles, "a:Y": candles}, [run], with_curve=True):
        pass


def _lay(spans: Mapping[str, PreparedCache], run: Run) -> AlignedCandles | Exception | None:
    """Return the candles of a run side by side, what is wrong with them, or None without any."""
    found: list[PreparedCandles] = []
    for name in run.instruments:
        span = spans[name].of(run, name)
        if isinstance(span, Exception):
            return CandlesInvalid(f"{name}: {span}")
        found.append(span)
    return align(found, run) if any(span.bars for span in found) else None


def _run_one(
    laid: AlignedCandles, run: Run, with_curve: bool, catalogue: Mapping[str, Strategy]
) -> Outcome:
    assert run.portfolio is not None  # noqa: S101  what shares an account has weights
    weights = laid.weights(run.instruments, run.portfolio)
    basket = laid.basket(run.instruments, run, weights)
    buffers = replace(Buffers.of(len(laid.opened_ms)), trades=np.empty(laid.candles + 1, TRADES))
    traded_in = np.empty(len(buffers.trades), np.int64)

    remarks: list[str] = []

    def by_its_weights(equity: Float) -> Walked:
        given = decided(laid, run, catalogue)
        walk = walk_gated_account if run.is_gated else _walk
        walked = walk(laid, run, given, basket, buffers, equity, traded_in, remarks)
        _, high, low, *_ = laid.prices
        measure_account_excursions(buffers.trades, walked.trades, traded_in, laid.has, high, low)
        return walked

    outcome = outcome_of(
        basket, run, buffers, by_its_weights, catalogue, with_curve=with_curve, remarks=remarks
    )
    if outcome.curve is None:
        return outcome
    trades = tuple(
        trade._replace(
            instrument=run.instruments[place],
            size=trade.size / laid.spans[place].candles.contract_units,
        )
        for trade, place in zip(outcome.curve.trades, traded_in.tolist(), strict=False)
    )
    return replace(outcome, curve=replace(outcome.curve, trades=trades))


def _walk(
    laid: AlignedCandles,
    run: Run,
    given: Sequence[Given | None],
    basket: PreparedCandles,
    buffers: Buffers,
    equity: Float,
    traded_in: np.ndarray,
    _remarks: list[str],
) -> Walked:
    assert run.portfolio is not None  # noqa: S101
    shares, signals = shares_of(laid, run, given, laid.weights(run.instruments, run.portfolio))
    columns = Columns(
        laid.has,
        laid.fillable,
        *laid.prices,
        *laid.signals(signals),
        *laid.inputs(signals),
        shares,
    )
    lots = np.array([span.candles.lot_units for span in laid.spans])
    return walk_portfolio(
        columns,
        laid.opened_ms,
        basket.lasting_ms,
        laid.due(run.portfolio.rebalance),
        *begin_portfolio(float(run.cash), lots),
        portfolio_terms_of(run),
        basket.ends,
        buffers.period_equity,
        buffers.drawdown,
        equity,
        buffers.trades,
        traded_in,
    )


def decided(
    laid: AlignedCandles, run: Run, catalogue: Mapping[str, Strategy]
) -> list[Given | None]:
    """Return what a run's strategy decides on each instrument; None for one that it isn't asked of.

    One without candles in the span trades nothing. If the strategy gives the weights, that of its
    last warm-up candle still counts: the share stays cash.
    """
    assert run.portfolio is not None  # noqa: S101
    gives_weights = isinstance(run.portfolio.weights, StrategyWeights)
    return [
        signals_of(span, run, catalogue, False, name)
        if span.bars or (gives_weights and len(span.candles))
        else None
        for name, span in zip(run.instruments, laid.spans, strict=True)
    ]
