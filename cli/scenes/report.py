"""Print the report on a search, one line for each question about its winner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from mela.counts import counted
from mela.search_report import (
    HoldoutReport,
    OutOfSample,
    PathsReport,
    RobustnessReport,
    SearchReport,
    StatisticsReport,
    WalkForwardReport,
    WinnerReport,
)

CERTAIN = 0.95


def report_table(report: Mapping[str, Any] | SearchReport) -> Table:
    """Return a report as a table of questions and answers."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for question, answer in report_lines(report):
        table.add_row(question, answer)
    return table


def report_lines(report: Mapping[str, Any] | SearchReport) -> Iterator[tuple[str, str]]:
    """Yield the questions and answers of a report."""
    if not isinstance(report, SearchReport):
        report = SearchReport.model_validate(report)
    if report.walk_forward is not None:
        yield from _walk_forward(report.walk_forward)
    if report.holdout is not None:
        yield "holdout", _holdout(report.holdout, recorded=report.recorded)
    if report.reason is not None:
        yield "no verdict", report.reason
    if report.winner is not None:
        yield "winner", _winner(report.winner)
    if report.statistics is not None:
        yield from _statistics(report.statistics)
    if report.robustness is not None:
        yield "robustness", _robustness(report.robustness)
    if report.monte_carlo is not None and report.monte_carlo.returns is not None:
        yield "Monte Carlo", _monte_carlo(report.monte_carlo.returns)


def _walk_forward(part: WalkForwardReport) -> Iterator[tuple[str, str]]:
    yield "walk-forward", f"{counted(part.folds, 'fold')} out of sample: {_numbers(part)}"
    if part.untested:
        tests = part.folds * len(part.instruments)
        skipped = f"{part.untested} of {counted(tests, 'test')} gave nothing, left out here"
        yield "", f"{skipped}: no run to choose, no candles, or a failure (--report says which)"
    if len(part.instruments) > 1:
        for name, own in part.instruments.items():
            yield "", f"{name}: {_numbers(own)}"


def _holdout(part: HoldoutReport, *, recorded: bool) -> str:
    if not recorded:
        opening = "this opening is not recorded"
    elif part.reopened:
        opening = f"reopened: {part.reopened}, so that it proves less"
    else:
        opening = "first opening"
    numbers = f"{part.status}: {part.error}" if part.error else _numbers(part)
    return f"{part.start[:10]} to {part.end[:10]}, {opening}: {numbers}"


def _winner(part: WinnerReport) -> str:
    choice = ", ".join(
        f"{path.rpartition('.')[2]} {_short(value)}" for path, value in part.choice.items()
    )
    span = f"{part.start[:10]} to {part.end[:10]}"
    return f"{part.instrument}, {choice or part.strategy}, chosen on {span}"


def _statistics(part: StatisticsReport) -> Iterator[tuple[str, str]]:
    if part.reason is not None:
        yield "trials", f"at least {part.n_trials:,}; {part.reason}"
        return
    equivalent = f", worth {part.n_effective:,} independent ones"
    yield "trials", f"at least {part.n_trials:,} were tried{equivalent}"
    status = "certified" if part.certified else f"not certified, which takes {CERTAIN:.0%}"
    yield (
        "luck",
        f"deflated Sharpe {_share(part.dsr)} ({status}); alone it would be {_share(part.psr)}",
    )
    yield (
        "",
        (
            f"chance that the search overfits {_share(part.pbo)}; "
            f"p against buy and hold {_number(part.spa_p)}"
        ),
    )


def _robustness(part: RobustnessReport) -> str:
    if part.reason is not None:
        return part.reason
    late, near, metric = part.delayed or {}, part.plateau, part.metric or "sharpe"
    name = "Sharpe" if metric == "sharpe" else metric
    cost = "Costs never eat the gain"
    if part.break_even.per_fill is not None:
        cost = f"Break-even cost {100 * part.break_even.per_fill:.2f} % per fill"
    sentences = [
        cost,
        f"{name} {_number(late.get(metric))} if executed one candle later, "
        f"{_number(part.value)} as it is",
    ]
    if near.tried:
        sentences.append(f"{_share(near.positive)} of {counted(near.tried, 'neighbour')} above 0")
    sentences.append(f"Permutation p = {_number(part.permuted.p_value)}")
    return ". ".join(sentences) + "."


def _monte_carlo(part: PathsReport) -> str:
    total, drawdown = part.total_return.values, part.max_drawdown.values
    if total is None or drawdown is None:
        return "undefined"
    return (
        f"nine of ten paths return {_share(total[0])} to {_share(total[-1])} and fall "
        f"{_share(drawdown[-1])} to {_share(drawdown[0])} between period ends; "
        f"{_share(part.loss_probability)} lose"
    )


def _numbers(part: OutOfSample) -> str:
    return (
        f"return {_share(part.total_return)}, Sharpe {_number(part.sharpe)}, "
        f"drawdown {_share(part.max_drawdown)}, {counted(part.trades, 'trade')}; "
        f"buy & hold {_share(part.buy_hold_return)}"
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_short(one) for one in value)
    return "none" if value is None else str(value)
