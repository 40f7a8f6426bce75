"""Measure, store and report how a session differs from the backtest of its candles.

The session's document says which scene asks the same (`Session.scene`). It is run twice in this
process: on the candles that the session decided on, where a session with plain fills equals it bit
for bit, and on those that the warehouse has now, which shows what late and restated candles did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import mela
from backtests.portfolio import run_series
from live.drift_causes import Causes, changed_candles
from live.drift_compare import (
    UNKNOWN,
    Compared,
    Difference,
    RoundTrip,
    compare_curves,
    compare_trades,
)
from live.lived import Catalogue, Lived, Series, read_lived
from mela.errors import CandlesMissing, NotFound
from mela.instants import from_ms, to_ms
from mela.interval import DAY_MS
from mela.result import Curve
from mela.run import Run
from mela.session import Session
from mela.settings import Settings
from services.runs.run_series import borrowed_reader
from services.strategies.all_strategies import all_strategies
from warehouse.candles.run_series import read_run
from warehouse.database import transaction
from warehouse.trading import alerts
from warehouse.trading import drift as store
from warehouse.trading.alerts import Alert
from warehouse.trading.drift import Basis, State, StoredDrift, StoredLine

MOST_LINES = 2_000  # stored of one comparison; the counts tell of all
MOST_POINTS = 20_000  # of an account's curve
NEAR_CANDLES = 2  # within which an entry at another time is the same trade


def compare_day(settings: Settings, day: date) -> list[StoredDrift]:
    """Compare each session that traded on a day (UTC); return what was stored."""
    start = datetime.combine(day, time(), UTC)
    with transaction(settings) as connection:
        sessions = store.to_compare(connection, start, start + timedelta(days=1))
    return [one for session_id in sessions for one in compare(settings, session_id, day)]


def compare(
    settings: Settings,
    session_id: UUID,
    day: date | None = None,
    catalogue: Catalogue | None = None,
) -> list[StoredDrift]:
    """Compare a session, from its start until the end of a day, and store and tell the outcome.

    day: None compares until now; catalogue: None for the strategies of this stack
    Returns a comparison by the candles that it decided on and one by those of the warehouse; none
    while it has not seen a candle. Raises NotFound for an unknown session.
    """
    catalogue = catalogue or all_strategies(settings)
    end = None if day is None else to_ms(datetime.combine(day, time(), UTC)) + DAY_MS
    lived = read_lived(settings, session_id, catalogue, end)
    if lived is None:
        return []
    bases: tuple[Basis, ...] = ("decided", "stored")
    found: list[StoredDrift] = []
    for basis in bases:
        drift, lines = _compared(settings, session_id, lived, basis, catalogue)
        with transaction(settings) as connection:
            store.save(connection, drift, lines)
            if basis == "decided" and drift.state != "ok":
                alerts.put(connection, _alert(lived.session, drift))
        found.append(drift)
    return found


def _compared(
    settings: Settings, session_id: UUID, lived: Lived, basis: Basis, catalogue: Catalogue
) -> tuple[StoredDrift, list[StoredLine]]:
    try:
        series = lived.series if basis == "decided" else _stored(settings, lived)
    except (CandlesMissing, NotFound, ValueError) as error:
        return _failed(settings, session_id, lived, basis, str(error)), []
    curves: list[Curve] = []
    for run, candles in zip(lived.runs, series, strict=True):
        outcome = next(run_series(candles, [run], with_curve=True, catalogue=catalogue))
        if outcome.curve is None:
            why = f"{outcome.status}: {': '.join(outcome.error or ('no candles',))}"
            return _failed(settings, session_id, lived, basis, why), []
        curves.append(outcome.curve)
    compared, lines = _lines(lived, basis, series, curves)
    return _drift(settings, session_id, lived, basis, curves, compared, lines), [
        _line(one) for one in lines[:MOST_LINES]
    ]


def _stored(settings: Settings, lived: Lived) -> list[Series]:
    """Return the candles of each account as the warehouse has them. Raises CandlesMissing."""
    found: list[Series] = []
    with borrowed_reader(settings) as reader:
        for run in lived.runs:
            candles = read_run(reader, run).candles
            lacking = [
                name
                for name, one in candles.items()
                if not len(one) or run.interval.end_ms(int(one.opened_ms[-1])) < lived.end_ms
            ]
            if lacking:
                raise CandlesMissing(
                    f"the warehouse has no {run.interval} candles of {', '.join(lacking)} up to "
                    f"{from_ms(lived.end_ms):%Y-%m-%d %H:%M}Z. Load them with `mela ingest`."
                )
            found.append(candles)
    return found


def _lines(
    lived: Lived, basis: Basis, series: Sequence[Series], curves: Sequence[Curve]
) -> tuple[Compared, list[Difference]]:
    theirs = [
        trade
        for run, curve in zip(lived.runs, curves, strict=True)
        for trade in _trades_of(run, curve)
    ]
    near_ms = NEAR_CANDLES * (lived.session.interval.fixed_ms or DAY_MS)
    compared = compare_trades(lived.trades(), theirs, near_ms)
    names = lived.names()
    backtest = {
        name: (curve.opened_ms, curve.equity) for name, curve in zip(names, curves, strict=True)
    }
    equity = compare_curves(lived.curves(), backtest)
    decided = {name: one for each in lived.series for name, one in each.items()}
    changed = (
        {}
        if basis == "decided"
        else changed_candles(
            decided, {name: one for each in series for name, one in each.items()}, lived.late
        )
    )
    opened = {name: one.opened_ms.tolist() for name, one in decided.items()}
    causes = Causes(lived.session, opened, changed)
    causes.read(lived.events)
    return compared, causes.explained([*compared.differences, *equity])


def _drift(
    settings: Settings,
    session_id: UUID,
    lived: Lived,
    basis: Basis,
    curves: Sequence[Curve],
    compared: Compared,
    lines: Sequence[Difference],
) -> StoredDrift:
    ours = lived.curves()
    equity = float(sum(values[-1] for _, values in ours.values() if len(values)))
    theirs = float(sum(curve.equity[-1] for curve in curves))
    cash = lived.session.cash * len(curves)
    drift = (equity - theirs) / cash
    bound = settings.alerts.drift_bound
    unexplained = [one for one in lines if one.cause == UNKNOWN]
    state: State = "ok"
    why = None
    if abs(drift) > bound:
        state, why = "beyond", f"equity differs by {drift:+.4%} of the opening cash"
    elif lived.session.fills_plainly and basis == "decided" and unexplained:
        state, why = "beyond", f"{len(unexplained)} differences that nothing in the log explains"
    trades = lived.trades()
    backtest_trades = [one for curve in curves for one in curve.trades]
    return StoredDrift(
        *_head(session_id, lived, basis),
        state=state,
        why=why,
        trades=len(trades),
        trades_backtest=len(backtest_trades),
        missed=compared.missed,
        extra=compared.extra,
        differing=compared.differing,
        profit=float(sum(one.profit for one in trades)),
        profit_backtest=float(sum(one.profit for one in backtest_trades)),
        equity=equity,
        equity_backtest=theirs,
        drift=drift,
        bound=bound,
        curve=json.dumps({str(number): _thinned(one) for number, one in enumerate(curves)}),
        code_version=mela.__version__,
    )


def _failed(
    settings: Settings, session_id: UUID, lived: Lived, basis: Basis, why: str
) -> StoredDrift:
    trades = lived.trades()
    return StoredDrift(
        *_head(session_id, lived, basis),
        state="failed",
        why=why[:1_000],
        trades=len(trades),
        trades_backtest=0,
        missed=0,
        extra=0,
        differing=0,
        profit=float(sum(one.profit for one in trades)),
        profit_backtest=None,
        equity=None,
        equity_backtest=None,
        drift=None,
        bound=settings.alerts.drift_bound,
        curve=None,
        code_version=mela.__version__,
    )


def _head(
    session_id: UUID, lived: Lived, basis: Basis
) -> tuple[UUID, date, Basis, datetime, datetime]:
    end = from_ms(lived.end_ms)
    day = (end - timedelta(milliseconds=1)).date()
    return session_id, day, basis, from_ms(lived.since_ms), end


def _thinned(curve: Curve) -> list[tuple[int, float]]:
    """Return at most MOST_POINTS of a curve, the last one among them."""
    step = -(-len(curve.opened_ms) // MOST_POINTS)
    places = range(len(curve.opened_ms) - 1, -1, -step)
    return [(int(curve.opened_ms[at]), float(curve.equity[at])) for at in reversed(places)]


def _trades_of(run: Run, curve: Curve) -> Iterator[RoundTrip]:
    for trade in curve.trades:
        yield RoundTrip(
            trade.instrument or run.instrument,
            to_ms(trade.entry_at),
            to_ms(trade.exit_at),
            trade.size,
            trade.entry_price,
            trade.exit_price,
            trade.fees,
            trade.profit,
            trade.exit_reason,
        )


def _line(one: Difference) -> StoredLine:
    return StoredLine(
        one.kind,
        one.instrument,
        from_ms(one.entry_ms),
        one.side,
        one.what,
        one.ours,
        one.backtest,
        one.cause,
        one.why,
    )


def _alert(session: Session, drift: StoredDrift) -> Alert:
    body = (
        f"{drift.why}. Until {drift.end_at:%Y-%m-%d %H:%M}Z: {drift.trades} trades, "
        f"{drift.trades_backtest} in the backtest, {drift.missed} missed, {drift.extra} extra, "
        f"{drift.differing} differ. `mela drift {drift.session_id}` shows them."
    )
    level = "error" if drift.state == "failed" else "warning"
    title = f"{session.name} differs from its backtest"
    return Alert(level, f"drift:{drift.session_id}", title, body, drift.session_id)
