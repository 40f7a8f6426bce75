"""From a scene to its runs: counted by arithmetic, checked value by value, in one order.

The fields that a space varies fall into groups that are validated together (a strategy with its
parameters, the exits, …). Each group is expanded and checked once; a run is one variant of each.
A random search draws whole runs, so that it has one group of them; training windows are variants of
the span.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, TypeAdapter, ValidationError, model_validator

from mela.backtrader_terms import beyond_backtrader
from mela.canonical import canonical_json, canonical_object, canonical_scalar
from mela.errors import RejectionCode, SceneInvalid, StrategyBroken
from mela.inputs import Input, SeriesChoice, canonical_inputs, check_inputs, resolve
from mela.instrument import describe
from mela.interval import Interval
from mela.params import at_path, breaks_a_rule_of_the_whole, canonical_params, values_of_part
from mela.portfolio import Portfolio
from mela.portfolio_checks import check_together, check_trials
from mela.run import (
    MAX_WARMUP,
    NO_INPUTS,
    Catalogue,
    Instant,
    Part,
    RiskSizing,
    Run,
    StrategyInfo,
    canonical_fields,
    from_ms,
    rounded_warmup,
    run_key_of,
)
from mela.run_terms import ACCOUNT, PARTS, TERM_TYPES, part_of_terms
from mela.scene import (
    Drawn,
    RandomSearch,
    Scalar,
    Scene,
    Steps,
    TpeSearch,
    field_path,
    said,
)
from mela.values import draws, ends_of, step_count, values_of


class RunSpan(Part):
    """The candles of a run."""

    interval: Interval
    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.end <= self.start:
            raise ValueError("a run must end after its start")
        return self


_READ: dict[str, TypeAdapter[Part]] = {name: TypeAdapter(TERM_TYPES[name]) for name in PARTS}
_FLAT: dict[str, type[Part]] = {"span": RunSpan, "account": part_of_terms("Account", ACCOUNT)}
_STRATEGY_PREFIX = "strategy.params."


@dataclass(frozen=True, slots=True)
class Variant:
    """One validated choice of a group: fields of Run, and their canonical JSON for the run_key."""

    fields: Mapping[str, Any]
    canonical: Mapping[str, bytes]


@dataclass(frozen=True)
class Plan:
    """The runs of a scene, counted and checked but not yet spelled out.

    runs: distinct run_keys; skipped: runs left out, as they break a strategy's own rule
    portfolio: of one account for all instruments; None where each has its own
    """

    instruments: tuple[str, ...]
    groups: Sequence[Sequence[Variant]]
    skipped: int
    portfolio: Portfolio | None = None

    @property
    def runs(self) -> int:
        """Return the number of distinct run_keys."""
        return len(self.accounts) * math.prod(len(group) for group in self.groups)

    @property
    def accounts(self) -> Sequence[tuple[str, ...]]:
        """Return the instruments of each account; a run is one parameter set on one account."""
        if self.portfolio is None:
            return [(name,) for name in self.instruments]
        return [tuple(sorted(self.instruments))]

    @property
    def inputs(self) -> Sequence[tuple[str, Input]]:
        """Return the inputs that runs read, each with its path in a scene."""
        variants = [one for group in self.groups for one in group if "inputs" in one.fields]
        named = ((name, one) for each in variants for name, one in each.fields["inputs"].items())
        return [(f"inputs.{name}", one) for name, one in dict.fromkeys(named)]

    def expand(self) -> Iterator[Run]:
        """Yield the runs, series by series, always in the same order."""
        fixed = merged([group[0] for group in self.groups if len(group) == 1])
        varied = [group for group in self.groups if len(group) > 1]
        for instrument, *others in self.accounts:
            for choice in itertools.product(*varied):
                yield make_run(instrument, [fixed, *choice], others, self.portfolio)


def merged(choice: Iterable[Variant]) -> Variant:
    """Return variants of different groups as one."""
    fields: dict[str, Any] = {}
    canonical: dict[str, bytes] = {}
    for variant in choice:
        fields.update(variant.fields)
        canonical.update(variant.canonical)
    return Variant(fields, canonical)


def make_run(
    instrument: str,
    choice: Iterable[Variant],
    others: Sequence[str] = (),
    portfolio: Portfolio | None = None,
) -> Run:
    """Return the run of an account and one variant of each group, named by its run_key."""
    whole = merged(choice)
    names = b",".join(map(canonical_scalar, (instrument, *others)))
    asked = {"instruments": b"[%s]" % names, **whole.canonical}
    fields: Mapping[str, Any] = whole.fields
    needed: int = fields["sizing"].candles_needed
    if portfolio is not None:
        asked["portfolio"] = portfolio.canonical()
        needed = max(needed, portfolio.candles_needed)
        fields = {**fields, "others": tuple(others), "portfolio": portfolio}
    if needed > fields["warmup"]:
        fields = {**fields, "warmup": rounded_warmup(needed)}
    return Run(run_key=run_key_of(asked), instrument=instrument, **fields)


def plan_runs(scene: Scene, catalogue: Catalogue, *, max_runs: int) -> Plan:
    """Count and check the runs of a scene, without spelling them out.

    Raises SceneInvalid: unknown_strategy, invalid_field, too_many_runs, nothing_to_run.
    """
    check_space(scene, catalogue, max_runs=max_runs)
    search = scene.search
    if isinstance(search, TpeSearch):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "search.kind",
            "in a search of kind tpe each trial waits for the answers to those before it, so that "
            "it cannot be planned ahead. Run the scene with `mela backtest`, or publish it with "
            "kind random.",
        )
    # the span first: runs of one candle series stay together
    windows: list[Sequence[Variant]] = [window_variants(scene)] if scene.validation else []
    if isinstance(search, RandomSearch):
        drawn = draws(search.space, search.trials, search.seed)
        drawn = list({canonical_json(one): one for one in drawn}.values())
        groups = [*windows, _drawn(scene, catalogue, drawn)]
        total = len(drawn)
    else:
        axes = _grouped(
            {path: values_of(axis) for path, axis in search.space.items()} if search else {}
        )
        groups = [*windows, *(_group(scene, catalogue, name, axes) for name in _groups(scene))]
        total = math.prod(len(values) for group in axes.values() for values in group.values())
    _check_inputs(scene, groups)
    _check_across(scene, groups)
    total *= len(scene.folds) or 1
    kept = math.prod(len(group) for group in groups)
    if kept == 0:
        raise SceneInvalid(
            RejectionCode.NOTHING_TO_RUN,
            "search.space",
            f"each of the {total} combinations breaks a rule of {scene.strategy.name}, "
            "so nothing is left to run.",
        )
    portfolio = (scene.portfolio or Portfolio()) if scene.mode == "together" else None
    plan = Plan(scene.instruments, groups, 0, portfolio)
    return replace(plan, skipped=(total - kept) * len(plan.accounts))


def check_space(scene: Scene, catalogue: Catalogue, *, max_runs: int) -> None:
    """Refuse too many runs, paths that mean nothing, values that cannot be drawn.

    Of a portfolio also the trials that only single instruments have.

    Raises SceneInvalid.
    """
    if scene.mode == "together":
        check_trials(scene)
    space: Mapping[str, Drawn] = scene.search.space if scene.search else {}
    _check_count(scene, space, max_runs)
    places = {path: _place(path) for path in sorted(space)}
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
    axes = _grouped({path: (value,) for path, value in choice.items()})
    groups = [_group(scene, catalogue, name, axes) for name in _groups(scene)]
    _check_inputs(scene, groups)
    return [group[0] for group in groups] if all(groups) else None


def window_variants(scene: Scene) -> list[Variant]:
    """Return the spans of a search's runs: its training windows, or all that it may see."""
    windows = [(from_ms(fold.train_start_ms), from_ms(fold.train_end_ms)) for fold in scene.folds]
    return [
        part_variant("span", {"interval": scene.interval, "start": start, "end": end})
        for start, end in windows or [(scene.start, scene.searched_until)]
    ]


