"""Whether a strategy knows more than its candles: cut them short, begin earlier, run again.

A strategy that sees only closed candles says the same about a candle whatever comes after it, and
the same, beyond its warm-up, whatever came long before. Where that was not put to the test, the
answer is "not verified", never "clean".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from backtests.candles.prepared import read_only
from backtests.context import context_of
from backtests.indicators import Indicators
from backtests.lookahead.report import Checked, Difference, Earliest, How, StrategyFailed
from backtests.signals import Signals
from backtests.simulate import run_all
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.inputs import Input
from mela.result import Outcome
from mela.run import Costs, Exits, Run, from_ms, rounded_warmup, to_ms

CHECKED = "check:check"  # an instrument whose name does not matter
ALL_CUTS = 600  # cuts of a series are few enough to try every one
BUDGET = 8_000_000  # candles read over all cuts, beyond which a choice of cuts is made
LEAST_CUTS = 100
ORDER_CUTS = 40  # of the cuts, also executed, long only and in both directions
STARTS = 64
COMPARED = 1_000  # candles looked at behind each start
NOISE = 1e-9  # relative: what a value may differ by and still tie
NOISY_RUNS = 32
TIES_AT_MOST = 0.01  # of the candles compared: what happens more often is no coincidence
COLUMNS = ("open", "high", "low", "close", "volume", "opened_ms")

Int = NDArray[np.int64]
Table = NDArray[np.bool_]  # (4, n): the four signals, in the order of Signals


def check(
    candles: Candles,
    strategy: Strategy,
    params: Mapping[str, Any] | BaseModel,
    *,
    seed: int = 0,
    instrument: str = CHECKED,
    inputs: Mapping[str, Input] | None = None,
) -> Checked:
    """Hold a strategy's signals and orders on candles against those on fewer of them.

    candles: checked, at least one, with the series of the strategy's inputs in `inputs`; these
        are cut short too, by when their candles close
    params: as a scene gives them
    instrument: whose candles they are; inputs: as a scene chose them, None as declared
    seed: of the choice of cuts and of the noise that finds ties
    Raises pydantic.ValidationError for parameters that the strategy refuses.
    """
    model = strategy.params.model_validate(params)
    warmup = strategy.warmup(model)
    random = np.random.default_rng(seed)
    found = Checked(strategy.name, model.model_dump(), len(candles), warmup=warmup)
    start_bar = min(rounded_warmup(warmup), len(candles) // 2)
    candles = replace(_frozen(candles), start_bar=start_bar)
    ask = _Asker(strategy, model, instrument, strategy.inputs(model) if inputs is None else inputs)
    try:
        written, whole = _writes(candles, ask)
    except StrategyFailed as error:
        return replace(found, unverified=(f"on all {len(candles):,} candles it {error}",))
    if written:
        return replace(found, differences=(written,))
    found = replace(found, signals=int(whole.sum()))
    if not whole.any():
        return replace(found, unverified=(f"it gave no signal on {len(candles):,} candles",))
    again = [_again(candles, ask, whole)]
    found, cut = _cut_short(found, candles, ask, whole, random)
    found, orders = _execute(found, candles, ask, random)
    found, history = _begin_later(found, candles, ask, whole, warmup, random)
    again.append(_again(candles, ask, whole))  # state may have gathered meanwhile
    repeated = next((difference for difference in again if difference), None)
    named = [difference for difference in (repeated, cut, orders, history) if difference]
    return replace(found, differences=tuple(named))


@dataclass(frozen=True, slots=True)
class _Asker:
    strategy: Strategy
    params: BaseModel
    instrument: str
    inputs: Mapping[str, Input]

    def signals(self, candles: Candles, *, after_warmup: bool = False) -> Table:
        """Return the signals on exactly these candles: (4, n). Raises StrategyFailed.

        after_warmup: give inputs no candles but those that the strategy asked for before the start
        """
        since_ms = int(candles.opened_ms[candles.start_bar]) if after_warmup else None
        try:
            given = self.strategy.decide(
                candles,
                self.params,
                Indicators(candles),
                lambda: context_of(candles, self.instrument, self.inputs, since_ms),
            ).signals()
        except (Exception, SystemExit) as error:  # a strategy is anybody's code
            raise StrategyFailed(f"raises {type(error).__name__}: {error}") from error
        spelled = given.mirrored()
        for name, signal in zip(Signals._fields, spelled, strict=False):
            expected = (len(candles),)
            if getattr(signal, "dtype", None) != np.bool_ or np.shape(signal) != expected:
                raise StrategyFailed(
                    f"gives {name} as {getattr(signal, 'dtype', type(signal).__name__)} of shape "
                    f"{np.shape(signal)}, where bool of shape {expected} was expected"
                )
        return np.stack(spelled)


def choose_cuts(count: int, onsets: Int, random: np.random.Generator) -> Int:
    """Return after how many candles a series is cut short: rising, each in [1, count).

    Every number where they are at most ALL_CUTS, or where BUDGET allows. Else the last 64, a third
    right behind candles on which a signal begins, and the rest spread: one at a random place of
    each of equal parts.

    onsets: the bars on which signals begin
    """
    most = max(LEAST_CUTS, 2 * BUDGET // max(count, 1))
    if count - 1 <= max(ALL_CUTS, most):
        return np.arange(1, count)
    tail = np.arange(count - min(64, most // 3), count)
    behind = random.choice(onsets + 1, min(len(onsets), most // 3), replace=False)
    parts = np.linspace(1, count, most - len(tail) - len(behind) + 1)
    spread = np.floor(random.uniform(parts[:-1], parts[1:])).astype(np.int64)
    chosen = np.unique(np.concatenate([tail, behind, spread]))
    return chosen[chosen < count]


def _cut_short(
    found: Checked, candles: Candles, ask: _Asker, whole: Table, random: np.random.Generator
) -> tuple[Checked, Difference | None]:
    onsets = _onsets(whole)
    onsets = onsets[onsets + 1 < len(candles)]
    cuts = choose_cuts(len(candles), onsets, random)
    named = Earliest()
    for cut in cuts.tolist():
        part = _part(candles, 0, cut)
        try:
            said = ask.signals(part)
        except StrategyFailed as error:
            named.add(_raised("cut", candles, 0, cut, error))
        else:
            named.add(_first_difference("cut", candles, whole[:, :cut], said, 0))
    found = replace(
        found,
        cuts=len(cuts),
        cuts_possible=len(candles) - 1,
        onsets=len(onsets),
        onsets_cut=int(np.isin(onsets + 1, cuts).sum()),
    )
    if len(candles) < 2:
        found = _doubt(found, "a single candle cannot be cut short")
    return found, named.difference


def _execute(
    found: Checked,
    candles: Candles,
    ask: _Asker,
    random: np.random.Generator,
) -> tuple[Checked, Difference | None]:
    """Compare fills and equity of prefixes with those of the whole, exactly."""
    first = candles.start_bar
    possible = np.arange(first + 1, len(candles))
    cuts = np.sort(random.choice(possible, min(len(possible), ORDER_CUTS), replace=False))
    wholes, trades = _run(candles, ask), 0
    for whole in wholes:
        if whole.curve is None:
            said = ": ".join(whole.error or (whole.status.value,))
            return _doubt(found, f"its orders could not be executed: {said}"), None
        trades += len(whole.curve.trades)
    named = Earliest()
    for cut in cuts.tolist():
        parts = _run(_part(candles, 0, cut), ask)
        for whole, part in zip(wholes, parts, strict=True):
            named.add(_other_fills(candles, whole, part, first, cut))
    return replace(found, order_cuts=len(cuts), trades=trades), named.difference


def _begin_later(
    found: Checked,
    candles: Candles,
    ask: _Asker,
    whole: Table,
    warmup: int,
    random: np.random.Generator,
) -> tuple[Checked, Difference | None]:
    """Compare signals behind a later beginning and its warm-up with those that know more."""
    starts = _choose_starts(len(candles), _onsets(whole), warmup, random)
    named, compared, signals, ties = Earliest(), 0, 0, 0
    for start in starts.tolist():
        begin, end = start + warmup, min(len(candles), start + warmup + COMPARED)
        longer = replace(_part(candles, 0, end), start_bar=begin)
        shorter = replace(_part(candles, start, end), start_bar=warmup)
        try:
            more = ask.signals(longer)[:, begin:]
            less = ask.signals(shorter, after_warmup=True)[:, warmup:]
            tied = _tied(shorter, ask, more, less, random)
        except StrategyFailed as error:
            named.add(_raised("history", candles, start, end, error))
            continue
        compared += end - begin
        signals += int(more.sum())
        ties += int(tied.any(axis=0).sum())
        named.add(
            _first_difference(
                "history", candles, np.where(tied, less, more), less, begin, first=start
            )
        )
    found = replace(found, starts=len(starts), compared=compared, ties=ties)
    if ties > max(1, TIES_AT_MOST * compared):
        return _doubt(
            found,
            f"with more history {ties:,} of {compared:,} candles differ where compared values tie, "
            "which is too often for a coincidence",
        ), named.difference
    if not signals:
        found = _doubt(
            found,
            f"no signal lies beyond the warm-up of {warmup:,} candles, so that more history in "
            f"front could change none: give it more than the {len(candles):,} candles it had",
        )
    return found, named.difference


def _choose_starts(count: int, onsets: Int, warmup: int, random: np.random.Generator) -> Int:
    """Return bars to begin at: half so that a signal stands right behind the warm-up."""
    possible = np.arange(1, max(1, count - warmup))
    if len(possible) <= STARTS:
        return possible
    behind = onsets[onsets - warmup >= 1] - warmup
    behind = random.choice(behind, min(len(behind), STARTS // 2), replace=False)
    spread = np.linspace(1, count - warmup - 1, STARTS - len(behind)).astype(np.int64)
    return np.unique(np.concatenate([behind, spread]))


def _tied(
    candles: Candles, ask: _Asker, more: Table, less: Table, random: np.random.Generator
) -> Table:
    """Tell where signals differ only as compared values tie: prices a hair away give either.

    more, less: (4, m), the signals behind the warm-up, with more history and on these candles
    """
    tied = np.zeros_like(more)
    if np.array_equal(more, less):
        return tied
    for _ in range(NOISY_RUNS):
        factor = 1.0 + NOISE * random.uniform(-1.0, 1.0, len(candles))
        prices = {name: getattr(candles, name) * factor for name in COLUMNS[:4]}
        noisy = ask.signals(_frozen(replace(candles, **prices)), after_warmup=True)
        tied |= (more != less) & (noisy[:, candles.start_bar :] == more)
    return tied


def _again(candles: Candles, ask: _Asker, whole: Table) -> Difference | None:
    try:
        said = ask.signals(candles)
    except StrategyFailed as error:
        return _raised("again", candles, 0, len(candles), error)
    return _first_difference("again", candles, whole, said, 0)


def _writes(candles: Candles, ask: _Asker) -> tuple[Difference | None, Table]:
    """Ask with candles that can be written to, and tell the first value that was."""
    given = replace(candles, **{name: getattr(candles, name).copy() for name in COLUMNS})
    whole = ask.signals(given)
    named = Earliest()
    for name in COLUMNS:
        before, after = getattr(candles, name), getattr(given, name)
        changed = np.flatnonzero((before != after) | np.isnan(after))
        if len(changed):
            bar, last = int(changed[0]), len(candles) - 1
            at = int(candles.opened_ms[bar])
            was, now = f"{before[bar]}", f"{after[bar]}"
            named.add(Difference("writes", bar, at, name, was, now, 0, last))
    return named.difference, whole


def _first_difference(
    how: How, candles: Candles, whole: Table, part: Table, begin: int, *, first: int = 0
) -> Difference | None:
    """Name the first candle on which signals differ; `begin`: the bar of their first column."""
    differs = np.flatnonzero((whole != part).any(axis=0))
    if len(differs) == 0:
        return None
    place = int(differs[0])
    row = int(np.flatnonzero(whole[:, place] != part[:, place])[0])
    bar, last = begin + place, begin + whole.shape[1] - 1
    one, other = (str(bool(table[row, place])) for table in (whole, part))
    at = int(candles.opened_ms[bar])
    return Difference(how, bar, at, Signals._fields[row], one, other, first, last)


def _raised(how: How, candles: Candles, first: int, end: int, error: Exception) -> Difference:
    at = int(candles.opened_ms[end - 1])
    return Difference(
        how, end - 1, at, "the signals", "they are given", f"it {error}", first, end - 1
    )


def _other_fills(
    candles: Candles, whole: Outcome, part: Outcome, first: int, cut: int
) -> Difference | None:
    """Name the first candle on which the account of a prefix differs from that of the whole."""
    if whole.curve is None or part.curve is None:
        said = ": ".join(part.error or (part.status.value,))
        return _raised("orders", candles, 0, cut, StrategyFailed(f"ends as {said}"))
    least = min(len(part.curve.equity), len(whole.curve.equity))
    differs = np.flatnonzero(whole.curve.equity[:least] != part.curve.equity[:least])
    last_at = from_ms(int(candles.opened_ms[cut - 1]))
    expected = [trade for trade in whole.curve.trades if trade.exit_at <= last_at]
    pairs = enumerate(zip(expected, part.curve.trades, strict=False))
    unequal = next((n for n, (one, other) in pairs if one != other), None)
    if len(differs):
        bar = first + int(differs[0])
        one, other = whole.curve.equity[differs[0]], part.curve.equity[differs[0]]
        at = int(candles.opened_ms[bar])
        return Difference("orders", bar, at, "equity", f"{one}", f"{other}", 0, cut - 1)
    if unequal is not None:
        bar = _bar_of(candles, expected[unequal].entry_at)
        one, other = f"{expected[unequal]}", f"{part.curve.trades[unequal]}"
    elif len(expected) != len(part.curve.trades):
        bar = cut - 1
        one, other = f"{len(expected)} closed so far", f"{len(part.curve.trades)}"
    else:
        return None
    return Difference("orders", bar, int(candles.opened_ms[bar]), "trades", one, other, 0, cut - 1)


def _bar_of(candles: Candles, at: datetime) -> int:
    return int(np.searchsorted(candles.opened_ms, to_ms(at)))


def _run(candles: Candles, ask: _Asker) -> list[Outcome]:
    """Execute with a stop and a target, long only and in both directions."""
    start, end = int(candles.opened_ms[candles.start_bar]), int(candles.opened_ms[-1])
    run = Run(
        run_key="0" * 64,
        instrument=ask.instrument,
        interval=candles.interval,
        start=from_ms(start),
        end=from_ms(candles.interval.end_ms(end)),
        strategy=ask.strategy.name,
        params=ask.params.model_dump(),
        warmup=candles.start_bar,
        costs=Costs(borrow_rate=0.0),
        exits=Exits(stop_loss=0.03, take_profit=0.05),
        inputs=ask.inputs,
    )
    runs = [run, replace(run, direction="both")]
    return list(run_all(candles, runs, with_curve=True, catalogue={run.strategy: ask.strategy}))


def _onsets(whole: Table) -> Int:
    begins = whole.copy()
    begins[:, 1:] &= ~whole[:, :-1]
    return np.flatnonzero(begins.any(axis=0))


def _part(candles: Candles, first: int, end: int) -> Candles:
    columns = {name: getattr(candles, name)[first:end] for name in COLUMNS}
    start_bar = min(max(0, candles.start_bar - first), end - first)
    return replace(candles, start_bar=start_bar, **columns)


def _frozen(candles: Candles) -> Candles:
    return replace(
        candles,
        **{
            name: read_only(getattr(candles, name), getattr(candles, name).dtype)
            for name in COLUMNS
        },
    )


def _doubt(found: Checked, why: str) -> Checked:
    return replace(found, unverified=(*found.unverified, why))
