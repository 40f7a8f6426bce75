"""A scene run in this process, for `mela backtest`: its results, its report, its picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from backtests import local
from backtests.catalogue.own_file import registered, strategies_in
from backtests.metrics.result_warnings import (
    NO_OUT_OF_SAMPLE,
    NO_OUT_OF_SAMPLE_SAID,
    lacks_out_of_sample,
)
from backtests.printing import printing_to_stderr
from backtests.simulate import run_all
from backtests.strategy import Strategy
from cli.console import err, fail, out
from cli.scene_file import read_document, with_terms
from cli.scenes.given_candles import GivenCandles, given_candles
from cli.scenes.local_curves import show_trades, with_curves, write_csv
from cli.scenes.monte_carlo import fan_of, monte_carlo_table, resampled
from cli.scenes.plot import kind_of, write_picture
from cli.scenes.remarks import MOST_REASONS, ranked_by, say_failures, say_warnings
from cli.scenes.report import report_table
from cli.tables import SHOWN, results_table
from mela.counts import counted
from mela.errors import InputInvalid
from mela.failures import failures_in
from mela.market_checks import check_markets
from mela.messages import read_stored_run
from mela.outcome import WITH_METRICS
from mela.result import rank
from mela.scene import Scene
from mela.search_report import SearchReport
from mela.settings import Settings
from services.runs.missing_candles import without_candles
from services.scenes.local_check import checked_scene, parsed_scene
from services.strategies.all_strategies import all_strategies
from services.strategies.local_verdicts import known_here
from sources.files.options import FileOptions

if TYPE_CHECKING:
    from backtests.charts.picture import Kind


class Wanted(NamedTuple):
    """The output options of `mela backtest`."""

    as_json: bool
    as_report: bool
    plot: Path | None
    monte_carlo: int | None
    seed: int
    trades: bool = False
    equity: bool = False
    csv: Path | None = None


def run_locally(
    scene_file: Path,
    candles: Sequence[str],
    wanted: Wanted,
    options: FileOptions,
    terms: Mapping[str, Any] | None = None,
    strategies: Path | None = None,
    model: str | None = None,
) -> None:
    """Run a scene of a file, and show what is wanted of it.

    terms: fields of the scene that stand instead of those of the file
    candles: files, as `--candles` names them; none for the warehouse's
    options: what the user says about the files
    strategies: a file or folder of strategies that no catalogue has
    model: what the strategy `forecast` asks, a file or a registered version

    Raises MelaError for a scene or candles that do not do, typer.BadParameter for options that
    ask for what this scene has not.
    """
    settings = Settings()
    kind = kind_of(wanted.plot) if wanted.plot else None
    document = with_terms(read_document(scene_file), terms)
    # before strategies of its own are known: what is wrong with the scene itself comes first
    scene = parsed_scene(document, all_strategies(settings), max_runs=settings.max_runs)
    if scene.mode == "together":
        _refuse_of_one(wanted)
    scene = _with_model(scene, model, settings)
    with registered(_own(strategies)):
        _run(scene, given_candles(scene, candles, options, settings), wanted, settings, kind)


def _own(place: Path | None) -> dict[str, Strategy]:
    if place is None:
        return {}
    try:
        return strategies_in(place)
    except InputInvalid as error:
        raise typer.BadParameter(str(error), param_hint="--strategies") from error


def _with_model(scene: Scene, model: str | None, settings: Settings) -> Scene:
    """Return a scene whose models are pinned. model: takes the place of the scene's own."""
    from services.models import pinning

    if model is None:
        return pinning.pinned_scene(scene, settings)
    if not pinning.asks_forecasts(scene):
        raise typer.BadParameter(
            f"the scene asks no forecast: its strategy is {scene.strategy.name}",
            param_hint="--model",
        )
    from services.models.models import reference_of  # loads the runtime of models

    return pinning.scene_asking(scene, reference_of(model, settings))


def _run(
    scene: Scene,
    given: GivenCandles,
    wanted: Wanted,
    settings: Settings,
    kind: Kind | None,
) -> None:
    catalogue = all_strategies(settings)
    _, plan = checked_scene(scene, catalogue, max_runs=settings.max_runs)
    if scene.mode == "together" or plan.has_free_shorts:
        check_markets(scene, given.known(), has_free_shorts=plan.has_free_shorts)
    verdicts = known_here({one.digest for one in catalogue.values()}, settings)
    if given.are_stored:
        from services.strategies.strategy_page import with_stored  # loads SQLAlchemy

        verdicts = with_stored(verdicts, catalogue, settings)
    bench = local.Bench(given.series, catalogue, verdicts)
    with printing_to_stderr():  # whatever a strategy prints: standard output is the answer's
        done = local.execute(scene, plan, bench)
        documents, best = done.documents, rank(done.documents, scene.ranking)
        if wanted.trades or wanted.equity:
            documents = with_curves(
                documents, best, bench, trades=wanted.trades, equity=wanted.equity
            )
        report = None if wanted.as_json else local.conclude(scene, best, bench)
    if wanted.as_report:
        out.print(json.dumps(report and report.document(), indent=2), markup=False)
    elif wanted.as_json:
        out.print(json.dumps(documents, indent=2), markup=False)
    else:
        _show(best, scene, done.skipped, report)
        if wanted.trades and not wanted.csv and best:
            show_trades(next(one for one in documents if one["run_key"] == best[0]["run_key"]))
    if wanted.csv:
        write_csv(wanted.csv, documents)
    if done.documents and all(one["status"] not in WITH_METRICS for one in done.documents):
        for sentence in without_candles(best, are_stored=given.are_stored)[:MOST_REASONS]:
            err.print(sentence, markup=False)
        raise fail("no run gave any numbers")
    if not wanted.plot and not wanted.monte_carlo:
        return
    winner = read_stored_run(best[0], catalogue)
    candles_of_it = bench.candles_of(winner)
    with printing_to_stderr():
        (outcome,) = run_all(candles_of_it, [winner], with_curve=True, catalogue=catalogue)
    fan = None
    if wanted.monte_carlo:
        drawn = resampled(outcome, candles_of_it, paths=wanted.monte_carlo, seed=wanted.seed)
        fan = fan_of(drawn) if wanted.plot else None
        if not wanted.as_json and not wanted.as_report:
            out.print(monte_carlo_table(drawn))
    if wanted.plot and kind:
        write_picture(wanted.plot, kind, candles_of_it, outcome, scene, best, catalogue, fan)


def _refuse_of_one(wanted: Wanted) -> None:
    """Refuse what is drawn of runs of one instrument alone."""
    if wanted.plot:
        raise typer.BadParameter("no picture shows several instruments", param_hint="--plot")
    if wanted.monte_carlo:
        why = "it resamples runs of one instrument, and this scene trades several together"
        raise typer.BadParameter(why, param_hint="--monte-carlo")


def _show(
    best: Sequence[Mapping[str, Any]],
    scene: Scene,
    skipped: int,
    report: SearchReport | None,
) -> None:
    say_failures(failures_in(best), len(best))
    title = f"{counted(len(best), 'run')}, {skipped} skipped, best by {ranked_by(scene.ranking)}"
    out.print(results_table(best[:SHOWN], title=title, best=scene.rank_by, width=out.width))
    if report is not None:
        out.print(report_table(report))
    say_warnings(best[:SHOWN])
    if best and lacks_out_of_sample(scene.content(), len(best)):
        err.print(f"{NO_OUT_OF_SAMPLE}: {NO_OUT_OF_SAMPLE_SAID}")
