"""What somebody meant: the words of other programs, slips of the pen, lengths spelled otherwise."""

from __future__ import annotations

import pytest

from mela.interval import Interval
from mela.metrics import METRICS
from mela.name_suggestions import did_you_mean, field_meant, interval_meant, near
from mela.scene import Scene

INTERVALS = [one.value for one in Interval]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("60m", "1h"),
        ("60min", "1h"),
        ("1H", "1h"),
        ("4hours", "4h"),
        ("1D", "1d"),
        ("24h", "1d"),
        ("daily", "1d"),
        ("7d", "1w"),
        ("1W", "1w"),
        ("1M", "1mo"),
        ("1month", "1mo"),
        ("15", "15m"),
        ("5min", "5m"),
        ("45m", None),
        ("soon", None),
    ],
)
def test_a_length_is_known_by_other_spellings(word: str, meant: str | None) -> None:
    assert interval_meant(word, INTERVALS) == ([meant] if meant else [])


@pytest.mark.parametrize("interval", INTERVALS)
def test_each_interval_means_itself(interval: str) -> None:
    assert interval_meant(interval, INTERVALS) == [interval]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("fee", "costs.fee"),
        ("costs.fees", "costs.fee"),
        ("commission", "costs.fee"),
        ("exits.stoploss", "exits.stop_loss"),
        ("stop_loss", "exits.stop_loss"),
        ("timeframe", "interval"),
        ("symbols", "instruments"),
        ("instrument", "instruments"),
        ("strategy.parms", "strategy.params"),
        ("rankby", "rank_by"),
        ("initial_cash", "cash"),
    ],
)
def test_a_field_is_found_beside_it_elsewhere_or_by_its_name_in_other_programs(
    path: str, meant: str
) -> None:
    assert field_meant(path, Scene).startswith(f"; did you mean {meant}")


def test_nothing_close_asks_nothing() -> None:
    assert did_you_mean("xyzzy", METRICS) == ""
    assert field_meant("xyzzy", Scene) == ""
    assert near("", METRICS) == []


@pytest.mark.parametrize(
    ("word", "meant"),
    [("Sharpe", "sharpe"), ("sharp", "sharpe"), ("maxdrawdown", "max_drawdown"), ("CAGR", "cagr")],
)
def test_metrics_are_known_by_slips(word: str, meant: str) -> None:
    assert near(word, METRICS)[0] == meant
