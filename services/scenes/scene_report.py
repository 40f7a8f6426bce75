"""The evidence of a scene's search, in numbers and in the words of a trader."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mela.counts import counted
from mela.errors import NotFound
from mela.search_report import SearchReport, StatisticsReport, WinnerReport
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.accounts.visibility import no_scene
from services.scenes import scene_pages
from warehouse.database import transaction
from warehouse.scenes import records

CERTAIN = 0.95
RARE = 0.001


@dataclass(frozen=True, slots=True)
class ReportInWords:
    """A report, and what it means.

    words: sentences, the most important first
    luck_chance: how probable it is that the best of as many tries looks this good by luck
    expected_best_sharpe: a year's Sharpe ratio of the best of as many tries by luck alone
    """

    is_finished: bool
    trials: int | None
    words: tuple[str, ...]
    luck_chance: float | None
    expected_best_sharpe: float | None
    report: SearchReport | None


def report_of(settings: Settings, caller: Caller, scene_id: UUID) -> ReportInWords:
    """Return what a scene's search has proved. Raises NotFound."""
    with transaction(settings) as connection:
        head, _ = scene_pages.seen(connection, caller, scene_id)
        stored = records.get(connection, scene_id)
    if stored is None:
        raise NotFound(no_scene(scene_id))
    return in_words(stored.ending.report, is_finished=head.finished_at is not None)


def in_words(report: SearchReport | None, *, is_finished: bool) -> ReportInWords:
    """Return what a report means; None is that of a scene that has searched nothing, or not yet."""
    if report is None:
        return ReportInWords(is_finished, None, (), None, None, None)
    luck = report.statistics
    chance = None if luck is None or luck.dsr is None else 1.0 - luck.dsr
    return ReportInWords(
        is_finished=is_finished,
        trials=None if luck is None else luck.n_trials,
        words=tuple(words_of(report)),
        luck_chance=chance,
        expected_best_sharpe=_expected(report),
        report=report,
    )


def words_of(report: SearchReport) -> Iterator[str]:
    """Yield what a report means, in sentences."""
    if report.reason is not None:
        yield _sentence(f"There is no verdict: {report.reason}")
    if report.statistics is not None:
        yield from _luck(report.statistics)
    if report.walk_forward is not None and report.winner is not None:
        yield _judged(report.winner)
    yield from _out_of_sample(report)
    yield from _robustness(report)


def _luck(luck: StatisticsReport) -> Iterator[str]:
    if luck.reason is not None:
        yield _sentence(f"How much of it is luck cannot be said: {luck.reason}")
        return
    if luck.dsr is not None:
        tries = f"Of {luck.n_trials:,} tries" if luck.n_trials > 1 else "A single try"
        verb = "the best would look" if luck.n_trials > 1 else "would look"
        yield f"{tries} {verb} this good by luck in {share(1.0 - luck.dsr)}."
        if luck.certified:
            yield "That is rare enough to count as proof that there is more to it than luck."
    if luck.pbo is not None:
        yield (
            f"Chosen on one half of the candles, the best falls below the median of all tries on "
            f"the other half in {luck.pbo:.0%} of the divisions"
            f"{': choosing by this metric does not help' if luck.pbo >= 0.5 else ''}."
        )
    if luck.spa_p is not None:
        does = "beats" if luck.spa_p < 1 - CERTAIN else "does not convincingly beat"
        yield f"The best try {does} buying and holding (p = {luck.spa_p:.2g})."
    yield from map(_sentence, luck.notes)


def _judged(winner: WinnerReport) -> str:
    """Say which run the odds are about. The best run of all windows is seldom that of the last."""
    choice = ", ".join(f"{name} {value}" for name, value in winner.choice.items())
    return (
        f"Judged is the run that the last window chose, {winner.start[:10]} to {winner.end[:10]}: "
        f"{winner.strategy}{f' with {choice}' if choice else ''} on {winner.instrument}."
    )


def _out_of_sample(report: SearchReport) -> Iterator[str]:
    walk = report.walk_forward
    if walk is not None:
        yield (
            f"Chosen again and again on the past and then traded on {counted(walk.folds, 'window')}"
            f" that it had not seen, it returned {_percent(walk.total_return)}; buying and holding "
            f"returned {_percent(walk.buy_hold_return)}."
        )
        if walk.untested:
            yield (
                f"{counted(walk.untested, 'test')} gave nothing: no run to choose, no candles, "
                "or a failure."
            )
    held = report.holdout
    if held is not None and held.error is None:
        again = (
            f" These candles were looked at {counted(held.reopened, 'time')} before, so that it "
            "proves less."
            if held.reopened
            else ""
        )
        yield (
            f"On the candles that were held back it returned {_percent(held.total_return)}; buying "
            f"and holding returned {_percent(held.buy_hold_return)}.{again}"
        )


def _robustness(report: SearchReport) -> Iterator[str]:
    found = report.robustness
    if found is None or found.reason is not None:
        return
    if found.break_even.per_fill is not None:
        yield f"Its gain is gone if a fill costs {found.break_even.per_fill:.2%} or more."
    near = found.plateau
    if near.tried and near.positive is not None:
        yield (
            f"{near.positive:.0%} of {counted(near.tried, 'neighbour')} of its parameters gain too."
        )
    if found.permuted.p_value is not None:
        yield (
            f"On shuffled candles it does as well in {found.permuted.p_value:.0%} of the attempts."
        )


def share(chance: float) -> str:
    """Return a probability as people say it of searches.

    >>> share(0.34), share(0.97), share(0.0)
    ('1 of 3 searches', '97 of 100 searches', 'fewer than 1 of 1,000 searches')
    """
    if chance < RARE:
        return "fewer than 1 of 1,000 searches"
    if chance >= 0.995:
        return "practically every search"
    if chance > 0.5:
        return f"{round(chance * 100)} of 100 searches"
    return f"1 of {round(1 / chance):,} searches"


def _expected(report: SearchReport) -> float | None:
    """Return the Sharpe ratio of luck per year; the report has it per period, as the winner's."""
    luck, winner = report.statistics, report.winner
    if luck is None or winner is None or not winner.sharpe:
        return None
    extra: dict[str, Any] = luck.model_extra or {}
    own, by_luck = extra.get("sharpe_per_period"), extra.get("sharpe_by_luck")
    if not own or by_luck is None:
        return None
    expected = by_luck * winner.sharpe / own
    return expected if math.isfinite(expected) else None


def _percent(value: float | None) -> str:
    return "an undefined return" if value is None else f"{value:+.1%}"


def _sentence(words: str) -> str:
    words = words.strip()
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '!', '?')) else '.'}"
