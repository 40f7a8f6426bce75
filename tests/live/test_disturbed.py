"""Whole sessions on a market that goes wrong: they trade as on one that does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from live.drift import compare
from mela.instants import from_ms
from mela.settings import Settings
from tests.live.lives import Mortal
from tests.live.mortal import LOOK_S, all_begun, play_until
from tests.live.played import FROM, FROM_MS, PAPER, on, order, running, start, until
from tests.live.test_restart import begun, mortal, world
from tests.warehouse.given import rows
from warehouse.database import transaction

__all__ = ["mortal"]
pytestmark = pytest.mark.integration
MINUTE = 60_000
COIN, OTHER = "binance:BTCUSDT", "alpaca:BTC/USDT"
END = 160  # minutes, at ten a second
RESTATED = 66  # the minute from which the other one's candles differ from those that REST has
TRADES = (
    "SELECT instrument, entry_at, exit_at, size, entry_price, exit_price, fees, profit, exit_reason"
    " FROM ops.session_trade WHERE instrument = :name AND exit_at < :before ORDER BY entry_at"
)
EQUITY = (
    "SELECT opened_at, equity, cash FROM ops.session_equity WHERE account = :account ORDER BY 1"
)
ABSENT = "SELECT document FROM ops.session_event WHERE kind = 'CandleAbsent'"
RESTATEMENTS = (
    "SELECT document FROM ops.session_event WHERE kind = 'Alerted' AND document LIKE '%restated:%'"
)
MUTE = "SELECT key FROM ops.alert_outbox WHERE key LIKE '%:feed:mute'"
Act = tuple[int, str, dict[str, Any]]
ACTS: tuple[Act, ...] = (
    (8, "streams", {"kind": "doubled", "times": 6}),
    (16, "streams", {"kind": "out_of_order", "times": 6}),
    (24, "streams", {"kind": "gap", "times": 6}),
    (35, "streams", {"kind": "late", "times": 4, "seconds": 0.7}),
    (48, "streams", {"kind": "cut", "seconds": 0.8}),
    (RESTATED, "streams", {"kind": "restated", "stream": "alpaca", "times": 2}),
    (76, "streams", {"kind": "mute"}),
    (120, "jump", {"seconds": 900}),
    (145, "jump", {"seconds": -300}),
)


async def traded(settings: Settings, server: Any, acts: tuple[Act, ...]) -> None:
    """Live until the end of the market, which is disturbed at its minutes."""
    async with running(settings) as process:
        await until(lambda: bool(process.runners))
        [runner] = process.runners.values()
        await until(lambda: runner.is_warming or runner.has_begun)
        await play_until(process, settings, FROM_MS + MINUTE)
        await until(lambda: all_begun(process) and runner.is_listening)
        end_ms, left = FROM_MS + END * MINUTE, list(acts)
        stops = from_ms(end_ms + 1_000).isoformat()
        await asyncio.to_thread(order, server, "play", speed=600, until=stops)
        async with asyncio.timeout(90):
            while (reached := min(runner.engine.next_open_ms().values())) < end_ms:
                for act in [one for one in left if reached >= FROM_MS + one[0] * MINUTE]:
                    left.remove(act)
                    await asyncio.to_thread(order, server, act[1], **act[2])
                await asyncio.sleep(LOOK_S)
        assert not left
        await until(lambda: not runner.waiting)


@pytest.fixture
def trade(warehouse: Settings, replay: Any) -> Callable[..., tuple[Settings, UUID]]:
    def run(acts: tuple[Act, ...]) -> tuple[Settings, UUID]:
        with transaction(warehouse) as connection:
            connection.execute(text("TRUNCATE ops.user, ops.alert_outbox CASCADE"))
        server = replay()
        order(server, "play", **{"from": FROM, "speed": 1000, "until": FROM})
        settings = on(warehouse, server)
        session_id = start(settings, {**PAPER, "instruments": [COIN, OTHER]})
        asyncio.run(traded(settings, server, acts))
        return settings, session_id

    return run


def told(settings: Settings) -> dict[str, Any]:
    end, wrong = from_ms(FROM_MS + END * MINUTE), from_ms(FROM_MS + RESTATED * MINUTE)
    return {
        "trades": rows(settings, TRADES, name=COIN, before=end),
        "equity": rows(settings, EQUITY, account=0),
        "other trades": rows(settings, TRADES, name=OTHER, before=wrong),
    }


def test_a_paper_session_trades_as_on_a_market_that_is_not_disturbed(
    trade: Callable[..., tuple[Settings, UUID]],
) -> None:
    settings, _ = trade(())
    expected = told(settings)
    assert len(expected["trades"]) > END / 15
    assert len(expected["equity"]) >= END - 2
    assert len(expected["other trades"]) > RESTATED / 15

    settings, session_id = trade(ACTS)

    assert rows(settings, ABSENT) == [], "the market has each candle, and each was found"
    assert told(settings) == expected
    assert rows(settings, RESTATEMENTS), "what was restated is noted"
    assert rows(settings, MUTE), "and that nothing was heard is told"
    opens = [row.opened_at for row in rows(settings, EQUITY, account=1)]
    assert opens == [row.opened_at for row in expected["equity"]]
    decided = compare(settings, session_id)[0]
    assert (decided.missed, decided.extra, decided.differing) == (0, 0, 0)
    assert decided.drift == 0.0


def test_a_session_with_orders_at_alpaca_trades_through_a_storm_of_messages(
    warehouse: Settings, replay: Any, mortal: Mortal
) -> None:
    until_ms = FROM_MS + 40 * MINUTE

    def lived(**storm: Any) -> tuple[dict[str, Any], list[Any]]:
        server = replay()
        settings = begun(warehouse, server, mortal)
        if storm:
            order(server, "streams", **storm)
        assert "passed" in mortal.live(settings, until_ms)
        return world(settings, server), rows(settings, ABSENT)

    expected, _ = lived()
    assert len(expected["theirs"]) > 5

    found, absent = lived(kind="storm", times=100_000, messages=300)

    assert found == expected
    assert absent == []