def _groups(scene: Scene) -> list[str]:
    """Return the groups that a space may vary, the span first unless windows take its place."""
    return [*([] if scene.validation else ["span"]), "strategy", *PARTS, "account"]


def _group(
    scene: Scene,
    catalogue: Catalogue,
    name: str,
    axes: Mapping[str, Mapping[str, Sequence[Scalar]]],
) -> list[Variant]:
    if name == "strategy":
        return _strategies(scene, catalogue, axes)
    if name in PARTS:
        return _expand(name, Part, dict(getattr(scene, name)), axes.get(name, {}))
    fields = _fields_of(scene, _FLAT[name])
    if name == "span":
        fields["end"] = scene.searched_until
    return _expand(name, Part, fields, axes.get(name, {}))


def _grouped(values: Mapping[str, Sequence[Scalar]]) -> dict[str, dict[str, Sequence[Scalar]]]:
    axes: dict[str, dict[str, Sequence[Scalar]]] = {}
    for path in sorted(values):
        group, field = _place(path)
        axes.setdefault(group, {})[field] = values[path]
    return axes


def _drawn(
    scene: Scene, catalogue: Catalogue, drawn: Sequence[Mapping[str, Scalar]]
) -> list[Variant]:
    """Return the distinct valid variants of whole runs, those of one candle series together."""
    known: dict[bytes, list[Variant]] = {}

    def variants(name: str, axes: Mapping[str, Mapping[str, Sequence[Scalar]]]) -> list[Variant]:
        own = {
            group: axes.get(group, {})
            for group in (("strategy", "params") if name == "strategy" else (name,))
        }
        key = canonical_json([name, own])
        if key not in known:
            known[key] = _group(scene, catalogue, name, own)
        return known[key]

    found: dict[frozenset[tuple[str, bytes]], Variant] = {}
    for choice in drawn:
        axes = _grouped({path: (value,) for path, value in choice.items()})
        groups = [variants(name, axes) for name in _groups(scene)]
        if all(groups):
            whole = merged(group[0] for group in groups)
            found.setdefault(frozenset(whole.canonical.items()), whole)
    return sorted(found.values(), key=lambda one: str(one.fields.get("interval", "")))


