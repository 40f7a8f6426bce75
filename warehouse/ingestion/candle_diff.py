"""Compare the candles of an answer with the stored ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from mela.run import from_ms
from sources.protocol import FetchedCandles
from sources.splits import rounding_tolerance
from warehouse.binary import EPOCH_DAYS, decode
from warehouse.database import copy_out

Mask = NDArray[np.bool_]
PRICES = ("open", "high", "low", "close")
TYPES = {"opened_at": "timestamptz", "closed_at": "timestamptz", "session_on": "date"} | (
    dict.fromkeys((*PRICES, "volume"), "float8")
)
NO_SESSION = np.iinfo(np.int32).max + EPOCH_DAYS  # 'infinity': COPY rows hold no null
_STORED = """
    SELECT opened_at, closed_at, coalesce(session_on, 'infinity'), open, high, low, close, volume
    FROM raw.candle WHERE instrument_id = %(id)s AND interval = %(interval)s
      AND opened_at BETWEEN %(first)s AND %(last)s ORDER BY opened_at
"""


@dataclass(frozen=True, slots=True, eq=False)
class CandleDiff:
    """Masks (n,) of an answer's candles: the new ones, and those that differ from stored ones."""

    new: Mask
    changed: Mask

    @property
    def touched(self) -> NDArray[np.intp]:
        """Return the positions of all candles to write."""
        return np.flatnonzero(self.new | self.changed)


def diff_candles(connection: Connection, instrument_id: int, fetched: FetchedCandles) -> CandleDiff:
    """Compare an answer with the stored candles of its series and span.

    Prices and volumes within the rounding of a vendor's split adjustment count as equal; for other
    vendors every digit counts. In that case the stored value stays: the more splits a vendor works
    into a price, the coarser it becomes.
    """
    count = len(fetched)
    if count == 0:
        return CandleDiff(np.zeros(0, np.bool_), np.zeros(0, np.bool_))
    stored = _stored(connection, instrument_id, fetched)
    opened = stored["opened_at"]
    places = np.searchsorted(opened, fetched.opened_ms)
    places[places == len(opened)] = 0
    new = np.ones(count, np.bool_) if not len(opened) else opened[places] != fetched.opened_ms
    stored = {name: column[places[~new]] for name, column in stored.items()}
    changed = np.zeros(count, np.bool_)
    changed[~new] = _differ(stored, fetched, ~new)
    return CandleDiff(new, changed)


def session_days(fetched: FetchedCandles) -> NDArray[np.int64] | None:
    """Return each candle's session in days since 1970; None in markets without sessions."""
    if fetched.session_on is None:
        return None
    return np.array(fetched.session_on, dtype="datetime64[D]").astype(np.int64)


def _stored(connection: Connection, instrument_id: int, fetched: FetchedCandles) -> dict[str, Any]:
    values = {
        "id": instrument_id,
        "interval": fetched.interval.value,
        "first": from_ms(int(fetched.opened_ms[0])),
        "last": from_ms(int(fetched.opened_ms[-1])),
    }
    return decode(copy_out(connection, _STORED, values), TYPES)


def _differ(stored: dict[str, Any], fetched: FetchedCandles, there: Mask) -> Mask:
    days = session_days(fetched)
    differ = stored["closed_at"] != fetched.closed_ms[there]
    differ |= stored["session_on"] != (NO_SESSION if days is None else days[there])
    allowed = rounding_tolerance(fetched)
    for name in (*PRICES, "volume"):
        new, before = getattr(fetched, name)[there], stored[name]
        if allowed is None:
            differ |= new != before
        else:
            most = allowed.volume if name == "volume" else allowed.price
            differ |= ~(np.abs(new - before) <= most[there])
    return differ
