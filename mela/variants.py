"""One validated choice of a group of a run's fields, and the choices that values of a space make.

The fields that a space varies fall into groups that are validated together: a strategy with its
parameters, the exits, …
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, TypeAdapter, ValidationError, model_validator

from mela.canonical import canonical_object, canonical_scalar
from mela.counts import counted
from mela.errors import RejectionCode, SceneInvalid, SourceUnavailable, StrategyBroken
from mela.fields import field_values
from mela.inputs import SeriesChoice, canonical_inputs, resolve
from mela.interval import Interval
from mela.name_suggestions import did_you_mean, ended
from mela.params import at_path, breaks_a_rule_of_the_whole, canonical_params
from mela.run import (
    MAX_WARMUP,
    NO_INPUTS,
    Catalogue,
    Instant,
    Part,
    StrategyInfo,
    canonical_fields,
    rounded_warmup,
)
from mela.run_terms import ACCOUNT, PARTS, TERM_TYPES, part_of_terms
from mela.scene import Scene, fault_sentence, field_path
from mela.search import Scalar
from mela.variant_list import Variant, VariantList


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


_NEVER_VARIED = frozenset(("risk",))  # limits are no parameters to be tuned

_STRATEGY_PREFIX = "strategy.params."


def strategy_variant(
    info: StrategyInfo, params: Mapping[str, Any], chosen: Mapping[str, SeriesChoice] = NO_INPUTS
) -> Variant:
    """Validate a strategy's parameters, and what a scene chose for its inputs.

    Raises pydantic's ValidationError, or SceneInvalid.
    """
    try:
        part = info.params.model_validate(params)
        changed, values = canonical_params(part), field_values(part)
        warmup, declared = info.warmup(part), info.inputs(part)
    except (ValidationError, SceneInvalid, SourceUnavailable):
        raise
    except (Exception, SystemExit) as error:  # a strategy is anybody's code
        raise _broken(info, error) from error
    choice = {"name": canonical_scalar(info.name)}
    if changed:
        choice["params"] = canonical_object(changed)
    if warmup > MAX_WARMUP:
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "strategy.params",
            f"{info.name} would need {counted(warmup, 'candle')} before the start with these, "
            f"and at most {MAX_WARMUP:,} are read. Take smaller periods.",
        )
    fields = {"strategy": info.name, "params": values, "warmup": rounded_warmup(warmup)}
    canonical = {"strategy": canonical_object(choice)}
    if declared or chosen:
        fields["inputs"] = resolve(info.name, declared, chosen)
        canonical |= canonical_inputs(declared, fields["inputs"])
    return Variant(fields, canonical)


def _broken(info: StrategyInfo, error: BaseException) -> SceneInvalid:
    """Return why a scene is refused whose strategy fails before it is asked for signals."""
    sentence = (
        str(error)
        if isinstance(error, StrategyBroken)
        else f"strategy {info.name}: its parameters raise {type(error).__name__}: {error}"
    )
    return SceneInvalid(RejectionCode.UNKNOWN_STRATEGY, "strategy.name", sentence)


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


def group_names(scene: Scene) -> list[str]:
    """Return the groups that a space may vary, the span first unless windows take its place."""
    return [*([] if scene.validation else ["span"]), "strategy", *PARTS, "account"]


def group_variants(
    scene: Scene,
    catalogue: Catalogue,
    name: str,
    axes: Mapping[str, Mapping[str, Sequence[Scalar]]],
) -> Sequence[Variant]:
    """Return the valid variants of one group.

    axes: group → field → the values that a space gives it. Raises SceneInvalid.
    """
    if name == "strategy":
        return _strategies(scene, catalogue, axes)
    if name in PARTS:
        return _expand(name, Part, dict(getattr(scene, name)), axes.get(name, {}))
    fields = _fields_of(scene, _FLAT[name])
    if name == "span":
        fields["end"] = scene.searched_until
    return _expand(name, Part, fields, axes.get(name, {}))


def by_group(values: Mapping[str, Sequence[Scalar]]) -> dict[str, dict[str, Sequence[Scalar]]]:
    """Return the values of a space by group and field. Raises SceneInvalid for an unknown path."""
    axes: dict[str, dict[str, Sequence[Scalar]]] = {}
    for path in sorted(values):
        group, field = place_of(path)
        axes.setdefault(group, {})[field] = values[path]
    return axes


def place_of(path: str) -> tuple[str, str]:
    """Return the group and the field that a path of the space means. Raises SceneInvalid."""
    if path == "strategy.name":
        return "strategy", "name"
    if path.startswith(_STRATEGY_PREFIX):
        return "params", path.removeprefix(_STRATEGY_PREFIX)
    part, _, field = path.partition(".")
    if part in PARTS and field in _fields(part):
        return part, field
    for group, model in _FLAT.items():
        if path in model.model_fields and path not in _NEVER_VARIED:
            return group, path
    known = [f"{part}.{field}" for part in PARTS for field in _fields(part)]
    known += [field for model in _FLAT.values() for field in model.model_fields]
    known = [field for field in known if field not in _NEVER_VARIED]
    raise SceneInvalid(
        RejectionCode.INVALID_FIELD,
        f"search.space.{path}",
        ended(
            f"a space may vary strategy.name, strategy.params.*, {', '.join(known)}, "
            f"but found {path!r}{did_you_mean(path, [*known, 'strategy.name'])}"
        ),
    )


def _fields(part: str) -> list[str]:
    """Return the fields of all alternatives of a part, each once."""
    return list(dict.fromkeys(name for kind in PARTS[part] for name in kind.model_fields))


def _fields_of(scene: Scene, model: type[Part]) -> dict[str, Any]:
    return {name: getattr(scene, name) for name in model.model_fields}


def _strategies(
    scene: Scene, catalogue: Catalogue, axes: Mapping[str, Mapping[str, Sequence[Scalar]]]
) -> Sequence[Variant]:
    varied = axes.get("strategy", {}).get("name")
    found: list[Sequence[Variant]] = []
    path = "strategy.name" if varied is None else "search.space.strategy.name"
    for name in [scene.strategy.name] if varied is None else varied:
        info = _info(catalogue, name, path)
        params = axes.get("params", {})
        _check_names(info, {**scene.strategy.params, **params})
        found.append(_expand("strategy", info, scene.strategy.params, params, scene.inputs))
    # those of several strategies are listed, however many
    return found[0] if len(found) == 1 else list(itertools.chain.from_iterable(found))


def _info(catalogue: Catalogue, name: Scalar, path: str) -> StrategyInfo:
    try:
        return catalogue[str(name)]
    except StrategyBroken as broken:
        sentence = str(broken)
    except KeyError:
        suggestion = did_you_mean(name, catalogue)
        known = f"{'There' if suggestion else 'there'} are {', '.join(sorted(catalogue))}."
        sentence = f"no strategy is called {name!r}{suggestion or ';'} {known}"
    raise SceneInvalid(RejectionCode.UNKNOWN_STRATEGY, path, sentence)


def _check_names(info: StrategyInfo, params: Mapping[str, Any]) -> None:
    fields = info.params.model_fields
    for path in params:
        name = path.partition(".")[0]
        if name not in fields:
            suggestion = did_you_mean(name, fields)
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                f"strategy.params.{name}",
                f"{info.name} has no such parameter{suggestion or ';'} "
                f"{'It' if suggestion else 'it'} has {', '.join(fields)}.",
            )


def _expand(
    group: str,
    model: type[BaseModel] | StrategyInfo,
    base: Mapping[str, Any],
    axes: Mapping[str, Sequence[Scalar]],
    chosen: Mapping[str, SeriesChoice] = NO_INPUTS,
) -> Sequence[Variant]:
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

    def variant_of(values: Sequence[Scalar]) -> Variant:
        return validate(_with(base, dict(zip(axes, values, strict=True))))

    found = VariantList(axes, variant_of)
    for place, values in enumerate(itertools.product(*axes.values())):
        try:
            found.add(place, variant_of(values))
        except ValidationError as error:
            if axes and not _names_a_field(error):
                continue
            raise _refused(group, error, axes) from error
    return found.taken()


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
    return SceneInvalid(RejectionCode.INVALID_FIELD, path, fault_sentence(fault))
