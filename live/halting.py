"""Markets that halt: entries are refused, exits wait, and leave when the market trades again.

Who says so: the market's own stream (a trading halt), or the broker (an asset that it does not
trade). A halt of the stream is over once the market says that it trades again, or has a candle
that opened after it: the word may have been lost with a connection. On paper with plain fills a
halt changes nothing, because a market without candles fills nothing, as in a backtest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from live.broker_books import BrokerBook
from live.events import Alerted, Derived, MarketStatus
from live.withheld import withhold_entries
from mela.interval import Interval

if TYPE_CHECKING:
    from live.build import Account
    from live.sequence import Step


def take_status(account: Account, event: MarketStatus, *, is_paper: bool) -> list[Derived]:
    """Take what was said of an instrument; nothing where it was known, or is another account's."""
    name = event.instrument
    if name not in account.run.instruments:
        return []
    was_halted = account.halts.of(name) is not None
    account.halts.take(event)
    is_halted = account.halts.of(name) is not None
    if was_halted == is_halted:
        return []
    if not is_halted:
        return _resumed(account, name, event.at_ms, event.why)
    why = event.why or "no reason was given"
    text = f"{name} is halted: {why}. Nothing is entered, and exits wait until it trades again"
    told: list[Derived] = [Alerted("warning", f"halted:{name}", text)]
    if isinstance(account.book, BrokerBook):
        told += withhold_entries(account, event.at_ms, is_paper=is_paper)
    return told


def trades_again(account: Account, taken: Step, interval: Interval) -> list[Derived]:
    """End the halts whose instruments have a candle that opened after they began.

    What waited leaves with the step that the candle is taken with.
    """
    told: list[Derived] = []
    for candle in taken.candles:
        if candle is None or candle.interval != interval:
            continue
        if account.halts.end_by_candle(candle.instrument, candle.opened_ms):
            text = f"{candle.instrument} trades again: it has a candle from after the halt"
            told.append(Alerted("info", f"halted:{candle.instrument}", text))
    return told


def _resumed(account: Account, name: str, at_ms: int, why: str) -> list[Derived]:
    told: list[Derived] = [Alerted("info", f"halted:{name}", f"{name} trades again: {why}")]
    if isinstance(account.book, BrokerBook):
        told += account.book.look_again(at_ms)
    return told
