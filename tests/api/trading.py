"""Sessions as their process leaves them in the warehouse, for tests of the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from mela.settings import Settings
from warehouse.database import transaction
from warehouse.trading import log
from warehouse.trading.log import Entry, Rows

BTC = "binance:BTCUSDT"
MINUTE = timedelta(minutes=1)
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
SESSION: dict[str, Any] = {
    "name": "btc on paper",
    "instruments": [BTC],
    "interval": "1m",
    "strategy": {"name": "sma_cross", "params": {"fast": 5, "slow": 20}},
    "cash": 10_000.0,
}


def traded(settings: Settings, session_id: UUID, candles: int = 4, state: str = "running") -> None:
    """Let a session have traded some candles: an order, its fill, a refusal, a round trip."""
    at = BEGAN + candles * MINUTE
    bought = ("b-1", BTC, "buy", "enter", "market", "signal", None, 0.2, 0.2, 42_000.0, 8.4)
    rows = Rows(
        orders={
            "o-1": ("o-1", *bought, BEGAN, "filled", None, at, at, 1),
            "o-2": (
                *("o-2", None, BTC, "sell", "exit", "market", "signal", None, 0.2, 0.0, None, 0.0),
                *(BEGAN, "submitted", None, at + MINUTE, at + MINUTE, 2),
            ),
        },
        fills=[("f-1", "o-1", BTC, "buy", 0.2, 42_000.0, 8.4, at, 1)],
        trades=[(2, BTC, BEGAN, at, 0.2, 42_000.0, 42_100.0, 16.8, 3.2, "signal", *[0.0] * 4)],
        equity=[
            (0, BEGAN + n * MINUTE, BEGAN + (n + 1) * MINUTE, 10_000.0 + n, 10_000.0 - n)
            for n in range(candles)
        ],
        positions={BTC: (BTC, 0.2, 42_000.0, 42_050.0, 8_410.0, at, at)},
        verdicts=[
            (3, BTC, BEGAN, True, "passed", '{"equity": 10000.0}', 0.2, 0.2, 11.0),
            (4, BTC, BEGAN, False, "daily_loss", '{"loss": NaN, "limit": 0.05}', 0.2, 0.0, 12.0),
        ],
        state=(state, None),
        risk_state=("reducing", "the daily loss is not known"),
    )
    entries = [Entry("Ticked", True, f'{{"at_ms": {n}}}') for n in range(candles)]
    with transaction(settings) as connection:
        log.append(connection, session_id, 0, entries, rows, is_halted=False)