def strategy_variant(
    info: StrategyInfo, params: Mapping[str, Any], chosen: Mapping[str, SeriesChoice] = NO_INPUTS
) -> Variant:
    """Validate a strategy's parameters, and what a scene chose for its inputs.

    Raises pydantic's ValidationError, or SceneInvalid.
    """
    part = info.params.model_validate(params)
    changed = canonical_params(part)
    values = values_of_part(part)
    choice = {"name": canonical_scalar(info.name)}
    if changed:
        choice["params"] = canonical_object(changed)
    warmup = info.warmup(part)
    if warmup > MAX_WARMUP:
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "strategy.params",
            f"{info.name} would need {warmup:,} candles before the start with these, "
            f"and at most {MAX_WARMUP:,} are read. Take smaller periods.",
        )
    fields = {"strategy": info.name, "params": values, "warmup": rounded_warmup(warmup)}
    canonical = {"strategy": canonical_object(choice)}
    declared = info.inputs(part)
    if declared or chosen:
        fields["inputs"] = resolve(info.name, declared, chosen)
        canonical |= canonical_inputs(declared, fields["inputs"])
    return Variant(fields, canonical)


def part_variant(name: str, fields: Mapping[str, Any]) -> Variant:
    """Validate one group of a run's fields other than its strategy. Raises ValidationError."""
    if name in _FLAT:
        part = _FLAT[name].model_validate(fields)
        return Variant(
            {field: getattr(part, field) for field in type(part).model_fields},
            canonical_fields(part),
        )
    part = _READ[name].validate_python(fields)
    changed = canonical_fields(part)
    return Variant({name: part}, {name: canonical_object(changed)} if changed else {})


