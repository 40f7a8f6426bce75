"""The report in Markdown: its first line is the verdict, and long sections are folded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from mela.counts import counted
from regression.cells import (
    apart,
    change,
    delta,
    folded,
    folding,
    instant,
    listed,
    number,
    price,
    table,
)
from regression.decision import (
    Halves,
    chance_of_better,
    halves_of,
    searched,
    tally,
    walked_forward,
)
from regression.differences import (
    FAILING,
    MovedNumber,
    RunMoved,
    SceneCompared,
    SceneStatus,
    TradeDifference,
)
from regression.evidence import Document, Side
from regression.speed import Ratio

HEADLINE = ("total_return", "sharpe", "max_drawdown", "trades")
MOST_ROWS = 60
MOST_OF_A_SEARCH = 25  # numbers of a search's report that are shown
MOST_CHARACTERS = 60_000  # GitHub allows 65,536 in a comment
LEFT_OUT = (
    "\n_What else there is would not fit into a comment: run `mela compare` for all of it._\n"
)


def has_passed(found: Sequence[SceneCompared]) -> bool:
    """Tell whether the comparison passes."""
    return not any(one.status in FAILING for one in found)


def verdict(found: Sequence[SceneCompared], base: Side, head: Side, whole: Ratio | None) -> str:
    """Return the first line of a report, which summarises it."""
    if all(one.status is SceneStatus.SAME for one in found):
        return (
            f"**Nothing changed**: {_scenes(len(found))} give the same numbers in `{head.name}` as "
            f"in `{base.name}`, to the last bit{_at_speed(whole)}{_elsewhere(base, head)}."
        )
    parts = [
        _counted(found, status)
        for status in reversed(SceneStatus)
        if status is not SceneStatus.SAME
    ]
    text = "; ".join(part for part in parts if part)
    word = "Passes" if has_passed(found) else "Fails"
    return f"**{word}**: of {_scenes(len(found))}, {text}."


def report(
    found: Sequence[SceneCompared],
    base: Side,
    head: Side,
    speed: tuple[Ratio | None, Sequence[Ratio]],
    pictures: Mapping[str, str],
) -> str:
    """Return the whole report; a single line if nothing changed.

    pictures: title → file, beside the report
    """
    first = verdict(found, base, head, speed[0])
    if all(one.status is SceneStatus.SAME for one in found):
        return f"{first}\n"
    parts = [
        first,
        *_without_reason(found),
        *_failed(found),
        _sides(base, head),
        *_moved(found),
        *_for_the_decision(found),
        *_trades(found),
        *_new(found),
        *_pictures(pictures),
        *_all_numbers(found),
        *_speed(speed),
        *_untested(found, head),
    ]
    return _that_fits(parts)


def _that_fits(parts: Sequence[str]) -> str:
    kept: list[str] = []
    for part in parts:
        if sum(map(len, kept)) + len(part) > MOST_CHARACTERS:
            kept.append(LEFT_OUT)
            break
        kept.append(part)
    return "\n\n".join(part.strip("\n") for part in kept) + "\n"


def _counted(found: Sequence[SceneCompared], status: SceneStatus) -> str:
    here = [one for one in found if one.status is status]
    if not here:
        return ""
    text = f"{len(here)} {_WORDS[status]}"
    if status is SceneStatus.MOVED:
        reasons = sorted({reason for one in here for reason in one.reasons})
        text += f" (changed: {', '.join(reasons)})"
    return text


_WORDS = {
    SceneStatus.NEW: "of a strategy that is new",
    SceneStatus.GONE: "of a strategy that is gone",
    SceneStatus.REPAIRED: "no longer failing",
    SceneStatus.FAILS_ON_BOTH: "failing as before",
    SceneStatus.MOVED: "moved with a reason",
    SceneStatus.UNEXPLAINED: "moved without a reason",
    SceneStatus.NOT_REPRODUCIBLE: "not reproducible",
    SceneStatus.FAILS: "failing",
}


def _without_reason(found: Sequence[SceneCompared]) -> Iterator[str]:
    here = [one for one in found if one.status is SceneStatus.UNEXPLAINED]
    if not here:
        return
    yield "### Moved without a reason"
    yield (
        "Of these scenes neither the strategy nor the version that covers the number changed, so "
        "that stored results would go on being given for new ones. Either the change should not "
        "move them, or `ENGINE_VERSION` (trades, equity) or `METRICS_VERSION` (the rest) in "
        "`backtests/__init__.py` has to be raised."
    )
    rows = [(one.scene.name, f"{len(one.unexplained)}", listed(one.unexplained)) for one in here]
    yield table(("scene", "numbers", "which"), rows)


def _failed(found: Sequence[SceneCompared]) -> Iterator[str]:
    statuses = (
        SceneStatus.FAILS,
        SceneStatus.NOT_REPRODUCIBLE,
        SceneStatus.FAILS_ON_BOTH,
        SceneStatus.REPAIRED,
        SceneStatus.GONE,
    )
    rows = [
        (one.scene.name, one.status.value, one.message or "")
        for status in statuses
        for one in found
        if one.status is status
    ]
    if rows:
        yield "### Scenes without numbers"
        yield table(("scene", "what", "message"), rows)


def _sides(base: Side, head: Side) -> str:
    edited = [
        name
        for name, digest in head.strategies.items()
        if base.strategies.get(name, digest) != digest
    ]
    added = sorted(head.strategies.keys() - base.strategies.keys())
    removed = sorted(base.strategies.keys() - head.strategies.keys())
    rows = [
        ("commit", f"`{base.name}` {base.subject}", f"`{head.name}` {head.subject}"),
        ("engine, metrics version", _versions(base), _versions(head)),
        ("environment", base.environment, head.environment),
        ("strategies edited", "", listed(sorted(edited)) or "none"),
    ]
    if added or removed:
        rows.append(("strategies of one alone", listed(removed), listed(added)))
    return table(("", "BASE", "HEAD"), rows)


def _versions(side: Side) -> str:
    return f"{side.engine_version}, {side.metrics_version}"


def _moved(found: Sequence[SceneCompared]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    for one in found:
        name = f"{one.scene.name}{f' ({one.scene.note})' if one.scene.note else ''}"
        shown = shown_runs(one)
        rows += [
            (
                name,
                run.label,
                *(
                    change(run.base.get(metric), run.head.get(metric), metric)
                    for metric in HEADLINE
                ),
                f"{len(run.moved)}",
            )
            for run in shown
        ]
        if more := len(one.runs) - len(shown):
            rows.append((name, f"{counted(more, 'run')} of its search", *[""] * len(HEADLINE), ""))
    if rows:
        yield "### What moved"
        header = ("scene", "run", "total return", "Sharpe", "max drawdown", "trades", "numbers")
        yield folding(table(header, rows[:MOST_ROWS]), len(rows), "runs")


def shown_runs(scene: SceneCompared) -> Sequence[RunMoved]:
    """Return the runs that represent a scene: those with details."""
    return [run for run in scene.runs if run.drawn is not None] or scene.runs[:1]


def _for_the_decision(found: Sequence[SceneCompared]) -> Iterator[str]:
    halves = [
        half
        for one in found
        if one.reports[1] is None  # a search's winner was chosen on these candles
        for run in one.runs
        if (half := halves_of(f"{one.scene.name}: {run.label}", run)) is not None
    ]
    if halves:
        better, worse, of = tally(halves)
        yield "### For the decision"
        yield (
            f"In the second half of the span, begun flat, the Sharpe ratio is better in {better} "
            f"and worse in {worse} of {counted(of, 'run')}. Nothing chose the parameters of "
            "these scenes on "
            "their first half; whoever wrote the change may have looked at either. *P(better)* is "
            "the probability that HEAD's daily returns are the higher ones in truth, not by luck: "
            "near 50 % nothing is known."
        )
        header = ("run", "Sharpe, whole span", "first half", "second half", "P(better)")
        rows = [_half_row(half) for half in halves]
        yield folding(table(header, rows[:MOST_ROWS]), len(rows), "runs")
    rows = [row for one in found for row in _searched_rows(one)]
    if rows:
        yield "Searches, on candles that did not choose, and what luck alone would give:"
        yield table(("scene", "statistic", "BASE", "HEAD", "change"), rows)


def _searched_rows(one: SceneCompared) -> Iterator[tuple[str, ...]]:
    name = one.scene.name
    for label, pair in searched(one):
        yield name, label, *(number(value) for value in pair), delta(*pair)
    forward = walked_forward(one)
    chance = chance_of_better(*forward) if forward else None
    if chance is not None:
        yield name, "walk-forward, P(better)", "", f"{chance:.0%}", ""


def _half_row(half: Halves) -> tuple[str, ...]:
    pairs = (half.whole, half.first, half.second)
    chance = "" if half.better is None else f"{half.better:.0%}"
    return half.label, *(change(*pair, "sharpe") for pair in pairs), chance


def _trades(found: Sequence[SceneCompared]) -> Iterator[str]:
    lines = [
        f"- **{one.scene.name}**, {run.label}: {_parting(run.trades)}"
        for one in found
        for run in one.runs
        if run.trades is not None
    ]
    if lines:
        yield "### Where the trades part"
        yield folding("\n".join(lines[:MOST_ROWS]), len(lines), "runs")


def _parting(apart: TradeDifference) -> str:
    counts = f"{counted(apart.base_count, 'trade')} in BASE, {apart.head_count} in HEAD"
    return (
        f"{counts}; the first that differs is number {apart.place + 1}.\n"
        f"  - BASE: {_trade(apart.base)}\n"
        f"  - HEAD: {_trade(apart.head)}"
    )


def _trade(trade: Document | None) -> str:
    if trade is None:
        return "none"
    side = "long" if trade["size"] > 0 else "short"
    of = f" of {trade['instrument']}" if trade.get("instrument") else ""
    return (
        f"{side}{of}, {instant(trade['entry_at'])} at {price(trade['entry_price'])} to "
        f"{instant(trade['exit_at'])} at {price(trade['exit_price'])} ({trade['exit_reason']}), "
        f"size {price(abs(trade['size']))}, profit {price(trade['profit'])}"
    )


def _new(found: Sequence[SceneCompared]) -> Iterator[str]:
    here = [one for one in found if one.status in (SceneStatus.NEW, SceneStatus.REPAIRED)]
    rows: list[tuple[str, ...]] = []
    for one in here:
        assert one.head is not None  # noqa: S101  it has numbers
        for drawn in one.head.drawn:
            document = next(d for d in one.head.documents if d["run_key"] == drawn.run_key)
            halves = [number(None if half is None else half.get("sharpe")) for half in drawn.halves]
            whole = [number(document.get(name), name) for name in HEADLINE]
            rows.append((one.scene.name, " + ".join(document["instruments"]), *whole, *halves))
    if rows:
        yield "### New numbers"
        header = ("scene", "run", "total return", "Sharpe", "max drawdown", "trades")
        yield table((*header, "Sharpe, first half", "second half"), rows)


def _pictures(pictures: Mapping[str, str]) -> Iterator[str]:
    if pictures:
        yield "### Equity"
        yield "\n\n".join(f"![{title}]({file})" for title, file in pictures.items())


def _all_numbers(found: Sequence[SceneCompared]) -> Iterator[str]:
    for one in found:
        for run in shown_runs(one):
            rows = [_row(each) for each in run.moved if each.name not in ("blocks", "error")]
            if rows:
                header = table(("number", "BASE", "HEAD", "change"), rows)
                yield folded(f"{one.scene.name}, {run.label}: all that moved", header)
        rows = [_row(each) for each in one.report if _is_number(each)]
        if rows:
            body = table(("number", "BASE", "HEAD", "change"), rows[:MOST_OF_A_SEARCH])
            yield folded(f"{one.scene.name}: numbers of its search that moved", body)


def _row(moved: MovedNumber) -> tuple[str, ...]:
    pair = (moved.base, moved.head)
    return f"`{moved.name}`", *apart(*pair, moved.name), delta(*pair)


def _is_number(moved: MovedNumber) -> bool:
    return all(
        value is None or isinstance(value, int | float) for value in (moved.base, moved.head)
    )


def _speed(speed: tuple[Ratio | None, Sequence[Ratio]]) -> Iterator[str]:
    whole, each = speed
    if whole is None:
        return
    yield "### Speed"
    yield (
        f"HEAD takes {whole.middle:.2f} × BASE's time for {whole.name} ({whole.low:.2f} to "
        f"{whole.high:.2f} in {whole.repeats} repeats, in turns; BASE {1e3 * whole.base_s:.0f} ms)."
    )
    rows = [
        (
            one.name,
            f"{1e3 * one.base_s:.2f}",
            f"{one.middle:.2f}",
            f"{one.low:.2f} to {one.high:.2f}",
        )
        for one in sorted(each, key=lambda one: -abs(math.log(one.middle)))
        if one.is_certain
    ]
    if rows:
        yield "Scenes that every repeat found slower, or every one faster, by a tenth or more:"
        header = ("scene", "BASE, ms", "HEAD / BASE", "repeats")
        yield folding(table(header, rows), len(rows), "scenes")


def _untested(found: Sequence[SceneCompared], head: Side) -> Iterator[str]:
    named = {one.scene.strategy for one in found}
    without = sorted(head.strategies.keys() - named)
    if without:
        yield f"No golden scene here asks for {listed(without)}."


def _at_speed(whole: Ratio | None) -> str:
    if whole is None:
        return ""
    return (
        f"; HEAD takes {whole.middle:.2f} × the time ({whole.low:.2f} to {whole.high:.2f} in "
        f"{whole.repeats} repeats)"
    )


def _elsewhere(base: Side, head: Side) -> str:
    """Return the end of the one-line report, which says if the sides' environments differ."""
    if base.environment == head.environment:
        return ""
    return f"; BASE ran in {base.environment}, HEAD in {head.environment}"


def _scenes(count: int) -> str:
    return f"{count} golden scene{'s' if count != 1 else ''}"
