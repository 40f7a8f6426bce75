"""The star after a build, after changes and after a full refresh, against what it was made from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from backtests.indicators import INDICATORS
from mela.candles import Candles
from mela.interval import Interval
from mela.result import METRICS
from mela.settings import Settings
from tests.dbt.conftest import FACTS, PROJECT, Built, Dbt, Rows, Star
from tests.dbt.given import (
    ACME,
    BITCOIN,
    ETHER,
    KNOWN,
    LUNA,
    SOLANA,
    WITHOUT_DIGITS,
    candles_of,
)
from tests.warehouse.given import rows
from warehouse.database import transaction

NEAR = 1e-6
CONTINUED = {"fct_candle": 0, "fct_indicator": NEAR, "fct_run": 0, "fct_trade": 0, "fct_equity": 0}


def of(built: Built, name: str, instrument: str, interval: str = "1h") -> Rows:
    """Return the rows of a fact that are of a series, oldest first, each with its version."""
    versions = {one["instrument_key"]: one for one in built.tables["dim_instrument"]}
    found = [
        row | {"version": versions[row["instrument_key"]]}
        for row in built.tables[name]
        if versions[row["instrument_key"]]["instrument"] == instrument
        and row["interval_key"] == interval
    ]
    return sorted(found, key=lambda row: row["opened_at"]) if "opened_at" in found[0] else found


def column(found: Rows, name: str) -> np.ndarray[Any, Any]:
    return np.array([np.nan if row[name] is None else row[name] for row in found], dtype=np.float64)


def prices(found: Rows) -> list[tuple[Any, ...]]:
    names = ("date_key", "time_key", "close", "split_adjusted_close", "split_adjusted_volume")
    return [tuple(row[name] for name in (*names, "revision", "series_revision")) for row in found]


@pytest.mark.integration
def test_the_star_holds_each_candle_once(star: Star) -> None:
    assert prices(of(star.first, "fct_candle", ACME, "1d")) == [
        (20240102, 0, 105.0, 105.0, 100.0, 1, 1),
        (20240103, 0, 118.0, 118.0, 100.0, 1, 1),
    ]
    assert len(of(star.first, "fct_candle", BITCOIN)) == 2_399
    assert len(of(star.first, "fct_candle", SOLANA)) == KNOWN
    assert prices(of(star.first, "fct_candle", ETHER))[25][:2] == (20240102, 100)


@pytest.mark.integration
def test_restated_late_and_split_candles_reach_the_star(star: Star) -> None:
    """The first candle lies outside what the load changed, but before the split that it brought."""
    assert prices(of(star.later, "fct_candle", ACME, "1d")) == [
        (20240102, 0, 105.0, 52.5, 200.0, 1, 2),
        (20240103, 0, 116.0, 58.0, 200.0, 2, 2),
        (20240104, 0, 60.0, 60.0, 100.0, 2, 2),
    ]
    assert len(of(star.later, "fct_candle", BITCOIN)) == 2_400
    assert len(of(star.later, "fct_candle", SOLANA)) == 2_400


@pytest.mark.integration
def test_what_did_not_change_is_not_written_again(star: Star) -> None:
    """Of ether's hours one was restated: it, and the indicators that can remember it."""
    for name, least in (("fct_candle", 2_399), ("fct_indicator", 2_400 - 1_025)):
        kept = star.first.written[name] & star.later.written[name]
        hours = [row for row in kept if row[0] == "1h"]
        assert len(hours) >= least, name


