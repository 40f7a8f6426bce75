"""Rules for a space and its runs that no single field can check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from mela.backtrader_terms import beyond_backtrader
from mela.errors import RejectionCode, SceneInvalid
from mela.inputs import check_inputs
from mela.interval import Interval
from mela.portfolio_checks import check_together
from mela.run import RiskSizing
from mela.scene import Scene
from mela.search import Drawn, RandomSearch, Steps, TpeSearch
from mela.values import step_count, values_of
from mela.variant_list import Variant


def check_count(scene: Scene, space: Mapping[str, Drawn], max_runs: int) -> None:
    """Refuse an empty list of values, and more runs than are allowed. Raises SceneInvalid."""
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
        number = f"{count:,}" if count < 10**15 else f"{Decimal(count):.2e}"
        raise SceneInvalid(
            RejectionCode.TOO_MANY_RUNS,
            "search.space" if space else "instruments",
            f"the scene asks for {number} runs, and at most {max_runs:,} are allowed "
            "(MELA_MAX_RUNS). Take larger steps, or split it.",
        )


def check_inputs_join(scene: Scene, groups: Iterable[Sequence[Variant]]) -> None:
    """Refuse inputs whose candles cannot be joined with the run's own."""
    every = list(groups)
    intervals = {
        variant.fields["interval"]
        for group in every
        for variant in group
        if "interval" in variant.fields
    }
    for group in every:
        for variant in group:
            if "inputs" in variant.fields:
                strategy, inputs = variant.fields["strategy"], variant.fields["inputs"]
                check_inputs(strategy, inputs, sorted(intervals or {scene.interval}), scene.inputs)


def may_short_free(groups: Iterable[Sequence[Variant]]) -> bool:
    """Tell whether variants of these groups sell short without a borrow rate."""
    variants = [one.fields for group in groups for one in group]
    directions = {one["direction"] for one in variants if "direction" in one}
    rates = [one["costs"].borrow_rate for one in variants if "costs" in one]
    return bool(directions - {"long"}) and any(rate is None for rate in rates)


def check_across(scene: Scene, groups: Iterable[Sequence[Variant]]) -> None:
    """Refuse what no single field can tell.

    A size without its stop, what the engine asked for cannot do. `mela.market_checks` refuses what
    the instruments do not allow.
    """
    values: dict[str, list[Any]] = {}
    for group in groups:
        for variant in group:
            for name, value in variant.fields.items():
                values.setdefault(name, []).append(value)
    if scene.mode == "together":
        check_together(scene, values)
    sized_by_stop = any(isinstance(sizing, RiskSizing) for sizing in values["sizing"])
    if sized_by_stop and any(exits.stop_loss is None for exits in values["exits"]):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "exits.stop_loss",
            "sizing by risk_per_trade needs a stop loss, but none is given (or null is among "
            "the values of the space).",
        )
    if any(one.trailing_start > 0 and one.trailing_stop is None for one in values["exits"]):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "exits.trailing_start",
            "a gain that starts the trailing stop needs exits.trailing_stop, but none is given (or "
            "null is among the values of the space): state both, or leave trailing_start out.",
        )
    if any(one.targets and one.take_profit is not None for one in values["exits"]):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "exits.targets",
            "targets that change with time take the place of exits.take_profit, but both are given "
            "(perhaps one of them among the values of the space): leave one of them out.",
        )
    _check_gate(scene, values)
    refused = beyond_backtrader(values) if "backtrader" in values["engine"] else None
    if refused:
        raise SceneInvalid(RejectionCode.INVALID_FIELD, *refused)


def _check_gate(scene: Scene, values: Mapping[str, Sequence[Any]]) -> None:
    """Refuse limits and hours that the engine or the candles cannot keep."""
    for name in ("risk", "sessions"):
        if any(one is not None for one in values[name]) and "backtrader" in values["engine"]:
            raise SceneInvalid(
                RejectionCode.INVALID_FIELD,
                name,
                f"engine backtrader knows no {name}: take it out, or leave engine out.",
            )
    intervals = values.get("interval", [scene.interval])
    if (
        scene.risk is not None
        and scene.risk.session_hours == "refuse"
        and not all(Interval(one).is_intraday for one in intervals)
    ):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "risk.session_hours",
            "on the close of a candle of a day or longer the market is closed, so that each entry "
            "would be refused: take wait, or candles shorter than a day.",
        )
