"""A checkpoint says how far its query has come."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.monitoring.query_progress import Position, checkpoint, committed


def write(home: Path, batch: int, offsets: str, *, is_committed: bool = True) -> None:
    folder = checkpoint(home, "run")
    for name in ("commits", "offsets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "offsets" / str(batch)).write_text(f'v1\n{{"batchWatermarkMs":0}}\n{offsets}')
    if is_committed:
        (folder / "commits" / str(batch)).write_text("v1\n{}")
        (folder / "commits" / f".{batch}.crc").write_text("")


def test_the_last_committed_batch_counts_and_not_the_one_at_work(tmp_path: Path) -> None:
    assert committed(tmp_path, "run") == Position(-1, {})
    write(tmp_path, 9, '{"mela.runs":{"0":3,"1":4}}')
    write(tmp_path, 10, '{"mela.runs":{"0":5,"1":4}}')
    write(tmp_path, 11, '{"mela.runs":{"0":50,"1":40}}', is_committed=False)

    found = committed(tmp_path, "run")

    assert found == Position(10, {0: 5, 1: 4})
    assert found.messages == 9
    assert found.waiting({0: 5, 1: 6, 2: 7}) == 9


def test_a_checkpoint_of_another_topic_is_named(tmp_path: Path) -> None:
    write(tmp_path, 0, '{"other":{"0":3}}')
    with pytest.raises(ValueError, match=r"checkpoints/run holds no offsets of mela\.runs"):
        committed(tmp_path, "run")
