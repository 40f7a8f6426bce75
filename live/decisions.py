"""Ask a strategy for its decision on a close, on the candles known now.

It is the same function as in a backtest, on the warm-up and all candles since the start, and the
decision of the last bar counts. A strategy that does not look ahead decides as in a backtest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel

from backtests.context import StrategyContext, context_of
from backtests.indicators import Indicators
from backtests.signal_forms import taken
from backtests.signals import Cross, Float, MeanCross, Signals, Weights
from backtests.sizing_inputs import sizing_measure
from backtests.strategy import Given, Strategy
from execution.candle_step import Decision
from live.events import CandleClosed
from live.sequence import Key, values_of
from mela.candles import Candles
from mela.instants import to_ms
from mela.run import AtrSizing, Run, Sizing, VolatilitySizing

ROOM = 4_096  # candles for which there is room at the start: two days of minutes and more
_COLUMNS = ("open", "high", "low", "close", "volume")


class Said(NamedTuple):
    """The decision of a strategy on a close.

    weight: what it wants its instrument to have, where it gives weights; NaN where it does not know
    has_exit_price: whether it gives limits for exits at all
    """

    decision: Decision
    weight: float = np.nan
    is_weight: bool = False
    has_exit_price: bool = False


class Series:
    """The candles of one series known so far. Columns grow in place; views of them stay valid.

    like: the candles before the start, with what is known of their instrument
    """

    def __init__(self, like: Candles) -> None:
        count = len(like)
        self._like = like
        self._opened_ms = np.empty(count + ROOM, np.int64)
        self._values = np.empty((len(_COLUMNS), count + ROOM))
        self._count = self._before = count
        # of the candles, what was kept already: those before the start, and parts of those since
        self.is_kept, self.parts = False, 0
        self._opened_ms[:count] = like.opened_ms
        for row, name in enumerate(_COLUMNS):
            self._values[row, :count] = getattr(like, name)
        self.has_volume = bool((like.volume > 0.0).any())

    def __len__(self) -> int:
        return self._count

    def append(self, candle: CandleClosed) -> None:
        """Add a candle that opened after all others."""
        self._add(candle.opened_ms, *values_of(candle))

    def _add(self, opened_ms: int, *values: float) -> None:
        at = self._room(1)
        self._opened_ms[at] = opened_ms
        self._values[:, at] = values
        self._count = at + 1
        self.has_volume = self.has_volume or values[-1] > 0.0

    def _extend(self, opened_ms: np.ndarray, values: Float) -> None:
        at = self._room(len(opened_ms))
        self._count = at + len(opened_ms)
        self._opened_ms[at : self._count] = opened_ms
        self._values[:, at : self._count] = values
        self.has_volume = self.has_volume or bool((values[-1] > 0.0).any())

    def _room(self, count: int) -> int:
        """Make room for more candles; return the bar of the first one."""
        at, size = self._count, len(self._opened_ms)
        if at + count > size:
            more = max(count, size)
            self._opened_ms = np.append(self._opened_ms, np.empty(more, np.int64))
            self._values = np.append(self._values, np.empty((len(_COLUMNS), more)), axis=1)
        return at

    def candles(self, start_bar: int, inputs: Mapping[Key, Candles] | None = None) -> Candles:
        """Return what is known now: read-only views, so that compiled code knows their type."""
        count = self._count
        opened = self._opened_ms[:count]
        opened.flags.writeable = False
        columns: list[Float] = []
        for row in range(len(_COLUMNS)):
            column = self._values[row, :count]
            column.flags.writeable = False
            columns.append(column)
        like = self._like
        open_, high, low, close, volume = columns
        return Candles(
            like.interval,
            opened,
            open_,
            high,
            low,
            close,
            volume,
            min(start_bar, count),
            like.calendar,
            like.tick,
            like.lot,
            like.multiplier,
            like.about,
            inputs or {},
        )

    def opened_ms(self, bar: int) -> int:
        """Return when the candle of a bar opened."""
        return int(self._opened_ms[bar])

    def at(self, opened_ms: int) -> tuple[float, ...] | None:
        """Return open, high, low, close and volume of a candle; None where there is none."""
        bar = int(np.searchsorted(self._opened_ms[: self._count], opened_ms))
        if bar == self._count or self._opened_ms[bar] != opened_ms:
            return None
        return tuple(self._values[:, bar].tolist())

    def column(self, name: str, last: int) -> Float:
        """Return the last values of a column; fewer where fewer are known."""
        return self._values[_COLUMNS.index(name), max(self._count - last, 0) : self._count]

    def before(self) -> bytes:
        """Return the candles before the start as bytes, for `unpacked`."""
        return self.packed(-self._before, self._before)

    @property
    def since(self) -> int:
        """Return how many candles came since the start."""
        return self._count - self._before

    def packed(self, first: int, count: int) -> bytes:
        """Return candles as bytes, for `unpacked`. first: counted from the start, as 0."""
        part = slice(self._before + first, self._before + first + count)
        values = np.ascontiguousarray(self._values[:, part])
        return self._opened_ms[part].tobytes() + values.tobytes()

    def save(self, first: int) -> dict[str, Any]:
        """Return the candles since the start, from the first one to be saved, as JSON values."""
        return {"first": first, "candles": self.packed(first, self.since - first).hex()}

    def restore(self, parts: Sequence[bytes], saved: Mapping[str, Any]) -> None:
        """Go on from saved candles, those before them in parts; those before the start are here."""
        for packed in (*parts, bytes.fromhex(saved["candles"])):
            self._extend(*unpacked(packed))


def unpacked(packed: bytes) -> tuple[np.ndarray, Float]:
    """Return the openings and the five columns of packed candles."""
    count = len(packed) // (8 * (1 + len(_COLUMNS)))
    values = np.frombuffer(packed, np.float64)[count:]
    return np.frombuffer(packed, np.int64)[:count], values.reshape(len(_COLUMNS), count)


class Decider:
    """Asks one run's strategy about one instrument.

    own: the candles that it trades on; read: those of its inputs, by series
    start_bar: the first bar that is traded; those before are warm-up
    """

    def __init__(
        self,
        run: Run,
        instrument: str,
        strategy: Strategy,
        own: Series,
        read: Mapping[Key, Series],
    ) -> None:
        self._run, self._instrument, self._strategy = run, instrument, strategy
        self._params: BaseModel = strategy.params.model_validate(run.params)
        self._own, self._read = own, read
        self._start_bar = len(own)
        self._start_ms = to_ms(run.start)

    def said(self) -> Said:
        """Return the decision on the last close. Raises whatever the strategy's author did."""
        inputs = {key: series.candles(0) for key, series in self._read.items()}
        candles = self._own.candles(self._start_bar, inputs)
        given = self._strategy.decide(
            candles, self._params, Indicators(candles), lambda: self._context(candles)
        )
        given = taken(given, self._run.strategy, len(candles))
        said = last_said(given, self._run.strategy)
        decision = said.decision
        if decision.enter or decision.enter_short:
            if not said.is_weight:
                self._check_strength(decision)
            measure = measure_of(self._run.sizing, candles)
            said = said._replace(decision=decision._replace(measure=measure))
        return said

    def _context(self, candles: Candles) -> StrategyContext:
        since = self._start_ms if self._run.inputs else None
        return context_of(candles, self._instrument, self._run.inputs, since, may_be_empty=True)

    def _check_strength(self, decision: Decision) -> None:
        asks = decision.enter if self._run.direction == "long" else True
        if asks and not 0.0 < decision.strength <= 1.0:
            raise ValueError(
                f"{self._run.strategy} must give strength as above 0 and at most 1 on each entry, "
                f"but gave {decision.strength}"
            )