def _check_count(scene: Scene, space: Mapping[str, Drawn], max_runs: int) -> None:
    for path, axis in space.items():
        if isinstance(axis, tuple) and not axis:
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                f"search.space.{path}",
                "expected at least one value, but found none.",
            )
    count = len(scene.instruments) if scene.mode == "each" else 1
    count *= len(scene.folds) or 1
    if isinstance(scene.search, RandomSearch | TpeSearch):
        count *= scene.search.trials
    else:
        for axis in scene.search.space.values() if scene.search else ():
            count *= step_count(axis) if isinstance(axis, Steps) else len(values_of(axis))
    if count > max_runs:
        asked = f"{count:,}" if count < 10**15 else f"{Decimal(count):.2e}"
        raise SceneInvalid(
            RejectionCode.TOO_MANY_RUNS,
            "search.space" if space else "instruments",
            f"the scene asks for {asked} runs, and at most {max_runs:,} are allowed "
            "(MELA_MAX_RUNS). Take larger steps, or split it.",
        )


def _check_inputs(scene: Scene, groups: Iterable[Sequence[Variant]]) -> None:
    """Refuse inputs whose candles cannot be joined with the run's own."""
    variants = [variant for group in groups for variant in group]
    intervals = {one.fields["interval"] for one in variants if "interval" in one.fields}
    for variant in variants:
        if "inputs" in variant.fields:
            strategy, inputs = variant.fields["strategy"], variant.fields["inputs"]
            check_inputs(strategy, inputs, sorted(intervals or {scene.interval}), scene.inputs)


def _check_across(scene: Scene, groups: Iterable[Sequence[Variant]]) -> None:
    """Refuse what no single field can tell.

    Shorts without their cost, a size without its stop, what the engine asked for cannot do.
    """
    asked: dict[str, list[Any]] = {}
    for group in groups:
        for variant in group:
            for name, value in variant.fields.items():
                asked.setdefault(name, []).append(value)
    if scene.mode == "together":
        check_together(scene, asked)
    if set(asked["direction"]) - {"long"} and any(
        cost.borrow_rate is None for cost in asked["costs"]
    ):
        for instrument in scene.instruments:
            if describe(instrument).kind == "spot":
                raise SceneInvalid(
                    RejectionCode.INVALID_FIELD,
                    "costs.borrow_rate",
                    f"a short position on {instrument}, a spot instrument, is borrowed: state what "
                    "that costs in a year as a fraction of its value, 0 if nothing.",
                )
    sized_by_stop = any(isinstance(sizing, RiskSizing) for sizing in asked["sizing"])
    if sized_by_stop and any(exits.stop_loss is None for exits in asked["exits"]):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "exits.stop_loss",
            "sizing by risk_per_trade needs a stop loss, but none is given (or null is among "
            "the values of the space).",
        )
    refused = beyond_backtrader(asked) if "backtrader" in asked["engine"] else None
    if refused:
        raise SceneInvalid(RejectionCode.INVALID_FIELD, *refused)


def _place(path: str) -> tuple[str, str]:
    """Return the group and the field that a path of the space means. Raises SceneInvalid."""
    if path == "strategy.name":
        return "strategy", "name"
    if path.startswith(_STRATEGY_PREFIX):
        return "params", path.removeprefix(_STRATEGY_PREFIX)
    part, _, field = path.partition(".")
    if part in PARTS and field in _fields(part):
        return part, field
    for group, model in _FLAT.items():
        if path in model.model_fields:
            return group, path
    known = [f"{part}.{field}" for part in PARTS for field in _fields(part)]
    known += [field for model in _FLAT.values() for field in model.model_fields]
    raise SceneInvalid(
        RejectionCode.INVALID_FIELD,
        f"search.space.{path}",
        f"a space may vary strategy.name, strategy.params.*, {', '.join(known)}, "
        f"but found {path!r}.",
    )


