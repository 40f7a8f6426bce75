"""One connection to each account of a broker, whichever sessions trade there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from live.brokers.protocol import Broker, BrokerFill, BrokerOrder, LinkNotice, Update
from live.clock import Clock

LOG = structlog.get_logger(__name__)
DIGITS = 12  # of a session's id, with which the ids of its orders begin
AGAIN_S = 1.0
Open = Callable[[str], Broker]


@dataclass
class _Account:
    broker: Broker
    told: dict[str, Callable[[Update], None]] = field(
        default_factory=dict[str, Callable[[Update], None]]
    )
    numbers: dict[str, str] = field(default_factory=dict[str, str])
    counts: dict[str, Callable[[], float | None]] = field(
        default_factory=dict[str, Callable[[], float | None]]
    )
    task: asyncio.Task[None] | None = None
    since_ms: int = 0


class BrokerHub:
    """The brokers that sessions trade with: the accounts of paper and of real money."""

    def __init__(self, clock: Clock, open_one: Open) -> None:
        """Make it. open_one: opens a broker by a session's money; called when one is needed."""
        self._clock, self._open = clock, open_one
        self._accounts: dict[str, _Account] = {}

    def join(
        self,
        money: str,
        session_id: UUID,
        told: Callable[[Update], None],
        counts: Callable[[], float | None],
    ) -> Broker:
        """Return the broker of an account; from now on a session is told of its own orders.

        counts: returns the cash that the session has in the account, by its log
        """
        account = self._accounts.get(money)
        if account is None:
            account = _Account(self._open(money), since_ms=self._clock.now_ms())
            self._accounts[money] = account
            account.task = asyncio.create_task(self._pass_on(account))
        account.told[prefix_of(session_id)] = told
        account.counts[prefix_of(session_id)] = counts
        return account.broker

    def counted(self, money: str, session_id: UUID) -> float | None:
        """Return the cash that a session has in an account; None of one that has not begun."""
        account = self._accounts.get(money)
        counts = None if account is None else account.counts.get(prefix_of(session_id))
        return None if counts is None else counts()

    def leave(self, money: str, session_id: UUID) -> None:
        """Tell a session nothing more."""
        account = self._accounts.get(money)
        if account is not None:
            account.told.pop(prefix_of(session_id), None)
            account.counts.pop(prefix_of(session_id), None)

    async def stop(self) -> None:
        """Close all connections."""
        for account in self._accounts.values():
            await account.broker.stop()
            if account.task is not None:
                account.task.cancel()
                await asyncio.gather(account.task, return_exceptions=True)
        self._accounts.clear()

    async def _pass_on(self, account: _Account) -> None:
        while True:
            try:
                async for update in account.broker.updates(account.since_ms):
                    self._told(account, update)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                LOG.warning("updates_failed", error=str(error), exc_info=error)
            await asyncio.sleep(AGAIN_S)

    def _told(self, account: _Account, update: Update) -> None:
        if isinstance(update, LinkNotice):
            for told in tuple(account.told.values()):
                told(update)
            return
        account.since_ms = max(account.since_ms, update.at_ms)
        whose = update.client_order_id or account.numbers.get(update.broker_order_id, "")
        if isinstance(update, BrokerOrder):
            account.numbers[update.broker_order_id] = update.client_order_id
        elif not update.client_order_id and whose:
            update = _named(update, whose)
        if is_of_kill(whose):
            return  # what became of it is adopted when both sides are compared
        told = account.told.get(whose[:DIGITS])
        if told is None:
            LOG.info("order_of_nobody_here", order=whose, broker_order=update.broker_order_id)
        else:
            told(update)


def prefix_of(session_id: UUID) -> str:
    """Return how the ids of a session's orders begin."""
    return session_id.hex[:DIGITS]


def is_of_kill(client_order_id: str) -> bool:
    """Tell whether an order is one by which the kill switch closed what a session held."""
    return client_order_id[DIGITS : DIGITS + 5] == "-kill"


def _named(fill: BrokerFill, client_order_id: str) -> BrokerFill:
    return BrokerFill(
        fill.fill_id,
        client_order_id,
        fill.broker_order_id,
        fill.instrument,
        fill.side,
        fill.units,
        fill.price,
        fill.fee,
        fill.at_ms,
    )
