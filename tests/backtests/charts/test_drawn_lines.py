"""The indicators of a run's strategy, as they are drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backtests.candles.prepared import prepare_candles
from backtests.charts import drawn_lines
from backtests.charts.drawn_lines import MOST_LINES, MOST_PANELS, indicators_of
from backtests.charts.view import view_of
from backtests.indicators import Indicators
from backtests.signals import Signals, crossings
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from backtests.testing.instrument import execute
from mela.run import Part, Run
from tests.backtests.charts.outcomes import walk

CANDLES = walk(300)


def run_of(strategy: str, params: dict[str, Any], warmup: int = 0) -> Run:
    run = execute(CANDLES, [5], [9]).run
    start = run.start.fromtimestamp(CANDLES.opened_ms[warmup] / 1_000, run.start.tzinfo)
    return replace(run, strategy=strategy, params=params, warmup=warmup, start=start)


def drawn(signals: Any) -> drawn_lines.DrawnIndicators:
    """Return what is drawn of a strategy that these signals make."""
    honest = CATALOGUE["sma_cross"]
    own = replace(honest, name="own", params=Part, signals=signals)
    run = run_of("own", {})
    return indicators_of(run, prepare_candles(CANDLES, run), {"own": own})


def crossing(candles: Any, line: Any) -> Signals:
    return Signals(*crossings(candles.close, line))


def test_the_means_of_a_cross_lie_over_the_candles_warmup_left_out() -> None:
    run = run_of("sma_cross", {"fast": 5, "slow": 60}, warmup=60)

    found = indicators_of(run, prepare_candles(CANDLES, run), CATALOGUE)

    assert [line.name for line in found.over] == ["sma(5)", "sma(60)"]
    assert (found.panels, found.notes) == ((), ())
    np.testing.assert_array_equal(found.over[1].values, Indicators(CANDLES).sma(60)[60:])


def test_what_is_no_price_has_a_panel() -> None:
    def signals(candles: Any, _params: Any, indicators: Indicators) -> Signals:
        indicators.supertrend()
        indicators.macd()
        return crossing(candles, indicators.bollinger(20, 2.5).upper)

    found = drawn(signals)

    # The side of supertrend is left out: its line shows it.
    assert [line.name for line in found.over] == [
        "supertrend(10, 3) line",
        "bollinger(20, 2.5) upper",
        "bollinger(20, 2.5) middle",
        "bollinger(20, 2.5) lower",
    ]
    [panel] = found.panels
    assert (panel.name, panel.unit) == ("macd(12, 26, 9)", "price change")
    assert [line.name for line in panel.lines] == [
        f"macd(12, 26, 9) {name}" for name in ("line", "signal", "histogram")
    ]


def test_what_is_too_much_is_counted() -> None:
    def signals(candles: Any, _params: Any, indicators: Indicators) -> Signals:
        for period in range(2, 14):
            indicators.sma(period)
            indicators.rsi(period)
        return crossing(candles, indicators.sma(2))

    found = drawn(signals)

    assert (len(found.over), len(found.panels)) == (MOST_LINES, MOST_PANELS)
    assert found.notes == (
        f"{24 - MOST_LINES - MOST_PANELS} more lines of indicators are not drawn",
    )


def test_a_strategy_that_raises_is_drawn_without_lines() -> None:
    def signals(candles: Any, _params: Any, _indicators: Indicators) -> Signals:
        raise RuntimeError("no luck today")

    assert drawn(signals).notes == (
        "indicators are not drawn, as own raised RuntimeError: no luck today",
    )


def test_lines_are_told_at_the_close_of_each_candle_drawn() -> None:
    run = run_of("sma_cross", {"fast": 5, "slow": 60})
    outcome = replace(execute(CANDLES, [70], [90]), run=run)

    view = view_of(outcome, CANDLES, most_candles=100, catalogue=CATALOGUE)

    assert view.merged == 3
    expected = Indicators(CANDLES).sma(5)[2::3]
    np.testing.assert_array_equal(view.indicators.over[0].values, expected)


def test_without_a_catalogue_no_strategy_is_asked() -> None:
    outcome = execute(CANDLES, [70], [90])
    assert view_of(outcome, CANDLES, most_candles=100).indicators.over == ()


@pytest.mark.parametrize("name", sorted(CATALOGUE.keys() - {"composite"}))
def test_every_strategy_of_the_catalogue_can_be_drawn(name: str) -> None:
    strategy: Strategy = CATALOGUE[name]
    run = run_of(name, strategy.params().model_dump(mode="json"))

    found = indicators_of(run, prepare_candles(CANDLES, run), CATALOGUE)

    assert found.notes == ()
    for line in (*found.over, *(each for panel in found.panels for each in panel.lines)):
        assert line.values.shape == (300,)