@pytest.mark.integration
@pytest.mark.parametrize("instrument", [BITCOIN, SOLANA, ETHER, LUNA])
@pytest.mark.parametrize("when", ["later", "fresh"])
def test_indicators_are_those_of_the_engine(star: Star, instrument: str, when: str) -> None:
    """A spike was corrected before, or candles came after, a thousand hours without a move.

    Or a price stood still for ten thousand minutes, and then lost nearly all of itself.
    """
    interval = Interval.M1 if instrument == LUNA else Interval.H1
    candles = candles_of(star.settings, instrument, interval)
    found = of(getattr(star, when), "fct_indicator", instrument, interval)
    assert len(found) == len(candles)
    for name, line, parameters, place in (
        ("rsi", "rsi_14", (14,), None),
        ("sma", "sma_10", (10,), None),
        ("sma", "sma_30", (30,), None),
        ("sma", "sma_50", (50,), None),
        ("sma", "sma_200", (200,), None),
        ("bollinger", "bollinger_upper", (20, 2.0), 0),
        ("bollinger", "bollinger_middle", (20, 2.0), 1),
        ("bollinger", "bollinger_lower", (20, 2.0), 2),
    ):
        expected = INDICATORS[name].compute(candles, *parameters)
        expected = expected if place is None else expected[place]
        both = column(found, line), expected
        if instrument == LUNA:  # doubles below 1e-308 have hardly a digit, and their ratio none
            both = tuple(np.delete(each, WITHOUT_DIGITS) for each in both)
        np.testing.assert_allclose(*both, rtol=NEAR, atol=0, err_msg=line)


@pytest.mark.integration
def test_indicators_of_the_first_build_rest_on_the_candles_of_then(star: Star) -> None:
    found = of(star.first, "fct_indicator", BITCOIN)
    closes = column(of(star.first, "fct_candle", BITCOIN), "split_adjusted_close")
    ones = np.ones(len(closes))
    opened = np.arange(len(closes), dtype=np.int64)
    candles = Candles(Interval.H1, opened, closes, closes, closes, closes, ones)
    expected = INDICATORS["rsi"].compute(candles, 14)
    np.testing.assert_allclose(column(found, "rsi_14"), expected, rtol=NEAR)


@pytest.mark.integration
@pytest.mark.parametrize("name", CONTINUED)
def test_a_full_refresh_gives_the_same_rows(star: Star, name: str) -> None:
    """Of what is not a price: revisions say which build wrote a row, and may differ."""
    later, fresh = star.later.tables[name], star.fresh.tables[name]
    assert len(later) == len(fresh) > 0
    for field in later[0].keys() - {"series_revision"}:
        before, after = [row[field] for row in later], [row[field] for row in fresh]
        if CONTINUED[name] and isinstance(after[-1], float):
            near = column(later, field)
            np.testing.assert_allclose(near, column(fresh, field), rtol=NEAR, atol=0, err_msg=field)
        else:
            assert before == after, field


@pytest.mark.integration
def test_a_fact_has_the_version_that_was_valid_at_its_time(star: Star) -> None:
    """Ether's tick changed between the builds; a candle of 2030 opened after that."""
    versions = [one for one in star.later.tables["dim_instrument"] if one["instrument"] == ETHER]
    ticks = [(one["tick"], one["is_current"]) for one in versions]
    assert ticks == [(0.01, False), (0.5, True)]
    assert versions[0]["valid_to"] == versions[1]["valid_from"]
    assert versions[0]["valid_from"] == datetime(1900, 1, 1, tzinfo=UTC)
    for name in ("fct_candle", "fct_indicator"):
        days = of(star.later, name, ETHER, "1d")
        assert [row["version"] for row in days] == versions
    assert {row["version"]["tick"] for row in of(star.later, "fct_candle", ETHER)} == {ticks[0][0]}


@pytest.mark.integration
def test_answers_of_scenes_are_the_stored_results(star: Star) -> None:
    """The second scene asked the same as the first, and was answered from the store."""
    found = star.later.tables["fct_run"]
    cached = {(str(row["scene_key"]), row["cached"]) for row in found}
    assert cached == set(zip(star.story.scene_ids, (False, True, False), strict=True))
    assert len(found) == 9
    for row in found:
        document = star.story.documents[row["result_key"]]
        assert {name: row[name] for name in METRICS} == {name: document[name] for name in METRICS}
        assert (row["run_key"], row["status"]) == (document["run_key"], document["status"])
        assert (row["start_date_key"], row["last_date_key"]) == (20240120, 20240309)
        assert (row["cash"], row["fee"], row["slippage"]) == (10_000.0, 0.001, 0.0005)


