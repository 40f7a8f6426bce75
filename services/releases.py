"""Freeze what messages look like in a release: `python -m services.releases`.

`messaging/schemas/VERSION` then has a schema for each topic and sample messages. Later code is held
against the files of every release (tests/messaging/test_schemas.py).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import mela
from backtests.simulate import provenance
from backtests.strategies import CATALOGUE
from mela.block_returns import BlockReturns
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import plan_runs
from mela.messages import (
    CHUNK_RESULTS,
    PROGRESS,
    REJECTED,
    RESULTS,
    RUNS,
    SCENES,
    MessagePosition,
    Progress,
    RunChunk,
    State,
    rejection,
)
from mela.metrics import TYPES
from mela.result import Metrics, Outcome, Status
from mela.result_columns import ResultRows
from mela.run import Run
from mela.scene import parse_scene
from mela.settings import REPOSITORY
from mela.trading_messages import FILLS, ORDERS, POSITIONS, FillTold, OrderTold, PositionsTold
from messaging.columns import to_arrow
from messaging.described import schemas

FOLDER = REPOSITORY / "messaging" / "schemas"
_AT = datetime(2024, 1, 1, tzinfo=UTC)
_ID = "0b6f0000-0000-4000-8000-000000000000"
_COMMON = {
    "scene_id": _ID,
    "interval": "1h",
    "start": "2024-01-01T00:00:00Z",
    "end": "2024-02-01T00:00:00Z",
}
_GRID = {
    **_COMMON,
    "name": "a grid",
    "instruments": ["binance:BTCUSDT", "binance:ETHUSDT"],
    "strategy": {"name": "sma_cross", "params": {"slow": 100}},
    "search": {
        "kind": "grid",
        "space": {"strategy.params.fast": [10, 20], "exits.stop_loss": [None, 0.05]},
    },
    "rank_by": "sortino",
    "min_trades": 5,
}
_TOGETHER = {
    **_COMMON,
    "instruments": ["binance:BTCUSDT", "binance:ETHUSDT"],
    "mode": "together",
    "portfolio": {"weights": {"kind": "equal"}, "rebalance": {"kind": "schedule", "every": "1mo"}},
    "strategy": {"name": "sma_cross", "params": {"fast": 20, "slow": 100}},
}


class Sample(NamedTuple):
    """A message as a release sends it. name: of its file."""

    topic: str
    name: str
    content: bytes


def samples() -> Iterator[Sample]:
    """Yield messages of all topics, the same ones each time."""
    for kind, document in (("grid", _GRID), ("together", _TOGETHER)):
        scene = parse_scene(document)
        yield _sample(SCENES, f"{kind}.json", scene.model_dump_json(exclude_unset=True).encode())
        runs = tuple(plan_runs(scene, CATALOGUE, max_runs=100).expand())
        digests = {name: CATALOGUE[name].digest for name in {run.strategy for run in runs}}
        yield _sample(RUNS, f"{kind}.json", RunChunk(_ID, 0, runs, digests).to_bytes())
        columns = _rows(runs).taken()
        yield _sample(CHUNK_RESULTS, f"{kind}.arrow", to_arrow(columns))
        for place, one in enumerate(columns.documents()):
            if place < len(Status):
                yield _sample(RESULTS, f"{kind}-{place}.json", one.body)
    for state in State:
        refused = {"code": RejectionCode.INVALID_FIELD, "field": "cash", "sentence": "no."}
        counts = {"runs": 8, "skipped": 0, "cached": 1, "recorded": 8, "cancelled": 1}
        about: dict[str, Any] = refused if state is State.REJECTED else counts
        body = Progress.model_validate({"scene_id": _ID, "state": state, "at": _AT, **about})
        yield _sample(PROGRESS, f"{state}.json", body.to_bytes())
    letter = rejection(
        b"{",
        MessagePosition(SCENES, 0, 41),
        SceneInvalid(RejectionCode.NOT_JSON, None, "expected JSON."),
        code_version="0" * 40,
        at=_AT,
    )
    yield _sample(REJECTED, "letter.json", letter.to_bytes())
    yield from _of_trading()


def _of_trading() -> Iterator[Sample]:
    """Yield messages of a session: an order before and after its fill, the fill, the account."""
    told = {"session_id": _ID, "instrument": "binance:BTCUSDT", "client_order_id": "0b6f-1-e-1"}
    order = told | {"leg": "enter", "side": "buy", "kind": "market", "reason": "entry", "seq": 3}
    order |= {"units": None, "level": None, "average_price": None, "filled_units": 0.0}
    order |= {"state": "intended", "why": None, "broker_order_id": None, "fees": 0.0}
    order |= {"decided_at": _AT, "intended_at": _AT, "changed_at": None}
    done = {"seq": 5, "units": 0.25, "state": "filled", "filled_units": 0.25, "changed_at": _AT}
    done |= {"average_price": 40_000.5, "fees": 10.000125, "broker_order_id": "b-1", "why": "all"}
    for name, document in (("intended", order), ("filled", order | done)):
        body = OrderTold.model_validate(document).to_bytes()
        yield _sample(ORDERS, f"{name}.json", body)
    fill = {"seq": 4, "fill_id": "b-1/0.25", "side": "buy", "units": 0.25, "price": 40_000.5}
    body = FillTold.model_validate(told | fill | {"fee": 10.000125, "at": _AT}).to_bytes()
    yield _sample(FILLS, "whole.json", body)
    held = {"instrument": "binance:BTCUSDT", "units": -0.25, "average_price": 40_000.5}
    account = {"session_id": _ID, "seq": 6, "account": 0, "opened_at": _AT, "cash": 20_000.0}
    account |= {"equity": 10_001.0, "positions": [held | {"price": 39_996.0, "value": -9_999.0}]}
    yield _sample(POSITIONS, "short.json", PositionsTold.model_validate(account).to_bytes())
    empty = account | {"equity": 20_000.0, "positions": []}
    yield _sample(POSITIONS, "none.json", PositionsTold.model_validate(empty).to_bytes())


def _sample(topic: str, name: str, content: bytes) -> Sample:
    return Sample(topic, f"{topic}-{name}", content)


def _rows(runs: tuple[Run, ...]) -> ResultRows:
    rows = ResultRows(_ID)
    numbers: dict[str, Any] = {name: kind(place / 8) for place, (name, kind) in enumerate(TYPES)}
    blocks = BlockReturns.of([[0.5] * 16, [0.25] * 16, [3] * 16])
    for place, run in enumerate(runs):
        status = list(Status)[place % len(Status)]
        is_whole = status in (Status.SUCCEEDED, Status.RUINED)
        outcome = Outcome(
            run,
            status,
            metrics=Metrics(**numbers) if is_whole else None,
            blocks=blocks if is_whole else None,
            error=None if is_whole or status is Status.NO_DATA else ("KeyError", "why"),
            candles=744,
            periods_per_year=8766.0,
            warnings=("few_trades",) if is_whole else (),
        )
        rows.add(outcome, provenance(run.strategy, 7), _AT)
    return rows


def released(changelog: str) -> list[str]:
    """Return the versions that are out, by their headings.

    >>> released(chr(10).join(["## [Unreleased]", "## [0.2.0] - 2026-01-01", "## [0.1.0]"]))
    ['0.2.0', '0.1.0']
    """
    return re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)


def frozen(schema: Any) -> str:
    """Return a schema as its file has it."""
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def write(folder: Path, version: str = mela.__version__) -> None:
    """Write the files of the version that is being made. Raises ValueError for one that is out."""
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    if version in released(changelog):
        raise ValueError(
            f"expected a version that is not out, but {version} is, by CHANGELOG.md: its messages "
            "are in Kafka. Raise the version in mela/__init__.py and pyproject.toml first."
        )
    place = folder / version
    (place / "samples").mkdir(parents=True, exist_ok=True)
    for old in (*place.glob("*.json"), *(place / "samples").iterdir()):
        old.unlink()
    for topic, schema in schemas().items():
        (place / f"{topic}.json").write_text(frozen(schema), encoding="utf-8")
    for sample in samples():
        (place / "samples" / sample.name).write_bytes(sample.content)


if __name__ == "__main__":
    write(FOLDER)
    sys.stdout.write(f"wrote {FOLDER / mela.__version__}\n")
