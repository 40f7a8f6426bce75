"""What trades tell, by hand and against plain numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backtests.metrics import measure_trades, metrics_of, new_rows, turnover
from execution.trades import TRADES
from mela.metrics import Metrics

NAN = pytest.approx(math.nan, nan_ok=True)


def fills_of(*profits: float, size: float = 1.0, price: float = 100.0) -> np.ndarray:
    fills = np.zeros(len(profits), TRADES)
    fills["size"], fills["entry_price"], fills["profit"] = size, price, profits
    fills["exit_price"] = price + np.array(profits) / size
    return fills


def measured(*profits: float, **given: float) -> Metrics:
    return of_fills(fills_of(*profits, **given), len(profits))


def of_fills(fills: np.ndarray, count: int) -> Metrics:
    rows = new_rows()
    measure_trades(fills, count, rows[0])
    return metrics_of(rows)


def top_share(*profits: float) -> float:
    return measure_trades(fills_of(*profits), len(profits), new_rows()[0])


def test_profit_factor_is_all_profits_over_all_losses() -> None:
    assert measured(30.0, -10.0, 10.0, -10.0).profit_factor == 2.0


def test_expectancy_is_the_mean_profit_in_quote_currency() -> None:
    assert measured(30.0, -10.0, 10.0, -10.0).expectancy == 5.0


def test_sqn_is_mean_over_deviation_by_the_root_of_the_count() -> None:
    # mean 5, sample variance (625 + 225 + 25 + 225) / 3
    assert measured(30.0, -10.0, 10.0, -10.0).sqn == pytest.approx(10 / math.sqrt(1100 / 3))


def test_kelly_weighs_the_chance_to_win_with_what_is_won() -> None:
    # half win, 0.2 of the notional on average against 0.1: 0.5 − 0.5 / 2; a tie decides nothing
    assert measured(30.0, -10.0, 10.0, -10.0, 0.0).kelly == pytest.approx(0.25, rel=1e-15)


def test_trades_are_fractions_of_what_was_entered() -> None:
    found = measured(32.0, -16.0, size=2.0, price=32.0)

    assert (found.avg_trade, found.best_trade, found.worst_trade) == (0.125, 0.5, -0.25)


def test_a_short_is_measured_by_its_size_without_the_sign() -> None:
    found = measured(30.0, -10.0, size=-2.0)

    assert (found.best_trade, found.worst_trade) == (0.15, -0.05)


def test_the_top_share_is_of_what_the_winners_made() -> None:
    assert top_share(30.0, -100.0, 10.0) == 0.75
    assert top_share(-1.0) == NAN


def test_without_trades_nothing_is_known() -> None:
    found = measured()

    assert (found.trades, found.winning_trades, found.losing_trades) == (0, 0, 0)
    assert (found.win_rate, found.profit_factor, found.expectancy, found.sqn) == (NAN,) * 4
    assert (found.kelly, found.avg_trade, found.best_trade, found.worst_trade) == (NAN,) * 4
    assert top_share() == NAN


def test_without_losses_ratios_are_undefined() -> None:
    found = measured(10.0, 20.0)

    assert (found.profit_factor, found.kelly) == (NAN, NAN)
    assert measured(-10.0, -20.0).profit_factor == 0.0
    assert measured(-10.0, -20.0).kelly == NAN


@pytest.mark.parametrize("profits", [(7.0,), (0.1, 0.1, 0.1), (0.1 + 0.2, 0.3), (0.0, 0.0)])
def test_a_deviation_that_is_rounding_gives_no_sqn(profits: tuple[float, ...]) -> None:
    assert measured(*profits).sqn == NAN


def test_profits_that_hardly_differ_keep_their_deviation() -> None:
    profits = [1e6 + step for step in (0.0, 1e-3, 2e-3)]

    assert measured(*profits).sqn == pytest.approx(math.sqrt(3) * 1e6 / 1e-3, rel=1e-6)


def test_random_trades_measure_as_numpy_does() -> None:
    rng = np.random.default_rng(3)
    profits = rng.normal(1.0, 20.0, 500)

    found = measured(*profits)

    won, lost = profits[profits > 0], profits[profits < 0]
    chance = len(won) / 500
    expected = {
        "profit_factor": won.sum() / -lost.sum(),
        "expectancy": profits.mean(),
        "sqn": math.sqrt(500) * profits.mean() / profits.std(ddof=1),
        "kelly": chance - (1 - chance) / (won.mean() / -lost.mean()),
        "avg_trade": (profits / 100).mean(),
        "best_trade": profits.max() / 100,
        "worst_trade": profits.min() / 100,
        "win_rate": chance,
    }
    told = found._asdict()
    assert {name: told[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert top_share(*profits) == pytest.approx(won.max() / won.sum(), rel=1e-12)


def test_rows_behind_the_count_are_not_read() -> None:
    fills = fills_of(10.0, -5.0, 1e9)

    assert of_fills(fills, 2) == measured(10.0, -5.0)


def test_turnover_counts_purchases_and_sales_by_the_year() -> None:
    # 1,000 bought and sold twice within half a year, on 2,000 of equity
    assert turnover(4_000.0, 2_000.0, 0.5) == 4.0
    assert turnover(4_000.0, 0.0, 0.5) == NAN
