"""From a scene to its runs: counted by arithmetic, checked value by value, in one order.

The fields that a space varies fall into groups that are validated together (a strategy with its
parameters, the exits, …). Each group is expanded and checked once; a run is one variant of each.
A random search draws whole runs, so that it has one group of them; training windows are variants of
the span.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mela.canonical import canonical_json, canonical_scalar, pieces_around
from mela.errors import RejectionCode, SceneInvalid
from mela.grid_checks import check_across, check_count, check_inputs_join, may_short_free
from mela.inputs import Input
from mela.learned import groups_of_ends
from mela.portfolio import Portfolio
from mela.portfolio_checks import check_trials
from mela.run import Catalogue, Run, from_ms, rounded_warmup, run_key_of
from mela.scene import Scene
from mela.search import Drawn, RandomSearch, Scalar, TpeSearch
from mela.values import draws, ends_of, values_of
from mela.variant_list import Variant, combinations, kinds, merged
from mela.variants import by_group, group_names, group_variants, part_variant, place_of

NOTHING_FIXED = Variant({}, {})


@dataclass(frozen=True)
class Plan:
    """The runs of a scene, counted and checked but not yet spelled out.

    runs: distinct run_keys; skipped: runs left out, as they break a strategy's own rule
    portfolio: of one account for all instruments; None where each has its own
    learns: runs of each instrument, at most, that answers to others choose; 0 where all are known.
        `groups` then has examples of their fields
    """

    instruments: tuple[str, ...]
    groups: Sequence[Sequence[Variant]]
    skipped: int
    portfolio: Portfolio | None = None
    learns: int = 0

    @property
    def runs(self) -> int:
        """Return the number of distinct run_keys."""
        each = self.learns or math.prod(len(group) for group in self.groups)
        return len(self.accounts) * each

    @property
    def has_free_shorts(self) -> bool:
        """Tell whether some runs sell short and do not say what borrowing costs."""
        return may_short_free(map(kinds, self.groups))

    @property
    def accounts(self) -> Sequence[tuple[str, ...]]:
        """Return the instruments of each account; a run is one parameter set on one account."""
        if self.portfolio is None:
            return [(name,) for name in self.instruments]
        return [tuple(sorted(self.instruments))]

    @property
    def inputs(self) -> Sequence[tuple[str, Input]]:
        """Return the inputs that runs read, each with its path in a scene."""
        variants = [
            one for group in map(kinds, self.groups) for one in group if "inputs" in one.fields
        ]
        named = ((name, one) for each in variants for name, one in each.fields["inputs"].items())
        return [(f"inputs.{name}", one) for name, one in dict.fromkeys(named)]

    def expand(self) -> Iterator[Run]:
        """Yield the runs, series by series, always in the same order; none that answers choose."""
        if self.learns:
            return
        fixed = merged([group[0] for group in self.groups if len(group) == 1])
        varied = [group for group in self.groups if len(group) > 1]
        for instrument, *others in self.accounts:
            maker = RunMaker(fixed, instrument, others, self.portfolio)
            for choice in combinations(varied):
                yield maker.run(*choice)


class RunMaker:
    """Makes the runs of one account that have some variants in common, which are spelled once."""

    def __init__(
        self,
        fixed: Variant,
        instrument: str,
        others: Sequence[str] = (),
        portfolio: Portfolio | None = None,
    ) -> None:
        names = b",".join(map(canonical_scalar, (instrument, *others)))
        self._canonical = {"instruments": b"[%s]" % names, **fixed.canonical}
        self._fields: dict[str, Any] = {"instrument": instrument, **fixed.fields}
        self._needed = 0
        if portfolio is not None:
            self._canonical["portfolio"] = portfolio.canonical()
            self._needed = portfolio.candles_needed
            self._fields |= {"others": tuple(others), "portfolio": portfolio}
        self._pieces: dict[tuple[str, ...], Sequence[bytes]] = {}

    def run(self, *choice: Variant) -> Run:
        """Return the run of the common variants and one of each other group."""
        chosen = choice[0] if len(choice) == 1 else merged(choice)
        fields = {**self._fields, **chosen.fields}
        needed = max(self._needed, fields["sizing"].candles_needed)
        if risk := fields.get("risk"):
            needed = max(needed, risk.candles_needed)
        if needed > fields["warmup"]:
            fields["warmup"] = rounded_warmup(needed)
        return Run(run_key=run_key_of(self._spelled(chosen.canonical)), **fields)

    def _spelled(self, chosen: Mapping[str, bytes]) -> bytes:
        """Return the canonical object of a run's fields, as `canonical_object` would spell it."""
        names = tuple(chosen)
        pieces = self._pieces.get(names)
        if pieces is None:
            pieces = self._pieces[names] = pieces_around(self._canonical, names)
        spelled = [pieces[0]]
        for name, piece in zip(sorted(names), pieces[1:], strict=True):
            spelled += (chosen[name], piece)
        return b"".join(spelled)


def make_run(
    instrument: str,
    choice: Iterable[Variant],
    others: Sequence[str] = (),
    portfolio: Portfolio | None = None,
) -> Run:
    """Return the run of an account and one variant of each group, named by its run_key."""
    return RunMaker(NOTHING_FIXED, instrument, others, portfolio).run(merged(choice))


