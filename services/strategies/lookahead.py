"""Check strategies for lookahead: find one, choose candles, and judge what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.exc import OperationalError, ProgrammingError

from backtests.catalogue.own_file import strategies_in
from backtests.lookahead.check import CHECKED, LIMIT_S, check
from backtests.lookahead.cut_candles import BUDGET
from backtests.lookahead.report import Checked
from backtests.lookahead.resource_watch import Reach, Watch, own_places, watching
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.errors import InputInvalid
from mela.interval import Interval
from mela.name_suggestions import did_you_mean
from mela.settings import Settings
from mela.verdict import Verdict
from replay.series import PACKAGED
from services.strategies.all_strategies import all_strategies, register_forecast
from services.strategies.local_verdicts import keep_here
from sources.files.read import read_file
from sources.longer_intervals import longer_candles
from warehouse.database import transaction
from warehouse.results import verdicts
from warehouse.results.verdicts import StoredCheck

PACKAGED_CANDLES = {
    Interval.H1: ("binance_BTCUSDT_1h.parquet", "binance:BTCUSDT"),
    Interval.D1: ("lean-equity_SPY_1d.parquet", "yahoo:SPY"),
}
REAL_CANDLES = 8_760  # a year of hours
WALK_CANDLES = 3_000
WALK_SEED = 20_240_101


@dataclass(frozen=True, slots=True)
class Named:
    """A strategy as somebody named it, and what its code reached for while it was loaded."""

    strategy: Strategy
    reaches: tuple[Reach, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The findings about a strategy on each series."""

    strategy: Strategy
    series: Mapping[str, Candles]
    found: Mapping[str, Checked]

    @property
    def verdict(self) -> Verdict:
        """Return the verdict over all series: the worst."""
        return Verdict.over(each.verdict for each in self.found.values())

    def documents(self) -> list[dict[str, Any]]:
        """Return what was found on each series as JSON values."""
        return [
            {
                "candles_of": name,
                "verdict": each.verdict.value,
                **asdict(each),
            }
            for name, each in self.found.items()
        ]


def named_strategy(strategy_name: str, settings: Settings) -> Named:
    """Return a strategy by its name, or of a file: `my.py`, or `my.py:NAME` of several.

    Names are those that `mela strategies` lists, installed packages included. Raises InputInvalid.
    """
    register_forecast(settings)  # no file of a user's: what its making reads is no reach
    watch = Watch(at_load=True)
    with watching(watch):
        strategy = _found(strategy_name, settings)
    own = own_places(strategy.signals)
    is_own = Watch(own).is_own
    return Named(strategy, tuple(reach for reach in watch.reaches if is_own(reach.file)))


def judge(
    named: Named,
    params: Mapping[str, Any],
    series: Mapping[str, Candles],
    *,
    seed: int = 0,
    budget: int = BUDGET,
    limit_s: float = LIMIT_S,
) -> Judgement:
    """Check a strategy on each series."""
    strategy = named.strategy
    series = {name: _with_inputs(each, strategy, params) for name, each in series.items()}
    found = {
        name: check(each, strategy, params, seed=seed, budget=budget, limit_s=limit_s)
        for name, each in series.items()
    }
    found = {
        name: replace(each, reaches=(*named.reaches, *each.reaches)) for name, each in found.items()
    }
    return Judgement(strategy, series, found)


def keep(judgement: Judgement, settings: Settings) -> None:
    """Store a verdict for the digest of the strategy's source."""
    strategy = judgement.strategy
    with transaction(settings) as connection:
        verdicts.store(
            connection,
            strategy.digest,
            strategy.name,
            judgement.verdict,
            judgement.documents(),
        )


def keep_in_home(judgement: Judgement, settings: Settings) -> bool:
    """Keep a verdict in the home, for `mela backtest`; tell whether it is kept."""
    strategy = judgement.strategy
    return keep_here(
        strategy.digest, strategy.name, judgement.verdict, judgement.documents(), settings
    )


def keep_if_there(judgement: Judgement, settings: Settings) -> bool:
    """Store a verdict where a warehouse of today answers; tell whether one did."""
    try:
        keep(judgement, settings)
    except (OperationalError, ProgrammingError):  # it is away, or older than this code
        return False
    return True