def _fields(part: str) -> list[str]:
    """Return the fields of all alternatives of a part, each once."""
    return list(dict.fromkeys(name for kind in PARTS[part] for name in kind.model_fields))


def _fields_of(scene: Scene, model: type[Part]) -> dict[str, Any]:
    return {name: getattr(scene, name) for name in model.model_fields}


def _strategies(
    scene: Scene, catalogue: Catalogue, axes: Mapping[str, Mapping[str, Sequence[Scalar]]]
) -> list[Variant]:
    varied = axes.get("strategy", {}).get("name")
    variants: list[Variant] = []
    path = "strategy.name" if varied is None else "search.space.strategy.name"
    for name in [scene.strategy.name] if varied is None else varied:
        info = _info(catalogue, name, path)
        params = axes.get("params", {})
        _check_names(info, {**scene.strategy.params, **params})
        variants += _expand("strategy", info, scene.strategy.params, params, scene.inputs)
    return variants


def _info(catalogue: Catalogue, name: Scalar, path: str) -> StrategyInfo:
    try:
        return catalogue[str(name)]
    except StrategyBroken as broken:
        sentence = str(broken)
    except KeyError:
        sentence = f"no strategy is called {name!r}; there are {', '.join(sorted(catalogue))}."
    raise SceneInvalid(RejectionCode.UNKNOWN_STRATEGY, path, sentence)


def _check_names(info: StrategyInfo, params: Mapping[str, Any]) -> None:
    for path in params:
        name = path.partition(".")[0]
        if name not in info.params.model_fields:
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                f"strategy.params.{name}",
                f"{info.name} has no such parameter; it has {', '.join(info.params.model_fields)}.",
            )


def _expand(
    group: str,
    model: type[BaseModel] | StrategyInfo,
    base: Mapping[str, Any],
    axes: Mapping[str, Sequence[Scalar]],
    chosen: Mapping[str, SeriesChoice] = NO_INPUTS,
) -> list[Variant]:
    """Return the distinct valid variants of a group, without those that break its own rule."""

    def validate(fields: Mapping[str, Any]) -> Variant:
        if isinstance(model, type):
            return part_variant(group, fields)
        return strategy_variant(model, fields, chosen)

    # each value alone, so that no rule of the whole hides a bound
    for field, values in axes.items():
        for value in values:
            try:
                validate(_with(base, {field: value}))
            except ValidationError as error:
                if _names_a_field(error):
                    raise _refused(group, error, axes) from error
    variants: dict[frozenset[tuple[str, bytes]], Variant] = {}
    for values in itertools.product(*axes.values()):
        try:
            variant = validate(_with(base, dict(zip(axes, values, strict=True))))
        except ValidationError as error:
            if axes and not _names_a_field(error):
                continue
            raise _refused(group, error, axes) from error
        variants.setdefault(frozenset(variant.canonical.items()), variant)
    return list(variants.values())


def _with(base: Mapping[str, Any], choice: Mapping[str, Scalar]) -> Mapping[str, Any]:
    if not any("." in path for path in choice):  # nothing to go into: one copy instead of many
        return {**base, **choice}
    for path, value in choice.items():
        try:
            base = at_path(base, path, value)
        except KeyError as error:
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                f"search.space.{_STRATEGY_PREFIX}{path}",
                f"the scene's strategy has nothing at this path: no {error}.",
            ) from error
    return base


def _names_a_field(error: ValidationError) -> bool:
    faults = error.errors(include_url=False, include_context=False)
    return not all(breaks_a_rule_of_the_whole(fault) for fault in faults)


def _refused(group: str, error: ValidationError, axes: Mapping[str, object]) -> SceneInvalid:
    fault = error.errors(include_url=False, include_context=False)[0]
    prefix = "strategy.params" if group == "strategy" else group if group in PARTS else ""
    path = field_path(fault, prefix)
    if field_path(fault) in axes:
        path = f"search.space.{path}"
    return SceneInvalid(RejectionCode.INVALID_FIELD, path, said(fault))
