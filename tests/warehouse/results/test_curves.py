"""warehouse/results/curves.py: long curves are kept in one piece too, which follows its rows."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from mela.result import Curve
from mela.run import to_ms
from mela.settings import Settings
from tests.warehouse.given import START, a_document, a_run, a_scene, rows
from warehouse.database import transaction
from warehouse.results import curves
from warehouse.results import finder as results

pytestmark = pytest.mark.integration
MINUTE_MS = 60_000
FIRST = "opened_at = (SELECT min(e.opened_at) FROM ops.equity e)"
PACKED = "SELECT result_key FROM ops.equity_packed"


def a_stored_curve(settings: Settings, count: int) -> tuple[str, Curve]:
    """Store a curve with a gap in its candles."""
    document = a_document(a_run(), a_scene(settings))
    opened = to_ms(START) + np.arange(count, dtype=np.int64) * MINUTE_MS
    opened[count // 2 :] += 7 * MINUTE_MS
    curve = Curve((), opened, np.random.default_rng(3).normal(1e4, 50.0, count))
    with transaction(settings) as connection:
        assert not results.save(connection, [document])
        assert results.save_curve(connection, document["result_key"], curve)
    return document["result_key"], curve


@pytest.mark.parametrize(
    ("count", "is_packed"), [(curves.PACKED_FROM, True), (curves.PACKED_FROM - 1, False)]
)
def test_a_curve_comes_back_to_the_last_bit(
    warehouse: Settings, count: int, is_packed: bool
) -> None:
    key, curve = a_stored_curve(warehouse, count)

    assert bool(rows(warehouse, PACKED)) is is_packed
    with transaction(warehouse) as connection:
        opened, equity = curves.equity(connection, key)
    assert np.array_equal(opened, curve.opened_ms)
    assert equity.tobytes() == curve.equity.tobytes()


@pytest.mark.parametrize("change", ["UPDATE ops.equity SET equity = 1", "DELETE FROM ops.equity"])
def test_whoever_changes_a_row_takes_the_piece_away(warehouse: Settings, change: str) -> None:
    key, curve = a_stored_curve(warehouse, curves.PACKED_FROM)
    with transaction(warehouse) as connection:
        size = connection.scalar(text("SELECT ops.curve_bytes(ARRAY[:key])"), {"key": key})
        connection.execute(text(f"{change} WHERE {FIRST}"))
        smaller = connection.scalar(text("SELECT ops.curve_bytes(ARRAY[:key])"), {"key": key})

    assert rows(warehouse, PACKED) == []
    assert size - smaller >= curve.equity.nbytes
    with transaction(warehouse) as connection:
        _, equity = curves.equity(connection, key)
    assert equity.tobytes() != curve.equity.tobytes()
    assert np.array_equal(equity[-100:], curve.equity[-100:])
