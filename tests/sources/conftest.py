"""What tests of the sources share: candles of their own, and a patience that fits into seconds."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from sources.retry import RetryPolicy
from sources.service import forget_services

QUICK = RetryPolicy(attempts=3, first_s=0.01, longest_s=0.02, total_s=20.0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def write_candles(
    folder: Path,
    source: str,
    symbol: str,
    interval: str,
    rows: list[tuple[str, *tuple[float, ...]]],
) -> None:
    """Write rows of (open time, open, high, low, close, volume) as a file like shared/data's."""
    table = pd.DataFrame(rows, columns=["open_time", "open", "high", "low", "close", "volume"])
    table["open_time"] = pd.to_datetime(table["open_time"], utc=True)
    table = table.assign(source=source, symbol=symbol, interval=interval)
    table.to_parquet(folder / f"{source}_{symbol}_{interval}_{len(list(folder.iterdir()))}.parquet")


@pytest.fixture(autouse=True)
def _nobody_asked_before() -> None:  # pyright: ignore[reportUnusedFunction]
    """A breaker that one test opened is closed for the next, whatever port it gets."""
    forget_services()
