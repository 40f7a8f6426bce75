"""One strategy in full, for `mela strategies NAME`."""

from __future__ import annotations

import inspect
import json
from typing import Any

from backtests.strategy import Strategy
from cli.console import out
from services.strategies.lookahead import StoredCheck
from services.strategies.strategy_page import EXAMPLE, StrategyPage


def show(page: StrategyPage, table: Any) -> None:
    """Print what is known of a strategy. table: of its parameters."""
    info = page.strategy
    out.print(table)
    for line in (inspect.getdoc(info.signals) or "").splitlines()[1:]:
        out.print(line, markup=False)
    out.print()
    rows = {
        "warm-up": page.warmup,
        "inputs": page.inputs,
        "source": page.source,
        "digest": info.digest,
        "lookahead": verdict_text(page.check),
    }
    for name, value in rows.items():
        if value:
            out.print(f"{name:<11}{value}", markup=False)
    for line in covered(page.check):
        out.print(f"{'':<11}{line}", markup=False)
    out.print("\nA scene that names it:\n")
    out.print(EXAMPLE.format(name=info.name, params=page.example), markup=False)


def verdict_text(check: StoredCheck | None) -> str:
    """Return a stored verdict in words."""
    if check is None:
        return "not verified: no check is stored; `mela check` makes one"
    return f"{check.verdict.value.replace('_', ' ')}, checked {check.checked_at:%Y-%m-%d %H:%M} UTC"


def covered(check: StoredCheck | None) -> list[str]:
    """Return how much a stored verdict covers, a line for each series."""
    if check is None:
        return []
    return [
        f"on {one['candles_of']}: {one['cuts']:,} of {one['cuts_possible']:,} cuts, "
        f"{one['futures']:,} other futures, {one['starts']:,} later beginnings"
        if "cuts" in one
        else "; ".join(one.get("unverified", ()))
        for one in check.coverage
    ]


def document(page: StrategyPage) -> dict[str, Any]:
    """Return the same as JSON values."""
    info: Strategy = page.strategy
    return {
        "name": info.name,
        "description": inspect.getdoc(info.signals) or "",
        "parameters": info.params.model_json_schema(),
        "warmup": page.warmup,
        "inputs": page.inputs,
        "source": page.source,
        "digest": info.digest,
        "lookahead": page.check.verdict.value if page.check else "not_verified",
        "checked_at": page.check.checked_at.isoformat() if page.check else None,
        "coverage": list(page.check.coverage) if page.check else None,
        "example": EXAMPLE.format(name=info.name, params=json.dumps(json.loads(page.example))),
    }
