"""sources/headlines.py: the real NewsClient against the replay."""

from datetime import timedelta

import pandas as pd
import pytest

from mela.errors import SourceRefused
from mela.settings import Settings
from replay import Fault
from replay.series import PACKAGED
from sources.headlines import fetch_news
from tests.sources.conftest import QUICK, at

NEWS = "/alpaca/v1beta1/news"


def test_headlines_come_with_their_times_and_symbols(packaged) -> None:
    offline = Settings(replay_url=packaged.url)
    [dividend, split] = fetch_news(["AAPL"], at("2020-08-01"), at("2020-09-10"), offline, QUICK)
    assert (dividend.headline, split.headline) == (
        "AAPL trades ex-dividend: 0.82 a share",
        "AAPL splits 4 for 1",
    )
    assert (split.published_at, split.updated_at) == (
        at("2020-08-31T12:00"),
        at("2020-08-31T13:00"),
    )
    assert (split.symbols, split.source) == (("AAPL",), "mela replay")
    assert split.url.startswith("https://")


def test_the_end_is_not_part_of_the_span(packaged) -> None:
    offline = Settings(replay_url=packaged.url)
    before = fetch_news(["AAPL"], at("2020-08-08"), at("2020-08-31T13:00"), offline, QUICK)
    assert before == []


def test_a_day_that_moves_a_coin_is_news_when_it_is_over(packaged) -> None:
    hours = pd.read_parquet(PACKAGED / "binance_BTCUSDT_1h.parquet").set_index("open_time")
    days = hours.loc["2022"].resample("1D").agg({"open": "first", "close": "last"})
    moved = days[(days.close / days.open - 1).abs() >= 0.05]
    found = fetch_news(
        ["BTC/USD"], at("2022-01-02"), at("2023-01-02"), Settings(replay_url=packaged.url), QUICK
    )
    told = [each.published_at.date() for each in found]
    assert told == [day.date() + timedelta(days=1) for day in moved.index]
    assert found[0].headline == "BTC falls 5.2% in a day, to 43,451.13"


@pytest.mark.parametrize("rows", [3, 7, 50])
def test_pages_of_any_size_join(replay, rows: int) -> None:
    server = replay(page_rows=rows)
    offline = Settings(replay_url=server.url)
    span = at("2021-01-01"), at("2023-01-01")
    found = fetch_news(["alpaca:BTC/USD", "AAPL"], *span, offline, QUICK)
    assert len(found) == 41
    assert [each.updated_at for each in found] == sorted(each.updated_at for each in found)
    assert {symbol for each in found for symbol in each.symbols} == {"AAPL", "BTCUSD"}
    assert sum(request.startswith(NEWS) for request in server.requests) == -(-41 // rows)


@pytest.mark.parametrize("status", [429, 500, None])
def test_trouble_that_passes_is_waited_out(replay, status: int | None) -> None:
    server = replay(faults=[Fault(NEWS, status, body="{}")])
    span = at("2020-08-01"), at("2020-09-10")
    assert len(fetch_news(["AAPL"], *span, Settings(replay_url=server.url), QUICK)) == 2


def test_a_question_that_is_none_is_an_error(packaged) -> None:
    offline = Settings(replay_url=packaged.url)
    with pytest.raises(ValueError, match="at least one symbol"):
        fetch_news([], at("2020-08-01"), at("2020-09-10"), offline)
    with pytest.raises(ValueError, match="after the start"):
        fetch_news(["AAPL"], at("2020-08-01"), at("2020-08-01"), offline)
    with pytest.raises(SourceRefused, match="MELA_ALPACA__KEY"):
        fetch_news(["AAPL"], at("2020-08-01"), at("2020-09-10"), Settings(replay_url=None))
