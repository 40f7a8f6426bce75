"""The checks of a scene whose instruments share one account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mela.errors import RejectionCode, SceneInvalid
from mela.execution_terms import Exits, FractionSizing
from mela.portfolio import FixedWeights, Portfolio
from mela.scene import Scene


def check_trials(scene: Scene) -> None:
    """Reject searches that need single instruments. Raises SceneInvalid naming the field."""
    kind = scene.search.kind if scene.search else None
    _refuse(
        kind == "tpe",
        "search.kind",
        "a search of kind tpe learns on one instrument at a time",
        "Take kind grid or random",
    )
    _refuse(
        scene.validation is not None,
        "validation",
        "a walk-forward chooses and tests on each instrument alone",
    )
    _refuse(scene.holdout is not None, "holdout", "a holdout tests a winner on its one instrument")


def check_together(scene: Scene, fields: Mapping[str, Iterable[Any]]) -> None:
    """Reject settings that an account of several instruments cannot have.

    fields: name of a Run's field → the values that the runs of the scene would have
    Raises SceneInvalid naming the field.
    """
    _check_weights(scene)
    for entry in fields["entry"]:
        _refuse(entry.kind != "market", "entry.kind", "orders of a portfolio are market orders")
    for sizing in fields["sizing"]:
        # the whole account is what weights share out, so that fraction 1 says nothing else
        is_whole_account = isinstance(sizing, FractionSizing) and any(
            sizing == FractionSizing(fraction=fraction, whole_units=sizing.whole_units)
            for fraction in (FractionSizing().fraction, 1.0)
        )
        _refuse(
            not is_whole_account,
            "sizing",
            "in a portfolio the weights size the positions: of sizing only whole_units can be set",
        )
    for exits in fields["exits"]:
        for name in ("time_stop_bars", "daily_loss_limit", "limit_offset", "limit_bars"):
            is_set = getattr(exits, name) != Exits.model_fields[name].default
            _refuse(is_set, f"exits.{name}", f"a portfolio has no {name}")
    for costs in fields["costs"]:
        _refuse(costs.impact > 0, "costs.impact", "a portfolio's fills have no impact")
        _refuse(costs.round_to_tick, "costs.round_to_tick", "a portfolio rounds no price")
    for engine in fields["engine"]:
        _refuse(engine != "mela", "engine", "only Mela's own engine runs portfolios")


def _check_weights(scene: Scene) -> None:
    weights = (scene.portfolio or Portfolio()).weights
    if isinstance(weights, FixedWeights) and set(weights.of) != set(scene.instruments):
        without = sorted(set(scene.instruments) - set(weights.of))
        unknown = sorted(set(weights.of) - set(scene.instruments))
        found = [f"none for {', '.join(without)}"] if without else []
        found += [f"one for {', '.join(unknown)}"] if unknown else []
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "portfolio.weights.of",
            f"expected a weight for each instrument of the scene, but found {' and '.join(found)}.",
        )


def _refuse(is_wrong: bool, field: str, why: str, way_out: str = "Leave it out") -> None:
    if is_wrong:
        sentence = f"{why} (mode: together). {way_out}, or take mode each."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, field, sentence)
