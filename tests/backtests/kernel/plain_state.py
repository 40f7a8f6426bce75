"""What an account knows while the rules are read in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field

from mela.candles import Candles
from mela.run import Run

DAY_MS = 24 * 60 * 60 * 1000


YEAR_MS = 365.25 * DAY_MS


LONG, SHORT = 1, -1


@dataclass
class Decisions:
    """The bars on whose close a signal stands. Without short ones the long ones are mirrored.

    strength, stop, target, exit_price: what the strategy gives on a close besides, where it does.
    """

    enter: set[int]
    exit: set[int]
    enter_short: set[int] | None = None
    exit_short: set[int] | None = None
    strength: dict[int, float] = field(default_factory=dict)
    stop: dict[int, float] = field(default_factory=dict)
    target: dict[int, float] = field(default_factory=dict)
    exit_price: dict[int, float] = field(default_factory=dict)

    def enters(self, side: int, bar: int) -> bool:
        """Tell whether a side is to be entered: not where the same close says to leave it."""
        short = self.exit if self.enter_short is None else self.enter_short
        return bar in (self.enter if side == LONG else short) and not self.exits(side, bar)

    def exits(self, side: int, bar: int) -> bool:
        """Tell whether a side is to be left."""
        short = self.enter if self.exit_short is None else self.exit_short
        return bar in (self.exit if side == LONG else short)


@dataclass
class Order:
    """An entry that was ordered on a close."""

    side: int
    bar: int


@dataclass
class Position:
    """What is held, and what it has cost so far. `inside`: entered inside its candle, by what."""

    side: int
    units: float
    bar: int
    price: float
    fee: float
    lost: float
    extreme: float
    paid_until_ms: int
    inside: str | None
    reference: float
    borrow: float = 0.0


@dataclass
class Account:
    """Everything that happens to one account; `walk_plainly` fills it."""

    candles: Candles
    decisions: Decisions
    run: Run
    cash: float
    position: Position | None = None
    order: Order | None = None
    leave_for: str | None = None
    leave_at: float | None = None  # the limit of the exit that is ordered, None: at the market
    leave_until: int = -1  # the last candle on which that limit rests
    free_from: int = -1
    locked: bool = False
    ruined: bool = False
    ambiguous: int = 0
    exposed: int = 0
    rejected: int = 0
    large: int = 0
    fees: float = 0.0
    traded: float = 0.0
    slipped: float = 0.0
    borrowed: float = 0.0
    equity: list[float] = field(default_factory=list)
    trades: list[tuple] = field(default_factory=list)