def kept(strategies: Mapping[str, Strategy], settings: Settings) -> dict[str, StoredCheck]:
    """Return what is stored of the sources that these strategies have now, by name."""
    with transaction(settings) as connection:
        found = verdicts.find(connection, {one.digest for one in strategies.values()})
    return {name: found[one.digest] for name, one in strategies.items() if one.digest in found}


def packaged_series(interval: Interval | None = None) -> dict[str, Candles]:
    """Return a year of packaged real candles, and a random walk. Raises InputInvalid."""
    interval = interval or Interval.H1
    if interval not in PACKAGED_CANDLES:
        raise InputInvalid(
            None,
            f"there are packaged candles of {' and '.join(PACKAGED_CANDLES)}, but not of "
            f"{interval}; give a file with --candles",
        )
    name, instrument = PACKAGED_CANDLES[interval]
    real = read_file(PACKAGED / name, instrument, interval).candles
    last = len(real) - 1  # the file's last candle is not closed
    columns = ("opened_ms", "open", "high", "low", "close", "volume")
    part = {column: getattr(real, column)[max(0, last - REAL_CANDLES) : last] for column in columns}
    kept = Candles(interval, **part, calendar=real.calendar)
    return {f"packaged {instrument}": kept, "a random walk": random_walk(interval)}


def random_walk(interval: Interval, count: int = WALK_CANDLES, seed: int = WALK_SEED) -> Candles:
    """Return candles without any pattern. Prices are rounded to cents, so that levels tie."""
    random = np.random.default_rng(seed)
    close = (100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, count)))).round(2)
    opened = np.concatenate([[100.0], close[:-1]])
    above, below = random.exponential(0.003, (2, count))
    high = (np.maximum(opened, close) * (1.0 + above)).round(2)
    low = (np.minimum(opened, close) * (1.0 - below)).round(2)
    length = interval.end_ms(0)
    opened_ms = 1_704_067_200_000 + length * np.arange(count, dtype=np.int64)  # 2024-01-01
    volume = random.lognormal(3.0, 1.0, count)
    return Candles(interval, opened_ms, opened, high, low, close, volume)


def _found(strategy_name: str, settings: Settings) -> Strategy:
    path, _, name = strategy_name.partition(".py:")
    file = Path(f"{path}.py" if name else strategy_name)
    if file.suffix != ".py":
        catalogue = all_strategies(settings)
        if strategy_name in catalogue:
            return catalogue[strategy_name]
        for broken in catalogue.broken:
            if strategy_name in broken.names:
                raise InputInvalid(None, broken.sentence(strategy_name))
        raise InputInvalid(
            None,
            f"no strategy is called {strategy_name!r}"
            f"{did_you_mean(strategy_name, catalogue) or '.'} There are "
            f"{', '.join(sorted(catalogue))}. A file of your own is named as my_strategy.py",
        )
    if not file.is_file():
        raise InputInvalid(None, f"there is no file {file}")
    there = strategies_in(file)
    if not name and len(there) == 1:
        return next(iter(there.values()))
    if name in there:
        return there[name]
    if not there:
        why = (
            "expected a strategy in {}, but it registers none; write @strategy(…) above a function"
        )
        raise InputInvalid(None, why.format(file))
    names = ", ".join(sorted(there))
    raise InputInvalid(
        None,
        f"expected one strategy in {file}, but it registers {names}; name it as {file}:NAME"
        f"{did_you_mean(name, there) if name else ''}",
    )


def _with_inputs(candles: Candles, strategy: Strategy, params: Mapping[str, Any]) -> Candles:
    """Return candles with the longer candles that a strategy reads, made of the given ones.

    Inputs of other instruments are missing here, so such a strategy is not verified.
    """
    wanted = strategy.inputs(params).values()
    intervals = {one.interval or candles.interval for one in wanted if one.instrument is None}
    inputs = {
        (CHECKED, interval): candles
        if interval == candles.interval
        else longer_candles(candles, interval)
        for interval in sorted(intervals)
    }
    return replace(candles, inputs=inputs) if inputs else candles