@pytest.mark.integration
def test_trades_are_the_engines(star: Star) -> None:
    by_result: dict[str, Rows] = {}
    for row in star.later.tables["fct_trade"]:
        by_result.setdefault(row["result_key"], []).append(row)
    assert by_result.keys() == star.story.outcomes.keys()
    for key, outcome in star.story.outcomes.items():
        assert outcome.curve is not None
        for row, trade in zip(by_result[key], outcome.curve.trades, strict=True):
            assert (row["entry_at"], row["exit_at"]) == (trade.entry_at, trade.exit_at)
            assert (row["profit"], row["fees"]) == (trade.profit, trade.fees)
            entry = f"{trade.entry_at:%Y%m%d}", f"{trade.entry_at:%H%M}"
            assert (row["entry_date_key"], row["entry_time_key"]) == tuple(map(int, entry))
            moved = (trade.exit_price - trade.entry_price) * trade.size
            assert row["gross_profit"] == pytest.approx(moved + trade.slippage)


@pytest.mark.integration
def test_days_of_equity_give_the_metrics_of_the_run(star: Star) -> None:
    by_result: dict[str, Rows] = {}
    for row in star.later.tables["fct_equity"]:
        by_result.setdefault(row["result_key"], []).append(row)
    assert by_result.keys() == star.story.documents.keys()
    for key, document in star.story.documents.items():
        days = by_result[key]
        returns = column(days, "daily_return")
        assert len(days) == 50
        assert {row["candles"] for row in days} == {24}
        sharpe = returns.mean() / returns.std(ddof=1) * np.sqrt(365)
        assert sharpe == pytest.approx(document["sharpe"], rel=1e-9)
        assert column(days, "lowest_drawdown").min() == pytest.approx(document["max_drawdown"])
        assert days[-1]["equity"] == document["final_equity"]


@pytest.mark.integration
def test_a_check_says_what_was_known_to_be_wrong_then(star: Star) -> None:
    """Of ten missing candles, six were repaired before the second check looked."""
    found = rows(
        star.settings,
        """SELECT candles, expected, findings, new_findings, errors, missing_candles,
                  outlier_candles, source FROM marts.fct_data_quality
           JOIN marts.dim_source USING (source_key) ORDER BY quality_check_id""",
    )
    assert [tuple(row) for row in found] == [
        (1_990, 2_000, 2, 2, 2, 10, 0, "binance"),
        (1_996, 2_000, 2, 1, 1, 4, 1, "binance"),
        (1_999, 2_000, 1, 1, 1, 1, 0, "binance"),
    ]


@pytest.mark.integration
def test_scenes_name_who_published_them(star: Star) -> None:
    found = rows(
        star.settings,
        """SELECT status, coalesce(search_kind, ''), instruments, user_name FROM marts.dim_scene
           JOIN marts.dim_user USING (user_key) ORDER BY 1, 4""",
    )
    assert [tuple(row) for row in found] == [
        ("received", "grid", 1, "ada"),
        ("received", "grid", 1, "ada"),
        ("received", "grid", 1, "nobody said"),
        ("rejected", "single", None, "nobody said"),
    ]


