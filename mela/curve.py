"""The curve of a run: its trades, and its equity at each candle."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args, overload

import numpy as np
from numpy.typing import NDArray

from mela.instants import from_ms, instant_text

ExitReason = Literal[
    "signal",
    "stop_loss",
    "take_profit",
    "trailing_stop",
    "time_stop",
    "daily_loss",
    "delisted",
]
ALL_CURVES_UP_TO = 20  # runs of a scene that all keep their curve (docs/contract/result.md)
EXIT_REASONS: tuple[ExitReason, ...] = get_args(ExitReason)


class Trade(NamedTuple):
    """A round trip, from entry to exit. Instants: the openings of the candles of its fills.

    size: base units, or contracts where a contract stands for several; negative for a short
    fees, slippage, borrow: what both fills and the time between cost, quote currency, ≥ 0
    profit: net of all three, slippage being in the prices
    mae, mfe: how far the price went against it and for it while it was held, as fractions of the
        entry price, ≤ 0 and ≥ 0; NaN before engine version 3
    instrument: None where the run has only one
    """

    entry_at: datetime
    exit_at: datetime
    size: float
    entry_price: float
    exit_price: float
    fees: float
    profit: float
    exit_reason: ExitReason
    slippage: float = 0.0
    borrow: float = 0.0
    mae: float = 0.0
    mfe: float = 0.0
    instrument: str | None = None


class Trades(Sequence[Trade]):
    """Trades as the engine wrote them: rows become tuples when somebody first looks at one.

    fills: (trades,) structured: entry_bar, exit_bar, reason (1 for the first of EXIT_REASONS) and
        the numbers of a Trade by their names
    opened_ms: (n,) int64, of the candles that the bars count
    """

    def __init__(self, fills: NDArray[Any], opened_ms: NDArray[np.int64]) -> None:
        self.fills = fills
        self._opened_ms = opened_ms
        self._made: tuple[Trade, ...] | None = None

    def __len__(self) -> int:
        return len(self.fills)

    @overload
    def __getitem__(self, place: int) -> Trade: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Trade, ...]: ...
    def __getitem__(self, place: int | slice) -> Trade | tuple[Trade, ...]:
        return self._all()[place]

    def __iter__(self) -> Iterator[Trade]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trades | tuple | list) and self._all() == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._all())

    def _all(self) -> tuple[Trade, ...]:
        if self._made is None:
            self._made = tuple(self._rows())
        return self._made

    def _rows(self) -> Iterator[Trade]:
        fills = self.fills
        numbers = [
            fills[name].tolist() for name in ("size", "entry_price", "exit_price", "fees", "profit")
        ]
        yield from map(
            Trade,
            map(from_ms, self._opened_ms[fills["entry_bar"]].tolist()),
            map(from_ms, self._opened_ms[fills["exit_bar"]].tolist()),
            *numbers,
            [EXIT_REASONS[reason - 1] for reason in fills["reason"].tolist()],
            fills["slippage"].tolist(),
            *(fills[name].tolist() for name in ("borrow", "mae", "mfe")),
        )


def trade_documents(trades: Iterable[Trade], instrument: str) -> list[dict[str, Any]]:
    """Return trades as JSON values, the instrument in front.

    instrument: of trades that name none, as their run has only one
    """
    return [
        {
            "instrument": trade.instrument or instrument,
            **{
                name: _plain(value)
                for name, value in zip(trade._fields, trade, strict=True)
                if name != "instrument"
            },
        }
        for trade in trades
    ]


def _plain(value: Any) -> Any:
    """Return a field as JSON has it; what early engines did not know is stored as NaN."""
    if isinstance(value, datetime):
        return instant_text(value)
    return None if isinstance(value, float) and math.isnan(value) else value


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The curve that is stored for winners: trades, and equity at each candle of the span."""

    trades: Sequence[Trade]
    opened_ms: NDArray[np.int64]
    equity: NDArray[np.float64]
