"""The terms that Backtrader supports if it is the engine (docs/execution.md says why)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mela.execution_terms import CashSizing, Costs, Exits, FractionSizing, MarketEntry, UnitsSizing

KNOWN_EXITS = {"stop_loss", "take_profit", "cooldown_bars", "protect_from"}
PARTS = ("entry", "sizing", "costs", "exits")


def beyond_backtrader(terms: Mapping[str, Iterable[Any]]) -> tuple[str, str] | None:
    """Return the first field that Backtrader cannot do, and a sentence; None if it can.

    terms: the values of `entry`, `sizing`, `costs`, `exits` and `direction`, all combined
    """
    for part in PARTS:
        for value in terms[part]:
            for field, fine, way in _rules(value):
                if not fine:
                    return (
                        f"{part}.{field}",
                        f"engine backtrader does not do this: {way}, or leave engine out.",
                    )
    signal = any(sizing.sized_at == "signal" for sizing in terms["sizing"])
    if signal and "both" in terms["direction"]:
        return (
            "sizing.sized_at",
            "engine backtrader cannot size a reversal at the signal, when nobody knows what the "
            "exit will leave: take sized_at fill, or one direction, or leave engine out.",
        )
    return None


def _rules(value: Any) -> list[tuple[str, bool, str]]:
    """Return (field, whether it is fine, what to do if not) of one part of a run."""
    if isinstance(value, Costs):
        return [
            ("minimum_fee", value.minimum_fee == 0.0, "take a minimum_fee of 0"),
            ("borrow_rate", not value.borrow_rate, "take a borrow_rate of 0"),
            ("impact", value.impact == 0.0, "take an impact of 0"),
            ("round_to_tick", not value.round_to_tick, "take round_to_tick false"),
        ]
    if isinstance(value, Exits):
        protected = value.stop_loss is not None or value.take_profit is not None
        beyond = [
            (name, getattr(value, name) == one.default, f"take no {name}")
            for name, one in Exits.model_fields.items()
            if name not in KNOWN_EXITS
        ]
        return [
            *beyond,
            (
                "protect_from",
                value.protect_from == "next" or not protected,
                "its stops and targets live from the candle after the entry's, so take next",
            ),
        ]
    if isinstance(value, FractionSizing | CashSizing | UnitsSizing):
        return [
            ("whole_units", not value.whole_units, "take whole_units false"),
            ("max_exposure", value.max_exposure == 1.0, "take a max_exposure of 1"),
        ]
    if isinstance(value, MarketEntry):
        return []
    way = "take fraction, cash or units" if hasattr(value, "sized_at") else "take market"
    return [("kind", False, way)]
