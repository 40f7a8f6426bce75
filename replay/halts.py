"""Halts of a market, to order: `POST /replay/halt`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# of tape C, as Alpaca's stream writes them
_HALT = {"sc": "H", "sm": "Trading Halt", "rc": "T1", "rm": "Halt News Pending"}
_RESUME = {"sc": "T", "sm": "Trading Resumption", "rc": "T3", "rm": "News and Resumption Times"}


@dataclass(frozen=True, slots=True)
class Status:
    """One word on whether a symbol trades, from an instant of the replayed clock on."""

    at_ms: int
    symbol: str
    is_halted: bool = True

    @property
    def word(self) -> dict[str, str]:
        """Return it as Alpaca's stream says it, without its time."""
        return {"T": "s", "S": self.symbol, **(_HALT if self.is_halted else _RESUME), "z": "C"}


@dataclass(slots=True)
class Halts:
    """All halts that were ordered, oldest first."""

    said: list[Status] = field(default_factory=list[Status])

    def say(self, status: Status) -> Status:
        """Obey an order from now on."""
        self.said.append(status)
        return status

    @property
    def symbols(self) -> set[str]:
        """Return the symbols that were ever halted, as the files write them."""
        return {one.symbol.replace("/", "") for one in self.said}

    def spans(self, symbol: str) -> list[tuple[int, int | None]]:
        """Return the spans [begin, end) of a symbol's halts; None for one that goes on."""
        found: list[tuple[int, int | None]] = []
        begun: int | None = None
        for one in self.said:
            if one.symbol.replace("/", "") != symbol:
                continue
            if one.is_halted and begun is None:
                begun = one.at_ms
            elif not one.is_halted and begun is not None:
                found.append((begun, one.at_ms))
                begun = None
        return found if begun is None else [*found, (begun, None)]

    def is_halted(self, symbol: str, at_ms: int) -> bool:
        """Tell whether a symbol is halted at an instant."""
        return any(
            begin <= at_ms and (end is None or at_ms < end) for begin, end in self.spans(symbol)
        )

    def holding(self, symbol: str, opened_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which candles opened in a halt: (n,) bool."""
        held = np.zeros(len(opened_ms), np.bool_)
        for begin, end in self.spans(symbol):
            held |= (opened_ms >= begin) & (True if end is None else opened_ms < end)
        return held
