"""Check a strategy for `mela check`: find it, choose candles, print what was found."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer
from pydantic import ValidationError

from backtests.lookahead.check import CHECKED, check
from backtests.lookahead.report import Checked, Verdict
from backtests.strategies import CATALOGUE
from backtests.strategy import REGISTERED, Strategy
from cli.candle_file import longer_candles, read_candles
from cli.console import out
from mela.candles import Candles
from mela.interval import Interval
from mela.run import from_ms
from replay.series import PACKAGED
from sources.files.told import Told

CODES = {Verdict.CLEAN: 0, Verdict.FOUND: 1, Verdict.NOT_VERIFIED: 3}
COLOURS = {Verdict.CLEAN: "green", Verdict.FOUND: "red", Verdict.NOT_VERIFIED: "yellow"}
KINDS = {
    "again": "not the same when it is asked again",
    "cut": "lookahead in signals",
    "orders": "lookahead in orders",
    "history": "more history in front changes it beyond its warm-up",
    "writes": "it writes into its candles",
}
PACKAGED_CANDLES = {
    Interval.H1: ("binance_BTCUSDT_1h.parquet", "binance:BTCUSDT"),
    Interval.D1: ("lean-equity_SPY_1d.parquet", "yahoo:SPY"),
}
REAL_CANDLES = 8_760  # a year of hours
WALK_CANDLES = 3_000
WALK_SEED = 20_240_101


def judged(
    named: str,
    file: Path | None,
    words: list[str],
    interval: Interval | None,
    *,
    told: Told,
    seed: int,
    as_json: bool,
) -> int:
    """Check a strategy, print the findings, and return the exit code of the verdict.

    Raises typer.BadParameter or MelaError if the question is wrong.
    """
    chosen = _strategy(named)
    given = _params(words, chosen)
    series = _series(file, interval, told)
    series = {name: _with_inputs(each, chosen, given) for name, each in series.items()}
    found = {name: check(each, chosen, given, seed=seed) for name, each in series.items()}
    verdict = overall(found.values())
    if as_json:
        documents = [
            {"candles_of": name, "verdict": each.verdict.value, **asdict(each)}
            for name, each in found.items()
        ]
        out.print(json.dumps(documents, indent=2), markup=False)
    else:
        for name, each in found.items():
            _say(name, series[name], each)
        out.print(f"[bold {COLOURS[verdict]}]{verdict.value}[/]")
    return CODES[verdict]


def overall(found: Any) -> Verdict:
    """Return the verdict over several series: a finding outweighs a doubt, a doubt a clean one."""
    verdicts = {each.verdict for each in found}
    order = (Verdict.FOUND, Verdict.NOT_VERIFIED, Verdict.CLEAN)
    return next(verdict for verdict in order if verdict in verdicts)


def _say(name: str, candles: Candles, found: Checked) -> None:
    chosen = ", ".join(f"{key}={value}" for key, value in found.params.items())
    first, last = (f"{from_ms(int(candles.opened_ms[bar])):%Y-%m-%d %H:%M}" for bar in (0, -1))
    out.print(
        f"[bold]{found.strategy}[/]({chosen}) on {name}: {found.candles:,} candles of "
        f"{candles.interval}, {first} to {last} UTC",
    )
    if found.cuts_possible:
        for line in _covered(found):
            out.print(f"  {line}", markup=False)
    for difference in found.differences:
        out.print(f"  [red]{KINDS[difference.how]}[/], {difference.count:,} times. First:")
        out.print(f"    {difference.sentence()}", markup=False)
    for why in found.unverified:
        out.print(f"  [yellow]not verified[/]: {why}")


def _covered(found: Checked) -> list[str]:
    return [
        f"cut short behind {found.cuts:,} of {found.cuts_possible:,} candles, among them "
        f"{found.onsets_cut:,} of the {found.onsets:,} on which a signal begins",
        f"executed at {found.order_cuts:,} cuts, long only and in both directions, "
        f"{found.trades:,} trades on all candles",
        f"begun later {found.starts:,} times, {found.compared:,} candles compared behind a warm-up "
        f"of {found.warmup:,}, {found.ties:,} ties excused",
        "asked 3 times, and with candles that can be written to",
    ]


def _strategy(asked: str) -> Strategy:
    if asked in CATALOGUE:
        return CATALOGUE[asked]
    path, _, name = asked.partition(".py:")
    file = Path(f"{path}.py" if name else asked)
    if file.suffix != ".py":
        raise typer.BadParameter(
            f"no strategy is called {asked!r}; there are {', '.join(sorted(CATALOGUE))}. "
            "A file of your own is named as my_strategy.py"
        )
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    there = _registered_by(file)
    if not name and len(there) == 1:
        return next(iter(there.values()))
    if name in there:
        return there[name]
    names = ", ".join(sorted(there)) or "none"
    raise typer.BadParameter(
        f"expected one strategy in {file}, but it registers {names}; name it as {file}:NAME"
    )


def _registered_by(file: Path) -> dict[str, Strategy]:
    """Return the strategies of a file. Execute the file unless its module is loaded."""
    file = file.resolve()
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) and Path(str(module.__file__)).resolve() == file:
            return {key: each for key, each in REGISTERED.items() if _module_of(each) == name}
    name = f"checked_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise typer.BadParameter(f"{file} cannot be read as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # the decorator reads the source of its module there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise typer.BadParameter(f"{file} raises {type(error).__name__}: {error}") from error
    finally:
        there = {key: each for key, each in REGISTERED.items() if _module_of(each) == name}
        for key in there:
            del REGISTERED[key]
        del sys.modules[name]
    return there


def _module_of(strategy: Strategy) -> str:
    return strategy.signals.__module__


def _params(words: list[str], strategy: Strategy) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for word in words:
        if word.lstrip().startswith("{"):
            given |= _json(word)
            continue
        name, equals, value = word.partition("=")
        if not equals:
            raise typer.BadParameter(f"expected a parameter as k=v, but found {word!r}")
        try:
            given[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            given[name.strip()] = value
    try:
        strategy.params.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(
            f"{strategy.name}: {where + ': ' if where else ''}{said}"
        ) from error
    return given


def _json(word: str) -> dict[str, Any]:
    try:
        return json.loads(word)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"parameters are not JSON: {error}") from error


def _with_inputs(candles: Candles, strategy: Strategy, params: Mapping[str, Any]) -> Candles:
    """Return candles with the longer candles that a strategy reads, made of the given ones.

    Inputs of other instruments are missing here, so such a strategy is not verified.
    """
    wanted = strategy.inputs(params).values()
    intervals = {one.interval or candles.interval for one in wanted if one.instrument is None}
    inputs = {
        (CHECKED, interval): candles
        if interval == candles.interval
        else longer_candles(candles, interval)
        for interval in sorted(intervals)
    }
    return replace(candles, inputs=inputs) if inputs else candles


def _series(file: Path | None, interval: Interval | None, told: Told) -> dict[str, Candles]:
    if file is not None:
        return {file.name: read_candles(file, None, interval, told)}
    interval = interval or Interval.H1
    if interval not in PACKAGED_CANDLES:
        raise typer.BadParameter(
            f"there are packaged candles of {' and '.join(PACKAGED_CANDLES)}, but not of "
            f"{interval}; give a file with --candles"
        )
    name, instrument = PACKAGED_CANDLES[interval]
    real = read_candles(PACKAGED / name, instrument, interval)
    last = len(real) - 1  # the file's last candle is not closed
    columns = ("opened_ms", "open", "high", "low", "close", "volume")
    part = {column: getattr(real, column)[max(0, last - REAL_CANDLES) : last] for column in columns}
    kept = Candles(interval, **part, calendar=real.calendar)
    return {f"packaged {instrument}": kept, "a random walk": random_walk(interval)}


def random_walk(interval: Interval, count: int = WALK_CANDLES, seed: int = WALK_SEED) -> Candles:
    """Return candles without any pattern. Prices are rounded to cents, so that levels tie."""
    random = np.random.default_rng(seed)
    close = (100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, count)))).round(2)
    opened = np.concatenate([[100.0], close[:-1]])
    above, below = random.exponential(0.003, (2, count))
    high = (np.maximum(opened, close) * (1.0 + above)).round(2)
    low = (np.minimum(opened, close) * (1.0 - below)).round(2)
    length = interval.end_ms(0)
    opened_ms = 1_704_067_200_000 + length * np.arange(count, dtype=np.int64)  # 2024-01-01
    volume = random.lognormal(3.0, 1.0, count)
    return Candles(interval, opened_ms, opened, high, low, close, volume)
