"""The effect of a headline on resting orders: entries are cancelled, exits stay."""

from __future__ import annotations

from live.books import PlainBook
from live.build import Account
from live.events import Derived
from live.orders import Order
from live.shared_books import SharedBook


def withhold_entries(account: Account, at_ms: int, *, is_paper: bool) -> list[Derived]:
    """Cancel the entries of an account that rest at an instant.

    is_paper: whether our own paper broker has them. It tells a fill when the candle has closed, but
    an order at market is filled once the candle has opened: no later headline undoes that.
    """
    book, run, lines = account.book, account.run, account.sequencer.lines
    opens_ms = {name: lines[name, run.interval].due_ms for name in run.instruments}
    if isinstance(book, PlainBook | SharedBook):
        return book.cancel_entries(at_ms, opens_ms)
    if is_paper and any(_is_filling(one, account, at_ms, opens_ms) for one in book.orders.open):
        return []
    return book.command("reducing", at_ms)


def last_close_ms(account: Account) -> int:
    """Return when the newest candle that an account has taken closed."""
    lines = account.sequencer.lines
    traded = (lines[name, account.run.interval] for name in account.run.instruments)
    return max(one.clock.closes_ms(one.taken_ms) for one in traded)


def _is_filling(order: Order, account: Account, at_ms: int, opens_ms: dict[str, int]) -> bool:
    line = account.sequencer.lines[order.instrument, account.run.interval]
    is_of_last = order.candle_ms == line.taken_ms
    is_at_market = order.leg == "enter" and order.kind == "market"
    return is_at_market and is_of_last and at_ms >= opens_ms[order.instrument]
