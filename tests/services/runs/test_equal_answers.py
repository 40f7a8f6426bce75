"""The platform and `mela backtest` give equal answers on equal candles, for each kind of thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from cli.candles.candle_file import reader_of_files
from mela.calendars import NO_SESSION, closes_ms, expected_opens_ms, session_dates
from mela.grid import plan_runs
from mela.inference import infer
from mela.instrument import FactOrigin, Instrument
from mela.interval import Interval
from mela.outcome import Outcome
from mela.run import from_ms
from mela.scene import parse_scene
from mela.settings import Settings
from sources.protocol import FetchedCandles
from sources.yahoo_markets import instrument_of
from warehouse.candles.reader import CandleReader
from warehouse.candles.run_series import read_run
from warehouse.ingestion.ingest import store_answer

pytestmark = pytest.mark.integration
START, END = np.array(["2023-01-01", "2024-07-01"], "datetime64[ms]").astype(np.int64).tolist()
YAHOO: dict[str, tuple[str, str, str]] = {  # symbol → type, exchange, currency, as its charts say
    "AAPL": ("EQUITY", "NMS", "USD"),
    "BRK-B": ("EQUITY", "NYQ", "USD"),
    "QQQ": ("ETF", "NGM", "USD"),
    "M&M.NS": ("EQUITY", "NSI", "INR"),
    "7203.T": ("EQUITY", "JPX", "JPY"),
    "OCDO.L": ("EQUITY", "LSE", "GBp"),
    "^N225": ("INDEX", "OSA", "JPY"),
    "^GSPC": ("INDEX", "SNP", "USD"),
    "EURUSD=X": ("CURRENCY", "CCY", "USD"),
    "BTC-USD": ("CRYPTOCURRENCY", "CCC", "USD"),
    "GC=F": ("FUTURE", "CMX", "USD"),
}
OTHERS = ("binance:BTCUSDT", "binance:币安人生USDT", "bybit:BTC/USDT:USDT", "kraken:BTC/USD")


def as_its_service_says(name: str) -> Instrument:
    venue, _, symbol = name.partition(":")
    if venue == "yahoo":
        words = ("instrumentType", "exchangeName", "currency")
        return instrument_of(symbol, dict(zip(words, YAHOO[symbol], strict=True)))
    known = infer(name)
    facts = {"kind": known.kind, "quote": known.quote, "calendar": known.calendar}
    return known.with_facts(facts, FactOrigin("asked", venue))


def walk(about: Instrument, interval: Interval, seed: int) -> FetchedCandles:
    opened = expected_opens_ms(about.calendar, interval, START, END)
    closes = closes_ms(about.calendar, interval, opened)
    closes = np.where(closes == NO_SESSION, interval.ends_ms(opened), closes)
    draws = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(draws.normal(0.0, 0.01, len(opened))))
    open_ = np.concatenate([[100.0], close[:-1]])
    return FetchedCandles(
        instrument=about,
        interval=interval,
        opened_ms=opened,
        closed_ms=closes,
        open=open_,
        high=np.maximum(open_, close) * 1.001,
        low=np.minimum(open_, close) * 0.999,
        close=close,
        volume=np.full(len(opened), 1_000.0),
        session_on=session_dates(about.calendar, interval, opened),
        actions=(),
        rejected=(),
        request={},
        origin="replay",
        source=about.venue,
    )


def written(candles: FetchedCandles, path: Path) -> Path:
    names = ("open", "high", "low", "close", "volume")
    columns = [getattr(candles, name).tolist() for name in names]
    lines = ["open_time," + ",".join(names)]
    for at, *values in zip(candles.opened_ms.tolist(), *columns, strict=True):
        lines.append(f"{at}," + ",".join(map(repr, values)))
    path.write_text("\n".join(lines))
    return path


def answers(name: str, interval: Interval, settings: Settings, path: Path) -> list[Outcome]:
    """Return the answer of the platform's reader and engine, and that of files."""
    fetched = walk(as_its_service_says(name), interval, seed=7)
    store_answer(fetched, from_ms(START), from_ms(END), settings)
    scene = parse_scene(
        {
            "schema_version": 1,
            "instruments": [name],
            "interval": interval.value,
            "start": "2023-06-01T00:00:00Z",
            "end": "2024-07-01T00:00:00Z",
            "strategy": {"name": "sma_cross", "params": {"fast": 5, "slow": 20}},
            "cash": 100_000,
        }
    )
    [run] = plan_runs(scene, CATALOGUE, max_runs=1).expand()
    stored = read_run(CandleReader(settings), run).candles[name]
    file = reader_of_files([str(written(fetched, path))], [name])(name, interval)
    return [next(run_all(candles, [run])) for candles in (stored, file)]


@pytest.mark.parametrize("name", [*(f"yahoo:{symbol}" for symbol in YAHOO), *OTHERS])
def test_days_give_equal_metrics(name: str, warehouse: Settings, tmp_path: Path) -> None:
    platform, local = answers(name, Interval.D1, warehouse, tmp_path / "days.csv")

    assert platform.metrics is not None
    assert platform.metrics.trades > 0
    assert local.metrics == platform.metrics
    assert local.periods_per_year == platform.periods_per_year
    assert set(local.warnings) - {"calendar_inferred"} == set(platform.warnings)
    assert "calendar_inferred" not in platform.warnings


@pytest.mark.parametrize("name", ["yahoo:BRK-B", "yahoo:7203.T", "binance:BTCUSDT"])
def test_hours_give_equal_metrics(name: str, warehouse: Settings, tmp_path: Path) -> None:
    platform, local = answers(name, Interval.H1, warehouse, tmp_path / "hours.csv")

    assert local.metrics == platform.metrics
    assert local.periods_per_year == platform.periods_per_year


def test_what_is_told_of_a_file_is_what_a_service_would_say(
    warehouse: Settings, tmp_path: Path
) -> None:
    """A calendar that is told takes the warning away, one that is only inferred does not."""
    from sources.files.options import file_options

    about = as_its_service_says("yahoo:7203.T")
    days = replace(walk(about, Interval.D1, 7), instrument=about)
    path = written(days, tmp_path / "days.csv")
    told = file_options(None, [], {"calendar": ["XTKS"], "quote": ["JPY"], "kind": ["equity"]})
    found: Any = reader_of_files([str(path)], ["my:TOYOTA"], told)("my:TOYOTA", Interval.D1)
    guessed: Any = reader_of_files([str(path)], ["my:TOYOTA"])("my:TOYOTA", Interval.D1)

    assert (found.calendar, found.about.inferred) == ("XTKS", ())
    assert (guessed.calendar, guessed.about.inferred) == ("XTKS", ("kind", "quote", "calendar"))
