"""A warehouse as use leaves it: real candles, a restatement, scenes, runs, results, curves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from backtests.portfolio import run_series
from backtests.simulate import provenance
from backtests.strategies import CATALOGUE
from mela.errors import SourceRefused
from mela.grid import plan_runs
from mela.interval import Interval
from mela.messages import MessagePosition, RunChunk
from mela.result import Outcome, Provenance, Status, result_document
from mela.run import Run
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from replay import create_server
from streaming.run import Desk
from tests.streaming.answered import documents_of
from tests.warehouse.given import answer, load
from warehouse.candles.reader import CandleReader
from warehouse.database import transaction
from warehouse.ingestion.ingest import ingest
from warehouse.results import finder as results
from warehouse.results import holdouts
from warehouse.scenes import records as scenes

BTC, ETH, AAPL = "binance:BTCUSDT", "binance:ETHUSDT", "yahoo:AAPL"
START, END = datetime(2022, 12, 20, tzinfo=UTC), datetime(2023, 3, 1, tzinfo=UTC)
SPLIT = datetime(2020, 6, 1, tzinfo=UTC), datetime(2020, 12, 1, tzinfo=UTC)
RESTATED = datetime(2022, 12, 30, 5, tzinfo=UTC)  # in the warm-up of what is asked
TODAY = {name: provenance(name, None) for name in CATALOGUE}
ASKED: dict[str, Any] = {
    "instruments": [BTC],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-03-01T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"fast": 10, "slow": 40}},
}
GRID = {"space": {"strategy.params.fast": [5, 10, 20], "exits.stop_loss": [None, 0.03]}}
STOCKS = {
    "instruments": [AAPL],
    "interval": "1d",
    "start": "2020-08-01T00:00:00Z",
    "end": "2020-12-01T00:00:00Z",
    "strategy": {"name": "rsi_reversion", "params": {"period": 3}},
}
PORTFOLIO = {
    "instruments": [BTC, ETH],
    "mode": "together",
    "portfolio": {"rebalance": {"kind": "schedule", "every": "1mo"}},
}


@dataclass
class Life:
    """What happened in it: the scenes by what they are, and all runs that were asked for."""

    scenes: dict[str, Scene] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)


def live(settings: Settings, *, whole: bool = True) -> Life:
    """Fill an empty warehouse by the code that fills it in use.

    whole: with a portfolio and an opened holdout too, which the first versions did not know
    """
    ingest_all(settings)
    restate(settings)
    refused_and_killed(settings)
    life = Life()
    concluded(life, "grid", {**ASKED, "search": GRID}, settings)
    concluded(life, "stocks", STOCKS, settings)
    concluded(life, "again", {**ASKED, "search": GRID, "name": "the same again"}, settings)
    _failed(life, settings)
    _rejected(settings)
    if whole:
        concluded(life, "portfolio", {**ASKED, **PORTFOLIO}, settings)
        _opened(life, settings)
    return life


def ingest_all(settings: Settings) -> list[tuple[int, int, int]]:
    """Load what the story is about; return what each load inserted, updated and left."""
    with create_server() as server:
        offline = settings.model_copy(update={"replay_url": server.url})
        asked = [(BTC, Interval.H1, START, END), (ETH, Interval.H1, START, END)]
        reports = [ingest(*one, offline) for one in [*asked, (AAPL, Interval.D1, *SPLIT)]]
    return [(report.inserted, report.updated, report.unchanged) for report in reports]


def restate(settings: Settings, close: float = 17_000.0) -> None:
    """Let the vendor change its mind about one candle."""
    load(settings, answer([close], start=RESTATED, source="binance"), RESTATED)


def refused_and_killed(settings: Settings) -> None:
    """Leave a load that failed, and one whose process was killed."""
    with create_server() as server:
        offline = settings.model_copy(update={"replay_url": server.url})
        with pytest.raises(SourceRefused):
            ingest("binance:NOSUCHCOIN", Interval.H1, START, END, offline)
    with transaction(settings) as connection:
        connection.execute(
            text("""INSERT INTO ops.load_batch
                        (interval, source, request, span_start, span_end, code_version)
                    VALUES ('1h', 'binance', '{}', :start, :end, 'killed')"""),
            {"start": START, "end": END},
        )


def concluded(life: Life, called: str, content: dict[str, Any], settings: Settings) -> None:
    """Do with a scene what the four queries do: plan, run, record, conclude."""
    number = len(life.scenes) + 1
    scene = parse_scene({"scene_id": f"00000000-0000-4000-8000-{number:012}", **content})
    plan = plan_runs(scene, CATALOGUE, max_runs=200)
    scene_id, runs = str(scene.scene_id), list(plan.expand())
    with transaction(settings) as connection:
        told = (connection, scene_id, scene.content(), scene.content_hash())
        counts = {"runs": plan.runs, "skipped": plan.skipped}
        scenes.receive(
            *told, **counts, name=scene.name, origin=MessagePosition("mela.scenes", 0, number)
        )
        stored = results.find(connection, runs, TODAY, scene_id)
        scenes.set_planned(connection, scene_id, cached=len(stored))
    open_runs = [run for run in runs if run.run_key not in stored]
    documents = [orjson.loads(document) for document in stored.values()]
    if open_runs:
        answers = Desk(settings, CATALOGUE).answers(RunChunk(scene_id, 0, open_runs))
        documents += documents_of(answers)
    with transaction(settings) as connection:
        assert results.save(connection, documents) == []
        for document, run in [(documents[0], _run_of(documents[0], runs))]:
            if not stored:
                results.save_curve(connection, document["result_key"], _curve(run, settings))
        best = results.best_of(connection, scene_id, "sharpe").overall
        ending = {"best": best, "warnings": []}
        scenes.set_finished(connection, scene_id, ending, f"mlflow-{number}")
    life.scenes[called] = scene
    life.runs += open_runs


def _run_of(document: dict[str, Any], runs: list[Run]) -> Run:
    return next(run for run in runs if run.run_key == document["run_key"])


def _curve(run: Run, settings: Settings) -> Any:
    reader = CandleReader(settings)
    asked = (run.interval, run.start, run.end, run.warmup, run.prices)
    series = {name: reader.read(name, *asked).candles for name in run.instruments}
    (outcome,) = run_series(series, [run], with_curve=True, catalogue=CATALOGUE)
    return outcome.curve


def _failed(life: Life, settings: Settings) -> None:
    scene = life.scenes["stocks"]
    run = life.runs[-1]
    outcome = Outcome(run, Status.FAILED, error=("ValueError", 'it\'s broken: "x\\y"'))
    made_with: Provenance = TODAY[run.strategy]._replace(candles_revision=1)
    document = result_document(outcome, made_with, scene_id=str(scene.scene_id))
    with transaction(settings) as connection:
        assert results.save(connection, [document]) == []


def _rejected(settings: Settings) -> None:
    wrong = {**ASKED, "cash": -1}
    with transaction(settings) as connection:
        refusal = {"code": "invalid_field", "field": "cash", "sentence": "expected more than 0"}
        origin = MessagePosition("mela.scenes", 0, 99)
        assert scenes.reject(
            connection, "00000000-0000-4000-8000-000000000099", wrong, **refusal, origin=origin
        )


def _opened(life: Life, settings: Settings) -> None:
    with transaction(settings) as connection:
        holdouts.open_once(
            connection,
            str(life.scenes["grid"].scene_id),
            instruments=[BTC],
            interval="1h",
            strategies=["sma_cross"],
            span=(datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC)),
            run_key=life.runs[0].run_key,
        )