def plan_runs(scene: Scene, catalogue: Catalogue, *, max_runs: int) -> Plan:
    """Count and check the runs of a scene, without spelling them out.

    Raises SceneInvalid: unknown_strategy, invalid_field, too_many_runs, nothing_to_run.
    """
    check_space(scene, catalogue, max_runs=max_runs)
    search = scene.search
    if isinstance(search, TpeSearch):
        groups = groups_of_ends(scene, catalogue)
        check_inputs_join(scene, groups)
        check_across(scene, groups)
        return Plan(scene.instruments, groups, 0, learns=search.trials * (len(scene.folds) or 1))
    # the span first: runs of one candle series stay together
    windows: list[Sequence[Variant]] = [window_variants(scene)] if scene.validation else []
    if isinstance(search, RandomSearch):
        drawn = draws(search.space, search.trials, search.seed)
        drawn = list({canonical_json(one): one for one in drawn}.values())
        groups = [*windows, _drawn(scene, catalogue, drawn)]
        total = len(drawn)
    else:
        axes = by_group(
            {path: values_of(axis) for path, axis in search.space.items()} if search else {}
        )
        groups = [
            *windows,
            *(group_variants(scene, catalogue, name, axes) for name in group_names(scene)),
        ]
        total = math.prod(len(values) for group in axes.values() for values in group.values())
    check_inputs_join(scene, map(kinds, groups))
    total *= len(scene.folds) or 1
    kept = math.prod(len(group) for group in groups)
    if kept == 0:
        raise SceneInvalid(
            RejectionCode.NOTHING_TO_RUN,
            "search.space",
            f"each of the {total} combinations breaks a rule of {scene.strategy.name}, "
            "so nothing is left to run.",
        )
    check_across(scene, map(kinds, groups))
    portfolio = (scene.portfolio or Portfolio()) if scene.mode == "together" else None
    plan = Plan(scene.instruments, groups, 0, portfolio)
    return replace(plan, skipped=(total - kept) * len(plan.accounts))


def check_space(scene: Scene, catalogue: Catalogue, *, max_runs: int) -> None:
    """Refuse too many runs, paths that mean nothing, values that cannot be drawn.

    A portfolio also refuses trials that only single instruments have.

    Raises SceneInvalid.
    """
    if scene.mode == "together":
        check_trials(scene)
    space: Mapping[str, Drawn] = scene.search.space if scene.search else {}
    check_count(scene, space, max_runs)
    places = {path: place_of(path) for path in sorted(space)}
    for path, (group, _) in places.items():
        if group == "span" and (scene.validation or scene.holdout):
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                f"search.space.{path}",
                f"a scene with a validation or a holdout cannot vary {path}: its windows are cut "
                "from one span of one interval.",
            )
    if isinstance(scene.search, RandomSearch | TpeSearch):
        for path, axis in space.items():
            for value in ends_of(axis):
                choose(scene, catalogue, {path: value})


def choose(
    scene: Scene, catalogue: Catalogue, choice: Mapping[str, Scalar]
) -> list[Variant] | None:
    """Return the variants that these values of a space make of a scene, one of each group.

    choice: path → value; a path that is left out keeps the scene's own value
    returns: None where the values break a strategy's own rule. Raises SceneInvalid out of bounds.
    """
    axes = by_group({path: (value,) for path, value in choice.items()})
    groups = [group_variants(scene, catalogue, name, axes) for name in group_names(scene)]
    check_inputs_join(scene, groups)
    return [group[0] for group in groups] if all(groups) else None


def window_variants(scene: Scene) -> list[Variant]:
    """Return the spans of a search's runs: its training windows, or all that it may see."""
    windows = [(from_ms(fold.train_start_ms), from_ms(fold.train_end_ms)) for fold in scene.folds]
    return [
        part_variant("span", {"interval": scene.interval, "start": start, "end": end})
        for start, end in windows or [(scene.start, scene.searched_until)]
    ]


def _drawn(
    scene: Scene, catalogue: Catalogue, drawn: Sequence[Mapping[str, Scalar]]
) -> list[Variant]:
    """Return the distinct valid variants of whole runs, those of one candle series together."""
    known: dict[bytes, Sequence[Variant]] = {}

    def variants(
        name: str, axes: Mapping[str, Mapping[str, Sequence[Scalar]]]
    ) -> Sequence[Variant]:
        own = {
            group: axes.get(group, {})
            for group in (("strategy", "params") if name == "strategy" else (name,))
        }
        key = canonical_json([name, own])
        if key not in known:
            known[key] = group_variants(scene, catalogue, name, own)
        return known[key]

    found: dict[frozenset[tuple[str, bytes]], Variant] = {}
    for choice in drawn:
        axes = by_group({path: (value,) for path, value in choice.items()})
        groups = [variants(name, axes) for name in group_names(scene)]
        if all(groups):
            whole = merged(group[0] for group in groups)
            found.setdefault(frozenset(whole.canonical.items()), whole)
    return sorted(found.values(), key=lambda one: str(one.fields.get("interval", "")))
