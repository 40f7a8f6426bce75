"""Pictures and trades of stored runs, on a warehouse as use leaves it."""

from __future__ import annotations

import csv
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Ended

from cli.main import app
from mela.errors import Conflict, InputInvalid, NotFound, SceneInvalid
from mela.result import Status
from mela.settings import Settings
from services.runs.results import result_rows
from services.runs.stored_runs import draw_run, trades_of
from tests.conftest import EMPTY
from tests.warehouse.given import a_document, a_run, a_scene, answer, load
from tests.warehouse.lived import BTC, ETH, START, Life, live
from warehouse.database import transaction
from warehouse.results import finder

pytestmark = pytest.mark.integration
REJECTED = UUID("00000000-0000-4000-8000-000000000099")


@pytest.fixture(scope="module")
def life(scratch: Settings) -> Life:
    with transaction(scratch) as connection:
        connection.execute(EMPTY)
    return live(scratch)


@pytest.fixture
def mela(scratch: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("MELA_HOME", str(scratch.home))
    monkeypatch.setenv("MELA_POSTGRES__DATABASE", scratch.postgres.database)
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> Ended:
        return CliRunner().invoke(app, list(words))

    return typed


def of(life: Life, called: str) -> UUID:
    scene_id = life.scenes[called].scene_id
    assert scene_id
    return scene_id


def test_the_best_run_is_drawn_with_the_map_of_its_search(scratch: Settings, life: Life) -> None:
    best = result_rows(of(life, "grid"), scratch)[0]

    drawn = draw_run(of(life, "grid"), scratch, "html")

    page = drawn.content.decode()
    assert (drawn.run_key, drawn.rank) == (best["run_key"], 1)
    assert f"sma_cross(fast={best['params']['fast']}, slow=40)" in page
    assert "the best of 6 runs by sharpe" in page
    assert f"Sharpe {best['sharpe']:.2f}" in page
    assert "stop_loss" in page


def test_a_run_is_meant_by_its_rank_or_by_its_key(scratch: Settings, life: Life) -> None:
    rows = result_rows(of(life, "grid"), scratch)

    by_rank = draw_run(of(life, "grid"), scratch, "png", run="3")
    by_key = trades_of(of(life, "grid"), scratch, run=rows[2]["run_key"][:10].upper())

    assert by_rank.content.startswith(b"\x89PNG")
    assert (by_rank.rank, by_rank.run_key) == (3, rows[2]["run_key"])
    assert (by_key.rank, by_key.result["run_key"]) == (3, rows[2]["run_key"])


def test_trades_that_are_not_stored_are_computed_again(scratch: Settings, life: Life) -> None:
    rows = result_rows(of(life, "grid"), scratch)
    with transaction(scratch) as connection:
        lacking = finder.without_curve(connection, [row["result_key"] for row in rows])
    assert 0 < len(lacking) < len(rows)

    for rank, row in enumerate(rows, 1):
        found = trades_of(of(life, "grid"), scratch, run=str(rank))
        assert (len(found.trades), row["open_trades"]) == (row["trades"], 0)
        gained = sum(trade.profit for trade in found.trades)
        assert gained == pytest.approx(row["final_equity"] - row["cash"], abs=1e-6)


def test_an_account_of_several_has_trades_and_no_picture(scratch: Settings, life: Life) -> None:
    found = trades_of(of(life, "portfolio"), scratch)

    assert {trade.instrument for trade in found.trades} == {BTC, ETH}
    with pytest.raises(InputInvalid, match="no picture shows several instruments"):
        draw_run(of(life, "portfolio"), scratch, "html")


def draw(scene_id: UUID, settings: Settings, run: str) -> None:
    draw_run(scene_id, settings, "html", run=run)


def trade(scene_id: UUID, settings: Settings, run: str) -> None:
    trades_of(scene_id, settings, run=run)


@pytest.mark.parametrize("use_case", [draw, trade])
@pytest.mark.parametrize(
    ("run", "error", "said"),
    [
        ("0", InputInvalid, "expected a rank of 1 to 6, but found 0"),
        ("7", InputInvalid, "expected a rank of 1 to 6"),
        ("", InputInvalid, "expected a rank, as 1, or the first digits of a run_key"),
        ("best", InputInvalid, "expected a rank, as 1"),
        ("0123456789abcdef", NotFound, "run_key that begins with 0123456789abcdef"),
    ],
)
def test_a_run_that_is_not_there_is_refused(
    scratch: Settings, life: Life, use_case: Any, run: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        use_case(of(life, "grid"), scratch, run)


def test_a_scene_without_numbers_says_why_there_is_nothing_to_draw(
    scratch: Settings, life: Life
) -> None:
    scene_id = a_scene(scratch)
    with pytest.raises(NotFound, match="has no results yet"):
        draw_run(UUID(scene_id), scratch, "html")
    broken = {"class": "ValueError", "sentence": "periods must rise."}
    document = a_document(a_run(), scene_id, status=Status.FAILED, error=broken)
    with transaction(scratch) as connection:
        assert not finder.save(connection, [document])

    with pytest.raises(InputInvalid, match=r"ended as failed: periods must rise\.$"):
        draw_run(UUID(scene_id), scratch, "html")
    with pytest.raises(SceneInvalid, match="cash: expected more than 0"):
        trades_of(REJECTED, scratch)


def test_trades_are_written_as_csv_with_all_digits(scratch: Settings, life: Life, mela) -> None:
    scene_id = of(life, "grid")
    trades = trades_of(scene_id, scratch).trades

    said = mela("trades", str(scene_id), "--csv", "trades.csv")

    assert said.exit_code == 0, said.output
    assert said.stdout == ""
    assert f"{len(trades)} trades: trades.csv" in said.stderr
    with Path("trades.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["instrument"] for row in rows] == [BTC] * len(trades)
    for row, trade in zip(rows, trades, strict=True):
        numbers = ("size", "entry_price", "exit_price", "fees", "profit", "slippage", "borrow")
        assert [float(row[name]) for name in numbers] == [getattr(trade, name) for name in numbers]
        assert row["entry_at"] == trade.entry_at.isoformat().replace("+00:00", "Z")
        assert row["exit_reason"] == trade.exit_reason
    shown = mela("trades", str(scene_id), "--csv", "-")
    assert shown.stdout == Path("trades.csv").read_text(encoding="utf-8")


def test_trades_are_printed_for_people_and_for_scripts(life: Life, mela) -> None:
    table = mela("trades", str(of(life, "grid")), "--run", "2")
    rows = json.loads(mela("trades", str(of(life, "grid")), "--run", "2", "--json").stdout)

    assert re.search(rf"run \w{{12}}, number 2: {len(rows)} trades?", table.stdout)
    assert rows[0]["entry_at"] in table.stdout
    assert rows[0]["instrument"] == BTC


def test_a_picture_is_named_after_its_scene_unless_told_otherwise(life: Life, mela) -> None:
    scene_id = str(of(life, "stocks"))

    said = mela("plot", scene_id)

    assert said.exit_code == 0, said.output
    assert said.stdout == ""
    assert "number 1: 00000000.html" in said.stderr
    assert "yahoo:AAPL" in Path("00000000.html").read_text(encoding="utf-8")
    assert mela("plot", scene_id, "--to", "run.svg").exit_code == 2
    assert mela("plot", scene_id, "--run", "9").exit_code == 2


def test_z_a_run_whose_candles_changed_is_not_drawn_as_if_it_held(
    scratch: Settings, life: Life
) -> None:
    """The last of this file, as it changes what the others read."""
    when = START + timedelta(days=30)
    load(scratch, answer([15_000.0], start=when, source="binance"), when)

    with pytest.raises(Conflict, match=r"its candles or its code changed.*mela stale --scene"):
        draw_run(of(life, "grid"), scratch, "html")
