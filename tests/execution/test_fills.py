"""A broker's fills in the account record, by numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from execution.account import begin_account, record_type
from execution.fills import (
    begin_round_trip,
    close_candle,
    entry_on_close,
    stop_on_close,
    take_fill,
)
from execution.terms import CASH, CostTerms, ExitTerms, Terms
from execution.trades import STOP_LOSS, TRADES, TRAILING_STOP

DAY_MS = 86_400_000


class Filled:
    """An account, and the trades that its fills ended."""

    def __init__(self, terms: Terms = Terms()) -> None:  # noqa: B008  frozen
        self.state, self.trip = begin_account(1_000.0), begin_round_trip()
        self.terms, self.rows = np.array([terms], record_type(Terms)), np.zeros(1, TRADES)

    def fill(self, side: float, units: float, price: float, fee: float = 0.0) -> int:
        return take_fill(
            self.state, self.trip, self.terms, self.rows, side, units, price, fee, price, 0
        )

    def get(self, name: str) -> float:
        return float(self.state[name][0])


def test_parts_of_an_entry_have_their_average_price_and_its_levels() -> None:
    account = Filled(Terms(exits=ExitTerms(stop_loss=0.1)))
    account.fill(1.0, 1.0, 100.0, 1.0)
    account.fill(1.0, 3.0, 104.0, 3.0)

    assert account.get("units") == 4.0
    assert account.get("entry_price") == 103.0
    assert account.get("stop") == pytest.approx(92.7)
    assert account.get("cash") == 1_000.0 - 412.0 - 4.0


def test_parts_of_an_exit_make_one_trade_once_nothing_is_left() -> None:
    account = Filled()
    account.fill(1.0, 4.0, 100.0, 1.0)

    assert account.fill(-1.0, 1.0, 110.0, 0.5) == 0
    assert account.fill(-1.0, 3.0, 90.0, 0.5) == 1
    (row,) = account.rows
    assert (row["size"], row["exit_price"], row["fees"], row["profit"]) == (4.0, 95.0, 2.0, -22.0)
    assert account.get("cash") == 978.0


def test_a_fill_beyond_the_position_opens_the_other_side_with_its_part_of_the_fee() -> None:
    account = Filled()
    account.fill(1.0, 2.0, 100.0)

    assert account.fill(-1.0, 3.0, 100.0, 3.0) == 1
    assert (account.get("side"), account.get("units"), account.get("entry_fee")) == (-1.0, 1.0, 1.0)
    assert account.rows[0]["fees"] == 2.0


def test_a_candle_that_reaches_the_stop_orders_a_market_exit() -> None:
    account = Filled(Terms(exits=ExitTerms(stop_loss=0.1)))
    account.fill(1.0, 2.0, 100.0)
    account.state["bar"] += 1

    close_candle(account.state, account.terms, 0, DAY_MS, 95.0, 96.0, 89.0, 95.0, 1.0, True)

    assert account.get("exit_reason") == STOP_LOSS


def test_an_entry_is_at_most_what_the_cash_pays_for_with_its_fee() -> None:
    account = Filled(Terms(sizing_kind=CASH, amount=5_000.0, costs=CostTerms(fee=0.25)))
    account.state["order_close"], account.state["order_strength"] = 100.0, 1.0

    units, level = entry_on_close(account.state, account.terms, 100.0, 1.0)

    assert units == 8.0
    assert np.isnan(level)


def test_the_stop_of_a_position_lies_where_the_next_candle_would_look_for_it() -> None:
    account = Filled(Terms(exits=ExitTerms(stop_loss=0.1)))
    assert stop_on_close(account.state, account.terms)[0] == 0
    account.fill(1.0, 2.0, 100.0)
    assert stop_on_close(account.state, account.terms) == (STOP_LOSS, 90.0)

    short = Filled(Terms(exits=ExitTerms(stop_loss=0.25, trailing_stop=0.125)))
    short.fill(-1.0, 2.0, 80.0)
    assert stop_on_close(short.state, short.terms) == (TRAILING_STOP, 90.0)

    delayed = Filled(Terms(exits=ExitTerms(stop_loss=0.1, protect_delay=1)))
    delayed.fill(1.0, 2.0, 100.0)
    assert stop_on_close(delayed.state, delayed.terms)[0] == 0
    delayed.state["bar"] += 1
    assert stop_on_close(delayed.state, delayed.terms) == (STOP_LOSS, 90.0)
