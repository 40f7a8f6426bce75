"""Set how orders are answered: `POST /replay/trading`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The treatment of a symbol's next `times` orders, instead of a whole fill at once.

    symbol: as in the order; * for all
    reject: they are taken and rejected afterwards, as an exchange does
    hold: they stay open and are not filled, until they are cancelled or the replay is calmed
    shares: they are filled in parts, as fractions of the order, one after each `gap_s` of replayed
        time, and `pause_s` of this machine's; what the fractions leave over stays open
    fill_after_cancel: they stay open, and when they are cancelled a fill of this fraction that had
        been made before is told after the cancellation
    spread: half of it is paid on each fill, as a fraction of the price
    doubled: each of their updates is told twice
    untold: their updates are not told on the stream
    """

    symbol: str = "*"
    times: int = 1
    reject: bool = False
    hold: bool = False
    shares: tuple[float, ...] = ()
    gap_s: float = 0.0
    pause_s: float = 0.0
    fill_after_cancel: float = 0.0
    spread: float = 0.0
    doubled: bool = False
    untold: bool = False

    def __post_init__(self) -> None:
        """Refuse shares that are no parts of an order."""
        object.__setattr__(self, "shares", tuple(float(share) for share in self.shares))
        parts = (*self.shares, self.fill_after_cancel)
        if any(not 0 <= part <= 1 for part in parts) or sum(self.shares) > 1 + 1e-9:
            raise ValueError(f"expected fractions that add up to at most 1, but found {parts}")


ORDINARY = Behaviour()
