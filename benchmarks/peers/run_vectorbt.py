"""Vectorbt's worker: portfolios from signals, on its Rust engine if possible, else on Numba."""

# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from serve import Answer, columns, gain, serve


@cache
def frame(folder: str) -> pd.DataFrame:
    """Return the candles with their instants as the index."""
    of = columns(folder)
    index = pd.DatetimeIndex(of["opened_ms"].astype("datetime64[ms]"))
    return pd.DataFrame({name: of[name] for name in ("open", "close")}, index=index)


def portfolio(candles: pd.DataFrame, entries: Any, exits: Any, terms: dict[str, Any]) -> Any:
    """Simulate: signals fill at the open, long only, with the fee inside the fraction."""
    return vbt.Portfolio.from_signals(
        candles["close"],
        entries,
        exits,
        price=candles["open"],
        size=terms["fraction"],
        size_type="percent",
        fees=terms["fee"],
        init_cash=terms["cash"],
        freq="1min",
    )


def measured(made: Any) -> dict[str, Any]:
    """Return its metrics by their own methods, without what only `stats()` computes."""
    trades = made.trades
    return {
        "final_equity": made.final_value(),
        "total_return": made.total_return(),
        "annual_return": made.annualized_return(),
        "volatility": made.annualized_volatility(),
        "sharpe": made.sharpe_ratio(),
        "sortino": made.sortino_ratio(),
        "max_drawdown": made.max_drawdown(),
        "trades": trades.closed.count(),
        "win_rate": trades.win_rate(),
    }


def cross(terms: dict[str, Any]) -> Answer:
    """Run one SMA crossover: indicators, simulation, equity, trades, metrics; `stats` for all."""
    vbt.settings["engine"] = terms["engine"]
    candles = frame(terms["folder"])
    started = time.perf_counter()
    fast = vbt.MA.run(candles["close"], terms["fast"])
    slow = vbt.MA.run(candles["close"], terms["slow"])
    entries = fast.ma_crossed_above(slow).vbt.signals.fshift(1)
    exits = fast.ma_crossed_below(slow).vbt.signals.fshift(1)
    made = portfolio(candles, entries, exits, terms)
    equity, trades = made.value(), made.trades.records
    metrics = made.stats() if terms["stats"] else measured(made)
    seconds = time.perf_counter() - started
    assert len(equity) == len(candles)
    assert len(metrics) > 0
    return {"seconds": seconds, **found(made, trades)}


def found(made: Any, trades: pd.DataFrame) -> Answer:
    """Return the results that Mela must reproduce."""
    closed = trades[trades["status"] == 1]
    return {
        "trades": len(closed),
        "final_equity": float(made.final_value()),
        "gain": gain(closed["entry_price"].to_numpy(), closed["exit_price"].to_numpy()),
    }


def grid(terms: dict[str, Any]) -> Answer:
    """Run a grid of SMA crossovers in one call: each period's mean once, then by broadcasting."""
    vbt.settings["engine"] = terms["engine"]
    candles = frame(terms["folder"])
    pairs = terms["pairs"]
    started = time.perf_counter()
    fast = vbt.MA.run(candles["close"], [a for a, _ in pairs], run_unique=True, short_name="fast")
    slow = vbt.MA.run(candles["close"], [b for _, b in pairs], run_unique=True, short_name="slow")
    entries = fast.ma_crossed_above(slow).vbt.signals.fshift(1)
    exits = fast.ma_crossed_below(slow).vbt.signals.fshift(1)
    made = portfolio(candles, entries, exits, terms)
    made.total_return()
    simulated = time.perf_counter() - started
    metrics = measured(made)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "simulated": simulated,
        "trades": metrics["trades"].tolist(),
        "final_equity": metrics["final_equity"].tolist(),
    }


def execute(terms: dict[str, Any]) -> Answer:
    """Execute precomputed signals: simulation, equity and trades, no metrics."""
    vbt.settings["engine"] = terms["engine"]
    candles = frame(terms["folder"])
    enter, leave = np.load(terms["enter"]), np.load(terms["exit"])
    entries = pd.Series(np.append(False, enter[:-1]), index=candles.index)
    exits = pd.Series(np.append(False, leave[:-1]), index=candles.index)
    started = time.perf_counter()
    made = portfolio(candles, entries, exits, terms)
    simulated = time.perf_counter() - started
    equity, trades = made.value(), made.trades.records
    seconds = time.perf_counter() - started
    assert len(equity) == len(candles)
    return {"seconds": seconds, "simulated": simulated, **found(made, trades)}


if __name__ == "__main__":
    vbt.settings.array_wrapper["freq"] = "1min"
    serve({"cross": cross, "grid": grid, "execute": execute})
