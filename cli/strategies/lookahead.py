"""Check a strategy for `mela check`: read what was asked, print what was found."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from backtests.lookahead.report import Checked
from backtests.strategy import Strategy
from cli.candles.candle_file import read_candles
from cli.console import err, out
from mela.candles import Candles
from mela.counts import counted
from mela.interval import Interval
from mela.repeated_keys import repeated_key
from mela.run import from_ms
from mela.scene import StrategyChoice
from mela.settings import Settings
from mela.verdict import Verdict
from services.models.pinning import pinned_choice
from services.strategies.lookahead import (
    Judgement,
    judge,
    keep_if_there,
    keep_in_home,
    named_strategy,
    packaged_series,
)
from sources.files.options import FileOptions

SHOWN = 12  # digits of a digest
CODES = {
    Verdict.CLEAN: 0,
    Verdict.FOUND: 1,
    Verdict.NOT_VERIFIED: 2,
    Verdict.DEPENDS_ON_HISTORY: 3,
}
COLOURS = {
    Verdict.CLEAN: "green",
    Verdict.FOUND: "red",
    Verdict.NOT_VERIFIED: "yellow",
    Verdict.DEPENDS_ON_HISTORY: "yellow",
}
WORDS = {
    Verdict.CLEAN: "clean",
    Verdict.FOUND: "lookahead found",
    Verdict.NOT_VERIFIED: "not verified",
    Verdict.DEPENDS_ON_HISTORY: "depends on where its history begins",
}
KINDS = {
    "again": "not the same when it is asked again",
    "cut": "lookahead in signals",
    "future": "lookahead in signals",
    "orders": "lookahead in orders",
    "history": "more history in front changes it beyond its warm-up",
    "writes": "it writes into its candles",
}


def judged(
    strategy_name: str,
    file: Path | None,
    words: list[str],
    interval: Interval | None,
    *,
    options: FileOptions,
    seed: int,
    as_json: bool,
) -> int:
    """Check a strategy, print the findings, and return the exit code of the verdict.

    Raises typer.BadParameter or MelaError if the question is wrong.
    """
    settings = Settings()
    named = named_strategy(strategy_name, settings)
    given = _params(words, named.strategy, settings)
    if file is None:
        series = packaged_series(interval)
    else:
        series = {file.name: read_candles(file, None, interval, options)}
    judgement = judge(named, given, series, seed=seed)
    is_whole = file is None and not words and interval in (None, Interval.H1)
    if is_whole or judgement.verdict is Verdict.FOUND:
        _keep(judgement, settings)
    if as_json:
        out.print(json.dumps(judgement.documents(), indent=2), markup=False)
    else:
        for name, each in judgement.found.items():
            _say(name, judgement.series[name], each)
        verdict = judgement.verdict
        out.print(f"[bold {COLOURS[verdict]}]{WORDS[verdict]}[/]")
    return CODES[judgement.verdict]


def _keep(judgement: Judgement, settings: Settings) -> None:
    """Keep a verdict wherever there is a place for it, and say where it will be seen."""
    shown = ["results of `mela backtest` say it"] if keep_in_home(judgement, settings) else []
    shown += ["`mela strategies` shows it"] if keep_if_there(judgement, settings) else []
    if shown:
        digest = judgement.strategy.digest[:SHOWN]
        err.print(f"kept as the verdict on source {digest}: {', '.join(shown)}")


def _say(name: str, candles: Candles, found: Checked) -> None:
    chosen = ", ".join(f"{key}={value}" for key, value in found.params.items())
    first, last = (f"{from_ms(int(candles.opened_ms[bar])):%Y-%m-%d %H:%M}" for bar in (0, -1))
    out.print(
        f"[bold]{found.strategy}[/]({chosen}) on {name}: {counted(found.candles, 'candle')} of "
        f"{candles.interval}, {first} to {last} UTC",
    )
    if found.cuts_possible:
        for line in _covered(found):
            out.print(f"  {line}", markup=False)
    for difference in found.differences:
        colour = "yellow" if difference.how == "history" else "red"
        out.print(
            f"  [{colour}]{KINDS[difference.how]}[/], {counted(difference.count, 'time')}. First:"
        )
        out.print(f"    {difference.sentence()}", markup=False)
    for why in (*found.unverified, *(reach.sentence() for reach in found.reaches)):
        out.print("  [yellow]not verified[/]:", end=" ")
        out.print(why, markup=False)


def _covered(found: Checked) -> list[str]:
    return [
        f"cut short behind {found.cuts:,} of {counted(found.cuts_possible, 'candle')}, among them "
        f"{found.onsets_cut:,} of the {found.onsets:,} on which a signal begins",
        f"given {counted(found.futures, 'other future')}, and asked in "
        f"{counted(found.fresh, 'process')} that had not seen it, the shortest cuts first",
        f"executed at {counted(found.order_cuts, 'cut')}, long only and in both directions, "
        f"{counted(found.trades, 'trade')} on all candles",
        f"begun later {counted(found.starts, 'time')}, {counted(found.compared, 'candle')} "
        f"compared behind a warm-up of {found.warmup:,}, {counted(found.ties, 'tie')} excused",
        "watched for files, network, processes, clocks, environment and chance, and asked with "
        "candles that can be written to",
    ]


def _params(words: list[str], strategy: Strategy, settings: Settings) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for word in words:
        if word.lstrip().startswith("{"):
            read = _json(word)
        else:
            name, equals, value = word.partition("=")
            if not equals:
                raise typer.BadParameter(f"expected a parameter as k=v, but found {word!r}")
            with suppress(ValueError):
                value = json.loads(value)
            read = {name.strip(): value}
        if again := sorted(given.keys() & read):
            raise typer.BadParameter(f"expected each parameter once, but found {again[0]} again")
        given |= read
    given = pinned_choice(StrategyChoice(name=strategy.name, params=given), settings).params
    try:
        strategy.params.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(
            f"{strategy.name}: {where + ': ' if where else ''}{reason}"
        ) from error
    return given


def _json(word: str) -> dict[str, Any]:
    try:
        read = json.loads(word)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"parameters are not JSON: {error}") from error
    if again := repeated_key(word):
        raise typer.BadParameter(f"expected each parameter once, but found {again} again")
    return read