@pytest.mark.integration
def test_the_intervals_are_those_of_the_shared_language(star: Star) -> None:
    seconds = [one.fixed_ms // 1000 if one.fixed_ms else None for one in Interval]
    found = rows(
        star.settings, "SELECT interval_key, seconds FROM marts.dim_interval ORDER BY position"
    )
    assert [tuple(row) for row in found] == list(
        zip((str(one) for one in Interval), seconds, strict=True)
    )


@pytest.mark.integration
def test_a_day_belongs_to_the_year_of_its_iso_week(star: Star) -> None:
    """2024-12-30 is a Monday, of the first week of 2025."""
    query = """SELECT iso_year, iso_week, year, weekday, is_weekend
               FROM marts.dim_date WHERE date_key = 20241230"""
    assert [tuple(row) for row in rows(star.settings, query)] == [(2025, 1, 2024, 1, False)]


@pytest.mark.integration
def test_sources_that_were_just_loaded_are_fresh(star: Star) -> None:
    assert star.freshness["source.mela.raw.candle"] == "pass"
    assert star.freshness["source.mela.ops.load_batch"] == "pass"


@pytest.mark.integration
def test_every_column_of_a_mart_says_what_it_means(star: Star) -> None:
    found = rows(
        star.settings,
        """SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
           WHERE c.relnamespace = 'marts'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
             AND coalesce(col_description(c.oid, a.attnum), '') = ''""",
    )
    assert found == []


def test_nothing_in_the_project_can_hide_the_installed_dbt() -> None:
    """`dbt/` at the root merges with the package dbt where a folder here is called as its own."""
    assert not {path.name for path in PROJECT.iterdir()} & {"adapters", "cli", "include"}
    assert not list(PROJECT.rglob("*.py"))


@pytest.mark.integration
def test_tables_of_an_older_release_get_the_columns_that_are_new(star: Star, dbt: Dbt) -> None:
    """Rows that are there keep null in them; what is appended has values. A refresh fills all."""
    new = {"fct_run": ["sortino", "status"], "fct_trade": ["mae"]}
    one = "(SELECT min(result_key) FROM marts.fct_trade)"
    before = {name: by_result(star.settings, name) for name in new}
    [(chosen,)] = rows(star.settings, f"SELECT {one}")
    with transaction(star.settings) as connection:
        for name, columns in new.items():
            connection.execute(
                text(f"DELETE FROM marts.{name} WHERE result_key = :key"), {"key": chosen}
            )
            for each in columns:
                connection.execute(text(f"ALTER TABLE marts.{name} DROP COLUMN {each}"))

    dbt.run("run", "--select", *new)
    after = {name: by_result(star.settings, name) for name in new}
    dbt.run("run", "--full-refresh", "--select", *new)

    assert {name: by_result(star.settings, name) for name in new} == before
    for name, columns in new.items():
        empty = dict.fromkeys(columns)
        assert chosen in before[name]
        assert len(before[name]) > 1
        assert after[name] == {
            key: found if key == chosen else [row | empty for row in found]
            for key, found in before[name].items()
        }


def by_result(settings: Settings, name: str) -> dict[str, Rows]:
    """Return the rows of a fact as they are now, by result."""
    found: dict[str, Rows] = {}
    for row in rows(settings, f"SELECT * FROM marts.{name} ORDER BY {FACTS[name]}"):
        found.setdefault(row.result_key, []).append(dict(row._mapping))
    return found


@pytest.mark.integration
def test_orders_fills_and_days_of_a_session_are_in_the_star(star: Star) -> None:
    """An instrument whose candles were never loaded has its name, and no version."""
    tables = star.first.tables
    ether = {
        one["instrument_key"] for one in tables["dim_instrument"] if one["instrument"] == ETHER
    }
    bought, refused = tables["fct_order"]
    assert bought["instrument_key"] in ether
    assert (bought["intended_date_key"], bought["intended_time_key"]) == (20240301, 2300)
    assert (refused["instrument"], refused["instrument_key"]) == ("nowhere:NEW", None)
    assert (refused["state"], refused["units"]) == ("rejected", None)
    [fill] = tables["fct_fill"]
    assert (fill["notional"], fill["client_order_id"]) == (20.0, "a")
    days = [
        (row["date_key"], row["opening_equity"], row["equity"], row["profit"], row["orders"])
        for row in tables["fct_session_day"]
    ]
    assert days == [(20240301, 2000.0, 2000.0, 0.0, 2), (20240302, 2000.0, 2010.0, 10.0, 0)]
    assert [row["refused"] for row in tables["fct_session_day"]] == [0, 1]


@pytest.mark.integration
def test_the_causes_of_drift_are_counted(star: Star) -> None:
    [row] = star.first.tables["fct_drift"]
    assert (row["missed"], row["risk_causes"], row["unknown_causes"]) == (1, 1, 0)
    assert (row["drift"], row["state"]) == (-0.00025, "ok")
