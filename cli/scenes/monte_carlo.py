"""Resample the best run: `--monte-carlo` of `mela backtest`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from backtests.candles.prepared import PreparedCandles, prepare_candles
from backtests.run_facts import risk_free_of
from backtests.search.period_returns import period_ends_of, returns_of, shuffled
from backtests.statistics.montecarlo import (
    LEVELS,
    MonteCarlo,
    Quantiles,
    TradeShuffle,
    resample,
)
from cli.console import fail
from mela.candles import Candles
from mela.counts import counted
from mela.result import Curve, Outcome

if TYPE_CHECKING:
    from backtests.charts.fan import Fan

SHOWN = (0.05, 0.5, 0.95)


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """A run's curve and its resampled paths. trades: None if there was nothing to shuffle."""

    curve: Curve
    cash: float
    span: PreparedCandles
    paths: MonteCarlo
    trades: TradeShuffle | None


def resampled(outcome: Outcome, candles: Candles, *, paths: int, seed: int) -> Resampled:
    """Resample the returns of a run and shuffle its trades. Raises typer.Exit."""
    run, curve = outcome.run, outcome.curve
    if curve is None:
        reason = f" ({': '.join(outcome.error)})" if outcome.error else ""
        raise fail(f"nothing to resample: the run ended as {outcome.status}{reason}")
    span = prepare_candles(candles, run)
    returns = returns_of(curve, span, run.cash)
    if len(returns) < 2:
        raise fail(f"--monte-carlo expects at least 2 periods, but the run has {len(returns)}")
    found = resample(
        returns,
        periods_per_year=span.periods_per_year,
        years=span.years,
        risk_free=risk_free_of(run, span.periods_per_year),
        paths=paths,
        seed=seed,
    )
    trades = shuffled(run, curve, shuffles=paths, seed=seed)
    return Resampled(curve, run.cash, span, found, trades)


def title_of(of: MonteCarlo) -> str:
    """Return one line that says how the paths were drawn."""
    blocks = "one by one" if of.block == 1 else f"in blocks of {of.block} on average"
    returns = counted(of.periods, "return")
    return f"Monte Carlo: {of.paths:,} paths of {returns} {blocks}, seed {of.seed}"


def monte_carlo_table(of: Resampled) -> Table:
    """Return a table of the quantiles 5 %, 50 % and 95 % of the paths."""
    table = Table(
        title=title_of(of.paths), title_justify="left", header_style="bold", box=None,
        pad_edge=False,
    )  # fmt: skip
    table.add_column("", no_wrap=True)
    for level in SHOWN:
        table.add_column(f"{level:.0%}", justify="right", no_wrap=True)
    table.add_row("return", *_shown(of.paths.total_return, ".1%"))
    table.add_row("cagr", *_shown(of.paths.cagr, ".1%"))
    table.add_row("Sharpe", *_shown(of.paths.sharpe, ".2f"))
    # candles within a period are not drawn, so that this fall is not deeper than `max_drawdown`'s
    table.add_row("drawdown between period ends", *_shown(of.paths.max_drawdown, ".1%"))
    if of.trades is not None:
        label = f"drawdown of the {counted(of.trades.trades, 'trade')} in other orders"
        table.add_row(label, *_shown(of.trades.max_drawdown, ".1%"))
    return table


def fan_of(of: Resampled) -> Fan:
    """Return the paths over time, in quote currency, and the run's own equity."""
    from backtests.charts.fan import Fan

    # A period is over when its last candle closes; the first begins when its first one opens.
    closed_ms = of.curve.opened_ms + of.span.lasting_ms
    ends = period_ends_of(of.curve, of.span)
    times_ms = np.concatenate((of.curve.opened_ms[:1], closed_ms[ends]))
    equity = np.concatenate(([of.cash], of.curve.equity[ends]))
    at = of.paths.fan_periods
    quantiles = dict(zip(LEVELS, of.cash * of.paths.fan, strict=True))
    return Fan(times_ms[at], quantiles, equity[at], title_of(of.paths))


def _shown(of: Quantiles, form: str) -> list[str]:
    if of.values is None:
        return ["–"] * len(SHOWN)
    values = dict(zip(of.levels, of.values, strict=True))
    return [format(values[level], form) for level in SHOWN]
