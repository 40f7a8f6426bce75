"""The registry of metrics: one line defines a metric, and everything else derives from it.

The result document, its JSON Schema, the columns of ops.result and of the marts, the order of COPY,
the names in MLflow, the values of `rank_by` and the tables on screen all read `METRICS`. A new
metric takes three files: a line here, the line of backtests/metrics/ that computes it, and its
definition in docs/metrics.md, in full, with a source and an example.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

Better = Literal["higher", "lower"]
Unit = Literal["fraction", "ratio", "count", "quote currency", "days", "per year", "probability"]


@dataclass(frozen=True, slots=True)
class Definition:
    """The definition of a metric. A metric without a sensible better end still ranks: higher first.

    undefined: when the metric is NaN in the engine and null in documents; empty for never
    since: the first metrics_version that has it; results of older versions lack the field
    revised: the newest metrics_version that gives it other numbers; 0 for none
    """

    unit: Unit
    meaning: str
    better: Better = "higher"
    undefined: str = ""
    since: int = 2
    revised: int = 0


def _first(unit: Unit, meaning: str, better: Better = "higher", undefined: str = "") -> Definition:
    return Definition(unit, meaning, better, undefined, since=1)


class Metrics(NamedTuple):
    """The metrics of a run, in the order in which documents and tables list them."""

    total_return: Annotated[float, _first("fraction", "Last equity over opening cash, less 1.")]
    final_equity: Annotated[
        float, _first("quote currency", "Equity at the last close, quote currency.")
    ]
    cagr: Annotated[
        float,
        _first(
            "per year", "Growth per year of 365.25 days.", undefined="equity ends at 0 or below"
        ),
    ]
    volatility_ann: Annotated[
        float,
        _first(
            "per year",
            "Sample deviation of the daily returns × √periods_per_year.",
            "lower",
            "fewer than 2 returns",
        ),
    ]
    sharpe: Annotated[
        float,
        _first(
            "ratio",
            "Mean of the daily returns above the risk-free rate, over their sample deviation, × "
            "√periods_per_year.",
            undefined="fewer than 2 returns, or no deviation",
        ),
    ]
    sortino: Annotated[
        float,
        _first(
            "ratio",
            "As sharpe, with the deviation of losing days only.",
            undefined="fewer than 2 returns, or no losing one",
        ),
    ]
    max_drawdown: Annotated[
        float, _first("fraction", "Deepest fall below the running peak, ≤ 0, over every candle.")
    ]
    exposure_time: Annotated[
        float, _first("fraction", "Share of candles whose close finds a position.")
    ]
    trades: Annotated[int, _first("count", "Round trips.")]
    winning_trades: Annotated[int, _first("count", "Round trips with a profit net of fees.")]
    losing_trades: Annotated[int, _first("count", "Round trips with a loss.", "lower")]
    win_rate: Annotated[
        float, _first("fraction", "winning_trades / trades.", undefined="no trades")
    ]
    open_trades: Annotated[int, _first("count", "Positions that the end found open.", "lower")]
    fees_paid: Annotated[
        float, _first("quote currency", "Fees of all fills, quote currency.", "lower")
    ]
    ambiguous_bars: Annotated[
        int, _first("count", "Candles in which stop and target were both reached.", "lower")
    ]
    buy_hold_return: Annotated[
        float,
        _first("fraction", "All cash in at the first open, same costs, valued at the last close."),
    ]
    calmar: Annotated[
        float,
        Definition(
            "ratio", "cagr / |max_drawdown|.", undefined="equity never fell, or cagr is undefined"
        ),
    ]
    omega: Annotated[
        float,
        Definition(
            "ratio",
            "Gains over losses of the daily returns.",
            undefined="fewer than 2 returns, or no losing one",
        ),
    ]
    max_drawdown_days: Annotated[
        float, Definition("days", "Longest time under water, days.", "lower")
    ]
    avg_drawdown: Annotated[
        float, Definition("fraction", "Mean depth of the drawdowns, ≤ 0.", undefined="no drawdown")
    ]
    profit_factor: Annotated[
        float, Definition("ratio", "Profits over losses of the trades.", undefined="no loss")
    ]
    expectancy: Annotated[
        float,
        Definition(
            "quote currency", "Mean profit of a trade, quote currency.", undefined="no trades"
        ),
    ]
    sqn: Annotated[
        float,
        Definition(
            "ratio", "System quality number.", undefined="fewer than 2 trades, or equal profits"
        ),
    ]
    kelly: Annotated[
        float, Definition("fraction", "Kelly's fraction.", undefined="no winner, or no loser")
    ]
    avg_trade: Annotated[
        float, Definition("fraction", "Mean return of a trade.", undefined="no trades")
    ]
    best_trade: Annotated[
        float, Definition("fraction", "Best return of a trade.", undefined="no trades")
    ]
    worst_trade: Annotated[
        float, Definition("fraction", "Worst return of a trade.", undefined="no trades")
    ]
    slippage_paid: Annotated[
        float, Definition("quote currency", "What slippage cost, quote currency.", "lower")
    ]
    alpha: Annotated[
        float,
        Definition(
            "per year",
            "Return per year that holding the instrument does not explain.",
            undefined="fewer than 2 returns, or a market that never moves",
        ),
    ]
    beta: Annotated[
        float,
        Definition(
            "ratio",
            "Slope of the daily returns over those of holding the instrument.",
            undefined="fewer than 2 returns, or a market that never moves",
        ),
    ]
    var_95: Annotated[
        float,
        Definition(
            "fraction", "The 5 % quantile of the daily returns.", undefined="fewer than 2 returns"
        ),
    ]
    cvar_95: Annotated[
        float,
        Definition(
            "fraction", "Mean of the returns up to that quantile.", undefined="fewer than 2 returns"
        ),
    ]
    tail_ratio: Annotated[
        float,
        Definition(
            "ratio",
            "|95 % quantile| / |5 % quantile|.",
            undefined="fewer than 2 returns, or a 5 % quantile of 0",
        ),
    ]
    skew: Annotated[
        float,
        Definition(
            "ratio",
            "Skewness of the daily returns.",
            undefined="fewer than 2 returns, or no deviation",
        ),
    ]
    kurtosis: Annotated[
        float,
        Definition(
            "ratio",
            "Excess kurtosis of the daily returns.",
            "lower",
            "fewer than 2 returns, or no deviation",
        ),
    ]
    turnover: Annotated[
        float,
        Definition(
            "per year",
            "What was traded over the mean equity; docs/metrics.md.",
            "lower",
            "a mean equity of 0 or below",
        ),
    ]
    psr: Annotated[
        float,
        Definition(
            "probability",
            "Probability that the true Sharpe ratio lies above 0.",
            undefined="sharpe is undefined",
        ),
    ]
    filled_bars: Annotated[
        int, Definition("count", "Candles that stood in for missing ones.", "lower")
    ]
    rejected_orders: Annotated[
        int, Definition("count", "Orders that could not be filled.", "lower")
    ]
    large_fills: Annotated[
        int, Definition("count", "Fills that were large beside the candle's volume.", "lower")
    ]
    borrow_paid: Annotated[
        float, Definition("quote currency", "What short positions cost, quote currency.", "lower")
    ]
    downside_deviation: Annotated[
        float,
        Definition(
            "per year",
            "Root of the mean square of what returns lack of required_return × √periods_per_year.",
            "lower",
            "fewer than 2 returns",
            since=3,
        ),
    ]
    up_capture: Annotated[
        float,
        Definition(
            "ratio",
            "Mean growth over that of holding, in the periods in which holding gains.",
            undefined="fewer than 2 returns, no such period, or equity at 0 or below",
            since=3,
        ),
    ]
    down_capture: Annotated[
        float,
        Definition(
            "ratio",
            "Mean growth over that of holding, in the periods in which holding loses.",
            "lower",
            "fewer than 2 returns, no such period, or equity at 0 or below",
            since=3,
        ),
    ]
    avg_mae: Annotated[
        float,
        Definition(
            "fraction",
            "Mean of how far prices went against a trade, ≤ 0.",
            undefined="no trades",
            since=3,
        ),
    ]
    avg_mfe: Annotated[
        float,
        Definition(
            "fraction",
            "Mean of how far prices went for a trade, ≥ 0.",
            undefined="no trades",
            since=3,
        ),
    ]
    stability: Annotated[
        float,
        Definition(
            "fraction",
            "R² of a straight line through the logarithm of equity.",
            undefined="fewer than 2 returns, equity at 0 or below, or log equity without deviation",
            since=3,
        ),
    ]


_ANNOTATED = get_type_hints(Metrics, include_extras=True)
METRICS: tuple[str, ...] = Metrics._fields
DEFINITIONS: Mapping[str, Definition] = {name: get_args(_ANNOTATED[name])[1] for name in METRICS}
WHOLE = frozenset(name for name in METRICS if get_args(_ANNOTATED[name])[0] is int)
METRICS_VERSION = str(max(max(one.since, one.revised) for one in DEFINITIONS.values()))
LOWER_IS_BETTER = frozenset(name for name in METRICS if DEFINITIONS[name].better == "lower")
TYPES: tuple[tuple[str, type[float] | type[int]], ...] = tuple(
    (name, int if name in WHOLE else float) for name in METRICS
)


_TITLES = {
    "cagr": "CAGR",
    "volatility_ann": "Volatility (annual)",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "calmar": "Calmar ratio",
    "omega": "Omega ratio",
    "buy_hold_return": "Buy and hold return",
    "max_drawdown_days": "Longest drawdown",
    "avg_drawdown": "Average drawdown",
    "avg_trade": "Average trade",
    "avg_mae": "Average MAE",
    "avg_mfe": "Average MFE",
    "sqn": "SQN",
    "kelly": "Kelly fraction",
    "var_95": "VaR 95 %",
    "cvar_95": "CVaR 95 %",
    "psr": "Probabilistic Sharpe ratio",
}


def title(metric: str) -> str:
    """Return the name of a metric as people read it: `max_drawdown` is "Max drawdown"."""
    return _TITLES.get(metric) or metric.replace("_", " ").capitalize()


def finite_or_none(metrics: Metrics) -> dict[str, float | int | None]:
    """Return metrics as a document has them: null for what is undefined."""
    by_name: dict[str, Any] = dict(zip(METRICS, metrics, strict=True))
    if math.isfinite(sum(metrics)):  # nothing is undefined, so no value needs a look of its own
        return by_name
    return {name: value if math.isfinite(value) else None for name, value in by_name.items()}


class Ranking(NamedTuple):
    """The ranking of runs: a metric, and how many trades a run needs to compete."""

    metric: str
    min_trades: int = 0


def ranking(by: str | Ranking) -> Ranking:
    """Return the ranking that a metric alone stands for, or the ranking itself."""
    return by if isinstance(by, Ranking) else Ranking(by)


def rank(results: Iterable[Mapping[str, Any]], by: str | Ranking) -> list[Mapping[str, Any]]:
    """Return results best first by a metric: nulls last, ties by run_key.

    Runs with fewer trades than the ranking asks for come after the others, before the nulls.

    >>> rows = [{"run_key": "b", "sharpe": None}, {"run_key": "a", "sharpe": 1.0}]
    >>> [row["run_key"] for row in rank(rows, "sharpe")]
    ['a', 'b']
    >>> rows = [{"run_key": "a", "sharpe": 9.0, "trades": 2},
    ...         {"run_key": "b", "sharpe": 1.0, "trades": 40}]
    >>> [row["run_key"] for row in rank(rows, Ranking("sharpe", min_trades=30))]
    ['b', 'a']
    """
    metric, min_trades = ranking(by)
    sign = 1.0 if metric in LOWER_IS_BETTER else -1.0

    def place(result: Mapping[str, Any]) -> tuple[bool, bool, float, str]:
        value = result[metric]
        is_short = min_trades > 0 and (result["trades"] or 0) < min_trades
        amount = 0.0 if value is None else sign * value
        return value is None, is_short, amount, result["run_key"]

    return sorted(results, key=place)
