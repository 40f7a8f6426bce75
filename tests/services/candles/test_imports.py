"""services/candles/imports.py: a user's file becomes a source of its own in the warehouse."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from mela.errors import CandlesInvalid, InputInvalid
from mela.interval import Interval
from mela.settings import Settings
from services.candles.imports import Imported, import_file
from services.candles.instruments import known_instrument, tell_instrument
from services.candles.watchlist import watch_series
from sources.files.options import file_options
from tests.warehouse.given import at, rows
from warehouse.candles.reader import CandleReader

pytestmark = pytest.mark.integration
NAME = "my:ACME"
DAYS = [date(2024, 1, 2) + timedelta(days=day) for day in range(28)]
SESSIONS = [day for day in DAYS if day.weekday() < 5 and day != date(2024, 1, 15)]  # a holiday
FACTS = {"calendar": ["XNYS"], "quote": ["USD"], "kind": ["equity"]}


def write(path: Path, closes: dict[date, float]) -> Path:
    lines = ["Date,Open,High,Low,Close,Volume"]
    lines += [f"{day},{close},{close},{close},{close},100" for day, close in closes.items()]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "acme.csv", {day: 100.0 + day.day for day in SESSIONS})


def imported(file: Path, settings: Settings, name: str = NAME, **facts: list[str]) -> Imported:
    return import_file(file, name, Interval.D1, settings, file_options(None, [], facts or FACTS))


def counts(done: Imported) -> tuple[int, int, int, int | None]:
    load = done.load
    return load.inserted, load.updated, load.unchanged, load.revision


def test_a_file_is_loaded_once_however_often_it_is_imported(
    warehouse: Settings, file: Path
) -> None:
    count = len(SESSIONS)
    assert counts(imported(file, warehouse)) == (count, 0, 0, 1)
    assert counts(imported(file, warehouse)) == (0, 0, count, None)


def test_a_restated_candle_supersedes_and_raises_the_revision(
    warehouse: Settings, tmp_path: Path, file: Path
) -> None:
    imported(file, warehouse)
    changed = {day: 100.0 + day.day for day in SESSIONS} | {SESSIONS[3]: 7.0}
    again = imported(write(tmp_path / "newer.csv", changed), warehouse)

    assert counts(again) == (0, 1, len(SESSIONS) - 1, 2)
    [old] = rows(warehouse, "SELECT close FROM raw.candle_version")
    assert old.close == 100.0 + SESSIONS[3].day


def test_a_load_says_which_file_it_was(warehouse: Settings, file: Path) -> None:
    done = imported(file, warehouse)

    [batch] = rows(warehouse, "SELECT source, origin, request, status FROM ops.load_batch")
    assert (batch.source, batch.origin, batch.status) == ("my", "file", "succeeded")
    assert batch.request["file"] == "acme.csv"
    assert len(batch.request["sha256"]) == 64
    assert done.load.origin == "file"


def test_what_is_told_is_stored_and_what_is_not_is_inferred_and_said(
    warehouse: Settings, file: Path
) -> None:
    done = imported(file, warehouse, calendar=["XNYS"])

    known = known_instrument(NAME, warehouse)
    assert (known.calendar, known.how("calendar")) == ("XNYS", "told")
    assert (known.kind, known.how("kind")) == ("equity", "inferred")
    assert any("--kind --quote" in note for note in done.notes)


def test_quality_is_checked_by_the_instruments_calendar(
    warehouse: Settings, tmp_path: Path
) -> None:
    closes = {day: 100.0 for day in SESSIONS if day != SESSIONS[5]}
    done = imported(write(tmp_path / "hole.csv", closes), warehouse)

    assert [(check.instrument, check.candles) for check in done.checks] == [(NAME, len(closes))]
    assert "missing" in {finding.kind for finding in done.findings}


def test_candles_outside_of_sessions_are_kept_and_named(
    warehouse: Settings, tmp_path: Path
) -> None:
    saturday = date(2024, 1, 6)
    closes = dict.fromkeys(sorted([*SESSIONS, saturday]), 100.0)
    done = imported(write(tmp_path / "saturday.csv", closes), warehouse)

    assert done.load.inserted == len(closes)
    assert done.findings


def test_a_scene_on_the_platform_reads_what_was_imported(warehouse: Settings, file: Path) -> None:
    imported(file, warehouse)

    read = CandleReader(warehouse).read(NAME, "1d", at("2024-01-01"), at("2024-02-01"), 0, "raw")

    assert read.candles.close.tolist() == [100.0 + day.day for day in SESSIONS]
    assert (read.candles.calendar, read.revision) == ("XNYS", 1)


@pytest.mark.parametrize("name", ["binance:BTCUSDT", "yahoo:AAPL", "kraken:BTC/USD"])
def test_the_name_of_a_service_is_not_a_files(warehouse: Settings, file: Path, name: str) -> None:
    with pytest.raises(InputInvalid, match=r"is the name of a service.*as my:"):
        imported(file, warehouse, name)


def test_a_file_of_another_interval_leaves_nothing(warehouse: Settings, file: Path) -> None:
    with pytest.raises(CandlesInvalid, match="expected 1h candles"):
        import_file(file, NAME, Interval.H1, warehouse)
    assert rows(warehouse, "SELECT * FROM ops.load_batch") == []


def test_a_fact_that_is_told_later_makes_a_version_and_a_revision(
    warehouse: Settings, file: Path
) -> None:
    imported(file, warehouse, calendar=["24/5"], quote=["USD"])
    known = tell_instrument(NAME, {"calendar": "XNYS"}, warehouse)

    assert known.calendar == "XNYS"
    [version] = rows(warehouse, "SELECT calendar FROM ops.instrument_version")
    assert version.calendar == "24/5"
    revisions = rows(warehouse, "SELECT reason FROM ops.candle_revision ORDER BY revision")
    assert [row.reason for row in revisions] == ["candles", "trading_rules"]


def test_a_files_series_cannot_be_watched(warehouse: Settings, file: Path) -> None:
    imported(file, warehouse)
    with pytest.raises(InputInvalid, match="came from a file"):
        watch_series(NAME, Interval.D1, warehouse)


def test_the_command_prints_what_became_of_the_file(
    warehouse: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.candles import imports

    monkeypatch.setattr(imports, "Settings", lambda: warehouse)
    words = ["import", str(file), "--instrument", NAME, "--calendar", "XNYS", "--quote", "USD"]
    done: Any = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert f"{len(SESSIONS)} inserted, 0 updated" in done.stdout

    shown: Any = CliRunner().invoke(app, ["instrument", NAME])
    assert "told: an option" in shown.stdout
    wrong: Any = CliRunner().invoke(app, [*words[:-1], "US D"])
    assert wrong.exit_code == 2


def test_a_gap_in_a_file_is_mended_by_importing_again_and_by_no_service(
    warehouse: Settings, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELA_HOME", str(warehouse.home))
    monkeypatch.setenv("MELA_POSTGRES__DATABASE", warehouse.postgres.database)
    holed = {day: 100.0 + day.day for day in SESSIONS if day != date(2024, 1, 17)}
    imported(write(tmp_path / "holed.csv", holed), warehouse)
    span = ("quality", NAME, "--to", "2024-01-29", "--repair")

    said = CliRunner().invoke(app, [*span])
    assert said.exit_code == 1
    assert f"{NAME} 1d came from a file, so that no service was asked: import" in said.output
    document = json.loads(CliRunner().invoke(app, [*span, "--json"]).stdout)
    assert (document["repair"]["requests"], document["repair"]["confirmed"]) == ([], 0)
    assert document["repair"]["of_files"] == [f"{NAME} 1d"]
    [gap] = [one for one in document["findings"] if one["kind"] == "missing"]
    assert (gap["first_opened_at"], gap["state"]) == ("2024-01-17T00:00:00Z", "open")
    loads = "SELECT source FROM ops.load_batch"
    assert {row.source for row in rows(warehouse, loads)} == {"my"}

    imported(file, warehouse)
    assert CliRunner().invoke(app, [*span]).exit_code == 0
