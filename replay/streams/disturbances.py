"""Disturb a stream on request: `POST /replay/streams`."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Literal, get_args

Kind = Literal["cut", "mute", "late", "doubled", "out_of_order", "restated", "gap", "storm"]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One order.

    kind: cut: all connections end without a word, and for `seconds` new ones are refused (503) ·
        mute: connections stay open and silent, for `seconds` or, at 0, until they end · late: the
        next `times` candles come `seconds` later · doubled: they come twice · out_of_order: each
        comes after the one that follows it · restated: they come with another close and volume than
        REST tells · gap: they never come · storm: each comes after `messages` other messages
    stream: binance, alpaca or updates (Alpaca's trade updates); * for all
    symbol: as the stream writes it; * for all. `seconds` are of this machine's clock.
    """

    kind: Kind
    stream: str = "*"
    symbol: str = "*"
    times: int = 1
    seconds: float = 0.0
    messages: int = 500

    def __post_init__(self) -> None:
        """Refuse an order that nobody would obey."""
        if self.kind not in get_args(Kind):
            raise ValueError(f"expected one of {', '.join(get_args(Kind))}, but found {self.kind}")


class Disturbances:
    """The orders that stand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[list[int]] = []
        self._orders: list[Disturbance] = []
        self._cuts: list[tuple[float, Disturbance]] = []
        self._mutes: list[tuple[float, Disturbance]] = []

    def order(self, wanted: Disturbance) -> None:
        """Obey an order from now on."""
        with self._lock:
            if wanted.kind == "cut":
                self._cuts.append((monotonic(), wanted))
            elif wanted.kind == "mute":
                self._mutes.append((monotonic(), wanted))
            else:
                self._orders.append(wanted)
                self._left.append([wanted.times])

    def calm(self) -> None:
        """Forget all orders. Connections that were mute speak again."""
        with self._lock:
            for orders in (self._left, self._orders, self._cuts, self._mutes):
                orders.clear()

    def of(self, stream: str, symbol: str) -> dict[str, Disturbance]:
        """Return what disturbs the next candle of a symbol, by kind, and count it."""
        found: dict[str, Disturbance] = {}
        with self._lock:
            for order, left in zip(self._orders, self._left, strict=True):
                fits = order.stream in ("*", stream) and order.symbol in ("*", symbol)
                if fits and left[0] > 0 and order.kind not in found:
                    left[0] -= 1
                    found[order.kind] = order
        return found

    def is_cut(self, stream: str, since_s: float) -> bool:
        """Tell whether a connection that began at an instant of this machine shall end."""
        return any(at_s >= since_s and c.stream in ("*", stream) for at_s, c in self._cuts)

    def is_refused(self, stream: str) -> bool:
        """Tell whether a new connection is refused now."""
        now_s = monotonic()
        return any(now_s < at + c.seconds and c.stream in ("*", stream) for at, c in self._cuts)

    def is_mute(self, stream: str, since_s: float) -> bool:
        """Tell whether a connection that began at an instant says nothing now."""
        now_s = monotonic()
        return any(
            at_s >= since_s
            and order.stream in ("*", stream)
            and (order.seconds == 0.0 or now_s < at_s + order.seconds)
            for at_s, order in self._mutes
        )
