"""The ready questions on a star of known content: the answers, and `mela ask`."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

import services.questions
from backtests.indicators import INDICATORS
from cli import ask as command
from cli.main import app
from mela.errors import MelaError
from mela.interval import DAY_MS, Interval
from mela.settings import Settings
from tests.dbt.conftest import Built, Star
from tests.dbt.given import ACME, BITCOIN, ETHER, candles_of
from tests.warehouse.given import at, rows
from warehouse import dbt_project
from warehouse.database import transaction
from warehouse.questions import Answer, Freshness, ask, freshness, questions
from warehouse.results.validity import SAME_CANDLES

Row = dict[str, Any]


def answered(built: Built, name: str) -> list[Row]:
    columns, found, _ = built.answers[name]
    return [dict(zip(columns, row, strict=True)) for row in found]


def trades(star: Star) -> list[Any]:
    curves = [outcome.curve for outcome in star.story.outcomes.values()]
    return [trade for curve in curves if curve for trade in curve.trades]


def like(connection: Connection, table: str, where: str, *changes: dict[str, Any]) -> None:
    """Put further rows into a mart: each as one that is there, but for some fields."""
    for changed in changes:
        connection.exec_driver_sql(
            f"""INSERT INTO marts.{table}
                SELECT made.* FROM (SELECT * FROM marts.{table} WHERE {where} LIMIT 1) AS here,
                    jsonb_populate_record(
                        null::marts.{table}, to_jsonb(here) || %(changed)s::jsonb
                    ) AS made""",
            {"changed": json.dumps(changed)},
        )


@pytest.fixture
def scribbled(star: Star) -> Iterator[Connection]:
    """Give a connection to the star whose changes nobody keeps."""
    with transaction(star.settings) as connection:
        changes = connection.begin_nested()
        yield connection
        changes.rollback()


def asked(connection: Connection, name: str, **values: str) -> list[Row]:
    columns, found, _ = ask(connection, name, values)
    return [dict(zip(columns, row, strict=True)) for row in found]


def test_every_question_asks_and_says_what_its_parameters_are() -> None:
    assert len(questions()) == 8
    for question in questions().values():
        assert question.asks.endswith("?")
        for parameter in question.parameters:
            assert f":{parameter.name}" in question.sql
        assert question.sql.count("\n-- ") >= len(question.parameters)


@pytest.mark.integration
def test_the_best_by_regime_are_days_sorted_by_what_was_known_before(star: Star) -> None:
    """A day is bull where the candle before it closed above the mean of 200, and so on."""
    candles = candles_of(star.settings, ETHER, Interval.H1)
    mean = INDICATORS["sma"].compute(candles, 200)
    upper, middle, lower = INDICATORS["bollinger"].compute(candles, 20, 2.0)
    width = (upper - lower) / middle
    usual = float(np.median(width[199:]))
    days: dict[str, list[float]] = {}
    for row in star.later.tables["fct_equity"]:
        before = f"{row['date_key']}"
        day_ms = np.datetime64(f"{before[:4]}-{before[4:6]}-{before[6:]}", "ms").astype(np.int64)
        last = int(np.searchsorted(candles.opened_ms, day_ms)) - 1
        assert candles.opened_ms[last] // DAY_MS == day_ms // DAY_MS - 1
        trend = "bull" if candles.close[last] > mean[last] else "bear"
        name = f"{trend} {'wild' if width[last] > usual else 'calm'}"
        days.setdefault(name, []).append(row["daily_return"])
    found = {row["regime"]: row for row in answered(star.later, "best_by_regime")}
    assert {name: row["days"] for name, row in found.items()} == {
        name: len(returns) for name, returns in days.items()
    }
    for name, returns in days.items():
        assert found[name]["mean_daily_return"] == pytest.approx(statistics.fmean(returns))
        assert found[name]["worst_day"] == min(returns)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("interval", "candles", "regimes"),
    [
        (
            "1d",  # a Friday and the Monday after it
            [
                ("2024-01-05T00:00Z", "2024-01-05T21:00Z"),
                ("2024-01-08T00:00Z", "2024-01-08T21:00Z"),
            ],
            {"bull calm": [0.25, 0.5], "bear calm": [-0.25]},
        ),
        (
            "1w",  # that the second week falls is not known before its end
            [
                ("2023-12-25T00:00Z", "2023-12-29T21:00Z"),
                ("2024-01-01T00:00Z", "2024-01-08T21:00Z"),
            ],
            {"bull calm": [0.25, 0.5], "bear calm": [-0.25]},
        ),
    ],
)
def test_a_regime_holds_until_the_next_candle_has_closed(
    scribbled: Connection,
    interval: str,
    candles: list[tuple[str, str]],
    regimes: dict[str, list[float]],
) -> None:
    acme = f"""instrument_key = (SELECT instrument_key FROM marts.dim_instrument
                                 WHERE instrument = '{ACME}')"""
    [(key,)] = scribbled.exec_driver_sql(
        f"SELECT instrument_key::text FROM marts.dim_instrument WHERE instrument = '{ACME}'"
    )
    for (opened, closed), close in zip(candles, (110.0, 90.0), strict=True):
        candle = {"interval_key": interval, "opened_at": opened, "closed_at": closed}
        candle |= {"date_key": opened[:10].replace("-", "")}
        bands = {"bollinger_upper": 120.0, "bollinger_middle": 100.0, "bollinger_lower": 80.0}
        like(scribbled, "fct_candle", acme, candle)
        like(scribbled, "fct_indicator", acme, candle | bands | {"close": close, "sma_200": 100.0})
    like(
        scribbled,
        "fct_equity",
        "true",
        {"result_key": "r", "instrument_key": key, "date_key": 20240106, "daily_return": 0.25},
        {"result_key": "r", "instrument_key": key, "date_key": 20240108, "daily_return": 0.5},
        {"result_key": "r", "instrument_key": key, "date_key": 20240109, "daily_return": -0.25},
        {"result_key": "r", "instrument_key": key, "date_key": 20240309, "daily_return": 9.0},
    )
    found = asked(scribbled, "best_by_regime", interval=interval)
    assert {row["regime"]: row["mean_daily_return"] for row in found} == {
        name: statistics.fmean(returns) for name, returns in regimes.items()
    }


@pytest.mark.integration
def test_drawdown_by_month_is_of_the_best_result(star: Star) -> None:
    best = max(star.story.documents.values(), key=lambda document: document["sharpe"])
    months = answered(star.later, "drawdown_by_month")
    assert [(row["year"], row["month"], row["days"]) for row in months] == [
        *((2024, 1, 12), (2024, 2, 29), (2024, 3, 9)),
    ]
    assert min(row["lowest_drawdown"] for row in months) == pytest.approx(best["max_drawdown"])
    growth = np.prod([1 + row["month_return"] for row in months]) - 1
    assert growth == pytest.approx(best["total_return"])


@pytest.mark.integration
def test_the_month_of_a_ruin_is_told_and_a_strategy_has_one_best_whatever_its_code_was(
    scribbled: Connection,
) -> None:
    """A short account lost more than it had, after its strategy had been written anew."""
    for digest, sharpe in (("a", 0.5), ("b", 0.1)):
        key = f"00000000-0000-0000-0000-00000000000{digest}"
        like(
            scribbled,
            "dim_strategy",
            "true",
            {"strategy_key": key, "strategy": "shorts", "strategy_digest": digest},
        )
        answer = {"run_key": digest, "result_key": digest, "strategy_key": key}
        like(scribbled, "fct_run", "true", answer | {"cash": 1_000.0, "sharpe": sharpe})
        for day, equity, daily, lowest in (
            (20240131, 500.0, -0.5, -0.5),
            (20240201, 400.0, -0.2, -0.6),
            (20240202, -10.0, -1.025, -1.01),
        ):
            like(
                scribbled,
                "fct_equity",
                "true",
                {"result_key": digest, "date_key": day, "equity": equity, "daily_return": daily}
                | {"lowest_drawdown": lowest},
            )
    shown = ("month", "lowest_drawdown", "month_return", "losing_days", "days")
    months = asked(scribbled, "drawdown_by_month", strategy="shorts")
    assert [tuple(row[name] for name in shown) for row in months] == [
        (1, -0.5, -0.5, 1, 1),
        (2, -1.01, -1.02, 2, 2),
    ]


@pytest.mark.integration
def test_the_cost_share_is_what_fees_and_slippage_took(star: Star) -> None:
    (row,) = answered(star.later, "cost_share_of_profit")
    every = trades(star)
    assert row["trades"] == len(every)
    assert row["fees"] == pytest.approx(sum(trade.fees for trade in every))
    assert row["slippage"] == pytest.approx(sum(trade.slippage for trade in every))
    gross = sum(trade.profit + trade.fees + trade.slippage for trade in every)
    assert row["gross_profit"] == pytest.approx(gross)
    share = 1 - sum(trade.profit for trade in every) / gross if gross > 0 else None
    assert row["cost_share"] == (None if share is None else pytest.approx(share))


@pytest.mark.integration
def test_trials_count_once_however_often_they_were_asked(star: Star) -> None:
    """Nine answers, three of them stored, three of restated candles: three parameter sets."""
    (row,) = answered(star.later, "trials_by_family")
    newest = {document["run_key"]: document["sharpe"] for document in star.story.documents.values()}
    assert (row["strategy"], row["instrument"], row["trials"]) == ("sma_cross", ETHER, 3)
    assert row["best_sharpe"] == max(newest.values())
    assert row["median_sharpe"] == statistics.median(newest.values())


@pytest.mark.integration
def test_data_quality_takes_the_newest_check_of_each_series(star: Star) -> None:
    (row,) = answered(star.first, "data_quality_by_source")
    assert row == {
        "source": "binance",
        "origin": "replay",
        "series": 2,
        "candles": 3_995,
        "expected": 4_000,
        "coverage": 3_995 / 4_000,
        "missing": 5,
        "wrong": 0,
        "outliers": 1,
        "without_volume": 0,
        "errors": 2,
    }


@pytest.mark.integration
def test_a_look_at_a_few_days_does_not_stand_for_the_whole_series(scribbled: Connection) -> None:
    before = asked(scribbled, "data_quality_by_source")
    day = {"quality_check_id": 99, "checked_at": "2030-02-01T00:00Z", "candles": 24, "expected": 24}
    like(scribbled, "fct_data_quality", "quality_check_id = 2", day | {"missing_candles": 0})
    assert asked(scribbled, "data_quality_by_source") == before


@pytest.mark.integration
def test_a_restated_candle_makes_the_results_that_read_it_stale(star: Star) -> None:
    assert answered(star.first, "stale_results") == []
    (row,) = answered(star.later, "stale_results")
    assert (row["instrument"], row["interval_key"], row["revision"]) == (ETHER, "1h", 2)
    assert (row["stale_results"], row["scenes"], row["strategies"]) == (3, 2, "sma_cross")
    assert row["first_opened_at"].isoformat() == "2024-01-30T04:00:00+00:00"


@pytest.mark.integration
def test_the_star_and_the_store_call_the_same_results_stale(star: Star) -> None:
    """The rule stands twice, once in Python's SQL and once in dbt's."""
    by_store = f"""SELECT result_key FROM ops.result stored JOIN ops.run q USING (run_key)
                   WHERE NOT {SAME_CANDLES} ORDER BY 1"""
    by_star = "SELECT DISTINCT result_key FROM staging.int_stale_results ORDER BY 1"
    found = rows(star.settings, by_star)
    assert found == rows(star.settings, by_store)
    assert len(found) == 3


@pytest.mark.integration
def test_profit_by_hour_counts_each_trade_at_its_entry(star: Star) -> None:
    hours = answered(star.later, "profit_by_hour")
    expected: dict[int, int] = {}
    for trade in trades(star):
        expected[trade.entry_at.hour] = expected.get(trade.entry_at.hour, 0) + 1
    assert {row["hour"]: row["trades"] for row in hours} == expected
    assert sum(row["profit"] for row in hours) == pytest.approx(
        sum(trade.profit for trade in trades(star))
    )


@pytest.mark.integration
def test_answers_by_user_say_what_was_stored(star: Star) -> None:
    shown = ("user_name", "scenes", "answers", "share_stored", "without_metrics")
    found = [tuple(row[name] for name in shown) for row in answered(star.later, "answers_by_user")]
    assert found == [("ada", 2, 6, 0, 0), ("nobody said", 1, 3, 1, 0)]


@pytest.mark.integration
def test_parameters_have_names(star: Star) -> None:
    with transaction(star.settings) as connection:
        other = ask(connection, "stale_results", {"instrument": BITCOIN})
        assert other.rows == []
        with pytest.raises(ValueError, match="stale_results takes instrument, but found venue"):
            ask(connection, "stale_results", {"venue": "binance"})
        with pytest.raises(ValueError, match="expected one of answers_by_user, best_by_regime"):
            ask(connection, "everything")


@pytest.mark.integration
def test_a_star_that_was_never_built_says_so(warehouse: Settings) -> None:
    with (
        transaction(warehouse) as connection,
        pytest.raises(MelaError, match="not built yet: `mela dbt build`"),
    ):
        ask(connection, "answers_by_user")


@pytest.mark.integration
def test_answers_that_came_after_the_build_are_counted(scribbled: Connection) -> None:
    whole = freshness(scribbled)
    newest = scribbled.exec_driver_sql("SELECT max(computed_at) FROM ops.result").scalar_one()
    assert whole == (newest, 0)

    scribbled.exec_driver_sql(
        "DELETE FROM marts.fct_run WHERE run_key IN (SELECT min(run_key) FROM marts.fct_run)"
    )
    assert freshness(scribbled).lacking >= 1
    scribbled.exec_driver_sql("DELETE FROM marts.fct_run")
    answers = "SELECT count(*) FROM ops.scene_run WHERE result_key IS NOT NULL"
    assert freshness(scribbled) == (None, scribbled.exec_driver_sql(answers).scalar_one())


@pytest.mark.parametrize(
    ("freshness", "said"),
    [
        (Freshness(at("2026-11-29"), 0), ["as of 2026-11-29 00:00 UTC, its newest result."]),
        (
            Freshness(at("2026-11-29"), 1),
            ["1 newer answer of scenes is not in"],
        ),
        (Freshness(None, 480), ["holds no result yet", "480 newer answers of scenes are not in"]),
    ],
)
def test_an_older_star_says_so_and_how_to_build_it(
    freshness: Freshness, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer(["strategy"], [("sma_cross",)], freshness)
    monkeypatch.setattr(services.questions, "ask_question", lambda *_: answer)

    done = CliRunner().invoke(app, ["ask", "trials_by_family", "--csv"])

    assert all(part in done.stderr for part in said)
    assert ("mela dbt build" in done.stderr) is (freshness.lacking > 0)
    assert done.stdout.splitlines() == ["strategy", "sma_cross"]  # a program reads it


@pytest.mark.integration
def test_mela_ask_lists_and_answers(star: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Settings", lambda: star.settings)
    listed = CliRunner().invoke(app, ["ask"])
    assert "best_by_regime" in listed.stdout
    assert "--set interval=1h" in listed.stdout
    written = CliRunner().invoke(app, ["ask", "trials_by_family", "--csv"]).stdout
    (row,) = csv.DictReader(io.StringIO(written))
    assert (row["strategy"], row["trials"]) == ("sma_cross", "3")
    shown = CliRunner().invoke(app, ["ask", "stale_results", "--set", f"instrument={ETHER}"])
    assert "2024-01-30" in shown.stdout
    assert "as of " in shown.stderr
    wrong = CliRunner().invoke(app, ["ask", "stale_results", "--set", "venue=binance"])
    assert wrong.exit_code == 2


def test_the_page_of_dbt_begins_with_an_overview_of_ours(tmp_path: Path) -> None:
    """Dbt's own would advertise dbt."""
    found = json.loads(dbt_project.manifest(Settings(home=tmp_path)).read_bytes())
    told = found["docs"]["doc.mela.__overview__"]["block_contents"]
    marts = {path.stem for path in (dbt_project.PROJECT / "models" / "marts").glob("*.sql")}

    assert all(f"`{name}`" in told for name in marts)
