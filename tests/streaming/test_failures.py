"""A strategy's error keeps its place from the engine to the store and to what users read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import typer

from backtests.simulate import provenance, run_all
from cli.scenes.publish import show
from mela.interval import Interval
from mela.messages import read_stored_run
from mela.result import result_document
from mela.settings import Settings
from replay import ReplayServer
from services.runs.results import result_rows, results_of
from streaming import strategies
from streaming.clients import reader_of
from tests.streaming.answered import answered
from tests.warehouse.given import at
from warehouse.candles.run_series import read_run
from warehouse.database import transaction
from warehouse.ingestion.ingest import ingest
from warehouse.scenes import records

pytestmark = pytest.mark.integration
STRATEGY = '''\
from pydantic import Field

from backtests.signals import Signals, crossings
from backtests.strategy import strategy
from mela.run import Part, Whole


class Careless(Part):
    """What divides."""

    by: Whole = Field(default=1, ge=0, description="a number")


@strategy(Careless, warmup=lambda params: 20)
def careless(candles, params, indicators):
    """Enter above the mean, unless the number is 0."""
    mean = indicators.sma(20)
    return Signals(*crossings(candles.close, mean * (1 // params.by)))
'''
LINE = 1 + STRATEGY.splitlines().index(
    "    return Signals(*crossings(candles.close, mean * (1 // params.by)))"
)
SCENE = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-10T00:00:00Z",
    "end": "2023-01-20T00:00:00Z",
    "strategy": {"name": "careless"},
}


@pytest.fixture
def careless(warehouse: Settings, packaged: ReplayServer) -> Iterator[Path]:
    """Install the strategy as a package of the stack's own; return its file."""
    asking = warehouse.model_copy(update={"replay_url": packaged.url})
    ingest("binance:BTCUSDT", Interval.H1, at("2023-01-01"), at("2023-01-20"), asking)
    packages = warehouse.packages
    about = packages / "careless_ideas-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: careless-ideas\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[mela.strategies]\ncareless = careless_ideas\n")
    file = packages / "careless_ideas.py"
    file.write_text(STRATEGY, encoding="utf-8")
    yield file
    for one in (file, *about.iterdir()):
        one.unlink()
    about.rmdir()
    strategies.current(warehouse)


def test_the_store_and_the_engine_alone_say_the_same_place(
    warehouse: Settings, careless: Path
) -> None:
    scene = SCENE | {"strategy": {"name": "careless", "params": {"by": 0}}}
    scene_id = answered(scene, warehouse)

    [stored] = result_rows(UUID(scene_id), warehouse)

    assert stored["error"] == {
        "class": "ZeroDivisionError",
        "sentence": "integer division or modulo by zero",
        "file": str(careless),
        "line": LINE,
    }
    catalogue = strategies.current(warehouse)
    run = read_stored_run(stored, catalogue)
    series, _ = read_run(reader_of(warehouse), run)
    (outcome,) = run_all(series[run.instrument], [run], catalogue=catalogue)
    alone = result_document(outcome, provenance("careless", None, catalogue), scene_id=None)
    assert alone["error"] == stored["error"]


def test_whoever_reads_the_results_is_told_first_which_line_failed(
    warehouse: Settings, careless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = SCENE | {"search": {"kind": "grid", "space": {"strategy.params.by": [0, 1]}}}
    scene_id = UUID(answered(both, warehouse))

    [failure] = results_of(scene_id, warehouse).failures
    show(scene_id, warehouse)
    said = capsys.readouterr().err.splitlines()

    assert (failure.runs, failure.file, failure.line) == (1, str(careless), LINE)
    assert said[0] == "1 of 2 runs failed"
    assert "".join(said[1:]).startswith("ZeroDivisionError: integer division or modulo by zero (")
    assert f"{careless.name}:{LINE})" in "".join(said)


def test_a_scene_of_which_all_runs_failed_says_that_and_exits_with_1(
    warehouse: Settings, careless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = SCENE | {"strategy": {"name": "careless", "params": {"by": 0}}}
    scene_id = answered(scene, warehouse)

    with transaction(warehouse) as connection:
        records.set_finished(connection, scene_id, best=None, mlflow_run_id=None)

    with pytest.raises(typer.Exit) as ended:
        show(UUID(scene_id), warehouse)

    assert ended.value.exit_code == 1
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "no run gave any numbers: 1 failed"
    assert f"{careless.name}:{LINE}" in "".join(rest)
