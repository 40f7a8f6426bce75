"""The terms of an account of several instruments, and its target weights."""

from __future__ import annotations

from collections.abc import Sequence

from backtests.candles.aligned import AlignedCandles
from backtests.signals import Float, Signals, Weights
from backtests.strategy import Given
from execution.terms import NEVER, PortfolioTerms, cost_terms, exit_terms
from mela.portfolio import OnDrift, StrategyWeights
from mela.run import Run


def shares_of(
    laid: AlignedCandles, run: Run, given: Sequence[Given | None], weights: Float
) -> tuple[Float, list[Signals | None]]:
    """Return the target weights of a run and its signals. Raises ValueError where they clash.

    given: what the strategy decided on each instrument; None for one without candles
    weights: those that the portfolio asks for; not read where it takes the strategy's
    """
    signals = [one and one.signals() for one in given]
    if any(one is not None and one.exit_price is not None for one in signals):
        raise ValueError(
            f"{run.strategy} gives exit_price, but exits of a portfolio are market orders: leave "
            "it out, or take mode each"
        )
    assert run.portfolio is not None  # noqa: S101
    if not isinstance(run.portfolio.weights, StrategyWeights):
        return weights, signals
    wanted: list[Weights | None] = []
    for one in given:
        if one is not None and not isinstance(one, Weights):
            raise ValueError(
                f"portfolio.weights of kind strategy needs a strategy that returns Weights, but "
                f"{run.strategy} returned {type(one).__name__}; take another kind of weights"
            )
        wanted.append(one)
    flags = [one and one._replace(strength=None) for one in signals]
    return laid.strategy_weights(wanted, run), flags


def portfolio_terms_of(run: Run) -> PortfolioTerms:
    """Return what a run asks of the account that its instruments share, as numbers."""
    assert run.portfolio is not None  # noqa: S101
    rebalance = run.portfolio.rebalance
    return PortfolioTerms(
        longs=run.direction != "short",
        shorts=run.direction != "long",
        whole_units=run.sizing.whole_units or (run.risk is not None and run.risk.lot_and_tick),
        drift=float(rebalance.threshold) if isinstance(rebalance, OnDrift) else NEVER,
        costs=cost_terms(run.costs),
        exits=exit_terms(run.exits),
    )