def last_said(given: Given, strategy: str) -> Said:
    """Return what a strategy says on the last of its candles, the measure of the sizing left out.

    Raises ValueError for a level or a weight that cannot be.
    """
    if isinstance(given, MeanCross):
        given = given.cross()
    if isinstance(given, Cross):
        above, below = _crossed(given)
        return Said(Decision(above, below, below, above, 0.0, 1.0, np.nan, np.nan))
    if isinstance(given, Weights):
        weight = float(given.values[-1])
        if abs(weight) > 1.0:
            raise ValueError(
                f"{strategy} must give weights as at least -1 and at most 1, but gave {weight}"
            )
        long, short = weight > 0.0, weight < 0.0
        strength = 0.0 if np.isnan(weight) else abs(weight)
        decision = Decision(long, not long, short, not short, 0.0, strength, np.nan, np.nan)
        return Said(decision, weight, is_weight=True)
    enter, exit_ = bool(given.enter[-1]), bool(given.exit[-1])
    short = exit_ if given.enter_short is None else bool(given.enter_short[-1])
    cover = enter if given.exit_short is None else bool(given.exit_short[-1])
    stop, target = _level(given, "stop", strategy), _level(given, "target", strategy)
    price = _level(given, "exit_price", strategy)
    strength = 1.0 if given.strength is None else float(given.strength[-1])
    decision = Decision(enter, exit_, short, cover, 0.0, strength, stop, target, price)
    return Said(decision, has_exit_price=given.exit_price is not None)


def measure_of(sizing: Sizing, candles: Candles) -> float:
    """Return what a sizing measures on the last close; of returns only as many are looked at."""
    if isinstance(sizing, AtrSizing):
        return float(sizing_measure(sizing, candles)[-1])
    if isinstance(sizing, VolatilitySizing):
        last = candles.rows(max(len(candles) - sizing.period - 1, 0), len(candles))
        return float(sizing_measure(sizing, last)[-1])
    return 0.0


def _crossed(given: Cross) -> tuple[bool, bool]:
    line, level = given
    if len(line) < 2:
        return False, False
    above = line[-2] <= level[-2] and line[-1] > level[-1]
    below = line[-2] >= level[-2] and line[-1] < level[-1]
    return bool(above), bool(below)


def _level(given: Signals, name: str, strategy: str) -> float:
    values: Float | None = getattr(given, name)
    if values is None:
        return np.nan
    level = float(values[-1])
    if np.isnan(level) or 0.0 < level < np.inf:
        return level
    raise ValueError(
        f"{strategy} must give {name} as a price above 0, or NaN for no level, but gave {level}"
    )
