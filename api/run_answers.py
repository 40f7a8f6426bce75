"""Answers about a run, from the use cases' types to the API's."""

from __future__ import annotations

from typing import Any

from api.models.runs import (
    DrawdownSpan,
    HeldBy,
    Histogram,
    LoadRead,
    MonthReturn,
    RevisionSeen,
    RunAnalysis,
    RunAnswer,
    RunDetail,
    RunFailure,
    RunLineage,
    RunQuestion,
    SeriesRead,
    TimeValues,
    TradeGroup,
    TradeMarks,
)
from api.models.scenes import Warned
from mela.inference import common_quote
from mela.instants import to_ms
from services.runs.run_analysis import Analysis
from services.runs.run_detail import RunFound, RunHead
from services.runs.run_trades import TradeMarks as Marks
from warehouse.results.lineage import SeriesLineage


def run_answer(found: RunFound) -> RunDetail:
    """Return a run in full."""
    document = found.document
    return RunDetail(
        run_key=found.run_key,
        run=RunQuestion(
            instruments=document["instruments"],
            interval=document["interval"],
            start=document["start"],
            end=document["end"],
            strategy=document["strategy"]["name"],
            params=document["params"],
            inputs=document["inputs"],
            terms=found.terms,
        ),
        result=_result(found),
        lineage=_lineage(found),
        is_stale=bool(found.stale_reasons),
        stale_reasons=found.stale_reasons,
        scenes=tuple(HeldBy.of(one) for one in found.scenes),
        has_curve=found.without_curve is None,
        without_curve=found.without_curve,
        trades=found.trades,
        benchmark=found.benchmark,
        quote=common_quote(document["instruments"]),
    )


def marks_answer(found: Marks) -> TradeMarks:
    """Return entries and exits as columns."""
    trades = found.trades
    return TradeMarks(
        has_curve=found.has_curve,
        total=found.total,
        is_thinned=found.total > len(trades),
        seq=[one.seq for one in trades],
        entry_t=[to_ms(one.entry_at) for one in trades],
        exit_t=[to_ms(one.exit_at) for one in trades],
        side=[-1 if one.size < 0 else 1 for one in trades],
        entry_price=[one.entry_price for one in trades],
        exit_price=[one.exit_price for one in trades],
        pnl=[one.profit for one in trades],
        reason=[one.exit_reason for one in trades],
    )


def analysis_answer(head: RunHead, found: Analysis | None) -> RunAnalysis:
    """Return a run in parts; empty parts where no curve is stored."""
    groups: dict[str, Any] = {
        name: tuple(TradeGroup.of(one) for one in getattr(found, name)) if found else ()
        for name in ("by_reason", "by_side", "by_month", "by_weekday", "by_hour")
    }
    return RunAnalysis(
        has_curve=head.has_curve,
        without_curve=head.without_curve,
        monthly_returns=tuple(MonthReturn.of(one) for one in found.months) if found else (),
        worst_drawdowns=tuple(DrawdownSpan.of(one) for one in found.worst) if found else (),
        rolling_sharpe=TimeValues(t=found.rolling.t, v=found.rolling.v)
        if found
        else TimeValues(t=[], v=[]),
        rolling_periods=found.rolling.periods if found else 0,
        return_distribution=Histogram(edges=found.edges, counts=found.counts)
        if found
        else Histogram(edges=[], counts=[]),
        **groups,
    )


def _result(found: RunFound) -> RunAnswer:
    document, error = found.document, found.document["error"]
    return RunAnswer(
        status=document["status"],
        metrics=found.metrics,
        warnings=tuple(Warned.of(one) for one in found.warnings),
        failure=None
        if error is None
        else RunFailure(
            kind=error["class"],
            message=error["sentence"],
            file=error.get("file"),
            line=error.get("line"),
        ),
        lookahead=document["lookahead"],
        computed_at=document["computed_at"],
        candles=document["candles"],
        first_candle_at=document["first_candle_at"],
        last_candle_at=document["last_candle_at"],
        periods_per_year=document["periods_per_year"],
    )


def _lineage(found: RunFound) -> RunLineage:
    document = found.document
    return RunLineage(
        result_key=found.result_key,
        strategy_digest=document["strategy"]["digest"],
        engine_version=document["engine_version"],
        metrics_version=document["metrics_version"],
        is_sealed=not found.lineage.result["changed_since"],
    )


def series_answer(one: SeriesLineage) -> SeriesRead:
    """Return the candles of a series that a run read."""
    return SeriesRead(
        instrument=one.instrument,
        interval=one.interval,
        revision=one.revision,
        start=one.start,
        end=one.end,
        loads=tuple(LoadRead.of({**load, "load_id": load["id"]}) for load in one.batches),
        revisions=tuple(
            RevisionSeen.of({**seen, "is_later": seen["later"]}) for seen in one.revisions
        ),
    )
