"""Executing cuts: fills and equity up to a cut must not depend on what comes behind it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from backtests.indicators import Indicators
from backtests.lookahead.cut_candles import part_of
from backtests.lookahead.differences import other_fills
from backtests.lookahead.report import Checked, Difference, Earliest, StrategyFailed
from backtests.lookahead.strategy_call import Asker
from backtests.signals import Cross, crosses_above, crosses_below
from backtests.simulate import run_all
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.counts import first_of
from mela.interval import DAY_MS, Interval
from mela.outcome import Outcome
from mela.run import Costs, Exits, Part, Run, from_ms

ORDER_CUTS = 40  # of the cuts, executed long only and in both directions


def execute(
    found: Checked, candles: Candles, asker: Asker, random: np.random.Generator
) -> tuple[Checked, Difference | None]:
    """Compare fills and equity of prefixes with those of the whole, exactly."""
    first = candles.start_bar
    possible = np.arange(first + 1, len(candles))
    cuts = np.sort(random.choice(possible, min(len(possible), ORDER_CUTS), replace=False))
    wholes, trades = _run(candles, asker), 0
    for whole in wholes:
        if whole.curve is None:
            reason = ": ".join(whole.error or (whole.status.value,))
            return found.doubting(f"its orders could not be executed: {reason}"), None
        trades += len(whole.curve.trades)
    named, failures = Earliest(), {}
    for cut in cuts.tolist():
        parts = _run(part_of(candles, 0, cut), asker)
        for whole, part in zip(wholes, parts, strict=True):
            try:
                named.add(other_fills(candles, whole, part, first, cut))
            except StrategyFailed as error:
                failures.setdefault(cut, error)
    if failures:
        least = min(failures)
        found = found.doubting(f"executed on {first_of(least)}, it {failures[least]}")
    return replace(found, order_cuts=len(cuts), trades=trades), named.difference


@cache
def warm_engine() -> None:
    """Load the engine's compiled code, so that no fork does; no strategy of anybody is asked."""

    def plain(_candles: Candles, _params: Part, indicators: Indicators) -> Cross:
        line = indicators.ema(2)
        crosses_above(line, 1.5)  # a line and a level are other types than two lines
        crosses_below(line, 1.5)
        return Cross(line, indicators.sma(2))

    strategy = Strategy("plain", "", Part, "", plain, lambda _params: 1)
    asker = Asker(strategy, Part(), "check:check", {})
    days = DAY_MS * np.arange(8)
    prices = np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0])
    candles = Candles(Interval.D1, days, prices, prices, prices, prices, prices, start_bar=2)
    asker.ask(candles)
    _run(candles, asker)


def _run(candles: Candles, asker: Asker) -> list[Outcome]:
    """Execute with a stop and a target, long only and in both directions."""
    start, end = int(candles.opened_ms[candles.start_bar]), int(candles.opened_ms[-1])
    run = Run(
        run_key="0" * 64,
        instrument=asker.instrument,
        interval=candles.interval,
        start=from_ms(start),
        end=from_ms(candles.interval.end_ms(end)),
        strategy=asker.strategy.name,
        params=asker.params.model_dump(),
        warmup=candles.start_bar,
        costs=Costs(borrow_rate=0.0),
        exits=Exits(stop_loss=0.03, take_profit=0.05),
        inputs=asker.inputs,
    )
    runs = [run, replace(run, direction="both")]
    return list(run_all(candles, runs, with_curve=True, catalogue={run.strategy: asker.strategy}))
