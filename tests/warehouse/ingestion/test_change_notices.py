"""warehouse/ingestion/change_notices.py: what a run of a DAG is about."""

from __future__ import annotations

from typing import Any

import pytest

from mela.interval import Interval
from mela.series import SeriesKey
from tests.warehouse.given import at
from warehouse.ingestion.change_notices import merge_notices, requested_scope

BITCOIN = SeriesKey("binance:BTCUSDT", Interval.H1)
SINCE, UNTIL = "2024-01-01T00:00:00Z", "2024-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"start": SINCE, "end": UNTIL}, (None, at("2024-01-01"), at("2024-02-01"))),
        ({"start": SINCE}, (None, at("2024-01-01"), None)),
        (
            {"instruments": ["binance:BTCUSDT 1h", ""], "start": SINCE},
            ([BITCOIN], at("2024-01-01"), None),
        ),
        ({"instruments": ["binance:BTCUSDT 1h"]}, ([BITCOIN], None, None)),
        ({"instruments": [""], "start": None, "end": None}, None),
    ],
)
def test_each_field_of_a_form_bounds_alone(fields: dict[str, Any], about: Any) -> None:
    """A start that was dropped for want of an end would check all there is, and say nothing."""
    assert requested_scope(**fields) == about


def test_news_of_several_loads_is_of_all_their_series_and_days() -> None:
    first = {"series": ["binance:BTCUSDT 1h"], "start": "2024-01-03T00:00Z", "end": UNTIL}
    second = {"series": ["yahoo:AAPL 1d"], "start": SINCE, "end": "2024-01-02T00:00Z"}
    both = [BITCOIN, SeriesKey("yahoo:AAPL", Interval.D1)]
    assert merge_notices([first, second]) == (both, at("2024-01-01"), at("2024-02-01"))
    assert merge_notices([first, {**second, "end": None}]) == (both, None, None)
    assert merge_notices([]) == merge_notices([{}]) == (None, None, None)
