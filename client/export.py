"""Read a whole run: the file that the API exports."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from client.http import Api
from client.platform import RunCurve
from mela.errors import Conflict


class _Equity(BaseModel):
    t: list[int]
    equity: list[float]
    drawdown: list[float]
    buy_and_hold: list[float | None] | None  # null: of several instruments


class _Export(BaseModel):
    """The part of the file that is read here."""

    model_config = ConfigDict(extra="ignore")

    has_curve: bool
    without_curve: str | None = None
    trades: list[dict[str, Any]] = []
    equity: _Equity | None = None


def read_curve(api: Api, run_key: str) -> RunCurve:
    """Return trades and equity of a run.

    Raises NotFound, and Conflict for a run whose trades and equity are not stored.
    """
    found = api.read(_Export, f"/runs/{run_key}/export.json")
    if not found.has_curve or found.equity is None:
        raise Conflict(found.without_curve or f"the run {run_key[:12]} has no stored equity.")
    curve = found.equity
    hold = curve.buy_and_hold or [None] * len(curve.t)
    columns = {"t": curve.t, "equity": curve.equity, "drawdown": curve.drawdown}
    return RunCurve(found.trades, {**columns, "buy_and_hold": hold})
