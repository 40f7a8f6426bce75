"""The facts about a run's terms and candles that metrics need."""

from __future__ import annotations

from backtests.candles.prepared import PreparedCandles
from backtests.metrics.periods import rate_per_period
from mela.run import Run


def risk_free_of(run: Run, periods_per_year: float) -> float:
    """Return a run's risk-free rate in each period."""
    return rate_per_period(run.risk_free_rate, periods_per_year)


def facts_of(run: Run, span: PreparedCandles) -> tuple[float, ...]:
    """Return the values of `metrics.measure.Facts` as a plain tuple.

    A named one takes longer to hand over to compiled code.
    """
    costs, per_year = run.costs, span.periods_per_year
    required = run.risk_free_rate if run.required_return is None else run.required_return
    return (
        float(run.cash),
        float(costs.fee),
        float(costs.slippage),
        risk_free_of(run, per_year),
        rate_per_period(required, per_year),
        per_year,
        span.years,
        span.first_open,
        span.last_close,
    )
