"""Say why a session differs from a backtest, where its log tells it. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from live.drift_compare import UNKNOWN, Difference
from live.events import Derived, Judged, OrderChanged, StateChanged, Valued
from live.orders import Order, OrderState
from mela.candles import Candles
from mela.instants import from_ms, instant_text
from mela.session import PaperBroker, Session

_COLUMNS = ("open", "high", "low", "close", "volume")
Place = tuple[str, int]  # an instrument, and the opening of the candle that decided


@dataclass(frozen=True, slots=True)
class Halt:
    """A time in which a session entered nothing. until_ms: None while it lasts."""

    from_ms: int
    until_ms: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A candle that is not the same on both sides. cause: a word as of a difference."""

    opened_ms: int
    cause: str


@dataclass
class Causes:
    """Facts of a log that may explain a difference.

    decided: of each instrument, the openings on whose close the session decided, rising
    candles: of each instrument, the candles that differ, rising
    """

    session: Session
    decided: Mapping[str, Sequence[int]]
    candles: Mapping[str, Sequence[Changed]]
    refused: dict[Place, Judged] = field(default_factory=dict[Place, Judged])
    cut: dict[Place, Judged] = field(default_factory=dict[Place, Judged])
    orders: dict[Place, Order] = field(default_factory=dict[Place, Order])
    halts: list[Halt] = field(default_factory=list[Halt])

    def read(self, events: Iterable[Derived]) -> None:
        """Take what the derived events of a log say, in order."""
        now_ms, halted = 0, dict[tuple[str, int], Halt]()
        for event in events:
            match event:
                case Valued():
                    now_ms = max(now_ms, event.at_ms)
                case Judged(is_allowed=False):
                    self.refused[event.instrument, event.candle_ms] = event
                case Judged() if event.granted_units < event.units:
                    self.cut[event.instrument, event.candle_ms] = event
                case OrderChanged(order=order) if order.leg == "enter":
                    self.orders[order.instrument, order.candle_ms] = order
                case StateChanged():
                    key = event.what, event.account
                    if event.state in ("running", "active"):
                        if key in halted:
                            self.halts.append(replace(halted.pop(key), until_ms=now_ms))
                    else:
                        why = f"{event.state}: {event.why}" if event.why else event.state
                        halted.setdefault(key, Halt(now_ms, None, why))
                case _:
                    pass
        self.halts += halted.values()

    def explained(self, differences: Sequence[Difference]) -> list[Difference]:
        """Return differences with what is known of their causes, in the same order.

        They are asked in the order of time: what begins later may follow from what began earlier.
        """
        found = list(differences)
        first: int | None = None
        for at in sorted(range(len(found)), key=lambda at: found[at].entry_ms):
            one = found[at]
            cause, why = self._cause(one, first)
            found[at] = replace(one, cause=cause, why=one.why if why is None else why)
            first = one.entry_ms if first is None else first
        return found

    def _cause(self, one: Difference, first: int | None) -> tuple[str, str | None]:
        place = one.instrument, self._decided_on(one)
        for found in (
            self._of_entry(one, place),
            self._of_halt(one),
            self._of_candles(one),
            self._of_broker(one),
        ):
            if found is not None:
                return found
        if first is not None and first <= one.entry_ms:
            at = instant_text(from_ms(first))
            return "follows", f"since {at} the account was another: size and exits follow from it"
        return UNKNOWN, None

    def _decided_on(self, one: Difference) -> int:
        opened = self.decided.get(one.instrument, ())
        at = bisect_left(opened, one.entry_ms)
        return opened[at - 1] if at else one.entry_ms

    def _of_entry(self, one: Difference, place: Place) -> tuple[str, str] | None:
        if one.kind == "missed" and place in self.refused:
            return "risk", f"the entry was refused: {self.refused[place].code}"
        if one.kind == "size" and place in self.cut:
            judged = self.cut[place]
            return "risk", f"{judged.code} let {judged.granted_units:g} of {judged.units:g} through"
        order = self.orders.get(place)
        if order is None:
            return None
        said = f": {order.why}" if order.why else ""
        if one.kind == "missed" and order.state is OrderState.REJECTED:
            return "rejected", f"the broker rejected the order{said}"
        if one.kind == "missed" and order.state is not OrderState.FILLED:
            return "not_filled", f"the order is {order.state.value}{said}"
        if one.kind == "size" and 0.0 < order.filled_units < order.units:
            return "partial_fill", f"{order.filled_units:g} of {order.units:g} were filled{said}"
        return None

    def _of_halt(self, one: Difference) -> tuple[str, str] | None:
        if one.kind not in ("missed", "timing", "equity"):
            return None
        for halt in self.halts:
            is_over = halt.until_ms is not None and halt.until_ms < one.entry_ms
            begins = one.entry_ms if one.kind == "missed" else one.exit_ms
            if halt.from_ms <= begins and not is_over:
                return "halted", f"the session was {halt.why}"
        return None

    def _of_candles(self, one: Difference) -> tuple[str, str] | None:
        changed = self.candles.get(one.instrument, ())
        at = bisect_right([each.opened_ms for each in changed], one.exit_ms)
        if not at:
            return None
        near = changed[at - 1]
        return near.cause, f"the candle of {instant_text(from_ms(near.opened_ms))}"

    def _of_broker(self, one: Difference) -> tuple[str, str] | None:
        if self.session.fills_plainly:
            return None
        if isinstance(self.session.broker, PaperBroker):
            how = "hard fills: spread, latency, share of volume and rejections"
        else:
            late = "exits" if self.session.broker.stops == "close" else "targets"
            how = f"the market's own prices, and {late} on the close"
        if one.kind in ("price", "fee", "timing", "size", "equity"):
            return "broker", f"the broker fills with {how}"
        return None


def changed_candles(
    decided: Mapping[str, Candles],
    stored: Mapping[str, Candles],
    late: Mapping[str, frozenset[int]],
) -> dict[str, list[Changed]]:
    """Return of each instrument the candles that differ, where both sides have candles at all.

    late: openings that came after the session had gone on without them
    """
    found: dict[str, list[Changed]] = {}
    for name, ours in decided.items():
        theirs = stored[name]
        if not len(ours) or not len(theirs):
            continue
        begin = max(int(ours.opened_ms[0]), int(theirs.opened_ms[0]))
        end = min(int(ours.opened_ms[-1]), int(theirs.opened_ms[-1]))
        mine, others = _rows(ours, begin, end), _rows(theirs, begin, end)
        found[name] = [
            Changed(at, _why(mine.get(at), others.get(at), at in late.get(name, ())))
            for at in sorted(mine.keys() | others.keys())
            if mine.get(at) != others.get(at)
        ]
    return found


def _rows(candles: Candles, begin: int, end: int) -> dict[int, tuple[float, ...]]:
    part = slice(*np.searchsorted(candles.opened_ms, [begin, end + 1]))
    columns = (getattr(candles, name)[part].tolist() for name in _COLUMNS)
    rows = zip(*columns, strict=True)
    return dict(zip(candles.opened_ms[part].tolist(), rows, strict=True))


def _why(ours: object, theirs: object, is_late: bool) -> str:
    if ours is None:
        return "late_data" if is_late else "missing_data"
    return "restated_candle" if theirs is not None else "not_stored"
