"""A file of candles, a scene on them, and the command as a user types it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from typer.testing import CliRunner

from cli.main import app

HOUR_MS = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01T00:00:00Z
SCENE: dict[str, Any] = {
    "instruments": ["anywhere:THING"],
    "interval": "1h",
    "start": "2023-01-05T00:00:00Z",
    "end": "2023-01-15T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"fast": 3, "slow": 9}},
}


def write(path: Path, **change: Any) -> Path:
    close = 100 + 10 * np.sin(np.arange(480) / 7)
    columns: dict[str, Any] = {
        "open_time": pa.array(START_MS + HOUR_MS * np.arange(480), pa.timestamp("ms", tz="UTC")),
        "open": close,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": np.ones(480),
    }
    kept = {name: value for name, value in (columns | change).items() if value is not None}
    pq.write_table(pa.table(kept), path)
    return path


def mela(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])
