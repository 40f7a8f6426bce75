"""The terms of a run: every field that a scene, a run and a result share, defined once.

A scene inherits these fields; spaces, the run_key, messages, result documents, the columns of
ops.run.settings and MLflow's parameters derive from them. A new term is a field here and one of
`mela.run.Run`, and the code that obeys it. Its default must mean what runs did before it existed,
so that run_keys stay the same and stored runs without it stay valid.
"""

from __future__ import annotations

from typing import Any, get_type_hints

from pydantic import Field, create_model

from mela.execution_terms import (
    ENTRIES,
    SIZINGS,
    Costs,
    Direction,
    Engine,
    Entry,
    Exits,
    FractionSizing,
    MarketEntry,
    Prices,
    Sizing,
)
from mela.fields import Part, Real
from mela.portfolio import Portfolio
from mela.risk_limits import RiskLimits, SessionHours


class RunTerms(Part):
    """The trading terms of a run: cash, costs, sizing, orders, exits, prices, engine."""

    cash: Real = Field(default=10_000.0, gt=0, description="opening cash, in the quote currency")
    costs: Costs = Field(default=Costs(), description="what fills and short positions cost")
    sizing: Sizing = Field(default=FractionSizing(), description="how much is traded")
    entry: Entry = Field(default=MarketEntry(), description="the order that an entry signal gives")
    exits: Exits = Field(
        default=Exits(), description="what closes a position besides the strategy's signals"
    )
    direction: Direction = Field(default="long", description="which positions may be opened")
    prices: Prices = Field(
        default="split_adjusted",
        description="for what the candles are adjusted: splits; splits and dividends; nothing",
    )
    risk_free_rate: Real = Field(
        default=0.0,
        gt=-1,
        description="per year; sharpe, psr and alpha are of what returns exceed it by",
    )
    required_return: Real | None = Field(
        default=None,
        gt=-1,
        description="per year; sortino, omega and downside_deviation are of what returns exceed it "
        "by; null: the risk-free rate",
    )
    engine: Engine = Field(default="mela", description="backtrader: the oracle, much slower")
    risk: RiskLimits | None = Field(
        default=None,
        description="limits that each order of an entry must keep; null: none",
    )
    sessions: SessionHours | None = Field(
        default=None,
        description="candles that fill orders: of regular sessions, or of the hours before and "
        "after them too; null: all candles",
    )
    portfolio: Portfolio | None = Field(
        default=None,
        description="of mode together: the weights of the instruments, and when they are restored",
    )


# terms that are models, by the alternatives of each; a portfolio is the whole scene's
PARTS: dict[str, tuple[type[Part], ...]] = {
    "costs": (Costs,),
    "sizing": SIZINGS,
    "entry": ENTRIES,
    "exits": (Exits,),
}
ACCOUNT = tuple(name for name in RunTerms.model_fields if name not in (*PARTS, "portfolio"))
VARIABLE = tuple(name for name in RunTerms.model_fields if name != "portfolio")  # by a search


TERM_TYPES: dict[str, Any] = get_type_hints(RunTerms, include_extras=True)


def part_of_terms(name: str, fields: tuple[str, ...]) -> type[Part]:
    """Return a model of some terms, each with its own type, bounds and default."""
    chosen: dict[str, Any] = {
        field: (TERM_TYPES[field], RunTerms.model_fields[field]) for field in fields
    }
    return create_model(name, __base__=Part, **chosen)


def default_of(name: str) -> Any:
    """Return a term's default as JSON values: what stored runs without it have meant."""
    return RunTerms().model_dump(mode="json", include={name})[name]
