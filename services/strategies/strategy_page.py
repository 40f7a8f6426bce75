"""The page of a strategy: its parameters, its source, and whether it looks ahead."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import OperationalError, ProgrammingError

from backtests.strategy import Strategy
from mela.settings import Settings
from mela.verdict import Verdict
from services.strategies.lookahead import StoredCheck, kept

EXAMPLE = """\
schema_version: 1
instruments: [binance:BTCUSDT]
interval: 1h
start: 2023-01-01T00:00:00Z
end: 2024-01-01T00:00:00Z
strategy: {{name: {name}, params: {params}}}
cash: 10000
"""


@dataclass(frozen=True, slots=True)
class StrategyPage:
    """A strategy, and what there is to say about it.

    warmup: candles at its defaults; None where a parameter has none
    inputs: the series that it declares at its defaults, in words
    params: its defaults as JSON; example: what a scene may give it, as JSON
    check: what is stored of its source; None without a warehouse, or without a check
    """

    strategy: Strategy
    warmup: int | None
    inputs: str
    source: str
    params: str
    example: str
    check: StoredCheck | None


def page_of(strategy: Strategy, settings: Settings) -> StrategyPage:
    """Return what there is to say about a strategy."""
    try:
        model = strategy.params()
    except ValidationError:  # a parameter without a default
        warmup, inputs, params = None, "", "{}"
        example = json.dumps(_examples(strategy))
    else:
        warmup = strategy.warmup(model)
        inputs = ", ".join(
            f"{name} ({one.instrument or 'the run’s instrument'}, {one.interval or 'its interval'})"
            for name, one in strategy.inputs(model).items()
        )
        params = example = json.dumps(model.model_dump(mode="json"))
    source = inspect.getsourcefile(inspect.unwrap(strategy.signals)) or ""
    check = stored_checks({strategy.name: strategy}, settings).get(strategy.name)
    return StrategyPage(strategy, warmup, inputs, source, params, example, check)


def _examples(strategy: Strategy) -> dict[str, Any]:
    """Return an example of each parameter that has no default, where the strategy gives one."""
    fields = strategy.params.model_fields.items()
    return {name: one.examples[0] for name, one in fields if one.is_required() and one.examples}


def stored_checks(strategies: Mapping[str, Strategy], settings: Settings) -> dict[str, StoredCheck]:
    """Return what is stored of strategies by name; nothing where no warehouse answers."""
    try:
        return kept(strategies, settings)
    except (OperationalError, ProgrammingError):  # it is away, or older than this code
        return {}


def with_stored(
    known: Mapping[str, Verdict], strategies: Mapping[str, Strategy], settings: Settings
) -> dict[str, Verdict]:
    """Return verdicts by digest: the warehouse's too, which count unless a proof is known here.

    known: what checks on this machine found, by digest
    """
    stored = {
        strategies[name].digest: check.verdict
        for name, check in stored_checks(strategies, settings).items()
    }
    proved = {digest: one for digest, one in known.items() if one is Verdict.FOUND}
    return {**known, **stored, **proved}
