"""The report on a search, for people: a line for each question that its winner must answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

Part = Mapping[str, Any]
CERTAIN = 0.95


def report_table(report: Part) -> Table:
    """Return a report as a table of two columns: what was asked, and what came of it."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for asked, said in report_lines(report):
        table.add_row(asked, said)
    return table


def report_lines(report: Part) -> Iterator[tuple[str, str]]:
    """Yield the lines of a report."""
    if "walk_forward" in report:
        yield from _walk_forward(report["walk_forward"])
    if "holdout" in report:
        yield "holdout", _holdout(report["holdout"], recorded=report.get("recorded", True))
    if "reason" in report:
        yield "no verdict", report["reason"]
    if "winner" in report:
        yield "winner", _winner(report["winner"])
    if "statistics" in report:
        yield from _statistics(report["statistics"])
    if "robustness" in report:
        yield "robustness", _robustness(report["robustness"])
    returns = report.get("monte_carlo", {}).get("returns")
    if returns:
        yield "Monte Carlo", _monte_carlo(returns)


def _walk_forward(part: Part) -> Iterator[tuple[str, str]]:
    yield "walk-forward", f"{part['folds']} folds out of sample: {_numbers(part)}"
    if part["untested"]:
        tests = part["folds"] * len(part["instruments"])
        lost = f"{part['untested']} of {tests} tests gave nothing and are left out"
        yield "", f"{lost}: no run to choose, no candles, or a failure (--report says which)"
    if len(part["instruments"]) > 1:
        for name, own in part["instruments"].items():
            yield "", f"{name}: {_numbers(own)}"


def _holdout(part: Part, *, recorded: bool) -> str:
    if not recorded:
        said = "this opening is not recorded"
    elif part.get("reopened"):
        said = f"reopened: {part['reopened']}, so that it proves less"
    else:
        said = "first opening"
    span = f"{part['start'][:10]} to {part['end'][:10]}"
    return f"{span}, {said}: {_numbers(part)}"


def _winner(part: Part) -> str:
    choice = ", ".join(
        f"{path.rpartition('.')[2]} {_short(value)}" for path, value in part["choice"].items()
    )
    span = f"{part['start'][:10]} to {part['end'][:10]}"
    return f"{part['instrument']}, {choice or part['strategy']}, chosen on {span}"


def _statistics(part: Part) -> Iterator[tuple[str, str]]:
    if "reason" in part:
        yield "trials", f"at least {part['n_trials']:,}; {part['reason']}"
        return
    worth = f", worth {part['n_effective']:,} independent ones"
    yield "trials", f"at least {part['n_trials']:,} were tried{worth}"
    sure = "certified" if part["certified"] else f"not certified, which takes {CERTAIN:.0%}"
    yield (
        "luck",
        f"deflated Sharpe {_share(part['dsr'])} ({sure}); alone it would be {_share(part['psr'])}",
    )
    yield (
        "",
        (
            f"chance that the search overfits {_share(part['pbo'])}; "
            f"p against buy and hold {_number(part['spa_p'])}"
        ),
    )


def _robustness(part: Part) -> str:
    if "reason" in part:
        return part["reason"]
    even, late = part["break_even"], part["delayed"] or {}
    near, metric = part["plateau"], part["metric"]
    cost = "costs never eat the gain"
    if even["per_fill"] is not None:
        cost = f"costs eat the gain at {even['per_fill']:.2%} a fill"
    said = [
        cost,
        f"a candle later {metric} is {_number(late.get(metric))} instead of "
        f"{_number(part['value'])}",
    ]
    if near["tried"]:
        said.append(f"{_share(near['positive'])} of {near['tried']} neighbours are above 0")
    said.append(f"p on shuffled candles {_number(part['permuted']['p_value'])}")
    return "; ".join(said)


def _monte_carlo(part: Part) -> str:
    total, fall = part["total_return"]["values"], part["max_drawdown"]["values"]
    if total is None or fall is None:
        return "undefined"
    return (
        f"nine of ten paths return {_share(total[0])} to {_share(total[-1])} and fall "
        f"{_share(fall[-1])} to {_share(fall[0])}; {_share(part['loss_probability'])} lose"
    )


def _numbers(part: Part) -> str:
    if part.get("error"):
        return f"{part['status']}: {part['error']}"
    return (
        f"return {_share(part['total_return'])}, Sharpe {_number(part['sharpe'])}, "
        f"drawdown {_share(part['max_drawdown'])}, {part['trades']:,} trades; "
        f"buy & hold {_share(part['buy_hold_return'])}"
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
