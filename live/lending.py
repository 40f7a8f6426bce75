"""Ask a broker what it trades, and what it lends.

The latter is asked if a session may sell short and has a limit on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import structlog

from live.brokers.protocol import Broker, BrokerAccount
from live.clock import Clock
from live.engine import Engine
from live.events import Input, Lent, MarketStatus
from mela.errors import MelaError

LOG = structlog.get_logger(__name__)


async def tell_lent(
    broker: Broker,
    account: BrokerAccount,
    clock: Clock,
    engine: Engine,
    put: Callable[[Input], None],
) -> None:
    """Say what may be sold short, where a session asks for it and it is other than before.

    An asset of which the broker does not answer is unknown, so that the gate refuses it; it is
    asked again with the next comparison.
    """
    session = engine.session
    risk = session.risk
    if risk is None or not risk.short_availability or session.direction == "long":
        return
    units, words = list[float](), list[str]()
    if not account.may_short:
        words.append("the account may not sell short")
    for name in session.instruments:
        has, why = (0.0, "") if not account.may_short else await _lent(broker, name)
        units.append(has)
        words += [why] if why else []
    known: dict[str, float] = {}
    for one in engine.accounts:
        known |= one.lends.units
    if [repr(known.get(name)) for name in session.instruments] != list(map(repr, units)):
        put(Lent(session.instruments, tuple(units), clock.now_ms(), "; ".join(words)))


async def tell_traded(
    broker: Broker, clock: Clock, engine: Engine, put: Callable[[Input], None]
) -> None:
    """Say which instruments the broker does not trade, where that is other than before.

    One of which it does not answer stays as it was.
    """
    for account in engine.accounts:
        for name in account.run.instruments:
            try:
                why = await broker.trades(name)
            except MelaError as error:
                LOG.info("asset_not_known", instrument=name, reason=str(error))
                continue
            was_halted = "asset" in account.halts.known.get(name, {})
            if bool(why) != was_halted:
                said = why or "the broker trades it again"
                put(MarketStatus(name, bool(why), clock.now_ms(), said, "asset"))


async def _lent(broker: Broker, instrument: str) -> tuple[float, str]:
    """Return the units that can be borrowed, and why not all. No broker says a number."""
    try:
        is_lent = await broker.lends(instrument)
    except MelaError as error:
        return math.nan, f"{instrument}: {error}"
    return (math.inf, "") if is_lent else (0.0, f"{instrument} is not lent")
