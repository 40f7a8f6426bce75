"""Test whether a strategy knows more than its candles: cut them, begin earlier, run again.

A strategy that sees only closed candles says the same about a candle whatever comes after it, and
the same, beyond its warm-up, whatever came long before. If a way was not tested, the answer is "not
verified", never "clean".

Each question goes to a fork of a process that never asked the strategy, so that nothing it keeps
between calls can hide what it knows: the answer on all candles comes from one fork, the answers on
fewer from others, in which the shortest are asked first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from pydantic import BaseModel

from backtests.lookahead import watched_call
from backtests.lookahead.cut_candles import (
    BUDGET,
    COLUMNS,
    choose_cuts,
    frozen,
    in_asking_order,
    part_of,
    with_another_future,
)
from backtests.lookahead.differences import first_difference, first_written
from backtests.lookahead.fills import execute, warm_engine
from backtests.lookahead.history import begin_later
from backtests.lookahead.report import Checked, Difference, Earliest, StrategyFailed, by_way
from backtests.lookahead.resource_watch import Reach
from backtests.lookahead.strategy_call import Answer, Asker, in_fresh_process
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.counts import counted, first_of
from mela.inputs import Input
from mela.run import rounded_warmup

CHECKED = "check:check"  # an instrument whose name does not matter
FUTURES = 24  # series with another future
FRESH_CUTS, FRESH_FUTURES = 8, 3  # of each, asked in a process of its own
LIMIT_S = 3_600.0


def check(
    candles: Candles,
    strategy: Strategy,
    params: Mapping[str, Any] | BaseModel,
    *,
    seed: int = 0,
    instrument: str = CHECKED,
    inputs: Mapping[str, Input] | None = None,
    budget: int = BUDGET,
    limit_s: float = LIMIT_S,
) -> Checked:
    """Hold a strategy's signals and orders on candles against those on fewer of them.

    This process must not have asked the strategy before: it asks in forks of itself.
    candles: checked, at least one, with the series of the strategy's inputs in `inputs`; these
        are cut short too, by when their candles close
    params: as a scene gives them
    instrument: whose candles they are; inputs: as a scene chose them, None as declared
    seed: of the choice of cuts and of the noise that finds ties
    budget: candles read over all cuts; limit_s: what each fork may take
    Raises pydantic.ValidationError for parameters that the strategy refuses.
    """
    warm_engine()
    model = strategy.params.model_validate(params)
    warmup = strategy.warmup(model)
    random = np.random.default_rng(seed)
    found = Checked(strategy.name, model.model_dump(), len(candles), warmup=warmup)
    start_bar = min(rounded_warmup(warmup), len(candles) // 2)
    candles = replace(frozen(candles), start_bar=start_bar)
    asker = Asker(strategy, model, instrument, strategy.inputs(model) if inputs is None else inputs)
    desk = _Desk(candles, asker, random, budget, limit_s)
    try:
        return desk.checked(found)
    except StrategyFailed as error:
        return found.doubting(f"on {counted(len(candles), 'candle')} it {error}")


@dataclass(slots=True)
class _Desk:
    """The questions of one check."""

    candles: Candles
    asker: Asker
    random: np.random.Generator
    budget: int
    limit_s: float

    def checked(self, found: Checked) -> Checked:
        """Return what all questions found. Raises StrategyFailed where it fails on all candles."""
        whole, written, first = in_fresh_process(self._whole, self.limit_s)
        found = replace(found, fresh=2, signals=int(whole.flags.sum()))
        if written:
            return replace(found, fresh=1, differences=(written,))
        second, third, more = in_fresh_process(self._twice, self.limit_s)
        reaches = tuple(dict.fromkeys((*first, *more)))
        if second.differs(whole).any():
            return self._undecided(found, whole, second, reaches)
        reaches = tuple(reach for reach in reaches if reach.kind != "chance")
        again = first_difference("again", self.candles, whole, third, 0)
        if not whole.flags.any() and not again:
            found = replace(found, reaches=reaches)
            return found.doubting(f"it gave no signal on {counted(len(self.candles), 'candle')}")
        found, alone, later = self._one_by_one(found, whole)
        found, named = self._in_a_row(found, whole)
        opened = watched_call.opens_below_python(
            self.asker, self.candles, whole, first, self.limit_s
        )
        reaches = tuple(dict.fromkeys((*reaches, *later, *opened)))
        return replace(found, differences=by_way((again, *alone, *named)), reaches=reaches)

    def _whole(self) -> tuple[Answer, Difference | None, tuple[Reach, ...]]:
        """Ask on all candles, which can be written to, and look at each call."""
        given = replace(
            self.candles, **{name: getattr(self.candles, name).copy() for name in COLUMNS}
        )
        answer, reaches = watched_call.watched(self.asker, given)
        return answer, first_written(self.candles, given, COLUMNS), reaches

    def _twice(self) -> tuple[Answer, Answer, tuple[Reach, ...]]:
        """Ask on all candles and again: chance tells the first apart, memory the second."""
        one, reaches = watched_call.watched(self.asker, self.candles, calls=False)
        other, more = watched_call.watched(self.asker, self.candles)
        return one, other, (*reaches, *more)

    def _undecided(
        self, found: Checked, whole: Answer, other: Answer, reaches: tuple[Reach, ...]
    ) -> Checked:
        """Return what can be said of a strategy whose answer is another each time."""
        named = first_difference("again", self.candles, whole, other, 0)
        sentence = named.sentence() if named else ""
        return replace(found, reaches=reaches).doubting(
            "two processes that had not seen it gave two answers on the same candles, so that it "
            f"depends on chance or on something outside. First: {sentence}"
        )

    def _one_by_one(
        self, found: Checked, whole: Answer
    ) -> tuple[Checked, list[Difference | None], tuple[Reach, ...]]:
        """Ask about some cuts and futures in a process each, which sees nothing else."""
        count = len(self.candles)
        if count < 2:
            return found.doubting("a single candle cannot be cut short"), [], ()
        cuts, futures, reaches = Earliest(), Earliest(), []
        at = np.unique(np.linspace(1, count - 1, min(FRESH_CUTS, count - 1)).astype(np.int64))
        questions = [(int(cut), None) for cut in at]
        bars = self.random.integers(0, count - 1, FRESH_FUTURES)
        questions += [(int(bar) + 1, int(self.random.integers(2**31))) for bar in bars]
        for cut, seed in questions:
            part = self._part(cut, seed)
            work = partial(watched_call.watched, self.asker, part, calls=False)
            try:
                answer, reached = in_fresh_process(work, self.limit_s)
            except StrategyFailed:  # told by whoever asks about all cuts
                continue
            reaches += reached
            how, named = ("cut", cuts) if seed is None else ("future", futures)
            named.add(
                first_difference(how, self.candles, whole.part(0, cut), answer.part(0, cut), 0)
            )
        found = replace(found, fresh=found.fresh + len(questions))
        return found, [cuts.difference, futures.difference], tuple(reaches)

    def _part(self, cut: int, seed: int | None) -> Candles:
        """Return the candles up to a cut, or all with another future behind it."""
        if seed is None:
            return part_of(self.candles, 0, cut)
        return with_another_future(self.candles, cut - 1, np.random.default_rng(seed))

    def _in_a_row(self, found: Checked, whole: Answer) -> tuple[Checked, list[Difference | None]]:
        """Ask everything in one process, the shortest cuts first."""
        if len(self.candles) < 2:
            return found, []

        def work() -> tuple[Checked, list[Difference | None]]:
            one, named = self._cut_short(found, whole)
            one, fills = execute(one, self.candles, self.asker, self.random)
            one, history = begin_later(one, self.candles, self.asker, whole, self.random)
            answer = self.asker.ask(self.candles)  # state may have gathered meanwhile
            again = first_difference("again", self.candles, whole, answer, 0)
            return one, [*named, fills, history, again]

        try:
            done, named = in_fresh_process(work, self.limit_s)
        except StrategyFailed as error:
            return found.doubting(f"asked about many cuts in a row, it {error}"), []
        return replace(done, fresh=found.fresh + 1), named

    def _cut_short(self, found: Checked, whole: Answer) -> tuple[Checked, list[Difference | None]]:
        candles, count = self.candles, len(self.candles)
        onsets = whole.onsets()
        onsets = onsets[onsets + 1 < count]
        cuts = choose_cuts(count, onsets, self.random, self.budget)
        named, failures = Earliest(), {}
        for cut in in_asking_order(cuts, self.random).tolist():
            try:
                given = self.asker.ask(part_of(candles, 0, cut))
            except StrategyFailed as error:
                failures[cut] = error
            else:
                named.add(first_difference("cut", candles, whole.part(0, cut), given, 0))
        changed, bars = Earliest(), self.random.integers(0, count - 1, min(FUTURES, count - 1))
        # the least known first, as with cuts: what a strategy keeps of it is wrong for all others
        for bar in np.sort(bars).tolist():
            other = with_another_future(candles, bar, self.random)
            try:
                given = self.asker.ask(other).part(0, bar + 1)
            except StrategyFailed as error:
                failures.setdefault(count, error)
            else:
                known = whole.part(0, bar + 1)
                changed.add(first_difference("future", candles, known, given, 0))
        found = replace(
            found,
            cuts=len(cuts),
            cuts_possible=count - 1,
            futures=len(bars),
            onsets=len(onsets),
            onsets_cut=int(np.isin(onsets + 1, cuts).sum()),
        )
        if failures:
            least = min(failures)
            found = found.doubting(
                f"given {first_of(least)} alone, it {failures[least]}; so at "
                f"{len(failures):,} of {counted(len(cuts), 'cut')}"
            )
        return found, [named.difference, changed.difference]
