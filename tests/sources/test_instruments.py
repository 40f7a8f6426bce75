"""sources/instruments: packaged facts, and what a symbol lets one infer where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mela.calendars import check_calendar, date_ms, sessions_of_span
from mela.instrument import FACTS
from mela.interval import Interval
from sources.instruments import PACKAGED, describe, packaged
from sources.instruments.pack import packed, stated
from sources.yahoo import YahooSource
from tests.warehouse.given import at

WRITTEN = "not asked of the service"


def test_each_packaged_fact_is_one_that_the_engine_can_use() -> None:
    for one in packaged().values():
        check_calendar(one.calendar)
        assert one.quote
        there = [fact for fact in FACTS if getattr(one, fact) is not None]
        assert {one.how(fact) for fact in there} == {"packaged"}, one.name


def test_where_each_packaged_row_is_from_stands_beside_it() -> None:
    notice = PACKAGED.with_name("NOTICE.md").read_text(encoding="utf-8")
    sources = {one.origin("calendar").source for one in packaged().values()}
    assert {source for source in sources if f"`{source}`" not in notice} == set()


def test_rows_of_recorded_answers_are_made_of_them() -> None:
    assert packed() == PACKAGED.read_text(encoding="utf-8")

    sources = {row["instrument"]: row["source"] for row in stated()}
    assert len(sources) == 17
    assert {name: describe(name).origin("quote").source for name in sources} == sources


def test_a_row_that_was_written_states_nothing_that_only_a_service_knows() -> None:
    written = [one for one in packaged().values() if WRITTEN in one.origin("quote").source]
    assert len(written) == 53
    for one in written:
        nothing = (one.tick, one.lot, one.listed_on)
        assert nothing == (None, None, None), one.name
    others = {"node-yahoo-finance2", "nautilus_trader", "recorded chart"}
    rest = {one.origin("quote").source for one in packaged().values()} - others
    assert rest == {f"public knowledge ({WRITTEN})"}


@pytest.mark.parametrize(
    ("name", "kind", "quote", "calendar"),
    [
        ("yahoo:^N225", "index", "JPY", "XTKS"),
        ("yahoo:^FTSE", "index", "GBP", "XLON"),
        ("yahoo:QQQ", "etf", "USD", "XNYS"),
        ("yahoo:GC=F", "future", "USD", "CMES"),
        ("yahoo:OCDO.L", "equity", "GBp", "XLON"),
        ("binance:BTCUSDT", "spot", "USDT", "24/7"),
    ],
)
def test_what_is_packaged_goes_before_the_symbol(name, kind, quote, calendar) -> None:
    found = describe(name)
    assert (found.kind, found.quote, found.calendar) == (kind, quote, calendar)
    assert found.inferred == ()


def test_a_symbol_that_is_not_packaged_is_inferred() -> None:
    assert set(describe("yahoo:SAP.DE").inferred) == {"kind", "quote", "calendar"}


@pytest.fixture
def tokyo(tmp_path: Path) -> Path:
    """A folder with the sessions of January 2024 of a stock in Tokyo."""
    ends = (date_ms(at(day).date()) for day in ("2024-01-01", "2024-02-01"))
    days = sessions_of_span("XTKS", *ends)
    prices = dict.fromkeys(("open", "high", "low", "close"), np.full(len(days.date_ms), 2_500.0))
    frame = pd.DataFrame(
        {
            "source": "lean-equity",
            "symbol": "7203.T",
            "interval": "1d",
            "open_time": pd.to_datetime(days.date_ms, unit="ms", utc=True),
            **prices,
            "volume": 1_000.0,
        }
    )
    frame.to_parquet(tmp_path / "tokyo.parquet")
    return tmp_path


def test_a_stock_of_another_country_is_what_its_chart_says(replay, tokyo: Path) -> None:
    source = YahooSource(replay(data=tokyo).url)
    found = source.fetch("7203.T", Interval.D1, at("2024-01-01"), at("2024-02-01"))

    about = found.instrument
    assert (about.kind, about.quote, about.calendar) == ("equity", "JPY", "XTKS")
    assert (about.exchange, about.timezone) == ("JPX", "Asia/Tokyo")
    assert len(found) == 19  # the sessions of that month; 1 to 3 and 8 January are holidays
